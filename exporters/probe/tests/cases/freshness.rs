//! Freshness of files.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use taffrail_core::Clock;
use taffrail_probe::freshness::{Restore, Settings};
use taffrail_probe::{Context, Module, Prober};

use crate::kit::probe_in;

/// 2026-01-01T00:00:00Z
const NOW: u64 = 1_767_225_600;

fn file(path: &Path, text: &str, age: u64) {
    fs::write(path, text).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(NOW - age)).unwrap();
}

fn module(settings: Settings) -> Module {
    Module { prober: Prober::Freshness(Box::new(settings)), timeout: Some(Duration::from_secs(5)) }
}

#[tokio::test]
async fn a_backup_is_watched() {
    let cx = Context::new(Clock::manual(NOW as i64 * 1_000_000_000));
    let dir = tempfile::tempdir().unwrap();
    let target = format!("{}/*.dump", dir.path().display());
    let marker = dir.path().join("verified");
    let settings = Settings {
        max_age: Some(Duration::from_secs(3600)),
        restore: Some(Restore {
            marker: marker.display().to_string(),
            max_age: Some(Duration::from_secs(30 * 86_400)),
        }),
        ..Settings::default()
    };
    let module = module(settings);

    let (verdict, samples) = probe_in(&cx, &module, &target).await;
    assert_eq!(verdict.failure.unwrap().to_string(), "0 match, and at least 1 should");
    assert_eq!(samples["probe_freshness_matches"], 0.0);
    assert!(!samples.contains_key("probe_freshness_newest_age_seconds"));

    file(&dir.path().join("a.dump"), "12345", 7200);
    file(&dir.path().join("b.dump"), "123", 600);
    let (verdict, samples) = probe_in(&cx, &module, &target).await;
    let failure = verdict.failure.unwrap().to_string();
    assert!(failure.starts_with("no restore was ever verified: there is no /"), "{failure}");
    assert_eq!(samples["probe_freshness_matches"], 2.0);
    assert_eq!(samples["probe_freshness_all_bytes"], 8.0);
    assert_eq!(samples["probe_freshness_newest_bytes"], 3.0);
    assert_eq!(samples["probe_freshness_newest_age_seconds"], 600.0);
    assert_eq!(samples["probe_freshness_newest_timestamp_seconds"], (NOW - 600) as f64);
    assert_eq!(samples["probe_freshness_max_age_seconds"], 3600.0);

    // What it says counts, not when it was written.
    file(&marker, "2025-12-30T00:00:00Z\n", 0);
    let (verdict, samples) = probe_in(&cx, &module, &target).await;
    assert!(verdict.success(), "{}", verdict.trail.text());
    assert_eq!(samples["probe_freshness_restore_verified_age_seconds"], 2.0 * 86_400.0);
    assert_eq!(samples["probe_freshness_restore_verified_max_age_seconds"], 30.0 * 86_400.0);
    file(&marker, "", 60);
    let (_, samples) = probe_in(&cx, &module, &target).await;
    assert_eq!(samples["probe_freshness_restore_verified_age_seconds"], 60.0);

    fs::remove_file(dir.path().join("b.dump")).unwrap();
    let failure = probe_in(&cx, &module, &target).await.0.failure.unwrap().to_string();
    assert!(failure.ends_with("a.dump, is 2 h 0 min old, and may be 1 h 0 min old"), "{failure}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_named() {
    let cx = Context::new(Clock::system());
    // A file in the place of a folder is absent; a name too long for the system is neither.
    let target = format!("/tmp/{}/*", "x".repeat(300));
    let failure = probe_in(&cx, &module(Settings::default()), &target).await.0.failure.unwrap().to_string();
    assert!(failure.starts_with("/tmp/xxx") && failure.contains("too long"), "{failure}");
    let failure = probe_in(&cx, &module(Settings::default()), "backup/*").await.0.failure.unwrap();
    assert!(failure.to_string().ends_with("is not an absolute path: begin it with `/`"), "{failure}");
}
