//! Waiting for something another program does.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A port of the loopback address that nothing listened on a moment ago.
///
/// # Errors
/// When the kernel has none left.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port on loopback")?;
    Ok(listener.local_addr()?.port())
}

/// Calls `probe` every 20 ms until it gives a value.
///
/// # Errors
/// After `timeout`, naming `what` and the last error of the probe.
pub fn wait_for<T>(what: &str, timeout: Duration, mut probe: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(err) if start.elapsed() >= timeout => {
                bail!("waited {timeout:?} for {what}, last: {err:#}")
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_up_with_the_last_error() {
        let mut calls = 0;
        let err = wait_for::<()>("a sign", Duration::from_millis(50), || {
            calls += 1;
            bail!("nothing yet")
        })
        .unwrap_err();
        assert!(calls > 1, "the probe is repeated");
        assert_eq!(err.to_string(), "waited 50ms for a sign, last: nothing yet");
    }
}
