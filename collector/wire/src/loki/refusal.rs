//! What Loki says when it refuses a push.
//!
//! The distributor checks first: it answers 400 with one message a refused entry or stream, joined by `; ` and grouped
//! (`3 errors like: …`), and stores the rest of the request; over the tenant's rate it answers 429 and stores nothing.
//! Then each ingester stores what it can and answers for **the last stream that failed only**, with its first ten
//! entries that failed; other streams of the same request may have been refused without a word. So where a refusal for
//! rate or for the stream limit comes back, what it does not name is not known to be stored: sending all of it again is
//! safe, as Loki drops equal entries. A request of one stream is answered exactly, but for this: where an ingester
//! answers, what the distributor had refused goes unsaid, and the ingester's `of` is less than what was sent.

use super::labels::{label_set, same_stream};
use crate::calendar::{days_since_1970, seconds_of_day};

/// Why Loki refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The tenant's ingestion rate: nothing of the request was stored; wait.
    TenantRate,
    /// The stream's own rate: some entries were not stored; wait.
    StreamRate,
    /// Too many active streams: this new one is not taken, and waiting does not help soon.
    StreamLimit,
    /// Older than what the stream has by more than its window (`entry too far behind`, `entry out of order`).
    Order,
    /// Older than `reject_old_samples_max_age`.
    TooOld,
    /// Further in the future than `creation_grace_period`.
    TooNew,
    /// Longer than `max_line_size`.
    LineTooLong,
    /// The stream's labels: too many, a name or value too long or twice, not a label set, none, a required one missing.
    Labels,
    /// Structured metadata: not allowed, too large, too many.
    Metadata,
    /// The operator has blocked the tenant's or the policy's pushes.
    Blocked,
    /// Anything else.
    Other,
}

impl Reason {
    /// A word for it, for the `reason` label of counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::TenantRate => "tenant_rate",
            Reason::StreamRate => "stream_rate",
            Reason::StreamLimit => "stream_limit",
            Reason::Order => "order",
            Reason::TooOld => "too_old",
            Reason::TooNew => "too_new",
            Reason::LineTooLong => "line_too_long",
            Reason::Labels => "labels",
            Reason::Metadata => "metadata",
            Reason::Blocked => "blocked",
            Reason::Other => "other",
        }
    }

    /// Whether the same entries can be taken later without a change: refused for rate only.
    pub fn is_rate(self) -> bool {
        matches!(self, Reason::TenantRate | Reason::StreamRate)
    }

    /// Whether whole streams are meant, and not single entries.
    pub fn is_of_streams(self) -> bool {
        matches!(self, Reason::StreamLimit | Reason::Labels | Reason::Blocked)
    }

    fn of(message: &str) -> Self {
        KNOWN.iter().find(|(text, _)| message.contains(text)).map_or(Reason::Other, |(_, reason)| *reason)
    }
}

/// Words of Loki's messages (2.x and 3.x) by which they are known; the first that fits counts.
const KNOWN: [(&str, Reason); 26] = [
    ("er stream rate limit exceeded", Reason::StreamRate),
    ("ingestion rate limit exceeded", Reason::TenantRate),
    ("Ingestion rate limit exceeded", Reason::TenantRate),
    ("maximum active stream limit exceeded", Reason::StreamLimit),
    ("Maximum active stream limit exceeded", Reason::StreamLimit),
    ("streams limit exceeded", Reason::StreamLimit),
    ("entry too far behind", Reason::Order),
    ("entry out of order", Reason::Order),
    ("has timestamp too old", Reason::TooOld),
    ("has timestamp too new", Reason::TooNew),
    ("max entry size", Reason::LineTooLong),
    ("Max entry size", Reason::LineTooLong),
    ("structured metadata", Reason::Metadata),
    ("ingestion blocked", Reason::Blocked),
    ("label names; limit", Reason::Labels),
    ("label name too long", Reason::Labels),
    ("label value too long", Reason::Labels),
    ("duplicate label name", Reason::Labels),
    ("error parsing labels", Reason::Labels),
    ("rror parsing labels", Reason::Labels),
    ("missing required labels", Reason::Labels),
    ("at least one label pair is required", Reason::Labels),
    ("at least one label is required", Reason::Labels),
    ("labels size", Reason::Labels),
    ("invalid labels", Reason::Labels),
    ("parse error", Reason::Labels),
];

/// One thing that Loki refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// Why.
    pub reason: Reason,
    /// The label set of the stream, in Loki's words; see [`Refusal::means`]. `None`: the request, or not said.
    pub stream: Option<&'a str>,
    /// How many entries were refused. `None`: all of the stream, or not said.
    pub entries: Option<u64>,
    /// How many entries of the stream there were, if that was said.
    pub of: Option<u64>,
    /// The first of the refused entries, if they were listed: nanoseconds since 1970, and the entry's own reason.
    pub listed: Vec<(i64, Reason)>,
    /// Loki's words, for the message to people.
    pub text: &'a str,
}

impl Refusal<'_> {
    /// Whether the stream that was sent with these labels is meant.
    pub fn means(&self, labels: &str) -> bool {
        self.stream.is_some_and(|theirs| same_stream(labels, theirs))
    }
}

/// Bodies are read this far; Loki's longest are a few thousand bytes.
const MAX_BODY: usize = 256 << 10;
/// More refusals, or more listed entries of one, than this are not told apart.
const MAX_LISTED: usize = 1000;

