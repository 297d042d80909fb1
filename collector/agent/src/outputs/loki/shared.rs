//! What the parts of one output share: limits, streams, dead letters, and what was told.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use taffrail_core::note::{Level, Note};
use taffrail_wire::loki;
use taffrail_wire::proto::ProtoError;
use tracing::{error, warn};

use super::LokiContext;
use super::answer::{self, Lesson, rates};
use super::arrange::{self, Now, arrange, counted};
use super::limits::{Change, Limits};
use super::push::{Part, Push};
use super::streams::Streams;
use super::tenants::{Mine, Tenants};
use crate::config::LokiOutput;
use crate::outputs::dead::{Cause, DeadLetters};
use crate::outputs::http::Answer;
use crate::outputs::verdict::{Fate, OUT_OF_ORDER, Refused};
use crate::status::{OutputStatus, lock};

/// The same is not told again for so long.
const TOLD: Duration = Duration::from_secs(3600);
/// From so much of the limit of streams on it is told that the limit is near.
const NEARLY: (usize, usize) = (4, 5);
/// How many seconds of its rate a receiver takes at once where that is not said, as Loki's defaults have it.
const BURST: f64 = 1.5;

/// What the parts of one output share.
#[derive(Debug)]
pub(super) struct Shared {
    name: String,
    tenant: Option<String>,
    tenants: Option<Tenants>,
    context: LokiContext,
    limits: Mutex<Limits>,
    streams: Mutex<Streams>,
    dead: DeadLetters,
    told: Mutex<HashMap<&'static str, Duration>>,
    mended: Mutex<BTreeMap<&'static str, u64>>,
    /// Bytes of the tenant's burst that are used, and when that was so.
    used: Mutex<(f64, Duration)>,
}

/// What is to be sent of a record, and what is not.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) pushes: Vec<Push>,
    pub(super) refused: Vec<Refused>,
}

impl Shared {
    pub(super) fn new(config: &LokiOutput, context: LokiContext, mine: Mine) -> Self {
        let name = config.receiver.name.clone();
        let dead = DeadLetters::new(context.dead.join(&name), config.dead_letters, context.clock.clone());
        Shared {
            tenant: config.tenant.clone(),
            tenants: Tenants::new(config.tenant_label.as_deref(), mine),
            limits: Mutex::new(Limits::new(config.limits)),
            streams: Mutex::default(),
            dead,
            told: Mutex::default(),
            mended: Mutex::default(),
            used: Mutex::default(),
            name,
            context,
        }
    }

    fn now(&self) -> Now {
        Now { ns: self.context.clock.now_ns(), monotonic: self.context.clock.monotonic() }
    }

    /// Takes a record apart.
    pub(super) fn read(&self, record: &Bytes) -> Result<Found, ProtoError> {
        let Some(tenants) = &self.tenants else { return self.fit(record) };
        let share = tenants.share(record)?;
        let mut found = share.record.map(|record| self.fit(&record)).transpose()?.unwrap_or_default();
        for refused in share.refused {
            self.tell("loki_tenant", refused.reason, refused.message.clone());
            found.refused.push(self.refuse(refused));
        }
        Ok(found)
    }

    fn fit(&self, record: &Bytes) -> Result<Found, ProtoError> {
        let arranged = arrange(record, &lock(&self.limits), &mut lock(&self.streams), self.now())?;
        Ok(self.found(arranged))
    }

    /// Takes a request apart that has been read before.
    pub(super) fn arrange(&self, request: &Bytes) -> Found {
        self.fit(request).unwrap_or_default()
    }

    fn found(&self, arranged: arrange::Arranged) -> Found {
        for (change, count) in arranged.mended {
            *lock(&self.mended).entry(change.as_str()).or_default() += count;
            let text = match change {
                Change::Labels => continue,
                Change::Line => "lines are longer than the receiver takes and are cut, with a mark",
                Change::Metadata => {
                    "structured metadata is more than the receiver takes, and some is left out"
                }
            };
            self.tell("loki_reshaped", change.as_str(), text.to_owned());
        }
        if let Some((stream, names)) = arranged.moved {
            let names = names.join("`, `");
            let text = format!(
                "streams have more or longer labels than the receiver takes: of {stream}, `{names}` went to structured \
                 metadata; leave labels out, or raise its limits and `limits` here"
            );
            self.tell("loki_reshaped", Change::Labels.as_str(), text);
        }
        for stream in arranged.told_old {
            let text = format!("entries of {stream} are older than the receiver takes, and are skipped");
            self.note("loki_too_old", "too_old", text);
        }
        let refused = arranged.refused.into_iter().map(|refused| self.refuse(refused));
        Found { refused: refused.collect(), pushes: arranged.pushes }
    }

