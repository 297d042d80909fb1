//! A program under measurement, or one that serves it: started, asked for pages, ended.

use std::io::{BufRead, BufReader, Write};
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
    pub fn start(name: &'static str, path: &Path, arguments: &[&str]) -> Result<Self> {
        Self::start_with(name, path, arguments, &[])
    }

    /// The same with variables in its environment.
    #[expect(clippy::disallowed_methods, reason = "a benchmark starts the programs it measures")]
    pub fn start_with(
        name: &'static str,
        path: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let mut command = Command::new(path);
        command.envs(variables.iter().copied());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("{} cannot be started", path.display()))?;
        Ok(Program { name, child })
    }

    /// Starts this program again in another role, such as a server beside what is measured.
    pub fn role(name: &'static str, arguments: &[&str]) -> Result<Self> {
        Program::start(name, &std::env::current_exe()?, arguments)
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

/// What `path` with `arguments` prints, to both outputs.
#[expect(clippy::disallowed_methods, reason = "a benchmark asks the programs what they can")]
pub fn output(path: &Path, arguments: &[&str]) -> Result<String> {
    let out = Command::new(path).args(arguments).output();
    let out = out.with_context(|| format!("{} cannot be started", path.display()))?;
    Ok(String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

/// A loopback address that was free a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Asks for a page on a new connection and returns its body.
pub fn get(address: SocketAddr, path: &str) -> Result<Vec<u8>> {
    Client { address, connection: None }.get(path)
}

/// Asks for pages on one connection, as Prometheus does.
pub struct Client {
    pub address: SocketAddr,
    pub connection: Option<BufReader<TcpStream>>,
}

impl Client {
    fn connect(&mut self) -> Result<BufReader<TcpStream>> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_nodelay(true)?;
        Ok(BufReader::with_capacity(64 << 10, stream))
    }

    /// Sends a head and a body and returns the first line of an answer that has no body.
    pub fn post(&mut self, head: &[u8], body: &[u8]) -> Result<String> {
        let mut connection = self.connect()?;
        connection.get_mut().write_all(head)?;
        connection.get_mut().write_all(body)?;
        let (mut first, mut head) = (String::new(), String::new());
        connection.read_line(&mut first)?;
        while connection.read_line(&mut head)? > 2 {}
        self.connection = Some(connection);
        Ok(first)
    }

    /// Asks for a page and returns its body.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        let mut connection = self.connect()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        connection.get_mut().write_all(request.as_bytes())?;
        let (mut first, mut head) = (String::new(), String::new());
        connection.read_line(&mut first)?;
        if !first.starts_with("HTTP/1.1 200") {
            bail!("{path}: {}", first.trim());
        }
        while connection.read_line(&mut head)? > 2 {}
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let body = match length {
            Some(length) => take(&mut connection, length)?,
            None => chunks(&mut connection)?,
        };
        if !head.contains("connection: close") {
            self.connection = Some(connection);
        }
        Ok(body)
    }
}

fn take(connection: &mut impl BufRead, length: usize) -> Result<Vec<u8>> {
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(body)
}

fn chunks(connection: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        connection.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16)?;
        body.extend(take(connection, size)?);
        // Every chunk, the empty last one too, is followed by an empty line.
        take(connection, 2)?;
        if size == 0 {
            return Ok(body);
        }
    }
}