/// What the body of a 400, 422 or 429 says was refused: at least one refusal, unless the body is empty. Refusals of
/// entries of one stream for one reason are one, their entries added up.
pub fn refusals(body: &str) -> Vec<Refusal<'_>> {
    let mut body = body.trim();
    if body.len() > MAX_BODY {
        let end = (0..=MAX_BODY).rev().find(|at| body.is_char_boundary(*at)).unwrap_or(0);
        body = &body[..end];
    }
    if let Some(refusal) = of_ingester(body) {
        return vec![refusal];
    }
    let mut found: Vec<Refusal<'_>> = Vec::new();
    for clause in clauses(body) {
        let refusal = of_distributor(clause);
        let same = |other: &Refusal<'_>| {
            other.reason == refusal.reason && other.stream == refusal.stream && refusal.entries.is_some()
        };
        match found.iter().position(same) {
            Some(at) => {
                let both = found[at].entries.zip(refusal.entries);
                found[at].entries = both.map(|(a, b)| a.saturating_add(b));
            }
            None if found.len() < MAX_LISTED => found.push(refusal),
            None => break,
        }
    }
    found
}

/// `entry with timestamp … ignored, reason: '…',` lines, then `user '…', total ignored: 3 out of 7 for stream: {…}`.
fn of_ingester(body: &str) -> Option<Refusal<'_>> {
    let (list, total) = body.rsplit_once("total ignored: ")?;
    let (entries, total) = leading_number(total)?;
    let (of, rest) = leading_number(total.strip_prefix(" out of ")?)?;
    let mut stream = rest.split_once("for stream: ").map(|(_, labels)| labels.trim());
    let mut listed = Vec::new();
    for line in list.lines().take(MAX_LISTED) {
        let Some((_, line)) = line.split_once("entry with timestamp ") else { continue };
        let Some((time, message)) = line.split_once(" ignored, reason: '") else { continue };
        // Loki 2.x names the stream behind each entry.
        if stream.is_none() {
            let named =
                message.rsplit_once("for stream: ").map(|(_, labels)| labels.trim_end_matches([',', ' ']));
            stream = named;
        }
        if let Some(ts_ns) = go_time(time) {
            listed.push((ts_ns, Reason::of(message)));
        }
    }
    // The status is the last entry's, and the list may be cut before it; all of a stream mostly fail alike.
    let reason = listed.last().map_or_else(|| Reason::of(list), |(_, reason)| *reason);
    Some(Refusal { reason, stream, entries: Some(entries), of: Some(of), listed, text: body })
}

fn of_distributor(clause: &str) -> Refusal<'_> {
    let (times, text) = match leading_number(clause) {
        Some((n, rest)) => match (rest.strip_prefix(" errors like: "), rest.strip_prefix(" errors: ")) {
            (Some(text), _) => (n, text),
            // A plain list, its first message behind the count.
            (None, Some(text)) => (1, text),
            (None, None) => (1, clause),
        },
        None => (1, clause),
    };
    let reason = Reason::of(text);
    let stream = text.match_indices('{').take(MAX_TRIES).find_map(|(at, _)| {
        let rest = label_set(&text[at..])?.1;
        Some(&text[at..text.len() - rest.len()])
    });
    let entries = match reason {
        Reason::TenantRate => quoted_number(text, "ingest '"),
        _ if reason.is_of_streams() || reason == Reason::Other => None,
        _ => Some(times),
    };
    Refusal { reason, stream, entries, of: None, listed: Vec::new(), text }
}

/// How often a brace is tried for a label set in one message: keeps a hostile body from costing its square.
const MAX_TRIES: usize = 16;

/// Splits at `; `, but not inside a label set, whose values may hold anything, and not inside a message: Loki 3 begins
/// each with a count, and before that only one message had the separator in it.
fn clauses(body: &str) -> impl Iterator<Item = &str> {
    let plain_list = leading_number(body).is_some_and(|(_, rest)| rest.starts_with(" errors: "));
    let begins = move |next: &str| match leading_number(next) {
        Some((_, rest)) if rest.starts_with(" errors like: ") => true,
        _ => plain_list && !next.starts_with("limit "),
    };
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (mut at, mut tries) = (0, 0);
        while let Some(found) = memchr::memchr2(b'{', b';', &rest.as_bytes()[at..]) {
            at += found;
            if rest[at..].strip_prefix("; ").is_some_and(begins) {
                let clause = &rest[..at];
                rest = &rest[at + 2..];
                return Some(clause);
            }
            tries += 1;
            let tail = (tries <= MAX_TRIES).then(|| label_set(&rest[at..])).flatten();
            at = tail.map_or(at + 1, |(_, tail)| rest.len() - tail.len());
        }
        Some(std::mem::take(&mut rest))
    })
}

/// The number that `text` begins with, and what follows it.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

fn quoted_number(text: &str, before: &str) -> Option<u64> {
    Some(leading_number(text.split_once(before)?.1)?.0)
}

/// Nanoseconds since 1970 of a time as Go prints it: `2024-01-02 03:04:05.123456789 +0000 UTC`. Loki's are in UTC.
fn go_time(text: &str) -> Option<i64> {
    let mut parts = text.split(' ');
    let (date, time, zone) = (parts.next()?, parts.next()?, parts.next()?);
    if zone != "+0000" {
        return None;
    }
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let plausible = (1..=12).contains(&month) && (1..=31).contains(&day) && (1600..2300).contains(&year);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if !plausible || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let nanos = fraction.parse::<u32>().ok()? * 10u32.pow(9 - fraction.len() as u32);
    let seconds = days_since_1970(year, month, day) * 86_400 + seconds_of_day(time)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(i64::from(nanos))
}

#[cfg(test)]
mod tests;
