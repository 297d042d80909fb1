//! What the tests share: running a probe, and reading what it wrote.

pub mod blackbox;
pub mod pki;
pub mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use taffrail_core::{Clock, Out};
use taffrail_probe::blackbox::Modules;
use taffrail_probe::{Context, Module, Verdict, run};

/// What a probe wrote: `name{label="value",…}` to value, as on a page.
pub type Samples = BTreeMap<String, f64>;

/// The program that `collector/tests/setup.sh` set up under this name.
pub fn program(name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(name) {
        return path.into();
    }
    let env = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/env.sh");
    let text = std::fs::read_to_string(&env).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
    let path = line.unwrap_or_else(|| panic!("{}: no {name}: run collector/tests/setup.sh", env.display()));
    path.trim_matches('\'').into()
}

/// Probes with a new context.
pub async fn probe(module: &Module, target: &str) -> (Verdict, Samples) {
    probe_in(&Context::new(Clock::system()), module, target).await
}

/// Probes in a context.
pub async fn probe_in(cx: &Context, module: &Module, target: &str) -> (Verdict, Samples) {
    let (verdict, page) = page_of(cx, module, target).await;
    (verdict, page.into_iter().map(|(series, (_, value))| (series, value)).collect())
}

/// Probes in a context, and tells types as well.
pub async fn page_of(cx: &Context, module: &Module, target: &str) -> (Verdict, blackbox::Page) {
    let mut out = Out::default();
    out.begin(cx.clock.now_ms());
    let verdict = run(module, target, cx, &mut out).await;
    let collected = out.finish();
    assert_eq!(collected.duplicates, 0, "a series was written twice");
    let mut samples = blackbox::Page::new();
    for (series, def) in &collected.new {
        let declared = taffrail_probe::metrics().iter().any(|metric| metric.covers(&def.family.name));
        assert!(declared, "{} is not among metrics()", def.family.name);
        let mut name = def.family.name.clone();
        if !def.labels.is_empty() {
            // Sorted, as blackbox_exporter's are.
            let mut labels: Vec<_> = def.labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
            labels.sort();
            name.push_str(&format!("{{{}}}", labels.join(",")));
        }
        let sample = collected.samples.iter().find(|sample| sample.series == *series);
        let value = sample.map_or(f64::NAN, |sample| sample.value.to_f64());
        samples.insert(name, (def.family.kind.as_str().to_owned(), value));
    }
    (verdict, samples)
}

/// The modules of a file's text.
pub fn modules(text: &str) -> Modules {
    Modules::parse(text, Path::new("/modules.yml")).unwrap_or_else(|e| panic!("{e}"))
}

/// A module of a file's text, `m`: its prober and the lines under it.
pub fn module(text: &str) -> Module {
    let all = modules(&format!("modules:\n  m:\n    timeout: 2s\n{text}"));
    all.get("m").unwrap_or_else(|why| panic!("{why}")).clone()
}
