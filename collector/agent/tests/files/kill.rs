//! `kill -9`, for real: a child process reads while this one writes, rotates and kills it again and again.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use taffrail_collector::sources::files::start;
use taffrail_core::Clock;
use taffrail_spool::Settled;
use tokio::sync::mpsc;

use super::rig::{Rig, body};
use super::torture::Receiver;

const FOLDER: &str = "TAFFRAIL_TEST_KILLED_READER";

/// Ends each line that was received, as a kill can tear a write at any byte.
const WHOLE: &str = " whole";

/// Not a test of its own: what the child runs. It "delivers" lines by writing them to a file, and settles them after.
#[tokio::test]
async fn reader() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut rig = Rig::new();
    rig.clock = Clock::system();
    rig.config.files.include = vec![format!("{}/logs/*.log", Path::new(&folder).display())];
    let (sender, mut chunks) = mpsc::channel(4);
    let mut context = rig.context(sender);
    context.state = Path::new(&folder).join("state");
    let _running = start(&rig.config, context).unwrap();
    let received = fs::OpenOptions::new().create(true).append(true).open(Path::new(&folder).join("received"));
    let mut received = received.unwrap();
    // What the life before was killed in the midst of writing must not run into the first line of this one.
    received.write_all(b"\n").unwrap();
    while let Some(chunk) = chunks.recv().await {
        let text = std::str::from_utf8(body(&chunk).0).unwrap();
        let lines = text.lines().enumerate();
        let lines: String =
            lines.map(|(at, line)| format!("{} {line}{WHOLE}\n", body(&chunk).1 + at as i64)).collect();
        received.write_all(lines.as_bytes()).unwrap();
        chunk.ticket.settle(Settled::Delivered);
    }
}

#[expect(clippy::disallowed_methods, reason = "only another process can be killed")]
fn spawn(folder: &Path) -> Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["files::kill::reader", "--exact"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn received(folder: &Path) -> Receiver {
    let mut receiver = Receiver::default();
    let bytes = fs::read(folder.join("received")).unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap();
    // A write that was torn by the kill was not settled: its lines come again.
    for line in text.lines().filter_map(|line| line.strip_suffix(WHOLE)) {
        let (ns, text) = line.split_once(' ').unwrap();
        receiver.take("app.log", ns.parse().unwrap(), text);
    }
    receiver
}

#[test]
fn a_reader_killed_at_any_moment_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let open = || fs::File::options().create(true).append(true).open(logs.join("app.log")).unwrap();
    let mut file = open();
    let (mut written, mut generation) = (0, 0);
    for life in 0..25u64 {
        let mut child = spawn(dir.path());
        // Lives of different lengths: some end while the child starts, some in the midst of reading.
        for _ in 0..(life * 7) % 23 {
            let lines: String =
                (written..written + 500).map(|n| format!("{n} {}\n", "x".repeat(100))).collect();
            file.write_all(lines.as_bytes()).unwrap();
            written += 500;
            if written % 3500 == 0 {
                generation += 1;
                fs::rename(logs.join("app.log"), logs.join(format!("app.log.{generation}"))).unwrap();
                file = open();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut child = spawn(dir.path());
    let clock = Clock::system();
    let deadline = clock.monotonic() + Duration::from_secs(60);
    while !received(dir.path()).has("app.log", written) && clock.monotonic() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let receiver = received(dir.path());
    receiver.check("app.log", written);
    eprintln!("{written} lines, {generation} rotations, {} lines came twice", receiver.twice);
    // A reader that noted what is settled only when it looks at files again sent 4,000 lines again at each kill.
    assert!(receiver.twice < 25 * 2000, "{} lines came twice", receiver.twice);
}