    /// What is not sent becomes a dead letter, where it may be sent another day.
    fn refuse(&self, refused: arrange::Refused) -> Refused {
        if let Some(letter) = &refused.letter {
            let tenant = refused.tenant.as_deref().or(self.tenant.as_deref());
            self.keep(letter, Cause { tenant, reason: refused.reason, message: &refused.message });
        }
        Refused { count: refused.count, reason: refused.reason, message: refused.message }
    }

    /// The receiver has stored this.
    pub(super) fn taken(&self, push: &Push, part: &Part) {
        let now = self.context.clock.monotonic();
        // Before the streams, as everywhere: never the one lock in the other's order.
        let config = lock(&self.limits).config;
        let most = config.streams;
        let mut streams = lock(&self.streams);
        for (number, stream) in loki::streams(&push.request).flatten().enumerate() {
            if !matches!(part, Part::Streams(others) if !others.contains(&number)) {
                streams.taken(stream.labels, now);
                let bytes = stream.entries_len();
                streams.charge(stream.labels, bytes, config.stream_rate, config.stream_burst, now);
            }
        }
        if push.new_from == push.streams {
            return;
        }
        let active = streams.active(now);
        if most > 0 && active * NEARLY.1 > most * NEARLY.0 && !self.was_told("streams") {
            let exploding = exploding(&streams);
            drop(streams);
            let text =
                format!("{active} streams are nearly as many as the receiver takes ({most}){exploding}");
            self.note("loki_streams", "streams", text);
        }
    }

    /// Parts that the receiver refused: keeps them as dead letters, and says so.
    pub(super) fn bury(&self, push: &Push, parts: Vec<answer::Refused>, fate: Fate) -> Vec<Refused> {
        let mut refused = Vec::new();
        for answer::Refused { part, reason, message } in parts {
            let Some(part) = push.part(&part) else { continue };
            if reason == "stream_limit" {
                lock(&self.streams).park(part.labels(), self.context.clock.monotonic());
            }
            // Refused because it is there: it had been sent before.
            if !(reason == OUT_OF_ORDER && fate == Fate::Unknown) {
                self.keep(&part, Cause { tenant: self.tenant.as_deref(), reason, message: &message });
                self.tell_refused(&part, reason, &message);
            }
            refused.push(Refused { count: part.entries, reason, message });
        }
        refused
    }

    fn tell_refused(&self, part: &Push, reason: &'static str, message: &str) {
        if self.was_told(reason) {
            return;
        }
        // Looks at every stream that is known: not for each that is refused.
        let more = if reason == "stream_limit" { exploding(&lock(&self.streams)) } else { String::new() };
        let (count, stream) = (part.entries, part.labels());
        let text = format!("{count} entries of {stream} were refused, and are dead letters: {message}{more}");
        self.note("loki_refused", reason, text);
    }

    fn keep(&self, letter: &Push, cause: Cause<'_>) {
        match self.dead.keep(&letter.request, cause) {
            Ok(0) => {}
            Ok(gone) => {
                let text = format!("dead letters are at their bound: {gone} bytes of the oldest went");
                self.tell("loki_dead_letters", "dead_letters", text);
            }
            Err(cause) => error!(output = %self.name, %cause, "dead letters cannot be kept"),
        }
    }

