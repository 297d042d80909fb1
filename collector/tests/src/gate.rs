//! A way to a server that can be shut: an outage between two programs, while the rest of the world reaches both.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result};

use crate::server::lock;

/// Passes connections on to a port of loopback, while it is open. Dropping it shuts it for good.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    shut: AtomicBool,
    over: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Gate {
    /// An open gate to `port`.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no free port on loopback")?;
        let gate = Self { port: listener.local_addr()?.port(), state: Arc::default() };
        let state = Arc::clone(&gate.state);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if state.over.load(Ordering::SeqCst) {
                    return;
                }
                // Closing at once is what a port without a server comes to, a moment later.
                if !state.shut.load(Ordering::SeqCst) {
                    let _ = state.pass(near, port);
                }
            }
        });
        Ok(gate)
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Breaks what is connected, and lets nobody through from now on.
    pub fn shut(&self) {
        self.state.shut.store(true, Ordering::SeqCst);
        self.state.break_all();
    }

    /// Lets connections through again.
    pub fn open(&self) {
        self.state.shut.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn pass(&self, near: TcpStream, port: u16) -> io::Result<()> {
        let far = TcpStream::connect(("127.0.0.1", port))?;
        lock(&self.connections).extend([near.try_clone()?, far.try_clone()?]);
        for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
            thread::spawn(move || {
                let _ = io::copy(&mut &from, &mut &to);
                let _ = to.shutdown(Shutdown::Both);
                let _ = from.shutdown(Shutdown::Both);
            });
        }
        Ok(())
    }

    fn break_all(&self) {
        for stream in lock(&self.connections).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        self.state.break_all();
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, Receiver};

    #[test]
    fn lets_through_only_while_it_is_open() {
        let server = Receiver::start().unwrap();
        let gate = Gate::to(server.port()).unwrap();
        let client = Client::new(gate.port());
        assert_eq!(client.get("/").unwrap().status, 204);
        gate.shut();
        assert!(client.get("/").is_err());
        gate.open();
        assert_eq!(client.get("/").unwrap().status, 204);
        assert_eq!(server.received().len(), 2);
    }
}
