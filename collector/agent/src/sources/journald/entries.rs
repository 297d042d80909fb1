//! From what the journal says to entries: time, labels and structured metadata.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use taffrail_stages::level::Level;
use taffrail_wire::journal::Entry;
use taffrail_wire::loki::Batch;
use taffrail_wire::syslog::Priority;

use super::datum::Datum;
use super::wanted::{Key, Wanted};
use crate::logs::shape::cut;
use crate::sources::streams::{COMMON, Streams};

/// Bytes that an entry takes besides its line and its metadata, about.
const OVERHEAD: usize = 64;

/// An entry as it stands in the journal.
#[derive(Debug)]
pub(super) struct Raw {
    seqnum: u64,
    /// In microseconds since 1970.
    realtime: u64,
    message: Option<(Arc<[u8]>, u64)>,
    fields: Vec<(Key, Arc<str>)>,
    /// Which terms it fits, as bits.
    terms: u64,
    /// Why some of its fields cannot be read.
    unread: Option<&'static str>,
}

impl Raw {
    pub(super) fn new(entry: &Entry) -> Self {
        let Entry { seqnum, realtime, .. } = *entry;
        Raw { seqnum, realtime, message: None, fields: Vec::new(), terms: 0, unread: None }
    }

    /// Adds what one of its fields says. Of a field that is there several times the first counts.
    pub(super) fn add(&mut self, datum: Datum, terms: u64) {
        self.terms |= terms;
        match datum {
            Datum::Other => {}
            Datum::Unread(why) => self.unread = Some(why),
            Datum::Message(text, len) => {
                self.message.get_or_insert((text, len));
            }
            Datum::Known(key, value) => {
                if self.get(key).is_none() {
                    self.fields.push((key, value));
                }
            }
        }
    }

    fn get(&self, key: Key) -> Option<&str> {
        self.fields.iter().find(|(known, _)| *known == key).map(|(_, value)| &**value)
    }

    fn number(&self, key: Key) -> Option<u8> {
        self.get(key)?.parse().ok()
    }

    /// The unit that it is about: as systemd itself says, or a process that may; else the one that wrote it.
    fn unit(&self) -> Option<&str> {
        let about = |key, may: bool| self.get(key).filter(|_| may);
        about(Key::Unit, self.get(Key::Pid) == Some("1"))
            .or_else(|| about(Key::ObjectUnit, self.get(Key::Uid) == Some("0")))
            .or_else(|| self.get(Key::SystemUnit))
    }

    /// Nanoseconds since 1970. The journal counts microseconds; what is below tells entries of one microsecond apart, and is
    /// the same when they are read again.
    fn ts_ns(&self) -> i64 {
        let ns = u128::from(self.realtime) * 1000 + u128::from(self.seqnum % 1000);
        i64::try_from(ns).unwrap_or(i64::MAX)
    }
}

/// Entries on their way into a chunk.
#[derive(Debug)]
pub(super) struct Gatherer {
    streams: Streams,
    /// Whether all entries have the service that the config names.
    own_service: bool,
    /// By stream, in the order of their first entries.
    waiting: Vec<(usize, Vec<Made>)>,
    batch: Batch,
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) cut: u64,
    size: usize,
}

#[derive(Debug)]
struct Made {
    ts_ns: i64,
    line: String,
    metadata: Vec<(Cow<'static, str>, String)>,
}

impl Gatherer {
    pub(super) fn new(own_service: bool) -> Self {
        Gatherer {
            streams: Streams::new(["service_name", "unit"]),
            own_service,
            waiting: Vec::new(),
            batch: Batch::new(),
            lines: 0,
            bytes: 0,
            cut: 0,
            size: 0,
        }
    }

