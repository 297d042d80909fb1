//! What a remote-write receiver's answer means.

use taffrail_wire::remote_write::{is_order_refusal, v2};

use super::super::http::Answer;
use super::super::verdict::{OUT_OF_ORDER, Verdict, classify};
use super::batch::Counts;
use super::version::Version;

/// The meaning of `answer` to a request of so many samples and histograms.
pub(super) fn judge(answer: &Answer, version: Version, sent: Counts) -> Verdict {
    match version {
        Version::V1 => match classify(answer) {
            Verdict::Reject { reason, message } => {
                Verdict::Reject { reason: order(answer).unwrap_or(reason), message }
            }
            verdict => verdict,
        },
        Version::V2 => judge_v2(answer, sent),
    }
}

/// The verdict on a batch of which the request could not carry all.
pub(super) fn without(verdict: Verdict, left_out: u64) -> Verdict {
    match verdict {
        Verdict::Done if left_out > 0 => Verdict::Partial {
            refused: left_out,
            reason: "custom_buckets",
            message:
                "remote write 1.0 carries no histograms with custom buckets: the receiver has to take 2.0"
                    .into(),
        },
        verdict => verdict,
    }
}

/// A receiver of 2.0 says how many samples it has stored, even when it refuses some; what it has not is lost, and sent
/// again it would be refused again. One that does not say so took the request for something else, and stored nothing.
fn judge_v2(answer: &Answer, sent: Counts) -> Verdict {
    let header = |name: &str| {
        let value = answer.headers.get(name)?.to_str().ok()?;
        value.trim().parse::<u64>().ok()
    };
    // One that stores no histograms at all may say nothing of them.
    let histograms = header(v2::HISTOGRAMS_WRITTEN).unwrap_or(0);
    let written = header(v2::SAMPLES_WRITTEN)
        .map(|samples| samples.min(sent.samples) + histograms.min(sent.histograms));
    let (status, samples) = (answer.status, sent.all());
    match (classify(answer), written) {
        (Verdict::Done | Verdict::Reject { .. }, Some(written)) if written >= samples => Verdict::Done,
        (Verdict::Done, Some(written)) => partial(answer, samples - written, "not_written"),
        (Verdict::Reject { reason, .. }, Some(written)) => partial(answer, samples - written, reason),
        (Verdict::Done | Verdict::Reject { .. }, None) => Verdict::Downgrade {
            cause: format!(
                "HTTP {status} without saying how many samples were written: it does not know 2.0"
            ),
        },
        (Verdict::Retry { .. }, _) if status == 415 => {
            Verdict::Downgrade { cause: format!("HTTP 415: it does not take 2.0 ({})", answer.message()) }
        }
        (verdict, _) => verdict,
    }
}

fn partial(answer: &Answer, refused: u64, reason: &'static str) -> Verdict {
    let reason = order(answer).unwrap_or(reason);
    Verdict::Partial { refused, reason, message: answer.message() }
}

fn order(answer: &Answer) -> Option<&'static str> {
    is_order_refusal(&answer.body).then_some(OUT_OF_ORDER)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    const TEN: Counts = Counts { samples: 10, histograms: 0 };

    fn v2(status: u16, written: Option<&str>, body: &str) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Some(written) = written {
            headers.insert(v2::SAMPLES_WRITTEN, written.parse().unwrap());
        }
        judge(&Answer { status, retry_after: None, headers, body: body.into() }, Version::V2, TEN)
    }

    #[test]
    fn what_is_written_is_said() {
        assert_eq!(v2(204, Some("10"), ""), Verdict::Done);
        let partial =
            |refused, reason| Verdict::Partial { refused, reason, message: "out of order sample".into() };
        assert_eq!(v2(400, Some("7"), "out of order sample"), partial(3, OUT_OF_ORDER));
        assert_eq!(v2(400, Some("0"), "out of order sample"), partial(10, OUT_OF_ORDER));
        let unsaid = Verdict::Partial { refused: 10, reason: "not_written", message: String::new() };
        assert_eq!(v2(204, Some("0"), ""), unsaid);
        assert!(matches!(v2(400, Some("3"), "no"), Verdict::Partial { refused: 7, reason: "refused", .. }));
    }

    #[test]
    fn who_does_not_know_the_protocol_has_stored_nothing() {
        for status in [200, 204, 400, 415] {
            assert!(matches!(v2(status, None, ""), Verdict::Downgrade { .. }), "{status}");
        }
        assert!(matches!(v2(204, Some("many"), ""), Verdict::Downgrade { .. }));
        assert_eq!(v2(413, None, ""), Verdict::Split);
        for status in [401, 404, 429, 500, 503] {
            assert!(matches!(v2(status, None, ""), Verdict::Retry { .. }), "{status}");
        }
    }

    #[test]
    fn the_old_protocol_knows_no_parts() {
        let answer = Answer {
            status: 400,
            retry_after: None,
            headers: HeaderMap::new(),
            body: "out of order sample".into(),
        };
        let expected = Verdict::Reject { reason: OUT_OF_ORDER, message: "out of order sample".into() };
        assert_eq!(judge(&answer, Version::V1, TEN), expected);
    }

    #[test]
    fn histograms_are_counted_beside_samples() {
        let mut headers = HeaderMap::new();
        headers.insert(v2::SAMPLES_WRITTEN, "10".parse().unwrap());
        let sent = Counts { samples: 10, histograms: 3 };
        let answer = |headers| Answer { status: 204, retry_after: None, headers, body: String::new() };
        let lost = |refused| Verdict::Partial { refused, reason: "not_written", message: String::new() };
        assert_eq!(judge(&answer(headers.clone()), Version::V2, sent), lost(3));
        headers.insert(v2::HISTOGRAMS_WRITTEN, "2".parse().unwrap());
        assert_eq!(judge(&answer(headers.clone()), Version::V2, sent), lost(1));
        headers.insert(v2::HISTOGRAMS_WRITTEN, "3".parse().unwrap());
        assert_eq!(judge(&answer(headers), Version::V2, sent), Verdict::Done);
    }

    #[test]
    fn what_a_request_cannot_carry_is_lost_for_that_reason() {
        assert_eq!(without(Verdict::Done, 0), Verdict::Done);
        let Verdict::Partial { refused: 2, reason: "custom_buckets", .. } = without(Verdict::Done, 2) else {
            panic!("it is counted")
        };
        assert_eq!(without(Verdict::Split, 2), Verdict::Split);
    }
}
