//! A program under measurement: started, asked for pages, ended.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// A child process. It is killed when this is dropped.
pub struct Program {
    pub name: &'static str,
    child: Child,
}

impl Program {
    /// Starts `path` with `arguments`; its output is thrown away.
    #[expect(clippy::disallowed_methods, reason = "a benchmark starts the programs it measures")]
    pub fn start(name: &'static str, path: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(path);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("{} cannot be started", path.display()))?;
        Ok(Program { name, child })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `address` answers `path` with 200.
    pub fn wait_until_serving(&mut self, address: SocketAddr, path: &str) -> Result<()> {
        for _ in 0..200 {
            if get(address, path).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended: {status}", self.name);
            }
            sleep(Duration::from_millis(50));
        }
        bail!("{} does not answer at {address}{path}", self.name)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address that was free a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Asks for a page and returns it with its headers.
pub fn get(address: SocketAddr, path: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page)?;
    if !page.starts_with(b"HTTP/1.1 200") {
        bail!("{path}: {}", String::from_utf8_lossy(&page[..page.len().min(80)]));
    }
    Ok(page)
}