    /// Takes in what the receiver said; whether any of it is news.
    pub(super) fn learn(&self, lessons: &[Lesson]) -> bool {
        let mut limits = lock(&self.limits);
        let mut news = false;
        for lesson in lessons {
            if limits.learn(*lesson) {
                news = true;
                warn!(output = %self.name, ?lesson, "the receiver takes less than `limits` say");
            }
        }
        drop(limits);
        if news {
            lock(&self.streams).refit();
        }
        if lessons.contains(&Lesson::NoMetadata) {
            let text =
                "the receiver takes no structured metadata (`allow_structured_metadata`), so it is left out";
            self.tell("loki_reshaped", "no_metadata", text.to_owned());
        }
        news
    }

    /// Takes in what the receiver said of rates.
    pub(super) fn learn_rate(&self, push: &Push, answer: &Answer) {
        let Some(lesson) = rates(answer) else { return };
        let mut limits = lock(&self.limits);
        limits.learn(lesson);
        let (rate, burst) = (limits.config.stream_rate, limits.config.stream_burst);
        drop(limits);
        if let Lesson::StreamRate(_) = lesson {
            // Whatever was counted here: of one of these streams nothing more is taken just now.
            let now = self.context.clock.monotonic();
            let mut streams = lock(&self.streams);
            for stream in loki::streams(&push.request).flatten() {
                streams.charge(stream.labels, usize::try_from(burst).unwrap_or(usize::MAX), rate, burst, now);
            }
        }
        if let Lesson::Rate(rate) = lesson {
            // All of the burst is used.
            *lock(&self.used) = (rate as f64 * BURST, self.context.clock.monotonic());
        }
        let text = match lesson {
            Lesson::Rate(rate) => {
                format!("the tenant's limit of {rate} bytes a second is reached: less is sent")
            }
            _ => format!("a stream's limit is reached, what is more waits: {}", answer.message()),
        };
        self.tell("loki_rate", "rate", text);
    }

    /// How long to wait before this is sent, so that the tenant's rate is kept.
    pub(super) fn pace(&self, request: &[u8]) -> Option<Duration> {
        let rate = lock(&self.limits).config.rate? as f64;
        let burst = lock(&self.limits).config.burst.map_or(rate * BURST, |burst| burst as f64);
        let now = self.context.clock.monotonic();
        let mut used = lock(&self.used);
        let refilled = now.saturating_sub(used.1).as_secs_f64() * rate;
        let bytes = counted(request) as f64;
        *used = ((used.0 - refilled).max(0.0) + bytes, now);
        let over = used.0 - burst.max(bytes);
        (over > 0.0).then(|| Duration::from_secs_f64(over / rate))
    }

    /// Whether a request has more than is taken in a second.
    pub(super) fn is_much(&self, request: &[u8]) -> bool {
        let config = lock(&self.limits).config;
        counted(request) > config.stream_rate.min(config.rate.unwrap_or(u64::MAX))
    }

    /// Shows what is not in the frame's own counters.
    pub(super) fn report(&self, status: &mut OutputStatus) {
        if let Err(cause) = self.dead.sweep() {
            warn!(output = %self.name, %cause, "dead letters cannot be looked at");
        }
        status.dead_letter_bytes = self.dead.bytes();
        status.mended = lock(&self.mended).iter().map(|(what, count)| ((*what).to_owned(), *count)).collect();
    }

    /// Says something that was not said within the hour.
    fn tell(&self, event: &'static str, what: &'static str, text: String) {
        if !self.was_told(what) {
            self.note(event, what, text);
        }
    }

    /// Whether this was told within the hour; if not, it is told now.
    fn was_told(&self, what: &'static str) -> bool {
        let now = self.context.clock.monotonic();
        let mut told = lock(&self.told);
        let lately = told.get(what).is_some_and(|at| now.saturating_sub(*at) < TOLD);
        if !lately {
            told.insert(what, now);
        }
        lately
    }

    fn note(&self, event: &'static str, what: &'static str, text: String) {
        warn!(output = %self.name, what, "{text}");
        let facts = vec![("output", self.name.clone()), ("reason", what.to_owned())];
        self.context.notes.send(Note { level: Level::Warn, event, text, facts });
    }
}

/// Which label has most values.
fn exploding(streams: &Streams) -> String {
    let label = streams.exploding().filter(|(_, count)| *count > 1);
    label.map_or_else(String::new, |(name, count)| format!("; the label `{name}` has most values, {count}"))
}
