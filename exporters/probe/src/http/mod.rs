//! The HTTP prober: asks for a page, follows redirects, and judges the answer.

mod body;
mod cookies;
mod exchange;
mod judge;
mod proxy;
mod redirect;
mod report;
mod request;
mod settings;
mod timing;

use std::error::Error;

use url::Url;

pub use proxy::{Proxy, ProxyError};
pub use report::METRICS;
pub use settings::{Auth, Compression, HeaderMatch, Settings};

use crate::attempt::Attempt;
use crate::failure::Failure;
use report::Facts;
use timing::Phase;

/// Asks the target, a URL or `host[:port][/path]`, and writes what was seen.
pub async fn probe(settings: &Settings, attempt: &mut Attempt<'_>) -> Result<(), Failure> {
    let mut facts = Facts::new(&attempt.cx.clock);
    let outcome = ask(settings, attempt, &mut facts).await;
    facts.phases.leave();
    facts.write(attempt.out);
    outcome
}

async fn ask(settings: &Settings, attempt: &mut Attempt<'_>, facts: &mut Facts) -> Result<(), Failure> {
    let url = parse(attempt.target)?;
    let host = url.host_str().unwrap_or_default();
    let mut ips = Vec::new();
    if settings.proxy.is_none() || !settings.skip_resolve_phase_with_proxy {
        facts.resolved = true;
        let (found, took) = attempt.resolve(host, settings.addressing).await;
        facts.phases.add(Phase::Resolve, took);
        ips.push(found?);
    } else if attempt.cx.guard.is_some() {
        // Nothing may be asked whose address was not looked at.
        for ip in attempt.lookup(host).await? {
            attempt.allow(ip)?;
        }
    }
    facts.requested = true;
    let plan = request::Plan::new(settings, attempt, &url).await?;
    let answer = redirect::follow(settings, attempt, facts, &plan, url.clone(), ips).await?;
    judge::judge(settings, attempt, facts, answer).await
}

fn parse(target: &str) -> Result<Url, Failure> {
    let wrong = || Failure::Target {
        target: target.to_owned(),
        wanted: "a URL, such as https://shop.example/healthz, or host:port",
    };
    let scheme = target.get(..8).unwrap_or(target).to_ascii_lowercase();
    let url = if scheme.starts_with("http://") || scheme.starts_with("https://") {
        Url::parse(target)
    } else {
        Url::parse(&format!("http://{target}"))
    };
    url.ok().filter(Url::has_host).ok_or_else(wrong)
}

/// What went wrong, with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_urls_with_or_without_a_scheme() {
        assert_eq!(parse("shop.example:8080/a").unwrap().as_str(), "http://shop.example:8080/a");
        assert_eq!(parse("HTTPS://shop.example").unwrap().as_str(), "https://shop.example/");
        assert_eq!(parse("[::1]:80").unwrap().as_str(), "http://[::1]/");
        let error = parse("http://").unwrap_err().to_string();
        assert!(error.starts_with("the target `http://` is not a URL"), "{error}");
    }
}
