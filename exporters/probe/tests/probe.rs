//! Probes of real servers on this machine.

mod cases {
    mod tcp;
}
mod kit;
