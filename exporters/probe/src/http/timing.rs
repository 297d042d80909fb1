//! Where an HTTP probe's time goes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use taffrail_core::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The phases of a request, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Resolve,
    Connect,
    Tls,
    Processing,
    Transfer,
}

/// Their names, as labels.
pub(super) const NAMES: [&str; 5] = ["resolve", "connect", "tls", "processing", "transfer"];

/// Time spent in each phase, summed over redirects. A phase that hangs counts until the probe ends, so that the one
/// which took the time can be seen.
#[derive(Debug)]
pub(super) struct Phases {
    clock: Clock,
    spent: [Duration; 5],
    current: Option<(Phase, Duration)>,
}

impl Phases {
    pub(super) fn new(clock: &Clock) -> Self {
        Phases { clock: clock.clone(), spent: [Duration::ZERO; 5], current: None }
    }

    /// The current phase ends and another begins.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.enter_at(phase, self.clock.monotonic());
    }

    /// The same, at a time seen before.
    pub(super) fn enter_at(&mut self, phase: Phase, now: Duration) {
        self.leave_at(now);
        self.current = Some((phase, now));
    }

    /// The current phase ends.
    pub(super) fn leave(&mut self) {
        self.leave_at(self.clock.monotonic());
    }

    /// The current phase does not count: of an answer that only redirects, the transfer.
    pub(super) fn forget(&mut self) {
        self.current = None;
    }

    /// Time that was measured elsewhere.
    pub(super) fn add(&mut self, phase: Phase, took: Duration) {
        self.spent[phase as usize] += took;
    }

    /// Seconds spent in each phase, in the order of [`NAMES`].
    pub(super) fn seconds(&self) -> [f64; 5] {
        self.spent.map(|spent| spent.as_secs_f64())
    }

    fn leave_at(&mut self, now: Duration) {
        if let Some((phase, since)) = self.current.take() {
            self.spent[phase as usize] += now.saturating_sub(since);
        }
    }
}

/// When the first byte of an answer came.
#[derive(Clone, Debug)]
pub(super) struct FirstByte {
    clock: Clock,
    /// Nanoseconds of the monotonic clock; 0 before the byte.
    at: Arc<AtomicU64>,
}

impl FirstByte {
    pub(super) fn new(clock: &Clock) -> Self {
        FirstByte { clock: clock.clone(), at: Arc::default() }
    }

    pub(super) fn get(&self) -> Option<Duration> {
        Some(self.at.load(Ordering::Relaxed)).filter(|at| *at > 0).map(Duration::from_nanos)
    }
}

/// A connection that notes when its first byte is read.
pub(super) struct Timed<S> {
    pub(super) inner: S,
    pub(super) first: FirstByte,
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before && self.first.at.load(Ordering::Relaxed) == 0 {
            let now = self.first.clock.monotonic().as_nanos() as u64;
            self.first.at.store(now.max(1), Ordering::Relaxed);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_add_up_over_redirects() {
        let clock = Clock::manual(0);
        let mut phases = Phases::new(&clock);
        for _ in 0..2 {
            phases.enter(Phase::Connect);
            clock.advance(Duration::from_secs(1));
            phases.enter(Phase::Processing);
            clock.advance(Duration::from_secs(2));
            phases.enter(Phase::Transfer);
            clock.advance(Duration::from_secs(4));
            phases.forget();
        }
        phases.add(Phase::Resolve, Duration::from_secs(8));
        phases.enter(Phase::Tls);
        clock.advance(Duration::from_secs(16));
        phases.leave();
        assert_eq!(phases.seconds(), [8.0, 2.0, 16.0, 4.0, 0.0]);
    }
}
