//! `kill -9` at any moment, again and again.

use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;
use taffrail_tests::{Answer, Prometheus, Receiver, Taffrail, Version, wait_for};

use super::rig::{Numbered, Random, Samples, check, gaps};
use crate::support::SOON;

const KILLS: u64 = 22;
const SERIES: usize = 20;

/// What is sent again after a kill at most: what was confirmed within the second before the positions were saved, what
/// was on its way, and as much again for a busy machine; five pages a second, each with five series about the target.
const REPEATED: usize = 4 * 5 * (SERIES + 5);

fn config(target: &Numbered, outputs: &[String]) -> String {
    let outputs: Vec<String> = outputs.iter().map(|url| format!("{{{url}, timeout: 1s}}")).collect();
    format!(
        "hostname: ship\nself: false\n{}outputs: {{prometheus: [{}]}}\n",
        target.job(),
        outputs.join(", ")
    )
}

fn two(alive: &Receiver, dead: &Receiver) -> [String; 2] {
    let output =
        |name: &str, receiver: &Receiver| format!("name: {name}, url: \"{}\"", receiver.url("/api/v1/write"));
    [output("alive", alive), output("dead", dead)]
}

/// What is on disk after a kill: nothing but, now and then, a write that was cut short.
fn expect_at_most_torn(taffrail: &Taffrail) {
    let found = check(taffrail).unwrap();
    for log in found["logs"].as_array().unwrap() {
        assert_eq!(log["cursors_problem"], serde_json::Value::Null, "{log}");
        assert_eq!(log["undecodable_records"], 0, "{log}");
        for segment in log["segments"].as_array().unwrap() {
            let damage = segment["damage"].as_array().unwrap();
            assert!(damage.iter().all(|damage| damage["torn"] == true), "{segment}");
            assert!(segment["error"].is_null() && segment["header_damaged"] == false, "{segment}");
        }
    }
}

#[test]
fn twenty_kills_lose_nothing_that_was_accepted() {
    let target = Numbered::start(SERIES);
    let (alive, dead) = (Receiver::start().unwrap(), Receiver::start().unwrap());
    dead.always(Answer::status(503));
    let mut taffrail = Taffrail::prepare(&config(&target, &two(&alive, &dead))).unwrap();
    let mut random = Random(u64::from(std::process::id()));
    let mut accepted = Samples::default();
    for round in 0..KILLS {
        // Stored but never confirmed, refused, and well.
        alive.always(match round % 4 {
            1 => Answer::Close,
            2 => Answer::status(500),
            _ => Answer::Usual,
        });
        taffrail.spawn().unwrap();
        if round % 5 != 4 {
            taffrail.wait_ready(SOON).unwrap();
        }
        sleep(Duration::from_millis(50) + random.millis(900));
        taffrail.kill();
        expect_at_most_torn(&taffrail);
        accepted.extend(Samples::on_disk(&taffrail).unwrap());
    }
    alive.always(Answer::Usual);
    dead.always(Answer::Usual);
    taffrail.restart().unwrap();
    for (name, receiver) in [("alive", &alive), ("dead", &dead)] {
        let waited = wait_for(&format!("all that was accepted at {name}"), SOON, || {
            let missing = Samples::accepted(&receiver.received()).missing(&accepted);
            ensure!(
                missing.is_empty(),
                "{} of {} are missing: {}",
                missing.len(),
                accepted.count(),
                missing[0]
            );
            Ok(())
        });
        waited.unwrap();
    }
    taffrail.terminate(SOON).unwrap();
    assert!(target.served() > KILLS, "only {} pages were asked for", target.served());
    for (name, receiver) in [("alive", &alive), ("dead", &dead)] {
        let came = Samples::accepted(&receiver.received());
        came.assert_consistent();
        // A page that was given out and not yet written when the kill came: one at most each time.
        let gaps = gaps(&came.numbers());
        assert!(gaps.len() as u64 <= KILLS, "{name}: {gaps:?} of {} are missing", target.served());
        let most = if name == "alive" { KILLS as usize * REPEATED } else { REPEATED };
        assert!(came.repeated() <= most, "{name}: {} of {} came twice", came.repeated(), came.count());
    }
}

#[test]
fn kills_and_restarts_of_prometheus_leave_no_gap() {
    let target = Numbered::start(3);
    let config_of = "storage: {tsdb: {out_of_order_time_window: 10m}}\nscrape_configs: []\n";
    let mut prometheus = Prometheus::start_with(Version::V3, config_of, &[]).unwrap();
    let url = format!("url: \"{}\"", prometheus.write_url());
    let mut taffrail = Taffrail::prepare(&config(&target, &[url])).unwrap();
    let mut random = Random(u64::from(std::process::id()) + 1);
    let mut accepted = Samples::default();
    for round in 0..5 {
        taffrail.restart().unwrap();
        sleep(Duration::from_millis(300) + random.millis(900));
        if round % 2 == 1 {
            prometheus.stop().unwrap();
            sleep(random.millis(900));
            taffrail.kill();
            prometheus.restart().unwrap();
        } else {
            taffrail.kill();
        }
        accepted.extend(Samples::on_disk(&taffrail).unwrap());
    }
    taffrail.restart().unwrap();
    wait_for("all that was accepted in Prometheus", SOON, || {
        let there = Samples::queried(&prometheus, "{job=\"numbered\"}[10m]")?;
        let missing = there.missing(&accepted);
        ensure!(missing.is_empty(), "{} of {} are missing: {}", missing.len(), accepted.count(), missing[0]);
        Ok(())
    })
    .unwrap();
    assert!(accepted.numbers().len() > 5, "{:?}", accepted.numbers());
}
