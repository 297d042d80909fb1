//! TCP sockets by state, and the bytes in their queues.
//!
//! In the host's network the kernel is asked over netlink, as node_exporter does; from elsewhere the host's tables in
//! `<procfs>/1/net` are read. Both give the same numbers.

use rustix::io::Errno;
use taffrail_core::{CollectError, Out, Subject, metrics};

use crate::config::HostConfig;
use crate::network;
use crate::sock_diag::SockDiag;
use crate::socket_table::{Socket, SocketTable};

metrics! {
    /// TCP sockets in each state; of the states rx_queued_bytes and tx_queued_bytes the bytes in the queues of all.
    STATES: Gauge = "node_tcp_connection_states" ["state"];
}

/// The kernel's states, from 1 on (`include/net/tcp_states.h`).
const NAMES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];

/// The subject `tcpstat`.
pub fn subject(config: &HostConfig) -> Subject {
    let config = config.clone();
    let mut source = None;
    Subject::blocking("tcpstat", METRICS, move |out| {
        let from = match &mut source {
            Some(source) => source,
            None => source.insert(Source::find(&config)?),
        };
        let counted = from.count();
        if let Err(error) = &counted
            && !matches!(error, CollectError::Absent)
        {
            source = None;
        }
        counted?.write(out);
        Ok(())
    })
}

/// Where sockets are counted.
struct Source {
    kernel: Option<SockDiag>,
    files: Files,
}

impl Source {
    fn find(config: &HostConfig) -> Result<Self, CollectError> {
        let dir = network::directory(config)?;
        let files = Files(["tcp", "tcp6"].map(|name| SocketTable::new(dir.join(name))));
        let kernel = if network::is_own(config) { SockDiag::open().ok() } else { None };
        Ok(Source { kernel, files })
    }

    fn count(&mut self) -> Result<Counts, CollectError> {
        match self.kernel.as_mut().map(ask) {
            Some(Ok(counts)) => return Ok(counts),
            Some(Err(error)) => self.refused(error),
            None => {}
        }
        // The files have it all the same.
        self.files.count()
    }

    /// A kernel without the module (`tcp_diag`) starts a program to load it whenever it is asked: once is enough.
    fn refused(&mut self, error: Errno) {
        if error == Errno::NOENT {
            self.kernel = None;
        }
    }
}

fn ask(kernel: &mut SockDiag) -> rustix::io::Result<Counts> {
    let mut counts = Counts::default();
    kernel.each(|socket| counts.add(socket))?;
    Ok(counts)
}

/// The tables of both versions of IP; one may be missing.
struct Files([SocketTable; 2]);

impl Files {
    fn count(&mut self) -> Result<Counts, CollectError> {
        let mut counts = Counts::default();
        let mut found = false;
        for table in &mut self.0 {
            match table.each(|socket| counts.add(socket)) {
                Ok(()) => found = true,
                Err(CollectError::Absent) => {}
                Err(error) => return Err(error),
            }
        }
        if found { Ok(counts) } else { Err(CollectError::Absent) }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    states: [u64; NAMES.len()],
    /// States that are newer than this program.
    unknown: u64,
    sent: u64,
    received: u64,
}

impl Counts {
    fn add(&mut self, socket: Socket) {
        let state = usize::from(socket.state).checked_sub(1).and_then(|at| self.states.get_mut(at));
        *state.unwrap_or(&mut self.unknown) += 1;
        // A table of files holds any number.
        self.sent = self.sent.saturating_add(socket.sent);
        self.received = self.received.saturating_add(socket.received);
    }

    /// States without a socket are written as well, as 0, which node_exporter leaves out: a series that comes and goes
    /// has no average and no alert.
    fn write(&self, out: &mut Out) {
        for (name, count) in NAMES.iter().zip(self.states) {
            out.put(&STATES, [name], count as f64);
        }
        if self.unknown > 0 {
            out.put(&STATES, ["unknown"], self.unknown as f64);
        }
        out.put(&STATES, ["rx_queued_bytes"], self.received as f64);
        out.put(&STATES, ["tx_queued_bytes"], self.sent as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_state_is_counted() {
        let mut counts = Counts::default();
        for state in [0, 1, 11, 12, 255] {
            counts.add(Socket { state, sent: u64::MAX, received: 1 });
        }
        assert_eq!((counts.states[0], counts.states[10], counts.unknown), (1, 1, 3));
        assert_eq!((counts.sent, counts.received), (u64::MAX, 5));
    }

    #[test]
    fn a_kernel_without_the_module_is_asked_once() {
        let files = Files(["tcp", "tcp6"].map(|name| SocketTable::new(format!("/proc/net/{name}").into())));
        let mut source = Source { kernel: SockDiag::open().ok(), files };
        source.refused(Errno::AGAIN);
        assert_eq!(source.kernel.is_some(), SockDiag::open().is_ok(), "late is not never");
        source.refused(Errno::NOENT);
        assert!(source.kernel.is_none() && source.count().is_ok());
    }

    #[test]
    fn both_sources_say_the_same() {
        let config = HostConfig::default();
        let Ok(Source { kernel: Some(mut kernel), mut files }) = Source::find(&config) else {
            // Neither root nor in the network of the first process.
            return;
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let _connected = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // Others open and close sockets meanwhile: a few tries meet a quiet moment. Their queues are never quiet.
        let same = (0..1000).any(|_| {
            std::thread::yield_now();
            ask(&mut kernel).unwrap().states == files.count().unwrap().states
        });
        assert!(same, "{:?}, {:?}", ask(&mut kernel), files.count());
    }
}
