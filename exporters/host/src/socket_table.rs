//! The kernel's tables of sockets, `<procfs>/1/net/{tcp,tcp6,udp,udp6}` (kernel document `networking/proc_net_tcp`). They
//! may have as many lines as a machine has connections, so they are never held as a whole.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use taffrail_core::CollectError;

use crate::scan::{self, Malformed};

/// The most sockets of one table. The kernel takes half a second of CPU time to write so many.
const MAX_SOCKETS: usize = 1 << 18;
/// The kernel hands out a page at a time.
const BUFFER: usize = 8192;

/// One socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    /// As the kernel numbers states (`include/net/tcp_states.h`).
    pub state: u8,
    /// Bytes sent and not yet acknowledged.
    pub sent: u64,
    /// Bytes received and not yet read; of a listening socket connections that wait to be accepted.
    pub received: u64,
}

/// One table, opened at its first reading and kept open.
#[derive(Debug)]
pub(crate) struct SocketTable {
    path: PathBuf,
    file: Option<File>,
    buffer: Box<[u8; BUFFER]>,
}

impl SocketTable {
    pub(crate) fn new(path: PathBuf) -> Self {
        SocketTable { path, file: None, buffer: Box::new([0; BUFFER]) }
    }

    /// Whether it was read before, and there was no error.
    pub(crate) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Reads the table from its start. What does not exist is [`CollectError::Absent`].
    pub(crate) fn each(&mut self, visit: impl FnMut(Socket)) -> Result<(), CollectError> {
        let result = self.try_each(visit);
        if result.is_err() {
            self.file = None;
        }
        result
    }

    fn try_each(&mut self, mut visit: impl FnMut(Socket)) -> Result<(), CollectError> {
        let unreadable = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => CollectError::Absent,
            _ => CollectError::Read { path: self.path.clone(), source },
        };
        let malformed = |what: String| CollectError::Parse { path: self.path.clone(), what };
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(File::open(&self.path).map_err(unreadable)?),
        };
        // The heading is no socket.
        let (mut offset, mut held, mut lines) = (0, 0, 0);
        loop {
            let read = match file.read_at(&mut self.buffer[held..], offset) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read.map_err(unreadable)?,
            };
            offset += read as u64;
            let bytes = &self.buffer[..held + read];
            // At the end a line without an end counts as well.
            let whole =
                if read == 0 { bytes.len() } else { memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1) };
            for line in scan::lines(&bytes[..whole]) {
                if lines > MAX_SOCKETS {
                    return Err(malformed(format!("more than {MAX_SOCKETS} sockets")));
                }
                if lines > 0 {
                    visit(parse(line).map_err(|e| malformed(e.to_string()))?);
                }
                lines += 1;
            }
            if read == 0 {
                return Ok(());
            }
            held = bytes.len() - whole;
            if held == BUFFER {
                return Err(malformed(format!("a line of more than {BUFFER} bytes")));
            }
            self.buffer.copy_within(whole..whole + held, 0);
        }
    }
}

/// Parses one line: number, local and remote address, state, queues, and what is of no use here.
fn parse(line: &[u8]) -> Result<Socket, Malformed> {
    let wrong = || Malformed::new("`number: local remote state sent:received …`", line);
    let mut fields = scan::fields(line).skip(3);
    let mut field = || fields.next().ok_or_else(wrong);
    let (state, queues) = (field()?, field()?);
    let colon = memchr::memchr(b':', queues).ok_or_else(wrong)?;
    let number = |field: &[u8]| scan::hex(field).ok_or_else(wrong);
    Ok(Socket {
        state: number(state)?.try_into().map_err(|_| wrong())?,
        sent: number(&queues[..colon])?,
        received: number(&queues[colon + 1..])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Vec<Socket>, CollectError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tcp");
        std::fs::write(&path, text).unwrap();
        let mut table = SocketTable::new(path);
        let mut once = || {
            let mut sockets = Vec::new();
            table.each(|socket| sockets.push(socket)).map(|()| sockets)
        };
        let first = once()?;
        assert_eq!(once()?, first, "it can be read again");
        Ok(first)
    }

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr\n";

    #[test]
    fn tables_larger_than_the_buffer() {
        let line = "   0: 0100007F:AEF5 0100007F:8EC2 01 0000000A:00000002 03:00001723 00000000     0\n";
        let sockets = read(format!("{HEAD}{}", line.repeat(1000)).as_bytes()).unwrap();
        assert_eq!(sockets, vec![Socket { state: 1, sent: 10, received: 2 }; 1000]);
        assert_eq!(read(format!("{HEAD}{}", line.trim_end()).as_bytes()).unwrap().len(), 1);
        assert!(read(HEAD.as_bytes()).unwrap().is_empty() && read(b"").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in
            ["\n", "0: a b 01\n", "0: a b 01 1\n", "0: a b x 1:2\n", "0: a b 100 1:2\n", "0: a b 01 1:-2\n"]
        {
            assert!(read(format!("{HEAD}{bad}").as_bytes()).is_err(), "{bad:?}");
        }
        assert!(read(&[b'9'; 2 * BUFFER]).is_err());
        let error = read("x: a b 01 1:2\n".repeat(MAX_SOCKETS + 2).as_bytes()).unwrap_err().to_string();
        assert!(error.ends_with("more than 262144 sockets"), "{error}");
        let mut missing = SocketTable::new("/none".into());
        assert!(matches!(missing.each(|_| {}), Err(CollectError::Absent)));
    }
}
