//! The delivery loop against outputs whose answers are scripted; the wire itself is tested with real receivers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use taffrail_spool::{Log, Settled, Ticket};

use crate::outputs::scripted::{Bed, Script, retry};
use crate::outputs::verdict::{Fate, OUT_OF_ORDER, Verdict};
use crate::status::lock;

#[tokio::test(start_paused = true)]
async fn of_two_outputs_the_dead_one_harms_nobody() {
    let bed = Bed::new();
    let dead = Script::answering((0..1_000_000).map(|_| retry(Fate::NotStored)));
    let alive = Script::default();
    let (dead_status, leave, dead_task) = bed.start("dead", &dead);
    let (status, _, task) = bed.start("alive", &alive);
    let settled = Arc::new(Mutex::new(None));
    let heard = settled.clone();
    let ticket = Ticket::new(move |how| *lock(&heard) = Some(how));
    bed.log.append(Bytes::from_static(b"a b"), ticket).unwrap();
    bed.append("c");
    bed.log.close();
    task.await.unwrap();
    assert_eq!(alive.stored(), ["a", "b", "c"]);
    assert_eq!(lock(&status).delivered, 3);
    // Settled is what both have settled: the dead one has not.
    assert_eq!(*lock(&settled), None);
    leave.cancel();
    dead_task.await.unwrap();
    assert!(lock(&dead_status).retrying.is_some());
    // The same cursor with a receiver that is back gets everything, and the source hears of it.
    let (_, _, task) = bed.start("dead", &alive);
    task.await.unwrap();
    assert_eq!(alive.stored(), ["a", "b", "c", "a", "b", "c"]);
    assert_eq!(*lock(&settled), Some(Settled::Delivered));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_is_sent_again() {
    let bed = Bed::new();
    // The first attempt was received, but the answer was lost; then the process is killed.
    let script = Script::answering([retry(Fate::Unknown)]);
    let (_, leave, task) = bed.start("one", &script);
    bed.append("a b");
    while lock(&script.requests).is_empty() {
        tokio::task::yield_now().await;
    }
    leave.cancel();
    task.await.unwrap();
    assert!(script.stored().is_empty());
    let (_, _, task) = bed.start("one", &script);
    bed.log.close();
    task.await.unwrap();
    assert_eq!(script.stored(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn the_bad_stand_alone_and_the_good_arrive_in_order() {
    let bed = Bed::new();
    let script = Script { bad: Arc::new(vec!["c", "f"]), ..Script::default() };
    let (status, _, task) = bed.start("one", &script);
    tokio::task::yield_now().await;
    bed.clock.advance(Duration::from_millis(1));
    bed.append("first");
    bed.append("a b c d e f g");
    bed.log.close();
    task.await.unwrap();
    assert_eq!(script.stored(), ["first", "a", "b", "d", "e", "g"]);
    let status = lock(&status);
    assert_eq!((status.delivered - 1, status.lost[OUT_OF_ORDER], status.resent), (5, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn refused_for_order_after_an_unknown_fate_is_resent_not_lost() {
    let bed = Bed::new();
    // The answer is lost, then the receiver is away; what is known of the first attempt stays unknown.
    let mut script = Script::answering([Verdict::Done, retry(Fate::Unknown), retry(Fate::NotStored)]);
    script.bad = Arc::new(vec!["a", "b"]);
    let (status, _, task) = bed.start("one", &script);
    tokio::task::yield_now().await;
    // What was there before the start may have been sent before the start.
    bed.clock.advance(Duration::from_millis(1));
    bed.append("first");
    bed.append("a b");
    bed.log.close();
    task.await.unwrap();
    let status = lock(&status);
    assert_eq!((status.resent, status.lost.len()), (2, 0));
    let fates = lock(&script.requests);
    assert_eq!(fates[1], Fate::NotStored);
    assert!(fates[2..].iter().all(|fate| *fate == Fate::Unknown));
}

#[tokio::test(start_paused = true)]
async fn too_large_is_halved_and_too_large_alone_is_lost() {
    let bed = Bed::new();
    let script = Script::answering([Verdict::Split, Verdict::Split]);
    let (status, _, task) = bed.start("one", &script);
    bed.append("a b");
    bed.log.close();
    task.await.unwrap();
    assert_eq!(script.stored(), ["b"]);
    assert_eq!(lock(&status).lost["too_large"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_says_when_to_come_back() {
    let bed = Bed::new();
    let wait = Duration::from_secs(30);
    let after = Verdict::Retry { after: Some(wait), cause: "HTTP 429".into(), fate: Fate::NotStored };
    let script = Script::answering([after]);
    let (_, _, task) = bed.start("one", &script);
    bed.append("a");
    bed.log.close();
    // Time is paused: it moves only when everything waits, and then to the next timer.
    assert!(
        tokio::time::timeout(wait - Duration::from_millis(10), async { task.await.unwrap() }).await.is_err()
    );
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(script.stored(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn to_come_back_at_once_is_no_busy_loop() {
    let bed = Bed::new();
    let busy = Verdict::Retry { after: Some(Duration::ZERO), cause: "503".into(), fate: Fate::NotStored };
    let script = Script::answering((0..100_000).map(|_| busy.clone()));
    let (_status, leave, task) = bed.start("x", &script);
    bed.append("a");
    tokio::time::sleep(Duration::from_millis(100)).await;
    leave.cancel();
    task.await.unwrap();
    let n = lock(&script.requests).len();
    assert!(n < 10, "{n} requests within 100 ms");
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_output_had_sent_is_not_lost() {
    let bed = Bed::new();
    let script = Script::answering([Verdict::Done, retry(Fate::Unknown), retry(Fate::Unknown)]);
    bed.append("a");
    bed.append("b");
    let (_, leave, task) = bed.start("one", &script);
    while lock(&script.requests).len() < 2 {
        tokio::task::yield_now().await;
    }
    // A reload: `a` was stored.
    leave.cancel();
    task.await.unwrap();
    let script = Script { bad: Arc::new(vec!["a"]), ..Script::default() };
    let (status, _, task) = bed.start("one", &script);
    bed.log.close();
    task.await.unwrap();
    assert!(lock(&status).lost.is_empty(), "{:?}", lock(&status).lost);
}
