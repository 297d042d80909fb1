//! Shards: fast to a receiver that is far, in order for each series, and never committed too far.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use taffrail_spool::Log;

use crate::outputs::scripted::{Bed, Script, retry};
use crate::outputs::verdict::Fate;
use crate::status::lock;

const FAR: Duration = Duration::from_millis(100);

/// A far receiver, and a log with `records` of 16 series each.
fn far(bed: &Bed, most: usize, records: usize) -> Script {
    for at in 0..records {
        let words: Vec<String> = (0..16).map(|series| format!("{series}:{at:06}")).collect();
        bed.append(&words.join(" "));
    }
    Script { takes: FAR, most, ..Script::default() }
}

/// Every value of every series was stored, in order, once.
fn complete(stored: &[String], records: usize) {
    let mut series: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for word in stored {
        let (name, value) = word.split_once(':').unwrap();
        series.entry(name).or_default().push(value);
    }
    assert_eq!(series.len(), 16);
    for (name, values) in series {
        assert!(values.is_sorted_by(|a, b| a < b), "{name}: {values:?}");
        assert_eq!(values.len(), records, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_behind_sends_side_by_side_and_in_order() {
    let mut seconds = Vec::new();
    for most in [1, 8] {
        let bed = Bed::new();
        bed.tick();
        let script = far(&bed, most, 2000);
        let (status, _, task) = bed.start("one", &script);
        bed.log.close();
        let begun = bed.clock.monotonic();
        task.await.unwrap();
        seconds.push((bed.clock.monotonic() - begun).as_secs_f64());
        complete(&script.stored(), 2000);
        assert_eq!(lock(&script.under_way).1, most);
        let status = lock(&status);
        assert_eq!((status.delivered, status.lost.len(), status.in_flight), (32_000, 0, 0));
        assert_eq!(bed.log.stats().cursors[0].lag.records, 0);
    }
    assert!(
        seconds[1] < seconds[0] / 3.0,
        "one after the other takes {} s, side by side {}",
        seconds[0],
        seconds[1]
    );
}

#[tokio::test(start_paused = true)]
async fn who_has_caught_up_sends_one_after_the_other() {
    let bed = Bed::new();
    bed.tick();
    let script = far(&bed, 8, 300);
    let (status, _, task) = bed.start("one", &script);
    while bed.log.stats().cursors[0].lag.records > 0 {
        tokio::time::sleep(FAR).await;
    }
    assert!(lock(&status).shards > 1, "it was behind");
    *lock(&script.under_way) = (0, 0);
    for at in 300..320 {
        let words: Vec<String> = (0..16).map(|series| format!("{series}:{at:06}")).collect();
        bed.append(&words.join(" "));
        tokio::time::sleep(FAR * 3).await;
    }
    bed.log.close();
    task.await.unwrap();
    complete(&script.stored(), 320);
    assert_eq!((lock(&status).shards, lock(&script.under_way).1), (1, 1));
}

/// A process that is killed sends again what it had not committed: what was committed has to be there.
#[tokio::test(start_paused = true)]
async fn what_is_committed_was_stored_by_every_shard() {
    let bed = Bed::new();
    bed.tick();
    let records = 500;
    let script = far(&bed, 8, records);
    let (_, leave, task) = bed.start("one", &script);
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(73)).await;
        let stored = script.stored();
        let lag = bed.log.stats().cursors[0].lag.records as usize;
        for series in 0..16 {
            let prefix = format!("{series}:");
            let of_it = stored.iter().filter(|word| word.starts_with(&prefix)).count();
            assert!(
                of_it >= records - lag,
                "series {series}: {of_it} are stored, {} committed",
                records - lag
            );
        }
    }
    leave.cancel();
    task.await.unwrap();
    assert!(bed.log.stats().cursors[0].lag.records > 0, "it was killed in the middle");
    // Its successor sends the rest; of what comes twice, the receiver keeps one.
    let (_, _, task) = bed.start("one", &script);
    bed.log.close();
    task.await.unwrap();
    let mut stored = script.stored();
    stored.sort();
    stored.dedup();
    complete(&stored, records);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_away_is_asked_by_one_request_at_a_time() {
    let bed = Bed::new();
    bed.tick();
    let script = far(&bed, 8, 1000);
    let (status, _, task) = bed.start("one", &script);
    while lock(&status).shards < 8 {
        tokio::time::sleep(FAR).await;
    }
    script.away.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = lock(&script.requests).len();
    lock(&script.under_way).1 = 0;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let tries = lock(&script.requests).len() - before;
    assert!((8..20).contains(&tries), "{tries} requests in a minute");
    assert_eq!(lock(&script.under_way).1, 1);
    script.away.store(false, Ordering::SeqCst);
    bed.log.close();
    task.await.unwrap();
    complete(&script.stored(), 1000);
    assert_eq!(lock(&status).lost.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn while_one_shard_tries_again_the_others_do_not_wait_for_ever() {
    let bed = Bed::new();
    bed.tick();
    let script = far(&bed, 8, 400);
    // Only some requests fail, as behind a balancer with one bad server.
    let answers = (0..300).map(|at| if at % 3 == 0 { retry(Fate::NotStored) } else { retry(Fate::Unknown) });
    lock(&script.answers).extend(answers.take(20));
    let (_, _, task) = bed.start("one", &script);
    bed.log.close();
    tokio::time::timeout(Duration::from_secs(600), task).await.unwrap().unwrap();
    complete(&script.stored(), 400);
}
