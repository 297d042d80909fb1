//! Targets that want OAuth 2.0 tokens of a server whose tokens hold for a few seconds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use taffrail_tests::wait_for;

use super::kit::{Web, answer, beside, now_ms, of_taffrail, page};
use crate::support::SOON;

/// How long a token holds.
const HOLDS: Duration = Duration::from_secs(4);

/// The tokens that were given, with the time and how often each was shown.
#[derive(Default)]
struct Tokens {
    given: Mutex<BTreeMap<String, (Instant, usize)>>,
    /// No more are given.
    closed: AtomicBool,
}

impl Tokens {
    fn give(&self) -> Option<String> {
        if self.closed.load(Ordering::SeqCst) {
            return None;
        }
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let token = format!("token-{}", given.len() + 1);
        given.insert(token.clone(), (Instant::now(), 0));
        Some(token)
    }

    fn takes(&self, shown: Option<&str>) -> bool {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let token = shown.and_then(|shown| shown.strip_prefix("Bearer "));
        let Some((since, times)) = token.and_then(|token| given.get_mut(token)) else { return false };
        *times += 1;
        since.elapsed() < HOLDS
    }

    /// No token that was given so far holds any more.
    fn revoke(&self) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let long_ago = Instant::now().checked_sub(HOLDS).unwrap();
        given.values_mut().for_each(|(since, _)| *since = long_ago);
    }
}

#[test]
fn tokens_are_replaced_before_they_expire_and_when_they_are_revoked() {
    let tokens = Arc::new(Tokens::default());
    let gives = tokens.clone();
    let server = Web::start(None, move |asked| {
        // Prometheus and Taffrail both say who they are in the header first.
        let known = asked.header("authorization") == Some("Basic dGFmZnJhaWw6c2VzYW1l")
            && asked.body.windows(18).any(|part| part == b"client_credentials");
        match known.then(|| gives.give()).flatten() {
            Some(token) => answer(
                200,
                &[("content-type", "application/json")],
                &format!(
                    "{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":{}}}",
                    HOLDS.as_secs()
                ),
            ),
            None => answer(
                401,
                &[("content-type", "application/json")],
                "{\"error\":\"invalid_client\",\"error_description\":\"closed today\"}",
            ),
        }
    });
    let takes = tokens.clone();
    let target = Web::start(None, move |asked| match takes.takes(asked.header("authorization")) {
        true => page(),
        false => answer(401, &[], "who are you"),
    });
    let jobs = format!(
        "scrape_configs: [{{job_name: app, scrape_interval: 400ms, scrape_timeout: 400ms, \
         oauth2: {{client_id: taffrail, client_secret: sesame, token_url: 'http://127.0.0.1:{}/token'}}, \
         static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]\n",
        server.port(),
        target.port()
    );
    let (taffrail, verdicts, differ) = beside(&jobs, 1);
    assert!(differ.is_empty() && verdicts["app"].0, "{verdicts:?} {differ:?}");
    // Both scrapers show tokens; those of this one are told apart by who shows them.
    let shown = || {
        let mut shown: BTreeMap<String, usize> = BTreeMap::new();
        for asked in target.asked() {
            if asked.header("user-agent").is_some_and(|agent| agent.starts_with("taffrail/")) {
                *shown.entry(asked.header("authorization").unwrap_or_default().to_owned()).or_default() += 1;
            }
        }
        shown
    };
    wait_for("four tokens", SOON, || {
        ensure!(shown().len() >= 4, "{:?}", shown());
        Ok(())
    })
    .unwrap();
    let used = shown();
    assert!(used.values().filter(|times| **times >= 2).count() >= 2, "each is used again: {used:?}");
    let counts = |taffrail| {
        let page = taffrail_tests::Taffrail::client(taffrail).get_ok("/api/v1/targets").unwrap().text();
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        page["targets"][0]["failures"].as_u64().unwrap()
    };
    assert_eq!(counts(&taffrail), 0, "no scrape failed as tokens expired: {used:?}");

    let becomes = |up: bool, words: &[&str]| {
        let since = now_ms();
        wait_for(&format!("up {up} and {words:?}"), SOON, || {
            let (now, error) = of_taffrail(&taffrail, 1, since)?.remove("app").unwrap();
            ensure!(now == up && words.iter().all(|word| error.contains(word)), "up {now}: {error}");
            Ok(())
        })
        .unwrap();
    };
    tokens.revoke();
    becomes(false, &["401"]);
    becomes(true, &[]);
    tokens.closed.store(true, Ordering::SeqCst);
    let place = format!("127.0.0.1:{}", server.port());
    becomes(false, &["no OAuth 2.0 token from", &place, "invalid_client", "closed today"]);
    tokens.closed.store(false, Ordering::SeqCst);
    becomes(true, &[]);
    let (log, page) = (taffrail.log().unwrap(), taffrail.client().get_ok("/api/v1/targets").unwrap().text());
    for secret in ["sesame", "token-1", "token-2"] {
        assert!(!log.contains(secret) && !page.contains(secret), "{secret} is shown");
    }
}
