//! An entry as a line of NDJSON: `{"ts":"2026-11-21T18:05:12.000000001Z","labels":{…},"metadata":{…},"line":"…"}`.

use std::io::Write;

use taffrail_wire::calendar::date;
use taffrail_wire::loki::{Entry, parse_label_set};

use crate::name::segment;

const DAY_S: i64 = 86_400;

/// What all entries of a stream have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The stream's labels, as an object of JSON.
    pub labels: String,
    /// The service, fit for a path: `service_name`, else `job`, else `unknown`.
    pub service: String,
}

impl Head {
    /// Reads a label set in Loki's syntax; one that cannot be read is kept as it is, under the name `labels`.
    pub fn read(set: &str) -> Self {
        let pairs = parse_label_set(set).unwrap_or_else(|| vec![("labels".into(), set.into())]);
        let value = |name| pairs.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| &**v);
        let service = segment(value("service_name").or_else(|| value("job")).unwrap_or_default());
        let mut labels = Vec::new();
        object(&mut labels, pairs.iter().map(|(name, value)| (&**name, &**value)));
        Head { labels: String::from_utf8_lossy(&labels).into_owned(), service }
    }
}

/// Appends an entry, with the line feed at its end.
pub fn write(out: &mut Vec<u8>, head: &Head, entry: &Entry<'_>) {
    out.extend_from_slice(b"{\"ts\":\"");
    out.extend_from_slice(rfc3339(entry.ts_ns).as_bytes());
    out.extend_from_slice(b"\",\"labels\":");
    out.extend_from_slice(head.labels.as_bytes());
    out.extend_from_slice(b",\"metadata\":");
    // What of it cannot be read is left out: the line itself could be.
    object(out, entry.metadata().map_while(Result::ok));
    out.extend_from_slice(b",\"line\":");
    text(out, entry.line);
    out.extend_from_slice(b"}\n");
}

/// `2026-11-21T18:05:12.000000001Z`, always with nine digits, so that texts sort as times do.
pub fn rfc3339(ts_ns: i64) -> String {
    let (seconds, nanos) = (ts_ns.div_euclid(1_000_000_000), ts_ns.rem_euclid(1_000_000_000));
    let (year, month, day) = date(seconds.div_euclid(DAY_S));
    let of_day = seconds.rem_euclid(DAY_S);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

fn object<'a>(out: &mut Vec<u8>, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push(b'{');
    for (at, (name, value)) in pairs.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text(out, name);
        out.push(b':');
        text(out, value);
    }
    out.push(b'}');
}

fn text(out: &mut Vec<u8>, text: &str) {
    // Neither a text nor memory refuses to be written.
    if serde_json::to_writer(&mut *out, text).is_err() {
        let _ = out.write_all(b"\"\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_wire::loki::{Batch, streams};

    #[test]
    fn an_entry_is_one_line_of_json() {
        let mut batch = Batch::new();
        batch.stream(r#"{job="app", service_name="shop", path="/a\"b"}"#);
        batch.entry(1_795_284_312_000_000_001, "say \"é\"\n\u{0}", [("trace_id", "4b")]);
        let request = batch.finish();
        let stream = streams(request).next().unwrap().unwrap();
        let head = Head::read(stream.labels);
        assert_eq!(head.service, "shop");
        let mut out = Vec::new();
        write(&mut out, &head, &stream.entries().next().unwrap().unwrap());
        let line = String::from_utf8(out).unwrap();
        assert_eq!(
            line,
            "{\"ts\":\"2026-11-21T18:05:12.000000001Z\",\"labels\":{\"job\":\"app\",\"service_name\":\"shop\",\
             \"path\":\"/a\\\"b\"},\"metadata\":{\"trace_id\":\"4b\"},\"line\":\"say \\\"é\\\"\\n\\u0000\"}\n"
        );
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["line"], "say \"é\"\n\0");
    }

    #[test]
    fn a_service_has_its_name_from_its_labels() {
        for (set, service) in [
            (r#"{job="app", service_name="shop"}"#, "shop"),
            (r#"{job="app", service_name=""}"#, "app"),
            (r#"{filename="/x"}"#, "unknown"),
            ("garbled", "unknown"),
        ] {
            assert_eq!(Head::read(set).service, service, "{set}");
        }
        assert_eq!(Head::read("garbled").labels, r#"{"labels":"garbled"}"#);
    }

    #[test]
    fn times_before_1970_too() {
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
    }
}
