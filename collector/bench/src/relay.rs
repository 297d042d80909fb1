//! A way to a server on which every byte is late, as on a long line: what is sent next waits for nothing.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::sync_channel;
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::Result;
use taffrail_core::Clock;

/// Chunks of 64 KiB that may be under way in one direction of a connection: 32 MiB.
const UNDER_WAY: usize = 512;

/// Listens, and passes connections on to `to`, each byte `late`, until the process ends. Gives its address.
pub fn start(to: SocketAddr, late: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            // A connection that cannot be made is one that breaks: who asked sees it.
            let _ = pass(near, to, late);
        }
    });
    Ok(address)
}

fn pass(near: TcpStream, to: SocketAddr, late: Duration) -> Result<()> {
    let far = TcpStream::connect(to)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    one_way(near.try_clone()?, far.try_clone()?, late);
    one_way(far, near, late);
    Ok(())
}

fn one_way(mut from: TcpStream, mut to: TcpStream, late: Duration) {
    let (under_way, arrive) = sync_channel::<(Duration, Vec<u8>)>(UNDER_WAY);
    thread::spawn(move || {
        let clock = Clock::system();
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if under_way.send((clock.monotonic() + late, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        let clock = Clock::system();
        while let Ok((due, chunk)) = arrive.recv() {
            sleep(due.saturating_sub(clock.monotonic()));
            if to.write_all(&chunk).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
