//! Probes of real servers on this machine.

mod cases {
    mod compare;
    mod dns;
    mod icmp;
    mod tcp;
}
mod kit;
