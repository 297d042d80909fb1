//! The queue of messages between the sockets and the one who takes them apart: bounded in bytes.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of messages that wait.
const ROOM: usize = 4 << 20;
/// What a message costs beside its bytes.
const OVERHEAD: usize = 96;

/// A message as it came.
#[derive(Debug)]
pub(super) struct Raw {
    /// Its bytes, or the first of them.
    pub(super) bytes: Box<[u8]>,
    /// How many bytes were left out at its end.
    pub(super) missing: u64,
    /// Who sent it.
    pub(super) peer: IpAddr,
    /// Given back when the message has been taken apart.
    room: Option<OwnedSemaphorePermit>,
}

impl Raw {
    pub(super) fn new(bytes: &[u8], missing: u64, peer: IpAddr) -> Self {
        Raw { bytes: bytes.into(), missing, peer, room: None }
    }

    fn cost(&self) -> u32 {
        u32::try_from(self.bytes.len() + OVERHEAD).unwrap_or(u32::MAX).min(ROOM as u32)
    }
}

/// The end that sockets have.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    room: Arc<Semaphore>,
    // Bounded by the room, in bytes.
    messages: UnboundedSender<Raw>,
}

/// A queue, and the end of who takes messages apart.
pub(super) fn queue() -> (Queue, UnboundedReceiver<Raw>) {
    let (messages, waiting) = mpsc::unbounded_channel();
    (Queue { room: Arc::new(Semaphore::new(ROOM)), messages }, waiting)
}

impl Queue {
    /// Puts a message in, or says that there is no room.
    pub(super) fn offer(&self, mut message: Raw) -> Result<(), Raw> {
        match self.room.clone().try_acquire_many_owned(message.cost()) {
            Ok(room) => {
                message.room = Some(room);
                self.messages.send(message).map_err(|unsent| unsent.0)
            }
            Err(_) => Err(message),
        }
    }

    /// Puts a message in; waits while there is no room.
    pub(super) async fn put(&self, mut message: Raw) {
        // Neither is ever closed while the source runs.
        message.room = self.room.clone().acquire_many_owned(message.cost()).await.ok();
        let _ = self.messages.send(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_so_many_bytes_and_takes_more_when_they_are_gone() {
        let (queue, mut waiting) = queue();
        let message = || Raw::new(&[b'x'; 64 << 10], 0, [127, 0, 0, 1].into());
        let taken = (0..100).filter(|_| queue.offer(message()).is_ok()).count();
        assert_eq!(taken, ROOM / ((64 << 10) + OVERHEAD));
        drop(waiting.try_recv().unwrap());
        assert!(queue.offer(message()).is_ok() && queue.offer(message()).is_err());
    }
}
