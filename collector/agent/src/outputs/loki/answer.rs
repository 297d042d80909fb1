//! What Loki's answers mean: which entries it refused, and what is to be sent again.
//!
//! A distributor checks first: it answers 400 with every stream or entry that it refused, and lets the rest pass. An
//! ingester answers for the last of its streams only: what it refused of the streams before that is not said, not even
//! by the status. So what may be refused by an ingester is sent alone, and new streams stand last.

use std::collections::BTreeSet;
use std::time::Duration;

use taffrail_wire::loki::{self, Reason, Refusal, refusals};

use super::push::{Part, Push};
use crate::outputs::http::Answer;
use crate::outputs::verdict::{Fate, OUT_OF_ORDER, Verdict, classify};

/// What an answer says of a push.
#[derive(Debug)]
pub(super) enum Meaning {
    /// What it says in any protocol.
    Usual(Verdict),
    /// These parts were refused for good; what is not named was stored.
    Refused(Vec<Refused>),
    /// This was not stored, and will be later; what is not named was stored.
    Wait { part: Part, after: Option<Duration>, cause: String },
    /// What was refused cannot be told: each of the streams from this number on by itself. Those before were stored.
    Apart { from: usize },
    /// What was refused cannot be told, or it is too large: its halves.
    Halves,
    /// Its receiver takes less than was thought, or other names: to be put right, and sent again.
    Mend(Vec<Lesson>),
}

/// A part that was refused for good.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) part: Part,
    /// A word for counters.
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// What a refusal says about the receiver's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    LabelNames(usize),
    Line(usize),
    MetadataBytes(usize),
    MetadataPairs(usize),
    /// It takes no structured metadata at all.
    NoMetadata,
    /// A name of structured metadata that it cannot make a name of.
    MetadataNames,
    /// Bytes a second of the tenant.
    Rate(u64),
    /// Bytes a second of a stream.
    StreamRate(u64),
}

/// The reason of a refusal for size.
const TOO_LARGE: &str = "too_large";

/// The word for a reason in counters.
fn word(reason: Reason) -> &'static str {
    // The word that all outputs have for it.
    if reason == Reason::Order { OUT_OF_ORDER } else { reason.as_str() }
}

/// What `answer` says of `push`; with `mend`, what can be put right is not refused.
pub(super) fn judge(push: &Push, answer: &Answer, mend: bool) -> Meaning {
    let usual = || match classify(answer) {
        Verdict::Reject { reason, message } => refuse(push, reason, message),
        Verdict::Split => refuse(push, TOO_LARGE, answer.message()),
        verdict => Meaning::Usual(verdict),
    };
    match answer.status {
        // Loki's answer for what an operator has blocked: nothing was stored.
        status @ 201..=299 if status != 204 && answer.body.contains("ingestion blocked") => {
            blocked(push, answer)
        }
        // A name of structured metadata of which it cannot make a label is a fault of its own to it.
        500 if mend && is_of_names(&answer.body) => Meaning::Mend(vec![Lesson::MetadataNames]),
        // A wrong setting is not bad data.
        400 if answer.body.starts_with("tenant ID ") => {
            let cause =
                format!("the receiver takes no such tenant: see `tenant` (it says: {})", answer.message());
            Meaning::Usual(Verdict::Retry { after: None, cause, fate: Fate::NotStored })
        }
        400 | 422 | 429 => match refusals(&answer.body) {
            found if found.is_empty() => usual(),
            found => refused(push, answer, &found, mend).unwrap_or_else(usual),
        },
        _ => usual(),
    }
}

fn is_of_names(body: &str) -> bool {
    body.contains("label name is empty") || body.contains("resulted in invalid name")
}

fn blocked(push: &Push, answer: &Answer) -> Meaning {
    // A policy may be blocked, and other streams not.
    if push.streams > 1 && answer.body.contains("policy") {
        return Meaning::Apart { from: 0 };
    }
    Meaning::Refused(vec![Refused {
        part: Part::All,
        reason: word(Reason::Blocked),
        message: answer.message(),
    }])
}

/// What was refused without a word on which part it is about.
fn refuse(push: &Push, reason: &'static str, message: String) -> Meaning {
    match push.entries {
        1 => Meaning::Refused(vec![Refused { part: Part::All, reason, message }]),
        _ if push.streams > 1 && reason != TOO_LARGE => Meaning::Apart { from: 0 },
        _ => Meaning::Halves,
    }
}

