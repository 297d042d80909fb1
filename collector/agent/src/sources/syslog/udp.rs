//! Datagrams: a message each. What comes faster than it can be taken is lost, here or in the kernel, and counted.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::queue::{Queue, Raw};
use crate::sources::door::Books;

/// The largest datagram.
const LARGEST: usize = 64 << 10;
/// How often the kernel is asked what it dropped.
const ASK: Duration = Duration::from_secs(5);
/// How long after a failure the socket is tried again.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// Receives until `stop`, and then what is there already.
pub(super) async fn receive(socket: UdpSocket, queue: Queue, books: Books, stop: CancellationToken) {
    let mut buffer = vec![0; LARGEST];
    let mut kernel = KernelDrops::of(&socket);
    let mut ask = tokio::time::interval(ASK);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = ask.tick() => tell(&mut kernel, &books),
            received = socket.recv_from(&mut buffer) => match received {
                Ok((len, peer)) => take(&buffer[..len], peer.ip(), &queue, &books),
                Err(error) => {
                    books.failed(format!("UDP: {error}"));
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            },
        }
    }
    // As much as the kernel may hold, and no more: somebody may go on sending.
    for _ in 0..10_000 {
        let Ok((len, peer)) = socket.try_recv_from(&mut buffer) else { break };
        take(&buffer[..len], peer.ip(), &queue, &books);
    }
    tell(&mut kernel, &books);
}

fn take(bytes: &[u8], peer: std::net::IpAddr, queue: &Queue, books: &Books) {
    if let Err(message) = queue.offer(Raw::new(bytes, 0, peer)) {
        let why = "they came by UDP faster than they could be taken";
        books.lost("queue", 1, message.bytes.len() as u64, why);
    }
}

fn tell(kernel: &mut Option<KernelDrops>, books: &Books) {
    let more = kernel.as_mut().map_or(0, KernelDrops::more);
    let why = "they came by UDP faster than they could be read, and the kernel dropped them (see net.core.rmem_max)";
    books.lost("kernel", more, 0, why);
}

/// What the kernel dropped of what came to a socket.
#[derive(Debug)]
struct KernelDrops {
    inode: u64,
    table: &'static str,
    before: u64,
}

impl KernelDrops {
    fn of(socket: &UdpSocket) -> Option<Self> {
        let inode = rustix::fs::fstat(socket.as_fd()).ok()?.st_ino;
        let v4 = socket.local_addr().ok()?.is_ipv4();
        // Of this process's own network, where the socket is.
        let table = if v4 { "/proc/thread-self/net/udp" } else { "/proc/thread-self/net/udp6" };
        let mut drops = KernelDrops { inode, table, before: 0 };
        // A socket that was there before a reload has drops that were counted then.
        drops.before = drops.now().ok()?;
        Some(drops)
    }

    /// How many more there are than the last time.
    fn more(&mut self) -> u64 {
        let now = self.now().unwrap_or(self.before);
        now.saturating_sub(std::mem::replace(&mut self.before, now))
    }

    fn now(&self) -> io::Result<u64> {
        Ok(drops(&fs::read_to_string(self.table)?, self.inode).unwrap_or(self.before))
    }
}

/// The last column of the socket's line in `/proc/net/udp`; its inode is the tenth.
fn drops(table: &str, inode: u64) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let same = words.nth(9)?.parse() == Ok(inode);
        if same { words.next_back()?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            100: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1234 2 0000000000000000 0\n\
            101: 0100007F:1589 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 5678 2 0000000000000000 42\n";
        assert_eq!((drops(table, 5678), drops(table, 1234), drops(table, 42)), (Some(42), Some(0), None));
    }

    #[tokio::test]
    async fn what_the_kernel_drops_is_seen() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = UdpSocket::from_std(socket).unwrap();
        let mut kernel = KernelDrops::of(&socket).unwrap();
        assert_eq!(kernel.more(), 0);
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(&[b'x'; 1000], socket.local_addr().unwrap()).unwrap();
        }
        let dropped = kernel.more();
        assert!((1..100).contains(&dropped), "{dropped}");
        assert_eq!(kernel.more(), 0, "counted once");
    }
}
