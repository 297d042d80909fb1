//! From a request's entries to pieces for the pipeline: labels put right, long lines cut, times of the future not believed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use taffrail_stages::times::MAX_AHEAD_NS;
use taffrail_wire::loki::{BadLabels, Batch, Pairs, Sink, label_name, write_label_set};

use crate::logs::chunk::MAX_BYTES;
use crate::logs::shape::cut;
use crate::sources::door::PIECE;

/// The longest line; a longer one is cut.
const MAX_LINE: usize = MAX_BYTES - 1;
/// The longest label set, in bytes of names and values: five times what Loki takes of one label.
const MAX_LABELS: usize = 16 << 10;
/// The most structured metadata of an entry, in bytes: as much as Loki takes. What is beyond it is left out.
const MAX_METADATA: usize = 64 << 10;

/// Where Loki looks for the name of a service, in this order (`discover_service_name`).
const SERVICE: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// Takes the entries of one request.
#[derive(Debug)]
pub(super) struct Entries {
    now_ns: i64,
    discover: bool,
    /// The label set of the present stream.
    stream: String,
    batch: Batch,
    taken: Taken,
    /// How many streams had no good labels, and what was wrong with the first.
    bad: (u64, String),
}

/// What was taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Requests in the form of [`Batch`].
    pub(super) pieces: Vec<Bytes>,
    pub(super) lines: u64,
    /// Bytes of lines, before they were cut.
    pub(super) bytes: u64,
    /// Lines that were cut, or whose metadata was.
    pub(super) cut: u64,
    /// What was not taken, in words.
    pub(super) refused: Option<String>,
}

impl Entries {
    /// Of a request that came at `now_ns`. With `discover`, streams without `service_name` get one.
    pub(super) fn new(now_ns: i64, discover: bool) -> Self {
        let (stream, bad) = (String::new(), (0, String::new()));
        Entries { now_ns, discover, stream, batch: Batch::new(), taken: Taken::default(), bad }
    }

    /// All of them.
    pub(super) fn end(mut self) -> Taken {
        self.cut_piece();
        let (count, first) = self.bad;
        self.taken.refused =
            (count > 0).then(|| format!("{count} streams were not taken, all others were: {first}"));
        self.taken
    }

    fn cut_piece(&mut self) {
        if !self.batch.is_empty() {
            self.taken.pieces.push(Bytes::copy_from_slice(self.batch.finish()));
            self.batch.clear();
        }
    }

    fn label_set(&self, pairs: &[(Cow<'_, str>, Cow<'_, str>)]) -> Result<String, String> {
        let size: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > MAX_LABELS {
            return Err(format!("a label set has {size} bytes, and {MAX_LABELS} are allowed"));
        }
        let good = pairs.iter().filter(|(name, value)| !name.is_empty() && !value.is_empty());
        let mut labels: BTreeMap<Cow<'_, str>, &str> =
            good.map(|(name, value)| (label_name(name), &**value)).collect();
        if self.discover && !labels.contains_key("service_name") {
            let found = SERVICE.iter().find_map(|name| labels.get(*name).copied());
            labels.extend(found.map(|found| (Cow::Borrowed("service_name"), found)));
        }
        let mut set = String::new();
        write_label_set(&mut set, labels.iter().map(|(name, value)| (&**name, *value)));
        Ok(set)
    }
}

impl Sink for Entries {
    fn stream(&mut self, labels: Result<Pairs<'_>, BadLabels<'_>>) -> bool {
        match labels.map_err(|bad| shortened(bad.to_string())).and_then(|pairs| self.label_set(&pairs)) {
            Ok(set) => {
                self.batch.stream(&set);
                self.stream = set;
                true
            }
            Err(text) => {
                self.bad.0 += 1;
                if self.bad.0 == 1 {
                    self.bad.1 = text;
                }
                false
            }
        }
    }

    fn entry(&mut self, ts_ns: i64, line: &str, metadata: &[(Cow<'_, str>, Cow<'_, str>)]) {
        let believed = ts_ns > 0 && ts_ns <= self.now_ns.saturating_add(MAX_AHEAD_NS);
        let ts_ns = if believed { ts_ns } else { self.now_ns + self.taken.lines as i64 };
        let mut size = 0;
        let fits = |(name, value): &&(Cow<'_, str>, Cow<'_, str>)| {
            size += name.len() + value.len();
            size <= MAX_METADATA
        };
        let kept = metadata.iter().take_while(fits).count();
        let long = line.len() > MAX_LINE;
        self.taken.lines += 1;
        self.taken.bytes += line.len() as u64;
        self.taken.cut += u64::from(long || kept < metadata.len());
        let pairs = metadata[..kept].iter().filter(|(name, _)| !name.is_empty());
        let pairs = pairs.map(|(name, value)| (&**name, &**value));
        if long {
            let mut short = Vec::with_capacity(MAX_LINE);
            cut(&mut short, line.as_bytes(), line.len() as u64, MAX_LINE);
            self.batch.entry(ts_ns, &String::from_utf8_lossy(&short), pairs);
        } else {
            self.batch.entry(ts_ns, line, pairs);
        }
        if self.batch.raw_len() >= PIECE {
            self.cut_piece();
            self.batch.stream(&self.stream);
        }
    }
}

