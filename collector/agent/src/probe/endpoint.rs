//! `/probe?target=…&module=…`: one probe for whoever asks, for Prometheus jobs that were made for blackbox_exporter.
//!
//! Whoever reaches this page can make this machine connect to something. So it is off until the config lists the
//! networks that may be probed; every address is checked after its name was resolved and again after each redirect, and
//! the connection is made to that very address.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use taffrail_core::text::{self, Format};
use taffrail_core::{Clock, Out};
use taffrail_probe::{Context, Module, Modules, Prober, Verdict, run};
use tokio::sync::Semaphore;

use super::refuse;
use crate::config::Probes;
use crate::status::lock;

/// The most probes at once; whoever comes then waits.
const AT_ONCE: usize = 64;
/// How long somebody waits for his turn.
const WAIT: Duration = Duration::from_secs(1);
/// The longest that a probe may take, whatever a scraper would wait.
const MOST: Duration = Duration::from_secs(120);
/// How much earlier than its scraper gives up a probe has to end, for its answer to arrive.
const OFFSET: Duration = Duration::from_millis(500);
/// The longest target.
const MAX_TARGET: usize = 2048;
/// The module where none is named.
const MODULE: &str = "http_2xx";

/// `/probe`, on or off. It lives as long as the process; a reload sets it.
#[derive(Debug)]
pub struct Endpoint {
    clock: Clock,
    active: Mutex<Option<Arc<Active>>>,
    slots: Semaphore,
}

/// What is probed while it is on.
#[derive(Debug)]
struct Active {
    modules: Modules,
    cx: Context,
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    target: String,
    module: String,
    hostname: String,
    debug: String,
}

impl Endpoint {
    /// Off.
    pub fn new(clock: Clock) -> Self {
        Endpoint { clock, active: Mutex::default(), slots: Semaphore::new(AT_ONCE) }
    }

    /// On for the networks that are listed; off without any.
    pub fn set(&self, probes: Option<&Probes>) {
        let probes = probes.filter(|probes| !probes.networks.is_empty());
        let active = probes.map(|probes| {
            let mut cx = Context::new(self.clock.clone());
            let networks = probes.networks.clone();
            cx.guard = Some(Arc::new(move |address| refuse::check(&networks, address)));
            Arc::new(Active { modules: probes.modules.clone(), cx })
        });
        *lock(&self.active) = active;
    }

    /// Probes, and gives the page.
    async fn answer(&self, asked: &Asked, headers: &HeaderMap) -> Result<Response, (StatusCode, String)> {
        let bad = |why: String| (StatusCode::BAD_REQUEST, why);
        let Some(active) = lock(&self.active).clone() else {
            let why = "/probe is off: list the networks that it may probe, `probe: {networks: [10.0.0.0/8]}`";
            return Err((StatusCode::NOT_FOUND, why.to_owned()));
        };
        // A page on the internet can make a browser ask, though it cannot read what comes back.
        let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
        if matches!(site, Some("cross-site" | "same-site")) {
            let why = "another page asks, and only programs and this server's own page may probe".to_owned();
            return Err((StatusCode::FORBIDDEN, why));
        }
        if asked.target.is_empty() {
            return Err(bad("no target: ask for /probe?target=…&module=…".to_owned()));
        }
        if asked.target.len() > MAX_TARGET {
            return Err(bad(format!("the target is longer than {MAX_TARGET} bytes")));
        }
        let name = if asked.module.is_empty() { MODULE } else { &asked.module };
        let module = active.modules.get(name).map_err(bad)?;
        let module = with_host(module, &asked.hostname).map_err(bad)?;
        if module.is_local(&asked.target) {
            return Err(bad(format!("the module {name} looks at this machine's files, and /probe does not")));
        }
        let limit = limit(headers).map_err(bad)?.unwrap_or(active.cx.limit);
        let Ok(Ok(_slot)) = tokio::time::timeout(WAIT.min(limit), self.slots.acquire()).await else {
            let why = format!("{AT_ONCE} probes are under way, which is the most at once: try again");
            return Err((StatusCode::SERVICE_UNAVAILABLE, why));
        };
        let mut out = Out::default();
        out.begin(self.clock.now_ms());
        let verdict = run(&module, &asked.target, &active.cx.within(limit), &mut out).await;
        Ok(page(&verdict, &mut out, asked.debug == "true", headers))
    }
}

/// Serves `/probe`.
pub async fn serve(
    State(endpoint): State<Arc<Endpoint>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    match endpoint.answer(&asked, &headers).await {
        Ok(response) => response,
        Err((status, why)) => (status, format!("{why}\n")).into_response(),
    }
}

/// How long a scraper waits, less what the answer needs on its way.
fn limit(headers: &HeaderMap) -> Result<Option<Duration>, String> {
    let Some(value) = headers.get("x-prometheus-scrape-timeout-seconds") else { return Ok(None) };
    let wrong =
        || format!("X-Prometheus-Scrape-Timeout-Seconds is {value:?}, and should be seconds, like 10");
    let seconds: f64 = value.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    let wait = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?.min(MOST);
    Ok(Some(wait.checked_sub(OFFSET).filter(|left| !left.is_zero()).unwrap_or(wait)))
}

/// The module for a virtual host: the name that is asked for, whatever the target's is.
fn with_host(module: &Module, hostname: &str) -> Result<Module, String> {
    let mut module = module.clone();
    if hostname.is_empty() {
        return Ok(module);
    }
    match &mut module.prober {
        Prober::Http(settings) => {
            let value = HeaderValue::from_str(hostname).map_err(|_| format!("`{hostname}` is no host"))?;
            let known = settings.headers.insert(http::header::HOST, value.clone());
            if let Some(known) = known.filter(|known| *known != value) {
                return Err(format!(
                    "the module has a Host header already, {known:?}, and hostname={hostname} is another"
                ));
            }
        }
        Prober::Tcp(settings) if settings.client.server_name().is_none() => {
            settings.client = settings.client.named(hostname);
        }
        _ => {}
    }
    Ok(module)
}

fn page(verdict: &Verdict, out: &mut Out, debug: bool, headers: &HeaderMap) -> Response {
    let collected = out.finish();
    if !debug {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let format = Format::negotiate(accept);
        return ([(CONTENT_TYPE, format.content_type())], text::page(&collected, format)).into_response();
    }
    let mut body =
        format!("What happened, with milliseconds since the beginning:\n{}\n", verdict.trail.text());
    body.push_str("What would be scraped:\n");
    body.push_str(&String::from_utf8_lossy(&text::page(&collected, Format::Prometheus)));
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