/// What the refusals say; nothing where they say no more than the status.
fn refused(push: &Push, answer: &Answer, found: &[Refusal<'_>], mend: bool) -> Option<Meaning> {
    let lessons: Vec<Lesson> = found.iter().filter_map(lesson).collect();
    let first = found.first()?;
    let after = answer.retry_after;
    match first.reason {
        // Nothing was stored.
        Reason::TenantRate => {
            let cause = "the receiver's limit for the tenant is reached".to_owned();
            return Some(Meaning::Wait { part: Part::All, after, cause });
        }
        Reason::StreamLimit | Reason::StreamRate | Reason::Order if push.streams > 1 => {
            // The streams that are not new had room before; of these an ingester has only been silent where new ones
            // come after them.
            let from = if first.reason == Reason::StreamLimit { push.new_from % push.streams } else { 0 };
            return Some(Meaning::Apart { from });
        }
        Reason::StreamRate => {
            let cause = format!("the receiver takes no more than {} of one stream", rate(first.text));
            return Some(Meaning::Wait { part: listed(push, first).unwrap_or(Part::All), after, cause });
        }
        _ if answer.status == 429 && first.reason != Reason::StreamLimit => return None,
        _ => {}
    }
    if mend && !lessons.is_empty() {
        return Some(Meaning::Mend(lessons));
    }
    let parts: Option<Vec<Refused>> = found.iter().map(|refusal| part(push, refusal)).collect();
    Some(match parts {
        Some(parts) => Meaning::Refused(parts),
        None => refuse(push, word(first.reason), answer.message()),
    })
}

/// What part of the push a refusal means, where that can be told.
fn part(push: &Push, refusal: &Refusal<'_>) -> Option<Refused> {
    let message: String =
        refusal.text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    let refused = |part| Some(Refused { part, reason: word(refusal.reason), message });
    let stream = match push.streams {
        1 => 0,
        _ => push.stream(|labels| refusal.means(labels))?,
    };
    let Some(count) = refusal.entries.filter(|_| !refusal.reason.is_of_streams()) else {
        // Whole streams; of a request that is refused whole for one of them, only that one.
        let whole = refusal.reason.is_of_streams() || push.entries == 1;
        return if whole { refused(Part::Streams(BTreeSet::from([stream]))) } else { None };
    };
    if let Some(part) = listed(push, refusal) {
        return refused(part);
    }
    let entries = entries(push, stream);
    if count as usize >= entries.len() {
        return refused(Part::Streams(BTreeSet::from([stream])));
    }
    refused(Part::Entries(extreme(&entries, refusal.reason, count as usize)?))
}

/// An entry: its number in the request, its time, and the length of its line.
type Outline = (usize, i64, usize);

fn entries(push: &Push, stream: usize) -> Vec<Outline> {
    let mut number = 0;
    let mut found = Vec::new();
    for (at, other) in loki::streams(&push.request).flatten().enumerate() {
        for entry in other.entries().flatten() {
            if at == stream {
                found.push((number, entry.ts_ns, entry.line.len()));
            }
            number += 1;
        }
    }
    found
}

/// The entries that an ingester lists, where it lists all that it refused and no other has the time of one.
fn listed(push: &Push, refusal: &Refusal<'_>) -> Option<Part> {
    let count = refusal.entries? as usize;
    if push.streams != 1 || refusal.listed.len() != count {
        return None;
    }
    let times: BTreeSet<i64> = refusal.listed.iter().map(|(ts_ns, _)| *ts_ns).collect();
    let meant = entries(push, 0).into_iter().filter(|(_, ts_ns, _)| times.contains(ts_ns));
    let meant: BTreeSet<usize> = meant.map(|(number, ..)| number).collect();
    (meant.len() == count).then_some(Part::Entries(meant))
}

/// The `count` entries that a bound refuses first: the oldest, the newest, the longest. Nothing where the bound is another,
/// or where the next one is like them.
fn extreme(entries: &[Outline], reason: Reason, count: usize) -> Option<BTreeSet<usize>> {
    let rank = |(_, ts_ns, len): &Outline| match reason {
        Reason::TooOld => Some(*ts_ns),
        Reason::TooNew => Some(-*ts_ns),
        Reason::LineTooLong => Some(-(*len as i64)),
        // By the newest entry before it: the oldest, where they stand in the order of their times.
        Reason::Order if entries.is_sorted_by_key(|(_, ts_ns, _)| *ts_ns) => Some(*ts_ns),
        _ => None,
    };
    let mut ranked = entries.iter().map(|entry| Some((rank(entry)?, entry.0))).collect::<Option<Vec<_>>>()?;
    ranked.sort_unstable();
    let (meant, others) = ranked.split_at_checked(count)?;
    let clear = meant.last().zip(others.first()).is_none_or(|((last, _), (next, _))| last != next);
    clear.then(|| meant.iter().map(|(_, number)| *number).collect())
}

/// What a refusal says of a limit.
fn lesson(refusal: &Refusal<'_>) -> Option<Lesson> {
    let text = refusal.text;
    let number = |before: &str| -> Option<u64> {
        let rest = text.split_once(before)?.1.trim_start_matches('\'');
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    };
    let size = |before| number(before).and_then(|n| usize::try_from(n).ok());
    match refusal.reason {
        Reason::LineTooLong => size("ax entry size ").map(Lesson::Line),
        Reason::Labels => size("label names; limit ").map(Lesson::LabelNames),
        Reason::Metadata if text.contains("is disallowed") => Some(Lesson::NoMetadata),
        Reason::Metadata if text.contains("too large") => size("limit: ").map(Lesson::MetadataBytes),
        Reason::Metadata if text.contains("too many") => size("limit: ").map(Lesson::MetadataPairs),
        Reason::TenantRate => number("limit: ").map(Lesson::Rate),
        Reason::StreamRate => bytes(rate(text)).map(Lesson::StreamRate),
        _ => None,
    }
}

/// Lessons of a refusal for rate, which is answered by waiting.
pub(super) fn rates(answer: &Answer) -> Option<Lesson> {
    (answer.status == 429).then(|| refusals(&answer.body).first().and_then(lesson)).flatten()
}

/// `3MB/sec` of `(limit: 3MB/sec)`.
fn rate(text: &str) -> &str {
    text.split_once("(limit: ")
        .and_then(|(_, rest)| rest.split(')').next())
        .unwrap_or("so many bytes a second")
}

/// Bytes of `3MB/sec`, as Loki counts: by 1024.
fn bytes(rate: &str) -> Option<u64> {
    let text = rate.strip_suffix("/sec")?;
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let unit = match &text[end..] {
        "B" => 1u64,
        "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        _ => return None,
    };
    let number: f64 = text[..end].parse().ok()?;
    Some((number * unit as f64) as u64)
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
