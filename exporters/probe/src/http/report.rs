//! What an HTTP probe saw, as metrics.

use http::Version;
use taffrail_core::{Clock, Out, metrics};

use super::timing::{NAMES, Phases};
use crate::matching::REGEX;
use crate::tls;

metrics! {
    /// Seconds spent in each phase of the request, over all redirects.
    DURATION: Gauge = "probe_http_duration_seconds" ["phase"];
    /// The length that the last answer announced, in bytes; -1 when it did not say.
    CONTENT_LENGTH: Gauge = "probe_http_content_length" [];
    /// Bytes of the last answer's body that were read, uncompressed.
    BODY_LENGTH: Gauge = "probe_http_uncompressed_body_length" [];
    /// How often the probe was redirected.
    REDIRECTS: Gauge = "probe_http_redirects" [];
    /// Whether the last answer came over TLS (1) or not (0).
    SSL: Gauge = "probe_http_ssl" [];
    /// The status code of the last answer; 0 without an answer.
    STATUS: Gauge = "probe_http_status_code" [];
    /// The version of HTTP of the last answer; 0 without an answer.
    VERSION: Gauge = "probe_http_version" [];
    /// When the page changed last, as the server says, in seconds since 1970-01-01 UTC.
    LAST_MODIFIED: Gauge = "probe_http_last_modified_timestamp_seconds" [];
}

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) phases: Phases,
    /// The name was looked up.
    pub(super) resolved: bool,
    /// A request was tried.
    pub(super) requested: bool,
    pub(super) redirects: u32,
    pub(super) regex_failed: bool,
    pub(super) last: Option<Last>,
    /// Of the last connection.
    pub(super) tls: Option<tls::Seen>,
    pub(super) body_length: u64,
}

/// The last answer.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) status: u16,
    pub(super) version: Version,
    pub(super) content_length: i64,
    pub(super) last_modified: Option<f64>,
    pub(super) over_tls: bool,
}

impl Facts {
    pub(super) fn new(clock: &Clock) -> Self {
        Facts {
            phases: Phases::new(clock),
            resolved: false,
            requested: false,
            redirects: 0,
            regex_failed: false,
            last: None,
            tls: None,
            body_length: 0,
        }
    }

    pub(super) fn write(&self, out: &mut Out) {
        for (at, seconds) in self.phases.seconds().into_iter().enumerate() {
            if if at == 0 { self.resolved } else { self.requested } {
                out.put(&DURATION, [NAMES[at]], seconds);
            }
        }
        let last = self.last.as_ref();
        let flag = |on: bool| f64::from(u8::from(on));
        out.put(&CONTENT_LENGTH, [], last.map_or(0.0, |last| last.content_length as f64));
        out.put(&BODY_LENGTH, [], self.body_length as f64);
        out.put(&REDIRECTS, [], f64::from(self.redirects));
        out.put(&SSL, [], flag(last.is_some_and(|last| last.over_tls)));
        out.put(&STATUS, [], last.map_or(0.0, |last| f64::from(last.status)));
        out.put(&VERSION, [], last.map_or(0.0, |last| number(last.version)));
        out.put(&REGEX, [], flag(self.regex_failed));
        if let Some(time) = last.and_then(|last| last.last_modified) {
            out.put(&LAST_MODIFIED, [], time);
        }
        if let Some(seen) = &self.tls {
            seen.write(out, true);
        }
    }
}

fn number(version: Version) -> f64 {
    match version {
        Version::HTTP_09 => 0.9,
        Version::HTTP_10 => 1.0,
        Version::HTTP_2 => 2.0,
        Version::HTTP_3 => 3.0,
        _ => 1.1,
    }
}
