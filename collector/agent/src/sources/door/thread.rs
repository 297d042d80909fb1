//! A thread of its own for a door, so that what strangers send costs no other part its turn.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Books;
use crate::sources::Running;

/// How long after a panic the door opens again.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// Runs what `serve` makes, until it is stopped; `serve` is called again after a panic. It ends soon after the token is
/// cancelled, and sends on first what it has read.
///
/// # Errors
/// When the system gives no thread.
pub fn start<F: Future<Output = ()>>(
    name: &str,
    books: Books,
    serve: impl Fn(CancellationToken) -> F + Send + 'static,
) -> anyhow::Result<Running> {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(2).build()?;
    let stop = CancellationToken::new();
    let (end, ended) = oneshot::channel::<()>();
    let (stopped, shown, name) = (stop.clone(), books.clone(), name.to_owned());
    let run = move || {
        while !stopped.is_cancelled() {
            let served = AssertUnwindSafe(|| runtime.block_on(serve(stopped.clone())));
            if std::panic::catch_unwind(served).is_err() && !stopped.is_cancelled() {
                let text = "a defect in the collector closed the door (see its log); it opens again at once";
                tracing::error!(source = name, "{text}");
                shown.failed(text);
                runtime.block_on(async {
                    let _ = tokio::time::timeout(AFTER_PANIC, stopped.cancelled()).await;
                });
            }
        }
        runtime.shutdown_timeout(Duration::from_millis(100));
        drop(end);
    };
    std::thread::Builder::new()
        .name("taffrail-door".to_owned())
        .spawn(run)
        .context("no thread can be started")?;
    let guard = stop.drop_guard();
    Ok(Running::new(move |by| async move {
        drop(guard);
        match books.wound_up(ended, by).await {
            0 => "closed; all that came is settled".to_owned(),
            bytes => {
                format!("closed; {bytes} bytes that came are not settled yet, and nobody can send them again")
            }
        }
    }))
}