    /// About as many bytes are gathered.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Adds an entry at the monotonic time `now`, if it is wanted.
    pub(super) fn add(&mut self, raw: &Raw, wanted: &Wanted, now: Duration) {
        let priority = raw.number(Key::Priority).filter(|priority| *priority < 8);
        let units = [raw.unit(), raw.get(Key::SystemUnit), raw.get(Key::UserUnit)];
        let units: Vec<&str> = units.into_iter().flatten().collect();
        if !wanted.wants(&units, raw.terms, priority) {
            return;
        }
        let (line, read, is_cut) = line(raw, wanted.max_message);
        let mut metadata = metadata(raw, wanted, priority);
        if line.1 {
            metadata.push(("encoding".into(), "binary".to_owned()));
        }
        let unit = raw.unit().unwrap_or_default();
        // Sessions and the like have a number in their names, and are streams that come and go.
        let label = if unit.ends_with(".scope") && unit != "init.scope" { "" } else { unit };
        let service = match label.strip_suffix(".service") {
            _ if self.own_service => "",
            Some(service) => service,
            None => raw.get(Key::Identifier).unwrap_or(label),
        };
        let stream = self.streams.of(service, label, now);
        if (stream == COMMON || label.is_empty()) && !unit.is_empty() {
            metadata.push(("unit".into(), unit.to_owned()));
        }
        self.lines += 1;
        self.bytes += read;
        self.cut += u64::from(is_cut);
        self.push(stream, Made { ts_ns: raw.ts_ns(), line: line.0, metadata });
    }

    /// Adds a line of the source's own, in its own stream.
    pub(super) fn tell(&mut self, ts_ns: i64, line: String) {
        let metadata = vec![("detected_level".into(), Level::Error.as_str().to_owned())];
        self.push(COMMON, Made { ts_ns, line, metadata });
    }

    fn push(&mut self, stream: usize, made: Made) {
        self.size += OVERHEAD + made.line.len();
        self.size += made.metadata.iter().map(|(name, value)| name.len() + value.len() + 6).sum::<usize>();
        match self.waiting.iter_mut().find(|(known, _)| *known == stream) {
            Some((_, entries)) => entries.push(made),
            None => self.waiting.push((stream, vec![made])),
        }
    }

    /// What was gathered, in the form of a chunk. `None`: nothing was.
    pub(super) fn finish(&mut self) -> Option<Bytes> {
        self.size = 0;
        if self.waiting.is_empty() {
            return None;
        }
        self.batch.clear();
        for (stream, entries) in self.waiting.drain(..) {
            self.batch.stream(&self.streams.get(stream).labels);
            for Made { ts_ns, line, metadata } in entries {
                let metadata = metadata.iter().map(|(name, value)| (&**name, value.as_str()));
                self.batch.entry(ts_ns, &line, metadata);
            }
        }
        Some(Bytes::copy_from_slice(self.batch.finish()))
    }
}

/// The line, and whether it held what is no text; how many bytes were read; whether it was cut.
fn line(raw: &Raw, max: usize) -> ((String, bool), u64, bool) {
    let Some((text, len)) = &raw.message else {
        let why = raw.unread.map(|why| format!("[taffrail: the message cannot be read: {why}]"));
        return ((why.unwrap_or_default(), false), 0, false);
    };
    let is_cut = *len > max as u64;
    let bytes = if is_cut {
        let mut short = Vec::with_capacity(max);
        cut(&mut short, text, *len, max);
        Cow::Owned(short)
    } else {
        Cow::Borrowed(&**text)
    };
    let line = String::from_utf8_lossy(&bytes);
    let binary = matches!(line, Cow::Owned(_));
    ((line.into_owned(), binary), *len, is_cut)
}

/// What an entry says beside its text. The level is that of the priority; one that stands in the text goes before it.
fn metadata(raw: &Raw, wanted: &Wanted, priority: Option<u8>) -> Vec<(Cow<'static, str>, String)> {
    let mut metadata: Vec<(Cow<'static, str>, String)> = Vec::new();
    if let Some(severity) = priority.and_then(|priority| Priority::of(0, priority)).map(Priority::severity) {
        let level = Level::from_word(severity.as_bytes());
        metadata.extend(level.map(|level| ("detected_level".into(), level.as_str().to_owned())));
        metadata.push(("priority".into(), severity.to_owned()));
    }
    for (key, value) in &raw.fields {
        let name: Cow<'static, str> = match key {
            Key::Pid => "pid".into(),
            Key::Uid => "uid".into(),
            Key::Identifier => "syslog_identifier".into(),
            Key::UserUnit => "user_unit".into(),
            Key::Facility => {
                let facility = value.parse().ok().and_then(|facility| Priority::of(facility, 0));
                metadata.extend(facility.map(|it| ("facility".into(), it.facility().to_owned())));
                continue;
            }
            Key::More(number) => wanted.name(*number).to_owned().into(),
            Key::Message | Key::Priority | Key::SystemUnit | Key::Unit | Key::ObjectUnit => continue,
        };
        metadata.push((name, value.to_string()));
    }
    metadata
}

#[cfg(test)]
mod tests {
    use taffrail_wire::loki;

