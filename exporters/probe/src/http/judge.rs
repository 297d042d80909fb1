//! Whether the last answer is what the module wants. All of it is looked at, the first fault is the verdict.

use http::header::{CONTENT_LENGTH, LAST_MODIFIED, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, Method, Version};
use hyper::body::Body as _;

use super::body::{self, MAX_SEARCHED};
use super::redirect::Final;
use super::report::{Facts, Last};
use super::settings::{HeaderMatch, Settings};
use crate::attempt::Attempt;
use crate::failure::Failure;

/// Reads the body, notes what was seen, and tells the first fault.
pub(super) async fn judge(
    settings: &Settings,
    attempt: &mut Attempt<'_>,
    facts: &mut Facts,
    last: Final,
) -> Result<(), Failure> {
    let Final { answer, stopped } = last;
    let head = &answer.head;
    facts.last = Some(seen(settings, head, answer.body.is_end_stream(), answer.over_tls));
    let mut verdict = status(settings, head, stopped);
    if verdict.is_ok() && settings.searches_headers() {
        verdict = headers(settings, &head.headers);
        facts.regex_failed = verdict.is_err();
    }
    let searched = verdict.is_ok() && settings.searches_body();
    // The body of a redirect that is not followed is read only if somebody asks for what is in it.
    if !stopped || searched {
        let limit = settings.body_size_limit;
        let body = body::read(attempt, answer.body, settings.compression, limit, searched).await;
        attempt.trail.say(format!("The body has {} bytes", body.length));
        facts.body_length = body.length;
        if let Some(failure) = body.failure {
            facts.regex_failed |= searched;
            verdict = verdict.and(Err(failure));
        } else if searched {
            verdict = text(settings, &body);
            facts.regex_failed = verdict.is_err();
        }
    }
    facts.phases.leave();
    verdict.and(version(settings, answer.head.version)).and(ssl(settings, answer.over_tls))
}

impl Settings {
    fn searches_headers(&self) -> bool {
        !self.header_matches.is_empty() || !self.header_not_matches.is_empty()
    }

    fn searches_body(&self) -> bool {
        !self.body_matches.is_empty() || !self.body_not_matches.is_empty()
    }
}

fn seen(settings: &Settings, head: &Parts, ended: bool, over_tls: bool) -> Last {
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let announced = header(CONTENT_LENGTH).filter(|_| !head.headers.contains_key(TRANSFER_ENCODING));
    let no_body = matches!(head.status.as_u16(), 204 | 304);
    let content_length = match announced.and_then(|text| text.trim().parse().ok()) {
        Some(length) => length,
        None if no_body || (ended && head.version == Version::HTTP_2 && settings.method != Method::HEAD) => 0,
        None => -1,
    };
    let modified = header(LAST_MODIFIED).and_then(|text| httpdate::parse_http_date(text).ok());
    let modified = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    Last {
        status: head.status.as_u16(),
        version: head.version,
        content_length,
        last_modified: modified.map(|since| since.as_secs() as f64),
        over_tls,
    }
}

fn status(settings: &Settings, head: &Parts, stopped: bool) -> Result<(), Failure> {
    let status = head.status.as_u16();
    let valid = &settings.valid_status_codes;
    let right = if valid.is_empty() { head.status.is_success() } else { valid.contains(&status) };
    if right {
        return Ok(());
    }
    let wanted = if valid.is_empty() { "200 to 299".to_owned() } else { format!("one of {valid:?}") };
    let why = match stopped {
        true if settings.follow_redirects => ", after more redirects than are followed",
        true => ", a redirect, and follow_redirects is off",
        false => "",
    };
    Err(Failure::Answer(format!("the status is {status}{why}; wanted {wanted}")))
}

fn headers(settings: &Settings, headers: &HeaderMap) -> Result<(), Failure> {
    for (wanted, rules) in [(false, &settings.header_matches), (true, &settings.header_not_matches)] {
        for rule in rules {
            header(rule, wanted, headers)?;
        }
    }
    Ok(())
}

fn header(rule: &HeaderMatch, wanted: bool, headers: &HeaderMap) -> Result<(), Failure> {
    let HeaderMatch { header, pattern, allow_missing } = rule;
    if !headers.contains_key(header) {
        return if *allow_missing {
            Ok(())
        } else {
            Err(Failure::Answer(format!("the answer has no header {header}, and allow_missing is off")))
        };
    }
    let found = headers.get_all(header).iter().any(|value| pattern.matches(value.as_bytes()));
    if found == wanted {
        return Ok(());
    }
    let text = if found { "matches" } else { "does not match" };
    Err(Failure::Answer(format!("the header {header} {text} `{}`", pattern.as_str())))
}

fn text(settings: &Settings, body: &body::Body) -> Result<(), Failure> {
    let whole = body.length as usize <= MAX_SEARCHED;
    let part = if whole { "the body" } else { "the body's first 10 MiB" };
    for (wanted, patterns) in [(false, &settings.body_matches), (true, &settings.body_not_matches)] {
        for pattern in patterns {
            let found = pattern.matches(&body.text);
            if found != wanted {
                let verb = if found { "matches" } else { "does not match" };
                return Err(Failure::Answer(format!("{part} {verb} `{}`", pattern.as_str())));
            }
        }
    }
    Ok(())
}

fn version(settings: &Settings, version: Version) -> Result<(), Failure> {
    let names: &[&str] = match version {
        Version::HTTP_10 => &["HTTP/1.0"],
        Version::HTTP_2 => &["HTTP/2.0", "HTTP/2"],
        _ => &["HTTP/1.1"],
    };
    let valid = &settings.valid_http_versions;
    if valid.is_empty() || names.iter().any(|name| valid.iter().any(|v| v == name)) {
        return Ok(());
    }
    Err(Failure::Answer(format!("the answer is {}; wanted one of {valid:?}", names[0])))
}

fn ssl(settings: &Settings, over_tls: bool) -> Result<(), Failure> {
    match over_tls {
        true if settings.fail_if_ssl => {
            Err(Failure::Answer("the last answer came over TLS, and fail_if_ssl is on".into()))
        }
        false if settings.fail_if_not_ssl => {
            Err(Failure::Answer("the last answer did not come over TLS, and fail_if_not_ssl is on".into()))
        }
        _ => Ok(()),
    }
}
