//! The live lane: what is new does not wait behind a backlog, and every sample is sent once.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use taffrail_spool::Log;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::outputs::scripted::{Bed, Script};
use crate::outputs::verdict::{OUT_OF_ORDER, Verdict};
use crate::status::{OutputStatus, Place, lock};

/// An outage: 16 series every second, a receiver that is away for a while and then takes some seconds for the backlog.
struct Outage {
    bed: Bed,
    script: Script,
    status: Place<OutputStatus>,
    leave: CancellationToken,
    task: JoinHandle<()>,
    appended: usize,
}

impl Outage {
    async fn of(seconds: usize, open: Option<Window>) -> Self {
        let bed = Bed::new();
        bed.tick();
        let script = Script { takes: Duration::from_millis(200), most: 1, open, ..Script::default() };
        let (status, leave, task) = bed.start("one", &script);
        let mut outage = Outage { bed, script, status, leave, task, appended: 0 };
        outage.run(5).await;
        outage.script.away.store(true, Ordering::SeqCst);
        outage.run(seconds).await;
        outage.script.away.store(false, Ordering::SeqCst);
        outage
    }

    /// Time passes, and samples are made.
    async fn run(&mut self, seconds: usize) {
        for _ in 0..seconds {
            let words: Vec<String> = (0..16).map(|s| format!("{s}:{:06}", self.appended)).collect();
            self.bed.append(&words.join(" "));
            self.appended += 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn has(&self, at: usize) -> bool {
        self.script.stored().contains(&format!("7:{at:06}"))
    }

    /// Ends it, and counts every sample.
    async fn finish(self) -> Vec<String> {
        self.bed.log.close();
        self.task.await.unwrap();
        drop(self.leave);
        let stored = self.script.stored();
        let different: BTreeSet<&String> = stored.iter().collect();
        assert_eq!(different.len(), self.appended * 16, "all are there");
        assert_eq!(lock(&self.status).lost.len(), 0);
        assert!(self.bed.log.stats().cursors.iter().all(|cursor| cursor.lag.records == 0));
        let names: Vec<String> = self.bed.log.stats().cursors.into_iter().map(|cursor| cursor.name).collect();
        assert_eq!(names, ["one"], "the lane's cursor is gone");
        stored
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_new_overtakes_the_backlog_and_everything_is_sent_once() {
    let mut outage = Outage::of(600, Some(Window::Open)).await;
    // At the latest when the receiver is tried again.
    outage.run(7).await;
    let returned = outage.appended;
    outage.run(5).await;
    assert!(outage.has(returned) && outage.has(returned + 3), "what is new is there");
    assert!(!outage.has(300), "the backlog is not there yet");
    assert!(lock(&outage.status).live);
    let asked = lock(&outage.script.asked).clone();
    assert!(asked.len() == 1 && asked[0] > Duration::from_secs(590), "asked for the oldest: {asked:?}");
    outage.run(300).await;
    assert!(outage.has(300) && !lock(&outage.status).live, "caught up");
    let appended = outage.appended;
    let stored = outage.finish().await;
    assert_eq!(stored.len(), appended * 16, "none was sent twice");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_without_a_window_gets_the_first_first() {
    for open in [None, Some(Window::Closed)] {
        let mut outage = Outage::of(600, open).await;
        outage.run(60).await;
        assert!(!lock(&outage.status).live && !outage.has(outage.appended - 5));
        assert_eq!(lock(&outage.script.asked).len(), 1, "it is asked once, and remembered");
        let stored = outage.finish().await;
        let times: Vec<&str> = stored.iter().filter_map(|word| word.strip_prefix("7:")).collect();
        assert!(times.is_sorted(), "in order");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_say_is_asked_again() {
    let mut outage = Outage::of(600, Some(Window::Unknown)).await;
    outage.run(60).await;
    let asked = lock(&outage.script.asked).len();
    assert!((5..20).contains(&asked), "{asked}");
    outage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_outage_in_the_backlog_leaves_nothing_out() {
    let mut outage = Outage::of(600, Some(Window::Open)).await;
    outage.run(20).await;
    assert!(lock(&outage.status).live);
    outage.script.away.store(true, Ordering::SeqCst);
    outage.run(120).await;
    outage.script.away.store(false, Ordering::SeqCst);
    outage.run(20).await;
    let recent = outage.appended - 5;
    assert!(outage.has(recent), "what is new overtakes what was new");
    assert!(!outage.has(400));
    outage.run(600).await;
    let appended = outage.appended;
    assert_eq!(outage.finish().await.len(), appended * 16, "none was sent twice");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_order_ends_the_lane() {
    let mut outage = Outage::of(600, Some(Window::Open)).await;
    outage.run(10).await;
    assert!(lock(&outage.status).live);
    let late = Verdict::Partial { refused: 1, reason: OUT_OF_ORDER, message: "too old sample".into() };
    // Of both lanes, the next requests; one of them is the backlog's.
    lock(&outage.script.answers).extend([late.clone(), late.clone(), late]);
    outage.run(3).await;
    let newest = outage.appended;
    outage.run(10).await;
    assert!(!outage.has(newest + 2), "first in, first out from now on");
    outage.bed.log.close();
    outage.task.await.unwrap();
    let lost: u64 = lock(&outage.status).lost.values().sum();
    assert!((1..=3).contains(&lost), "{lost}");
}

#[tokio::test(start_paused = true)]
async fn an_output_that_stops_takes_its_lane_along() {
    let mut outage = Outage::of(600, Some(Window::Open)).await;
    outage.run(10).await;
    assert!(lock(&outage.status).live);
    outage.leave.cancel();
    (&mut outage.task).await.unwrap();
    let cursors = outage.bed.log.stats().cursors;
    assert_eq!(cursors.len(), 1, "{cursors:?}");
    let (status, _, task) = outage.bed.start("one", &outage.script);
    (outage.status, outage.task) = (status, task);
    outage.run(300).await;
    outage.finish().await;
}