    use super::*;
    use crate::config::{Journald, Start, WhichEntries};

    fn raw(fields: &[(Key, &str)], message: Option<&[u8]>) -> Raw {
        let mut raw = Raw::new(&Entry { seqnum: 1007, realtime: 5, ..Entry::default() });
        for (key, value) in fields {
            raw.add(Datum::Known(*key, (*value).into()), 0);
        }
        if let Some(text) = message {
            raw.add(Datum::Message(text.into(), text.len() as u64), 0);
        }
        raw
    }

    /// What leaves, as `labels | time line | metadata`.
    fn leaves(raw: &Raw) -> String {
        let which = WhichEntries::default;
        let wanted = Wanted::new(&Journald {
            paths: Vec::new(),
            start: Start::Beginning,
            max_age: Duration::ZERO,
            include: which(),
            exclude: which(),
            priority: None,
            fields: Vec::new(),
            max_line_bytes: 1024,
        });
        let mut gatherer = Gatherer::new(false);
        gatherer.add(raw, &wanted, Duration::ZERO);
        let bytes = gatherer.finish().unwrap();
        let stream = loki::streams(&bytes).next().unwrap().unwrap();
        let entry = stream.entries().next().unwrap().unwrap();
        let metadata: Vec<String> = entry
            .metadata()
            .map(|pair| pair.map(|(name, value)| format!("{name}={value}")).unwrap())
            .collect();
        format!("{} | {} {} | {}", stream.labels, entry.ts_ns, entry.line, metadata.join(" "))
    }

    #[test]
    fn an_entry_is_of_the_unit_that_it_is_about() {
        use Key::{Identifier, ObjectUnit, Pid, Priority, SystemUnit, Uid, Unit};
        let of = |fields: &[(Key, &str)]| leaves(&raw(fields, Some(b"x")));
        assert_eq!(
            of(&[(SystemUnit, "nginx.service"), (Identifier, "nginx"), (Priority, "3")]),
            "{service_name=\"nginx\", unit=\"nginx.service\"} | 5007 x | detected_level=error priority=err syslog_identifier=nginx"
        );
        // Only systemd itself, and only root, is believed to speak of others.
        let web = "{service_name=\"web\", unit=\"web.service\"} ";
        assert!(of(&[(SystemUnit, "init.scope"), (Unit, "web.service"), (Pid, "1")]).starts_with(web));
        assert!(!of(&[(SystemUnit, "a.service"), (Unit, "web.service"), (Pid, "7")]).starts_with(web));
        assert!(of(&[(SystemUnit, "a.service"), (ObjectUnit, "web.service"), (Uid, "0")]).starts_with(web));
        assert!(!of(&[(SystemUnit, "a.service"), (ObjectUnit, "web.service"), (Uid, "5")]).starts_with(web));
        // What has a number in its name makes no stream.
        assert_eq!(
            of(&[(SystemUnit, "session-12.scope"), (Identifier, "sshd")]),
            "{service_name=\"sshd\"} | 5007 x | syslog_identifier=sshd unit=session-12.scope"
        );
    }

    #[test]
    fn messages_that_are_no_text_or_none_or_too_long() {
        assert_eq!(leaves(&raw(&[], None)), "{} | 5007  | ");
        assert_eq!(leaves(&raw(&[], Some(b"a\xffb"))), "{} | 5007 a\u{fffd}b | encoding=binary");
        assert_eq!(leaves(&raw(&[], Some(b"two\nlines"))), "{} | 5007 two\nlines | ");
        let long = leaves(&raw(&[], Some(&[b'x'; 2000])));
        assert!(long.contains("xxx [taffrail: line cut, ") && long.len() < 1050, "{long}");
        let mut unread = raw(&[], None);
        unread.add(Datum::Unread("it is packed with XZ"), 0);
        assert!(leaves(&unread).contains("[taffrail: the message cannot be read: it is packed with XZ]"));
    }
}
