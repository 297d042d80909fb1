//! What a remote-write receiver's answer means.

use taffrail_wire::remote_write::{is_order_refusal, v2};

use super::super::http::Answer;
use super::super::verdict::{OUT_OF_ORDER, Verdict, classify};
use super::version::Version;

/// The meaning of `answer` to a request of `samples` samples.
pub(super) fn judge(answer: &Answer, version: Version, samples: u64) -> Verdict {
    match version {
        Version::V1 => match classify(answer) {
            Verdict::Reject { reason, message } => {
                Verdict::Reject { reason: order(answer).unwrap_or(reason), message }
            }
            verdict => verdict,
        },
        Version::V2 => judge_v2(answer, samples),
    }
}

/// A receiver of 2.0 says how many samples it has stored, even when it refuses some; what it has not is lost, and sent
/// again it would be refused again. One that does not say so took the request for something else, and stored nothing.
fn judge_v2(answer: &Answer, samples: u64) -> Verdict {
    let written = answer.headers.get(v2::SAMPLES_WRITTEN);
    let written = written.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    let status = answer.status;
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

    fn v2(status: u16, written: Option<&str>, body: &str) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Some(written) = written {
            headers.insert(v2::SAMPLES_WRITTEN, written.parse().unwrap());
        }
        judge(&Answer { status, retry_after: None, headers, body: body.into() }, Version::V2, 10)
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
        assert_eq!(judge(&answer, Version::V1, 10), expected);
    }
}
