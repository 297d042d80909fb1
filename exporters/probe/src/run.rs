//! Running one probe.

use std::time::Duration;

use taffrail_core::{Out, metrics};

use crate::attempt::Attempt;
use crate::context::Context;
use crate::failure::Failure;
use crate::module::{Module, Prober};
use crate::trail::Trail;
use crate::{certificate, dns, freshness, http, icmp, postgres, tcp, tls};

metrics! {
    /// Whether the probe succeeded (1) or failed (0).
    SUCCESS: Gauge = "probe_success" [];
    /// Seconds the probe took.
    DURATION: Gauge = "probe_duration_seconds" [];
    /// Seconds the probe was allowed to take.
    TIMEOUT: Gauge = "probe_timeout_seconds" [];
}

/// How a probe went.
#[derive(Debug)]
pub struct Verdict {
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// How long it took.
    pub duration: Duration,
    /// What happened.
    pub trail: Trail,
}

impl Verdict {
    /// Whether the probe succeeded.
    pub fn success(&self) -> bool {
        self.failure.is_none()
    }
}

/// Probes `target` as `module` says and writes what was seen. Takes as long as the module or the context allow, the
/// shorter of the two, and never longer. May be dropped at any time.
pub async fn run(module: &Module, target: &str, cx: &Context, out: &mut Out) -> Verdict {
    let limit = module.timeout.map_or(cx.limit, |timeout| timeout.min(cx.limit));
    let start = cx.clock.monotonic();
    let mut attempt = Attempt::new(target, cx, out, limit);
    attempt.trail.say(format!("Probing {target} ({}), at most {limit:?}", module.prober.name()));
    let outcome = match &module.prober {
        Prober::Http(settings) => http::probe(settings, &mut attempt).await,
        Prober::Tcp(settings) => tcp::probe(settings, &mut attempt).await,
        Prober::Tls(settings) => tls::probe(settings, &mut attempt).await,
        Prober::Dns(settings) => dns::probe(settings, &mut attempt).await,
        Prober::Icmp(settings) => icmp::probe(settings, &mut attempt).await,
        Prober::Postgres(settings) => postgres::probe(settings, &mut attempt).await,
        Prober::Freshness(settings) => freshness::probe(settings, &mut attempt).await,
        Prober::Certificate(settings) => certificate::probe(settings, &mut attempt).await,
    };
    let duration = cx.clock.monotonic().saturating_sub(start);
    match &outcome {
        Ok(()) => attempt.trail.say("Succeeded"),
        Err(failure) => attempt.trail.say(format!("Failed: {failure}")),
    }
    attempt.out.put(&SUCCESS, [], f64::from(u8::from(outcome.is_ok())));
    attempt.out.put(&DURATION, [], duration.as_secs_f64());
    attempt.out.put(&TIMEOUT, [], limit.as_secs_f64());
    Verdict { failure: outcome.err(), duration, trail: attempt.trail }
}
