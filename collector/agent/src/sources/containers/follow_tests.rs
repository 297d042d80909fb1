//! A log that an engine is asked for: what breaks, hangs or comes back is read again, and nothing twice.

use std::path::PathBuf;

use taffrail_container::ContainerConfig;
use taffrail_container::inventory::{self, Address};
use taffrail_spool::Settled;
use taffrail_stages::format::Format;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::*;

/// An engine that answers as each test says, and what asks it.
struct Bed {
    listener: UnixListener,
    ask: Arc<Ask>,
    chunks: mpsc::Receiver<Chunk>,
    pause: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket: PathBuf = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let config = ContainerConfig { engine: Some(Address::Unix(socket)), ..ContainerConfig::default() };
        let clock = Clock::system();
        let (inventory, _) = inventory::new(&config, &clock, |_| ());
        let (sender, chunks) = mpsc::channel(8);
        let (pause, paused) = watch::channel(false);
        let shape = Shape::new(Format::Cri, 64 << 10);
        let stop = CancellationToken::new();
        let ask =
            Ask { inventory, seats: Seats::default(), chunks: sender, pause: paused, clock, shape, stop };
        Bed { listener, ask: Arc::new(ask), chunks, pause, _folder: folder }
    }

    fn follow(&self, tty: bool) -> Follower {
        let (follower, reads) = Follower::start(self.ask.clone(), target(true, tty), Cursor::default());
        tokio::spawn(reads);
        follower
    }

    /// The next question's path, and where its answer goes.
    async fn asked(&self) -> (String, UnixStream) {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await.unwrap();
        let head = String::from_utf8(head).unwrap();
        (head.split(' ').nth(1).unwrap().to_owned(), stream)
    }

    /// The next so many lines; their chunks are settled as `settle` says.
    async fn lines(&mut self, count: usize, settle: bool) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            let chunk = tokio::time::timeout(Duration::from_secs(60), self.chunks.recv()).await;
            let chunk = chunk.expect("no line comes").unwrap();
            let Body::Lines { bytes, .. } = &chunk.body else { panic!("no lines") };
            lines.extend(String::from_utf8_lossy(bytes).lines().map(|line| line[31..].to_owned()));
            if settle {
                chunk.ticket.settle(Settled::Delivered);
            }
        }
        lines
    }
}

fn target(running: bool, tty: bool) -> Target {
    let container = Container { id: "abc".into(), running, started: Some(1.0), tty, ..Container::default() };
    let feed = Feed { labels: Arc::from([]), metadata: Arc::from([]), stages: Arc::default(), keep: false };
    Target { container: Arc::new(container), feed }
}

fn frame(second: u32, text: &str) -> Vec<u8> {
    let message = format!("2026-11-21T10:00:{second:02}.000000000Z {text}\n");
    [&[1, 0, 0, 0][..], &(message.len() as u32).to_be_bytes(), message.as_bytes()].concat()
}

#[tokio::test]
async fn half_a_frame_is_read_again_as_a_whole_and_nothing_twice() {
    let mut bed = Bed::new();
    let follower = bed.follow(false);
    let (path, mut answer) = bed.asked().await;
    assert_eq!(path, "/containers/abc/logs?follow=1&stdout=1&stderr=1&timestamps=1");
    answer
        .write_all(&[frame(1, "one"), frame(2, "two"), frame(3, "three")[..20].to_vec()].concat())
        .await
        .unwrap();
    assert_eq!(bed.lines(2, true).await, ["stdout F one", "stdout F two"]);
    drop(answer);
    let (path, mut answer) = bed.asked().await;
    // Ten o'clock and two seconds, less what the question goes back.
    assert!(path.ends_with("&since=1795255197.000000000"), "{path}");
    answer.write_all(&[frame(1, "one"), frame(2, "two"), frame(3, "three")].concat()).await.unwrap();
    assert_eq!(bed.lines(1, true).await, ["stdout F three"]);
    assert_eq!(follower.progress().lines, 3);
}

#[tokio::test]
async fn what_comes_back_is_asked_for_again() {
    let mut bed = Bed::new();
    let follower = bed.follow(false);
    let (_, mut answer) = bed.asked().await;
    answer.write_all(&frame(1, "one")).await.unwrap();
    bed.lines(1, true).await;
    answer.write_all(&frame(2, "two")).await.unwrap();
    bed.lines(1, false).await;
    let (_, mut answer) = bed.asked().await;
    answer.write_all(&[frame(1, "one"), frame(2, "two")].concat()).await.unwrap();
    assert_eq!(bed.lines(1, true).await, ["stdout F two"]);
    while follower.progress().unsettled_bytes > 0 {
        tokio::task::yield_now().await;
    }
    let mut cursor = Cursor::default();
    for second in [1, 2] {
        cursor.pass(taffrail_stages::format::Stream::Stdout, (1_795_255_200 + second) * 1_000_000_000);
    }
    assert_eq!(follower.progress().cursor, cursor);
}

#[tokio::test]
async fn a_container_that_ended_is_read_once_and_let_go_when_it_is_removed() {
    let mut bed = Bed::new();
    let (follower, reads) = Follower::start(bed.ask.clone(), target(false, true), Cursor::default());
    let reads = tokio::spawn(reads);
    let (_, mut answer) = bed.asked().await;
    answer.write_all(b"2026-11-21T10:00:01.000000000Z last words").await.unwrap();
    drop(answer);
    assert_eq!(bed.lines(1, true).await, ["stdout F last words"]);
    let again = tokio::time::timeout(Duration::from_millis(200), bed.listener.accept()).await;
    assert!(again.is_err(), "it is asked for again");
    follower.tell(None);
    tokio::time::timeout(Duration::from_secs(60), reads).await.expect("it goes on").unwrap();
    assert!(follower.is_done());
}

#[tokio::test]
async fn an_engine_that_refuses_is_told_of_and_asked_again() {
    let bed = Bed::new();
    let follower = bed.follow(false);
    for _ in 0..2 {
        let (mut stream, _) = bed.listener.accept().await.unwrap();
        let mut head = [0; 1024];
        let _ = stream.read(&mut head).await.unwrap();
        let refusal = "{\"message\":\"configured logging driver does not support reading\"}";
        let answer =
            format!("HTTP/1.1 501 Not Implemented\r\nContent-Length: {}\r\n\r\n{refusal}", refusal.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    let error = follower.progress().error.clone().unwrap();
    assert!(error.contains("does not support reading"), "{error}");
}

#[tokio::test]
async fn nothing_is_taken_while_sources_pause_and_an_engine_that_hangs_stops_nobody() {
    let mut bed = Bed::new();
    bed.pause.send_replace(true);
    let follower = bed.follow(false);
    let (_, mut answer) = bed.asked().await;
    answer.write_all(&frame(1, "one")).await.unwrap();
    let taken = tokio::time::timeout(Duration::from_millis(300), bed.chunks.recv()).await;
    assert!(taken.is_err(), "the log behind is full");
    bed.pause.send_replace(false);
    assert_eq!(bed.lines(1, true).await, ["stdout F one"]);
    // From here on the engine says nothing.
    bed.ask.stop.cancel();
    let stopped = async {
        while !follower.is_done() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), stopped).await.expect("it does not stop");
    drop(answer);
}
