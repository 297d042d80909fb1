//! From start to the first samples at a receiver, and the resident size with the host and one log file.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::measure::Account;
use crate::program::{Program, free_address};
use crate::{Programs, say};

/// Long enough for several intervals of everything.
const SETTLED: Duration = Duration::from_secs(60);

pub fn run(programs: &Programs) -> Result<()> {
    let (pushes, pushed) = channel();
    let sink = TcpListener::bind("127.0.0.1:0")?;
    let receiver = sink.local_addr()?;
    thread::spawn(move || serve(&sink, &pushes));
    let folder = std::env::temp_dir().join(format!("taffrail-bench-start-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let log = folder.join("app.log");
    fs::write(&log, "a line\n")?;
    let config = folder.join("taffrail.yml");
    let text = format!(
        "listen: {}\ndata_dir: {}\nhost: {{}}\nlogs:\n  - {{name: app, files: {{include: [{}], start: beginning}}}}\n\
         outputs:\n  prometheus: [{{url: \"http://{receiver}/api/v1/write\"}}]\n  loki: [{{url: \"http://{receiver}\"}}]\n",
        free_address()?,
        folder.join("data").display(),
        log.display()
    );
    fs::write(&config, text)?;
    let started = now();
    let program =
        Program::start("taffrail", &programs.taffrail, &["run", "--config", &config.to_string_lossy()])?;
    let account = Account::open(program.pid())?;
    let first = loop {
        let (path, at) = pushed.recv_timeout(Duration::from_secs(20)).context("nothing was pushed")?;
        if path.contains("/api/v1/write") {
            break at - started;
        }
    };
    sleep(SETTLED);
    let (mib, cpu) = (account.largest_resident_mib()?, account.cpu()?);
    drop(program);
    fs::remove_dir_all(&folder)?;
    say("start, and the host with one log file, two outputs, everything else as by default");
    say("| what | measured | bar |");
    say("|---|---|---|");
    say(&format!("| first samples at the receiver | {} ms | 1000 ms |", first.as_millis()));
    say(&format!("| largest resident size in {} s | {mib:.1} MiB | 15 MB (14.3 MiB) |", SETTLED.as_secs()));
    let share = cpu.as_secs_f64() / SETTLED.as_secs_f64() * 100.0;
    say(&format!("| CPU, start included | {share:.2} % of a core | |\n"));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Takes everything, and tells when a push has come.
fn serve(sink: &TcpListener, pushes: &Sender<(String, Instant)>) {
    for mut stream in sink.incoming().flatten() {
        let pushes = pushes.clone();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut buffer = [0; 64 << 10];
            while let Ok(n @ 1..) = stream.read(&mut buffer) {
                bytes.extend_from_slice(&buffer[..n]);
                let Some(len) = whole_request(&bytes) else { continue };
                let path = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned();
                bytes.drain(..len);
                let sent = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                if sent.is_err() || pushes.send((path, now())).is_err() {
                    return;
                }
            }
        });
    }
}

/// The length of the request at the beginning of `bytes`, if it is all there.
fn whole_request(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let body: usize =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())?;
    (bytes.len() >= end + body).then_some(end + body)
}
