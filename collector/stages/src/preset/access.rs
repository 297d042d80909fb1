//! Access logs: requests by method and class of status, their durations where the log has them, bytes sent.

use std::sync::LazyLock;

use super::{Preset, counter, durations, label, metadata, meter, regex, template, time};
use crate::path::Path;
use crate::stage::{Action, Json, MeterLabel, Metric, Stage};

/// A text in quotes, in which quotes are escaped.
const QUOTED: &str = r#""(?:[^"\\]|\\.)*""#;

/// What is asked for: the method only where it is one, since whatever was sent stands here, or nothing.
const REQUEST: &str = r#""(?:(?P<method>[A-Z][A-Z_-]*) (?P<path>(?:[^" \\]|\\.)*))?(?:[^"\\]|\\.)*" (?P<status>\d\d\d) (?P<bytes>\d+|-)"#;

/// The common log format; a virtual host may stand before. The user's name has what spaces and brackets the client wants,
/// but no bare quote: the first one ends the time.
static COMMON: LazyLock<String> = LazyLock::new(|| {
    let user = r#"(?:""|(?:[^"\\]|\\.)+)"#;
    format!(r#"^(?:[^\s:]+:\d+ )?(?P<client>\S+) \S+ {user} \[(?P<time>[^\]"\\]+)\] {REQUEST}"#)
});

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The zone is in the log.
const TIME: &str = "%d/%b/%Y:%H:%M:%S %z";

fn labels() -> Vec<MeterLabel> {
    let class = MeterLabel { source: "class".to_owned(), ..label("status", &CLASSES) };
    let method = MeterLabel { source: "verb".to_owned(), ..label("method", &METHODS) };
    vec![method, class]
}

/// What all of them say.
fn measured() -> Result<[Stage; 3], String> {
    let bytes = Metric {
        action: Action::Add,
        ..counter("access_log_response_bytes_total", "Bytes sent, as access logs say.", "bytes", Vec::new())
    };
    let of_requests = "Requests, as access logs say.";
    let of_durations = "How long requests took, as access logs say.";
    Ok([
        template("class", "{{ .status | trunc 1 }}xx")?,
        // What is no request, such as TLS sent to a port without it, is answered and counted as well.
        template("verb", r#"{{ .method | default "other" }}"#)?,
        meter([
            counter("access_log_requests_total", of_requests, "status", labels()),
            durations("access_log_request_duration_seconds", of_durations, labels()),
            bytes,
        ]),
    ])
}

fn preset(stages: Vec<Stage>, formats: &[&str]) -> Result<Preset, String> {
    let mut all = stages;
    all.push(time(formats)?);
    all.extend(measured()?);
    all.push(metadata(&["client", "method", "path", "status"]));
    Ok(Preset { join: None, stages: all })
}

pub(super) fn nginx() -> Result<Preset, String> {
    // `0.123`, `rt=0.123`, `"0.123"`, `rt="0.123"`: `$request_time` has three digits behind the point. The first one that is
    // so is taken: times of upstreams stand behind it, a forwarded address is none.
    let other = format!(r#" (?:[^\s"]|{QUOTED})*"#);
    let took = format!(
        r#"(?: {QUOTED} {QUOTED}(?:(?:{other})*? (?:[a-z_]+=)?"?(?P<took>\d{{1,5}}\.\d{{3}})"?(?: |$))?)?"#
    );
    preset(vec![regex(None, &format!("{}{took}", *COMMON))?], &[TIME])
}

pub(super) fn apache() -> Result<Preset, String> {
    // `%D` is in microseconds.
    let took = format!(r"(?: {QUOTED} {QUOTED})?(?: (?P<micros>\d+)$)?");
    let stages = vec![regex(None, &format!("{}{took}", *COMMON))?, template("took", "{{ .micros }}us")?];
    preset(stages, &[TIME])
}

pub(super) fn traefik() -> Result<Preset, String> {
    let members = [
        ("client", "ClientHost"),
        ("time", "StartUTC"),
        ("method", "RequestMethod"),
        ("path", "RequestPath"),
        ("status", "DownstreamStatus"),
        ("bytes", "DownstreamContentSize"),
        ("nanos", "Duration"),
        ("router", "RouterName"),
    ];
    let expressions = members.map(|(field, member)| (field.to_owned(), Path::member(member))).to_vec();
    // Nothing is escaped in it, so that a user's name may look like all of this: the last one counts.
    let common = format!(
        r#"^(?P<client>\S+) - .* \[(?P<time>[^\]"]+)\] {REQUEST} ".*" \d+ "(?P<router>[^"]*)" "[^"]*" (?P<took>\d+ms)$"#
    );
    let stages = vec![
        Stage::Json(Json { source: None, expressions, drop_malformed: false }),
        template("took", "{{ .nanos }}ns")?,
        regex(None, &common)?,
        metadata(&["router"]),
    ];
    preset(stages, &["RFC3339", TIME])
}
