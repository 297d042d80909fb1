//! Samples and log lines as text, one a line.

use taffrail_core::text::number;
use taffrail_wire::remote_write::STALE_NAN;

/// How something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// A JSON object a line
    Json,
    /// OpenMetrics, for `promtool tsdb create-blocks-from openmetrics` (samples only)
    Openmetrics,
    /// The lines as they were (log lines only)
    Text,
}

/// What stands before the value of each of a series' samples.
pub(super) fn head(format: Format, labels: &[(&str, &str)]) -> String {
    let name = labels.iter().find(|(name, _)| *name == "__name__").map_or("", |(_, value)| value);
    let rest = labels.iter().filter(|(name, _)| *name != "__name__");
    if format != Format::Openmetrics {
        return format!("\"name\":{},\"labels\":{}", json(name), object(rest.copied()));
    }
    let plain = is_plain(name);
    let mut text = if plain { name.to_owned() } else { String::new() };
    let mut pairs: Vec<String> = if plain { Vec::new() } else { vec![quoted(name)] };
    pairs.extend(rest.map(|(name, value)| {
        let name = if is_plain(name) { (*name).to_owned() } else { quoted(name) };
        format!("{name}={}", quoted(value))
    }));
    if !pairs.is_empty() {
        text.push_str(&format!("{{{}}}", pairs.join(",")));
    }
    text
}

/// A sample's line after `head`. Nothing for the end of a series in OpenMetrics, which has no word for it.
pub(super) fn sample(format: Format, head: &str, ts_ms: i64, value: f64) -> Option<String> {
    let stale = value.to_bits() == STALE_NAN;
    let mut text = Vec::new();
    number(&mut text, value);
    let text = String::from_utf8_lossy(&text);
    if format == Format::Openmetrics {
        let (sign, ms) = (if ts_ms < 0 { "-" } else { "" }, ts_ms.unsigned_abs());
        return (!stale).then(|| format!("{head} {text} {sign}{}.{:03}\n", ms / 1000, ms % 1000));
    }
    // JSON has no word for these.
    let value = match (stale, value.is_finite()) {
        (true, _) => "\"stale\"".to_owned(),
        (false, true) => text.into_owned(),
        (false, false) => format!("\"{text}\""),
    };
    Some(format!("{{\"ts_ms\":{ts_ms},{head},\"value\":{value}}}\n"))
}

/// A log line.
pub(super) fn entry(
    format: Format,
    labels: &[(&str, &str)],
    ts_ns: i64,
    line: &str,
    metadata: &[(&str, &str)],
) -> String {
    if format == Format::Text {
        return format!("{line}\n");
    }
    let metadata = match metadata {
        [] => String::new(),
        some => format!(",\"metadata\":{}", object(some.iter().copied())),
    };
    // As a text: a number of this size is not exact in most readers of JSON.
    let labels = object(labels.iter().copied());
    format!("{{\"ts_ns\":\"{ts_ns}\",\"labels\":{labels}{metadata},\"line\":{}}}\n", json(line))
}

fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{}:{}", json(name), json(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: [(&str, &str); 3] = [("__name__", "up"), ("job", "a\"b\\"), ("k8s.pod", "p\n")];

    #[test]
    fn samples_are_json_or_openmetrics() {
        let head_json = head(Format::Json, &UP);
        assert_eq!(
            sample(Format::Json, &head_json, 1500, 0.25).unwrap(),
            "{\"ts_ms\":1500,\"name\":\"up\",\"labels\":{\"job\":\"a\\\"b\\\\\",\"k8s.pod\":\"p\\n\"},\"value\":0.25}\n"
        );
        for (value, expected) in
            [(f64::NAN, "\"NaN\""), (f64::NEG_INFINITY, "\"-Inf\""), (f64::from_bits(STALE_NAN), "\"stale\"")]
        {
            let line = sample(Format::Json, &head_json, 1, value).unwrap();
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["value"].to_string(), expected);
        }
        let open = head(Format::Openmetrics, &UP);
        assert_eq!(
            sample(Format::Openmetrics, &open, 1_767_225_600_005, 3.0).unwrap(),
            "up{job=\"a\\\"b\\\\\",\"k8s.pod\"=\"p\\n\"} 3 1767225600.005\n"
        );
        assert_eq!(head(Format::Openmetrics, &[("__name__", "a.b")]), "{\"a.b\"}");
        assert_eq!(sample(Format::Openmetrics, "up", 0, f64::from_bits(STALE_NAN)), None);
    }

    #[test]
    fn log_lines_are_json_or_themselves() {
        let line =
            entry(Format::Json, &[("job", "app")], 1_767_225_600_000_000_001, "a \"b\"", &[("id", "7")]);
        assert_eq!(
            line,
            "{\"ts_ns\":\"1767225600000000001\",\"labels\":{\"job\":\"app\"},\"metadata\":{\"id\":\"7\"},\"line\":\"a \\\"b\\\"\"}\n"
        );
        assert_eq!(entry(Format::Text, &[], 1, "a", &[("id", "7")]), "a\n");
    }
}
