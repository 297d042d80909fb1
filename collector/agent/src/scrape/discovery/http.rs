//! `http_sd_configs`: a service that has a list of targets.
//!
//! <https://prometheus.io/docs/prometheus/latest/http_sd/>

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use taffrail_core::Clock;

use super::groups;
use super::refresh::Part;
use crate::scrape::client::{HttpClient, body, value};
use crate::scrape::job::HttpList;
use crate::scrape::target::Group;

/// The largest list, in bytes.
const MAX_LIST: usize = 64 << 20;

/// Asks for a list.
#[derive(Debug)]
pub struct Http {
    list: HttpList,
    client: HttpClient,
    headers: HeaderMap,
}

impl Http {
    /// Asks as `list` says.
    pub fn new(list: &HttpList, clock: &Clock) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let every = value("X-Prometheus-Refresh-Interval-Seconds", &list.refresh.as_secs_f64().to_string())?;
        headers.insert(HeaderName::from_static("x-prometheus-refresh-interval-seconds"), every);
        Ok(Http { list: list.clone(), client: HttpClient::new(&list.http, clock)?, headers })
    }

    /// How often it wants to be asked.
    pub fn every(&self) -> Duration {
        self.list.refresh
    }

    /// The list as it is now.
    pub async fn find(&self) -> Part {
        let patience = self.list.refresh;
        let found = match tokio::time::timeout(patience, self.ask()).await {
            Ok(found) => found,
            Err(_) => Err(format!("no whole list within {} s", patience.as_secs_f64())),
        };
        let url = &self.list.url;
        (url.clone(), found.map_err(|error| format!("http_sd_configs: {url}: {error}")))
    }

    async fn ask(&self) -> Result<Vec<Group>, String> {
        let response = self.client.get(&self.list.url, &self.headers).await?;
        let status = response.status();
        if status != http::StatusCode::OK {
            return Err(format!("the answer is HTTP {status}, and 200 is a list"));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if !is_json(kind) {
            return Err(format!("the answer's Content-Type is `{kind}`, and application/json is a list"));
        }
        let text = body(response, MAX_LIST).await?;
        let url = self.list.url.clone();
        // A list can be long, and reading it keeps a CPU busy.
        let reading = tokio::task::spawn_blocking(move || read(&text, &url));
        reading.await.map_err(|_| "reading the list panicked".to_owned())?
    }
}

fn read(text: &[u8], url: &str) -> Result<Vec<Group>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "the list is not UTF-8".to_owned())?;
    let mut groups =
        groups(text, false, url).map_err(|error| format!("the list is not what it should be: {error}"))?;
    for group in &mut groups {
        group.labels.set("__meta_url", url);
    }
    Ok(groups)
}

/// Whether a `Content-Type` is JSON's, perhaps with its only character set.
fn is_json(kind: &str) -> bool {
    let kind = kind.trim().to_ascii_lowercase();
    let (kind, set) = match kind.split_once(';') {
        Some((kind, parameter)) => (kind, parameter.trim_start().strip_prefix("charset=")),
        None => (&*kind, Some("utf-8")),
    };
    kind == "application/json" && matches!(set, Some("utf-8" | "\"utf-8\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_a_list() {
        for kind in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""]
        {
            assert!(is_json(kind), "{kind}");
        }
        for kind in [
            "",
            "text/html",
            "application/json; charset=latin1",
            "application/json; v=1",
            "application/jsonx",
        ] {
            assert!(!is_json(kind), "{kind}");
        }
    }

    #[test]
    fn groups_say_where_they_come_from() {
        let groups =
            read(br#"[{"targets": ["a:1"], "labels": {"env": "test"}}, {"targets": null}]"#, "http://sd/")
                .unwrap();
        assert_eq!(groups[0].labels.to_string(), r#"{__meta_url="http://sd/", env="test"}"#);
        assert_eq!((&*groups[0].source, &*groups[1].source), ("http://sd/:0", "http://sd/:1"));
        for bad in [&b""[..], b"<html>", b"[null]", b"[{\"targets\": [\"a:1\"]", b"\xff"] {
            assert!(read(bad, "u").is_err(), "{bad:?}");
        }
    }
}
