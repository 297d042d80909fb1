//! What the tests share: running a probe, and reading what it wrote.

use std::collections::BTreeMap;

use taffrail_core::{Clock, Out};
use taffrail_probe::{Context, Module, Verdict, run};

/// What a probe wrote: `name{label="value",…}` to value, as on a page.
pub type Samples = BTreeMap<String, f64>;

/// Probes with a new context.
pub async fn probe(module: &Module, target: &str) -> (Verdict, Samples) {
    probe_in(&Context::new(Clock::system()), module, target).await
}

/// Probes in a context.
pub async fn probe_in(cx: &Context, module: &Module, target: &str) -> (Verdict, Samples) {
    let mut out = Out::default();
    out.begin(cx.clock.now_ms());
    let verdict = run(module, target, cx, &mut out).await;
    let collected = out.finish();
    assert_eq!(collected.duplicates, 0, "a series was written twice");
    let mut samples = Samples::new();
    for (series, def) in &collected.new {
        let declared = taffrail_probe::metrics().iter().any(|metric| metric.covers(&def.family.name));
        assert!(declared, "{} is not among metrics()", def.family.name);
        let mut name = def.family.name.clone();
        if !def.labels.is_empty() {
            let labels: Vec<_> = def.labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
            name.push_str(&format!("{{{}}}", labels.join(",")));
        }
        let sample = collected.samples.iter().find(|sample| sample.series == *series);
        samples.insert(name, sample.map_or(f64::NAN, |sample| sample.value.to_f64()));
    }
    (verdict, samples)
}
