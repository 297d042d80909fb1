//! A receiver that is killed, hangs, or stores without saying so: each sample is confirmed once.

use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;
use taffrail_tests::{Answer, Received, Receiver, Taffrail, wait_for};

use super::rig::{Numbered, Samples, gaps};
use crate::support::{SOON, status, wait_for_peace};

#[test]
fn whatever_becomes_of_requests_each_sample_is_confirmed_once() {
    let target = Numbered::start(50);
    let mut receiver = Receiver::start().unwrap();
    let port = receiver.port();
    let config = format!(
        "hostname: ship\nself: false\n{}outputs: {{prometheus: [{{url: \"http://127.0.0.1:{port}\", timeout: 1s}}]}}\n",
        target.job()
    );
    let mut taffrail = Taffrail::start(&config).unwrap();
    let mut before: Vec<Received> = Vec::new();
    let (mut unconfirmed, mut lost_answers) = (0, 0);
    for round in 0..2 {
        for answer in [
            Answer::Close,
            Answer::Hang(Duration::from_secs(60)),
            Answer::status(500),
            Answer::Garbage,
            Answer::too_many(1),
            Answer::Usual,
        ] {
            if matches!(answer, Answer::Usual) {
                // Gone, with whatever is on its way.
                before.append(&mut receiver.received());
                drop(receiver);
                sleep(Duration::from_millis(700));
                receiver = Receiver::start_on(port).unwrap();
            } else {
                receiver.always(answer);
                sleep(Duration::from_millis(900 + 300 * round));
                receiver.always(Answer::Usual);
            }
            // Now and then an answer is lost in the middle of good ones.
            receiver.then([Answer::status(204), Answer::Close, Answer::status(204), Answer::Close]);
            wait_for_peace(&taffrail).unwrap();
            sleep(Duration::from_millis(300));
        }
    }
    let last = target.served();
    let all = wait_for("the last number", SOON, || {
        let all: Vec<Received> = before.iter().cloned().chain(receiver.received()).collect();
        let numbers = Samples::accepted(&all).numbers();
        ensure!(numbers.contains(&last), "{:?} is the last of {last}", numbers.last());
        Ok(all)
    })
    .unwrap();
    let came = Samples::accepted(&all);
    came.assert_consistent();
    assert_eq!(gaps(&came.numbers()), Vec::<u64>::new(), "of {last}");
    assert_eq!(came.repeated(), 0, "of {}", came.count());
    for received in all.iter().filter(|received| !received.accepted) {
        unconfirmed += 1;
        lost_answers += usize::from(received.write_request().is_ok());
    }
    assert!(unconfirmed > 20 && lost_answers > 10, "{unconfirmed} {lost_answers}");
    let status = status(&taffrail).unwrap();
    assert_eq!(status["outputs"][0]["lost"], serde_json::json!({}), "{status}");
    taffrail.terminate(SOON).unwrap();
}
