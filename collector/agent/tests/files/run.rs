//! The source on its thread: real time, a real queue, and a stop that says what is left.

use std::time::Duration;

use taffrail_collector::sources::files::{Left, start};
use taffrail_core::Clock;
use taffrail_spool::Settled;
use tokio::sync::mpsc;

use super::rig::{Rig, body};

#[tokio::test]
async fn stop_waits_until_all_is_settled() {
    let mut rig = Rig::new();
    rig.clock = Clock::system();
    rig.append("a.log", "1\n2\n");
    let (sender, mut chunks) = mpsc::channel(10);
    let running = start(&rig.config, rig.context(sender)).unwrap();
    let chunk = chunks.recv().await.unwrap();
    let stopping = tokio::spawn(running.stop(Duration::from_secs(60)));
    assert!(chunks.recv().await.is_none(), "a source that stops gives up the queue");
    rig.append("a.log", "3\n");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!stopping.is_finished(), "not all is settled");
    chunk.ticket.settle(Settled::Spooled);
    let left = stopping.await.unwrap();
    assert_eq!(left.unsettled_bytes, 0);
    let (sender, mut chunks) = mpsc::channel(10);
    let running = start(&rig.config, rig.context(sender)).unwrap();
    assert_eq!(body(&chunks.recv().await.unwrap()).0, b"3\n");
    assert_eq!(
        running.stop(Duration::ZERO).await,
        Left { unsettled_bytes: 2, unread_bytes: 0, stuck: false }
    );
}

#[tokio::test]
async fn stop_says_what_is_left_when_its_time_is_over() {
    let mut rig = Rig::new();
    rig.clock = Clock::system();
    rig.append("a.log", "1\n");
    let (sender, mut chunks) = mpsc::channel(10);
    let running = start(&rig.config, rig.context(sender)).unwrap();
    let chunk = chunks.recv().await.unwrap();
    let left = running.stop(Duration::from_millis(50)).await;
    assert_eq!(left, Left { unsettled_bytes: 2, unread_bytes: 0, stuck: false });
    assert_eq!(left.to_string(), "2 bytes read but not settled, 0 bytes not read; they stay in their files");
    drop(chunk);
}

#[tokio::test]
async fn a_full_queue_wakes_the_source_when_there_is_room() {
    let mut rig = Rig::new();
    rig.clock = Clock::system();
    let line = format!("{}\n", "x".repeat(1023));
    rig.append("a.log", line.repeat(64 << 10));
    let (sender, mut chunks) = mpsc::channel(1);
    let running = start(&rig.config, rig.context(sender)).unwrap();
    let began = rig.clock.monotonic();
    let mut bytes = 0;
    while bytes < 64 << 20 {
        let chunk = chunks.recv().await.unwrap();
        bytes += chunk.body.len();
        chunk.ticket.settle(Settled::Delivered);
        // Slower than the source, so that it finds the queue full each time.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // 256 chunks through a queue of one: a source that slept a quarter of a second each time would take a minute.
    assert!(rig.clock.monotonic() - began < Duration::from_secs(20));
    assert_eq!(running.stop(Duration::from_secs(10)).await, Left::default());
}
