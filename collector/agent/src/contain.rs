//! Contains a panic to the task it happens in.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// How long a part stays away after a panic.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Runs `future`; a panic in it becomes its words. The panic hook has logged and counted it already.
pub async fn contain<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic_text(panic.as_ref()))),
    })
    .await
}

/// Runs what `start` gives, and again after each panic.
pub async fn keep_running<F: Future>(what: String, mut start: impl FnMut() -> F) -> F::Output {
    loop {
        match contain(start()).await {
            Ok(output) => return output,
            Err(text) => tracing::error!("{what} panicked and is started again: {text}"),
        }
        tokio::time::sleep(AFTER_PANIC).await;
    }
}

/// The words of a panic.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panicked".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_panics_is_started_again() {
        let mut starts = 0;
        let done = keep_running("the test".into(), || {
            starts += 1;
            let now = starts;
            async move {
                tokio::task::yield_now().await;
                assert!(now == 3, "as it should");
                now
            }
        });
        assert_eq!(done.await, 3);
    }
}