fn shortened(mut text: String) -> String {
    const MOST: usize = 300;
    if text.len() > MOST {
        text.truncate(text.floor_char_boundary(MOST));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use taffrail_wire::loki::{read_json, streams};

    use super::*;

    const NOW: i64 = 1_795_273_200_000_000_000;

    fn take(json: &str) -> Taken {
        let mut entries = Entries::new(NOW, true);
        read_json(json.as_bytes(), &mut entries).unwrap();
        entries.end()
    }

    /// Every entry as `labels time line`.
    fn all(taken: &Taken) -> Vec<String> {
        let mut all = Vec::new();
        for stream in taken.pieces.iter().flat_map(|piece| streams(piece)) {
            let stream = stream.unwrap();
            let entries = stream.entries().map(Result::unwrap);
            all.extend(entries.map(|entry| format!("{} {} {}", stream.labels, entry.ts_ns, entry.line)));
        }
        all
    }

    #[test]
    fn labels_are_put_right_and_a_service_is_found() {
        let taken = take(
            r#"{"streams": [
                {"stream": {"job": "j", "app": "shop", "a.b": "1", "empty": ""}, "values": [["5", "x"]]},
                {"stream": {"service_name": "own", "app": "shop"}, "values": [["5", "x"]]},
                {"stream": {}, "values": [["5", "x"]]}]}"#,
        );
        assert_eq!(
            all(&taken),
            [
                r#"{a_b="1", app="shop", job="j", service_name="shop"} 5 x"#,
                r#"{app="shop", service_name="own"} 5 x"#,
                "{} 5 x",
            ]
        );
        assert_eq!((taken.lines, taken.bytes, taken.cut, taken.refused), (3, 3, 0, None));
    }

    #[test]
    fn times_of_the_future_and_none_are_those_of_arrival() {
        let future = NOW + MAX_AHEAD_NS;
        let taken = take(&format!(
            r#"{{"streams": [{{"stream": {{"a": "b"}}, "values": [["{future}", "at"], ["{}", "beyond"], ["0", "none"]]}}]}}"#,
            future + 1
        ));
        let times: Vec<String> =
            all(&taken).iter().map(|e| e.split(' ').nth(1).unwrap().to_owned()).collect();
        assert_eq!(times, [future, NOW + 1, NOW + 2].map(|ns| ns.to_string()));
    }

    #[test]
    fn a_large_request_goes_on_in_pieces_and_in_order() {
        let lines: Vec<String> =
            (0..3000).map(|n| format!(r#"["{}", "{n} {}"]"#, n + 1, "x".repeat(100))).collect();
        let taken =
            take(&format!(r#"{{"streams": [{{"stream": {{"a": "b"}}, "values": [{}]}}]}}"#, lines.join(",")));
        assert!(taken.pieces.len() > 2 && taken.pieces.iter().all(|piece| piece.len() < PIECE + 1000));
        let all = all(&taken);
        assert_eq!(all.len(), 3000);
        assert!(
            all.iter()
                .enumerate()
                .all(|(n, entry)| entry.starts_with(&format!("{{a=\"b\"}} {} {n} ", n + 1)))
        );
    }

    #[test]
    fn too_long_is_cut_and_counted_and_bad_labels_cost_one_stream() {
        let (long, huge) = ("l".repeat(300_000), "m".repeat(70_000));
        let taken = take(&format!(
            r#"{{"streams": [{{"stream": {{"a": "{huge}"}}, "values": [["5", "lost"]]}},
                {{"stream": {{"a": "b"}}, "values": [["5", "{long}"], ["6", "x", {{"m": "{huge}"}}]]}}]}}"#
        ));
        let all = all(&taken);
        assert!(all[0].ends_with("bytes left out]") && all[0].len() < MAX_BYTES + 20, "{}", all[0].len());
        assert_eq!((all.len(), taken.lines, taken.cut), (2, 2, 2));
        let refused = taken.refused.unwrap();
        assert!(
            refused.starts_with("1 streams were not taken, all others were: a label set has 70001"),
            "{refused}"
        );
    }
}
