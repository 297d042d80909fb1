//! Several outputs of one log: one that is dead, one that is slow, one that is well. Every sample is counted.

use std::thread::sleep;
use std::time::Duration;

use taffrail_tests::{Answer, Receiver, Relay, Taffrail, wait_for};

use crate::support::{SOON, accepted_samples, accepted_times, own, wait_for_peace, wait_for_problem, widest};

#[test]
fn a_dead_and_a_slow_output_harm_nobody_and_get_everything_in_the_end() {
    let (well, slow, dead) =
        (Receiver::start().unwrap(), Receiver::start().unwrap(), Receiver::start().unwrap());
    let relay = Relay::to(slow.port(), Duration::from_millis(1500)).unwrap();
    dead.always(Answer::Hang(Duration::from_secs(60)));
    let output = |name: &str, port: u16| {
        format!("{{name: {name}, url: \"http://127.0.0.1:{port}\", version: \"1.0\", timeout: 2s}}")
    };
    let config = format!(
        "interval: 1s\nhostname: ship\nself: false\nhost: {{}}\noutputs: {{prometheus: [{}, {}, {}]}}\n",
        output("well", well.port()),
        output("slow", relay.port()),
        output("dead", dead.port()),
    );
    let mut taffrail = Taffrail::start(&config).unwrap();
    sleep(Duration::from_secs(15));
    // Meanwhile, not afterwards.
    let times = accepted_times(&well, "node_load1");
    assert!(times.len() >= 13 && widest(times.clone()) < 1.9, "{times:?}");
    wait_for_problem(&taffrail, &["output prometheus/dead", "no answer"]).unwrap();
    assert!(accepted_samples(&dead).is_empty());
    let at = |name: &str, metric: &str| {
        own(&taffrail, &format!("{metric}{{kind=\"prometheus\",output=\"{name}\"}}"))
    };
    assert!(at("dead", "taffrail_output_lag_seconds") > 8.0);
    assert!(at("well", "taffrail_output_lag_seconds") < 3.0);
    assert!(at("well", "taffrail_output_requests_total") >= 13.0);
    dead.always(Answer::Usual);
    relay.set_delay(Duration::ZERO);
    wait_for_peace(&taffrail).unwrap();
    // It stops, so that all have had the same in the end.
    assert_eq!(taffrail.terminate(Duration::from_secs(30)).unwrap(), Some(0));
    let all = accepted_samples(&well);
    assert!(all.len() > 200, "{} series", all.len());
    wait_for("the same at all three", SOON, || {
        for (name, receiver) in [("slow", &slow), ("dead", &dead)] {
            let theirs = accepted_samples(receiver);
            anyhow::ensure!(theirs.len() == all.len(), "{name}: {} of {} series", theirs.len(), all.len());
            for (series, times) in &all {
                let mut got = theirs.get(series).cloned().unwrap_or_default();
                anyhow::ensure!(got.is_sorted(), "{name}: {series} out of order: {got:?}");
                got.dedup();
                anyhow::ensure!(got == *times, "{name}: {series}: {got:?}, not {times:?}");
            }
        }
        Ok(())
    })
    .unwrap();
}
