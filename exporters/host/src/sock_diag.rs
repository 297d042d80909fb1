//! TCP sockets of this process's own network, asked of the kernel itself (sock_diag(7), netlink(7), `linux/inet_diag.h`).
//!
//! The older of the two requests is made, which names no version of IP: the kernel then goes through its table of
//! connections once and not twice, and that is most of what it costs.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::{Errno, Result};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use crate::socket_table::Socket;

/// The kernel fills at most so much at once.
const BUFFER: usize = 32 << 10;

const TCPDIAG_GETSOCK: u16 = 18;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// Every state that has a number in `/proc/net/tcp`.
const ALL_STATES: u32 = 0xfff;

/// Where a message's parts begin.
const HEADER: usize = 16;
const STATE: usize = HEADER + 1;
const RECEIVED: usize = HEADER + 56;
const SENT: usize = HEADER + 60;

/// `LISTEN`: the place of unsent bytes holds how many connections may wait, which is no queue.
const LISTEN: u8 = 10;

/// A socket to the kernel.
#[derive(Debug)]
pub(crate) struct SockDiag {
    socket: OwnedFd,
    sequence: u32,
    buffer: Box<[u8; BUFFER]>,
}

impl SockDiag {
    /// Fails where the kernel was built without it, or a filter of system calls forbids it.
    pub(crate) fn open() -> Result<Self> {
        let protocol = Some(netlink::SOCK_DIAG);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, protocol)?;
        // The kernel answers at once; should it not, this is no place to wait.
        set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_millis(500)))?;
        Ok(SockDiag { socket, sequence: 0, buffer: Box::new([0; BUFFER]) })
    }

    /// Visits all TCP sockets, of both versions of IP.
    pub(crate) fn each(&mut self, mut visit: impl FnMut(Socket)) -> Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        send(&self.socket, &request(self.sequence), SendFlags::empty())?;
        loop {
            let len = match recv(&self.socket, &mut self.buffer[..], RecvFlags::empty()) {
                Ok((len, _)) => len,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error),
            };
            if parse(&self.buffer[..len], self.sequence, &mut visit)? {
                return Ok(());
            }
        }
    }
}

/// `struct inet_diag_req` behind a header; of its fields only the states are not zero.
fn request(sequence: u32) -> [u8; HEADER + 60] {
    const STATES: usize = HEADER + 52;
    let mut bytes = [0; HEADER + 60];
    let len = bytes.len() as u32;
    bytes[0..4].copy_from_slice(&len.to_ne_bytes());
    bytes[4..6].copy_from_slice(&TCPDIAG_GETSOCK.to_ne_bytes());
    bytes[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes[STATES..STATES + 4].copy_from_slice(&ALL_STATES.to_ne_bytes());
    bytes
}

/// Visits the sockets in some messages, and says whether they were the last. Messages of an earlier request, which was
/// given up on, are passed over.
fn parse(mut bytes: &[u8], sequence: u32, visit: &mut impl FnMut(Socket)) -> Result<bool> {
    while bytes.len() >= HEADER {
        let len = word(bytes, 0)? as usize;
        let message = bytes.get(..len).filter(|message| message.len() >= HEADER).ok_or(Errno::BADMSG)?;
        // Messages begin at multiples of four bytes.
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        if word(message, 8)? != sequence {
            continue;
        }
        match u16::from_ne_bytes([message[4], message[5]]) {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                return Err(Errno::from_raw_os_error(word(message, HEADER)?.cast_signed().saturating_neg()));
            }
            TCPDIAG_GETSOCK => visit(socket(message)?),
            _ => {}
        }
    }
    Ok(false)
}

fn socket(message: &[u8]) -> Result<Socket> {
    let (sent, received) = (word(message, SENT)?, word(message, RECEIVED)?);
    let state = message[STATE];
    let sent = if state == LISTEN { 0 } else { sent };
    Ok(Socket { state, sent: sent.into(), received: received.into() })
}

fn word(message: &[u8], at: usize) -> Result<u32> {
    let bytes = message.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_ne_bytes).ok_or(Errno::BADMSG)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let len = (HEADER + body.len()) as u32;
        let head = [len.to_ne_bytes(), [0; 4], sequence.to_ne_bytes(), [0; 4]];
        let mut bytes = [head.as_flattened(), body].concat();
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn body(state: u8, received: u32, sent: u32) -> Vec<u8> {
        let mut body = vec![0; 72];
        body[1] = state;
        body[56..60].copy_from_slice(&received.to_ne_bytes());
        body[60..64].copy_from_slice(&sent.to_ne_bytes());
        body
    }

    fn parsed(bytes: &[u8]) -> Result<(Vec<Socket>, bool)> {
        let mut sockets = Vec::new();
        let done = parse(bytes, 7, &mut |socket| sockets.push(socket))?;
        Ok((sockets, done))
    }

    #[test]
    fn messages() {
        let old = message(TCPDIAG_GETSOCK, 6, &body(1, 1, 1));
        let one = message(TCPDIAG_GETSOCK, 7, &body(1, 2, 3));
        let two = message(TCPDIAG_GETSOCK, 7, &body(LISTEN, 4, 4096));
        let done = message(NLMSG_DONE, 7, &[0; 4]);
        let sockets =
            vec![Socket { state: 1, sent: 3, received: 2 }, Socket { state: LISTEN, sent: 0, received: 4 }];
        assert_eq!(parsed(&[&*old, &*one, &*two].concat()).unwrap(), (sockets.clone(), false));
        assert_eq!(parsed(&[&*one, &*two, &*done].concat()).unwrap(), (sockets, true));
        let refused = message(NLMSG_ERROR, 7, &(-2i32).to_ne_bytes());
        assert_eq!(parsed(&refused).unwrap_err(), Errno::NOENT);
    }

    #[test]
    fn what_is_cut_is_an_error() {
        let whole = message(TCPDIAG_GETSOCK, 7, &body(1, 2, 3));
        for bad in
            [&whole[..40], &message(TCPDIAG_GETSOCK, 7, &[0; 20]), &message(NLMSG_ERROR, 7, &[]), &[0; 20]]
        {
            assert_eq!(parsed(bad).unwrap_err(), Errno::BADMSG);
        }
    }

    #[test]
    fn the_kernel_tells_of_our_sockets() {
        let listeners = ["127.0.0.1:0", "[::1]:0"].map(|address| TcpListener::bind(address).ok());
        let listeners: Vec<_> = listeners.into_iter().flatten().collect();
        let _connected: Vec<_> = listeners
            .iter()
            .map(|listener| TcpStream::connect(listener.local_addr().unwrap()).unwrap())
            .collect();
        let mut kernel = SockDiag::open().unwrap();
        let mut states = [0; 16];
        for _ in 0..2 {
            kernel.each(|socket| states[usize::from(socket.state)] += 1).unwrap();
        }
        let expected = 2 * listeners.len();
        assert!(states[1] >= 2 * expected && states[usize::from(LISTEN)] >= expected, "{states:?}");
    }
}
