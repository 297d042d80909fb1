//! What a receiver's answer means. It is decided here, once; the delivery loop only obeys.

use std::time::Duration;

use super::http::Answer;

/// What is known of an earlier attempt at the same data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// There was none, or it certainly stored nothing.
    NotStored,
    /// It may have been stored: the connection ended, or time ran out, before an answer.
    Unknown,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stored.
    Done,
    /// Stored but for `refused` of it, which is lost.
    Partial {
        /// How many samples or entries.
        refused: u64,
        /// Why, as a word for a label.
        reason: &'static str,
        /// Why, in the receiver's words.
        message: String,
    },
    /// Not stored, through no fault of the data: the same again, later.
    Retry {
        /// When the receiver said to come back.
        after: Option<Duration>,
        /// Why, for people.
        cause: String,
        /// Whether it may have been stored all the same.
        fate: Fate,
    },
    /// Some of it was stored, some refused, and the rest is in [`Delivery::rest`](super::Delivery::rest): to be sent next.
    Rest {
        /// How many samples or entries were stored.
        stored: u64,
        /// What was refused and is lost.
        refused: Vec<Refused>,
        /// Why the rest has to wait, when it has to, and how long the receiver said.
        wait: Option<(String, Option<Duration>)>,
    },
    /// Not stored, as the receiver does not know the protocol's version: again in an older one, which the output has
    /// chosen by now.
    Downgrade {
        /// How it showed, for people.
        cause: String,
    },
    /// Too large: in halves.
    Split,
    /// Some of it is bad and nothing was stored: in halves, until the bad stand alone.
    Reject {
        /// Why, as a word for a label.
        reason: &'static str,
        /// Why, in the receiver's words.
        message: String,
    },
}

/// Samples or entries that a receiver refused for good, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// Why, as a word for a label.
    pub reason: &'static str,
    /// Why, in words.
    pub message: String,
}

/// The reason of a refusal because a newer or another value is there already.
pub const OUT_OF_ORDER: &str = "out_of_order";

/// The meaning of an answer where the protocol does not say otherwise.
///
/// A wrong address or password is not bad data: it is tried again for as long as the log keeps the data, and is seen
/// on the page and in `taffrail_output_retries_total`. Only 400 and 422 speak of the data itself.
pub fn classify(answer: &Answer) -> Verdict {
    match answer.status {
        200..=299 => Verdict::Done,
        400 | 422 => Verdict::Reject { reason: "refused", message: answer.message() },
        413 => Verdict::Split,
        status => Verdict::Retry {
            after: answer.retry_after,
            cause: explain(status, &answer.message()),
            fate: Fate::NotStored,
        },
    }
}

/// What an answer that is tried again says to the person who has to mend it.
fn explain(status: u16, message: &str) -> String {
    let hint = match status {
        300..=399 => "the receiver redirects: put the address it redirects to into `url`",
        401 | 407 => "the receiver wants other credentials: see `basic_auth`, `authorization`, `oauth2`",
        403 => "the receiver does not let these credentials write",
        404 => "nothing takes pushes at this path: see `url`",
        405 => "this path takes no POST: see `url`",
        408 | 425 | 429 => "the receiver asks to slow down",
        415 => "the receiver does not know this protocol's version",
        500..=599 => "the receiver has a fault",
        _ => "the receiver gave an answer that the protocol does not know",
    };
    match message {
        "" => format!("HTTP {status}: {hint}"),
        message => format!("HTTP {status}: {hint} (it says: {message})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16) -> Verdict {
        classify(&Answer {
            status,
            retry_after: Some(Duration::from_secs(7)),
            headers: http::HeaderMap::new(),
            body: "why\n".into(),
        })
    }

    #[test]
    fn only_400_and_422_speak_of_the_data() {
        assert_eq!(verdict(204), Verdict::Done);
        assert_eq!(verdict(413), Verdict::Split);
        for status in [400, 422] {
            assert_eq!(verdict(status), Verdict::Reject { reason: "refused", message: "why".into() });
        }
        for status in
            [301, 308, 401, 402, 403, 404, 405, 407, 408, 409, 415, 418, 425, 429, 500, 502, 503, 504, 599]
        {
            let Verdict::Retry { after, cause, fate } = verdict(status) else { panic!("{status}") };
            assert_eq!((after, fate), (Some(Duration::from_secs(7)), Fate::NotStored));
            assert!(
                cause.starts_with(&format!("HTTP {status}: ")) && cause.ends_with("(it says: why)"),
                "{cause}"
            );
        }
    }
}
