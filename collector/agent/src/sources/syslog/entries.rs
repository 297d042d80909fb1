//! From messages to entries: time, labels and structured metadata, in chunks.

use std::borrow::Cow;
use std::fmt::Write;

use bytes::Bytes;
use taffrail_stages::Time;
use taffrail_stages::level::Level;
use taffrail_stages::timeformat::Zone;
use taffrail_wire::loki::{Batch, label_name};
use taffrail_wire::syslog::{Message, When, parse};
use tokio::sync::mpsc::UnboundedReceiver;

use super::queue::Raw;
use crate::logs::{Body, shape::cut};
use crate::sources::door::{Door, PIECE};
use crate::sources::streams::{COMMON, Streams};

/// Messages that are taken from the queue at a time.
const TAKE: usize = 512;
const S: i64 = 1_000_000_000;

/// Makes entries of messages.
pub(super) struct Assembler {
    door: Door,
    zone: Zone,
    max_message: usize,
    /// Whether all messages have the service that the config names.
    own_service: bool,
    streams: Streams,
    /// When the last message was read; no two have one time.
    last_ns: i64,
}

/// What comes of some messages: entries by stream.
#[derive(Default)]
struct Round {
    /// The entries' streams, in the order of their first entries.
    streams: Vec<(usize, Vec<Entry>)>,
    lines: u64,
    bytes: u64,
    cut: u64,
}

struct Entry {
    ts_ns: i64,
    line: String,
    metadata: Vec<(Cow<'static, str>, String)>,
}

impl Assembler {
    pub(super) fn new(door: Door, zone: Zone, max_message: usize, own_service: bool) -> Self {
        Assembler {
            door,
            zone,
            max_message,
            own_service,
            streams: Streams::new(["instance", "service_name"]),
            last_ns: 0,
        }
    }

    /// Runs until the queue has ended and is empty.
    pub(super) async fn run(mut self, mut waiting: UnboundedReceiver<Raw>) {
        let mut taken = Vec::with_capacity(TAKE);
        while waiting.recv_many(&mut taken, TAKE).await > 0 {
            let round = self.take(&taken);
            taken.clear();
            let Round { lines, bytes, cut, .. } = round;
            self.door.books.took(lines, bytes, cut);
            for (piece, lines) in self.pieces(round) {
                let ticket = self.door.books.ticket(lines, piece.len() as u64);
                if self.door.send(Body::Entries(piece), ticket).await.is_err() {
                    return;
                }
            }
        }
    }

    fn take(&mut self, messages: &[Raw]) -> Round {
        let mut round = Round::default();
        for message in messages {
            let text = String::from_utf8_lossy(&message.bytes);
            // A datagram may end as a line does.
            let text = text.trim_end_matches(['\n', '\r', '\0']);
            if text.is_empty() {
                continue;
            }
            round.lines += 1;
            round.bytes += message.bytes.len() as u64 + message.missing;
            let (stream, entry, long) = self.entry(text, message);
            round.cut += u64::from(long);
            match round.streams.iter_mut().find(|(known, _)| *known == stream) {
                Some((_, entries)) => entries.push(entry),
                None => round.streams.push((stream, vec![entry])),
            }
        }
        round
    }

    /// The entry, its stream, and whether its line was cut.
    fn entry(&mut self, text: &str, raw: &Raw) -> (usize, Entry, bool) {
        let read = parse(text);
        let long = raw.missing > 0 || read.text.len() > self.max_message;
        self.last_ns = self.door.clock.now_ns().max(self.last_ns + 1);
        let peer;
        let host = match read.hostname {
            Some(host) => host,
            // Who does not say is known by the address, which nobody else has.
            None => {
                peer = raw.peer.to_string();
                &peer
            }
        };
        let service = if self.own_service { "" } else { read.app_name.unwrap_or_default() };
        let stream = self.streams.of(host, service, self.door.clock.monotonic());
        let mut metadata = metadata(&read);
        if stream == COMMON {
            metadata.push(("hostname".into(), host.to_owned()));
        }
        if let Some(app) = read.app_name.filter(|_| stream == COMMON || self.own_service) {
            metadata.push(("app_name".into(), app.to_owned()));
        }
        let time = read.time.map_or(Time::Read, |when| self.time(when));
        let ts_ns = self.streams.get(stream).times.place(time, self.last_ns);
        let line = if long {
            let mut short = Vec::with_capacity(self.max_message);
            let len = read.text.len() as u64 + raw.missing;
            cut(&mut short, read.text.as_bytes(), len, self.max_message);
            String::from_utf8_lossy(&short).into_owned()
        } else {
            read.text.to_owned()
        };
        (stream, Entry { ts_ns, line, metadata }, long)
    }

    fn time(&self, when: When) -> Time {
        let ns = match when {
            When::Utc { ns, .. } => Some(ns),
            When::Local { .. } => {
                // Near enough for telling the year.
                let now_s = self.last_ns.div_euclid(S);
                when.local(now_s)
                    .and_then(|(local, nanos)| self.zone.to_utc(local)?.checked_mul(S)?.checked_add(nanos))
            }
        };
        ns.map_or(Time::Read, |ns| Time::Said { ns, resolution_ns: when.resolution_ns() })
    }

    /// The entries in the form of chunks, with how many there are in each.
    fn pieces(&mut self, round: Round) -> Vec<(Bytes, u64)> {
        let (mut batch, mut pieces) = (Batch::new(), Vec::new());
        let mut end = |batch: &mut Batch| {
            if !batch.is_empty() {
                let lines = batch.entries() as u64;
                pieces.push((Bytes::copy_from_slice(batch.finish()), lines));
                batch.clear();
            }
        };
        for (stream, entries) in round.streams {
            let labels = &self.streams.get(stream).labels;
            batch.stream(labels);
            for Entry { ts_ns, line, metadata } in entries {
                batch.entry(ts_ns, &line, metadata.iter().map(|(name, value)| (&**name, value.as_str())));
                if batch.raw_len() >= PIECE {
                    end(&mut batch);
                    batch.stream(labels);
                }
            }
        }
        end(&mut batch);
        pieces
    }
}

/// What a message says beside its text. The level is that of the severity; one that stands in the text goes before it.
fn metadata(read: &Message<'_>) -> Vec<(Cow<'static, str>, String)> {
    let mut metadata: Vec<(Cow<'static, str>, String)> = Vec::new();
    if let Some(priority) = read.priority {
        let level = Level::from_word(priority.severity().as_bytes());
        metadata.extend(level.map(|level| ("detected_level".into(), level.as_str().to_owned())));
        metadata.push(("facility".into(), priority.facility().to_owned()));
        metadata.push(("severity".into(), priority.severity().to_owned()));
    }
    metadata.extend(read.proc_id.map(|pid| ("pid".into(), pid.to_owned())));
    metadata.extend(read.msg_id.map(|id| ("msg_id".into(), id.to_owned())));
    for (id, name, value) in &read.parameters {
        let mut key = String::from("sd_");
        // Writing to a text cannot fail.
        let _ = write!(key, "{id}_{name}");
        metadata.push((label_name(&key).into_owned().into(), value.to_string()));
    }
    metadata
}
