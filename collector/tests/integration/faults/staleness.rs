//! When series end: the same targets, scraped by Prometheus and by Taffrail, both of which say by remote write what they
//! make of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use taffrail_tests::{Prometheus, Receiver, Taffrail, Version, wait_for};

use super::rig::{Pages, STALE, Samples, TEXT, respond};
use crate::support::SOON;

/// Of one state of the target: several scrapes.
const PHASE: Duration = Duration::from_millis(1700);
/// Prometheus heeds what its discovery finds every five seconds, and ends what is gone two intervals later.
const FOUND: Duration = Duration::from_millis(7500);

/// What the target does, one after the other; the last two are about the target itself.
const PHASES: [&str; 11] =
    ["all", "fewer", "all", "down", "all", "bad", "all", "empty", "all", "untargeted", "all"];

fn serve(phase: Arc<AtomicUsize>) -> Pages {
    Pages::serve(move |_, stream| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let all = format!("stays 1\ngoes 2\ntimed 3 {now}\ntimed_goes 4 {now}\n");
        match PHASES[phase.load(Ordering::SeqCst)] {
            "fewer" => respond(stream, 200, TEXT, format!("stays 1\ntimed 3 {now}\n").as_bytes()),
            "down" => respond(stream, 500, TEXT, b"no"),
            // In its first line: what stands before one, Prometheus does not end.
            "bad" => respond(stream, 200, TEXT, b"goes {2\nstays 1\n"),
            "empty" => respond(stream, 200, TEXT, b""),
            _ => respond(stream, 200, TEXT, all.as_bytes()),
        }
    })
}

fn jobs(port: u16, dir: &Path, leaving: bool) -> String {
    let job = |name: &str, more: &str, discovery: &str| {
        format!(
            "  - {{job_name: {name}, scrape_interval: 500ms, scrape_timeout: 500ms, {more}{discovery}}}\n"
        )
    };
    let fixed = format!("static_configs: [{{targets: ['127.0.0.1:{port}']}}]");
    let found =
        format!("file_sd_configs: [{{files: ['{}/targets.yml'], refresh_interval: 1s}}]", dir.display());
    let mut text = "scrape_configs:\n".to_owned();
    text.push_str(&job("found", "", &found));
    text.push_str(&job("tracked", "track_timestamps_staleness: true, ", &fixed));
    if leaving {
        text.push_str(&job("leaving", "", &fixed));
    }
    text
}

/// Of each series, whether values (`v`) or its end (`S`) came, one letter for any number of equals.
fn shapes(samples: &Samples) -> BTreeMap<String, String> {
    let shape = |points: &BTreeMap<i64, Vec<f64>>| {
        let mut shape: Vec<char> =
            points.values().map(|values| if values[0].to_bits() == STALE { 'S' } else { 'v' }).collect();
        shape.dedup();
        shape.into_iter().collect()
    };
    samples.0.iter().map(|(name, points)| (name.clone(), shape(points))).collect()
}

#[test]
fn series_end_when_prometheus_ends_them() {
    let dir = tempfile::tempdir().unwrap();
    let phase = Arc::new(AtomicUsize::new(0));
    let pages = serve(Arc::clone(&phase));
    let targets = dir.path().join("targets.yml");
    let target = |there: bool| {
        let list = if there {
            format!("[{{targets: ['127.0.0.1:{}']}}]\n", pages.port())
        } else {
            "[]\n".to_owned()
        };
        fs::write(dir.path().join("new"), list).unwrap();
        fs::rename(dir.path().join("new"), &targets).unwrap();
    };
    target(true);
    let (theirs, ours) = (Receiver::start().unwrap(), Receiver::start().unwrap());
    let of_prometheus = |leaving: bool| {
        format!(
            "remote_write: [{{url: '{}', queue_config: {{batch_send_deadline: 200ms}}}}]\n{}",
            theirs.url("/api/v1/write"),
            jobs(pages.port(), dir.path(), leaving)
        )
    };
    let of_taffrail = |leaving: bool| {
        format!(
            "self: false\nhostname: ship\noutputs: {{prometheus: [{{url: '{}'}}]}}\n{}",
            ours.url("/api/v1/write"),
            jobs(pages.port(), dir.path(), leaving)
        )
    };
    let prometheus = Prometheus::start_with(Version::V3, &of_prometheus(true), &[]).unwrap();
    let mut taffrail = Taffrail::start(&of_taffrail(true)).unwrap();
    wait_for("the first scrapes of both", SOON, || {
        for receiver in [&theirs, &ours] {
            let came = Samples::accepted(&receiver.received());
            let ups = came.0.keys().filter(|name| name.starts_with("__name__=up,")).count();
            ensure!(ups == 3, "{ups} targets");
        }
        Ok(())
    })
    .unwrap();
    for (at, name) in PHASES.iter().enumerate() {
        phase.store(at, Ordering::SeqCst);
        target(*name != "untargeted");
        sleep(if *name == "untargeted" || at + 1 == PHASES.len() { FOUND } else { PHASE });
    }
    fs::write(prometheus.dir().join("prometheus.yml"), of_prometheus(false)).unwrap();
    assert_eq!(prometheus.client().post("/-/reload", &[], &[]).unwrap().status, 200);
    taffrail.configure(&of_taffrail(false)).unwrap();
    assert_eq!(taffrail.client().post("/-/reload", &[], &[]).unwrap().status, 200);

    let equal = wait_for("equal ends", SOON, || {
        let (theirs, ours) = (Samples::accepted(&theirs.received()), Samples::accepted(&ours.received()));
        ours.assert_consistent();
        let (mut theirs, mut ours) = (shapes(&theirs), shapes(&ours));
        // Prometheus leaves the series of a job that is removed without an end; a query finds them for five minutes.
        theirs.retain(|name, _| !name.contains("job=leaving"));
        ours.retain(|name, _| !name.contains("job=leaving"));
        let differ: Vec<_> = theirs
            .iter()
            .filter(|(name, shape)| ours.get(*name) != Some(shape))
            .map(|(name, shape)| format!("{name} theirs {shape} ours {:?}", ours.get(name)))
            .collect();
        ensure!(differ.is_empty(), "{differ:#?}");
        ensure!(theirs.len() == ours.len(), "ours are more: {:?}", ours.keys());
        Ok(ours)
    })
    .unwrap();
    // It did happen, and not everything is alike.
    let of = |job: &str, name: &str| {
        let wanted = [format!("__name__={name},"), format!("job={job},")];
        let found = equal.iter().find(|(series, _)| wanted.iter().all(|part| series.contains(part)));
        found.map(|(_, shape)| shape.as_str()).with_context(|| format!("{name} of {job}")).unwrap()
    };
    assert_eq!(of("found", "stays"), "vSvSvSvSv");
    assert_eq!(of("found", "goes"), "vSvSvSvSvSv");
    assert_eq!(of("found", "timed_goes"), "v");
    assert_eq!(of("found", "up"), "vSv");
    assert_eq!(of("tracked", "timed_goes"), "vSvSvSvSv");
    let leaving = || {
        let all = shapes(&Samples::accepted(&ours.received()));
        all.into_iter()
            .filter(|(name, _)| name.contains("job=leaving") && !name.contains("=timed"))
            .collect::<Vec<_>>()
    };
    wait_for("the ends of the job that left", SOON, || {
        let left = leaving();
        ensure!(left.len() > 5 && left.iter().all(|(_, shape)| shape.ends_with('S')), "{left:?}");
        Ok(())
    })
    .unwrap();

    // A restart ends nothing, as after it the same goes on.
    let ends = || {
        Samples::accepted(&ours.received())
            .0
            .values()
            .flat_map(BTreeMap::values)
            .flatten()
            .filter(|v| v.to_bits() == STALE)
            .count()
    };
    let before = ends();
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    assert_eq!(ends(), before, "SIGTERM ends no series");
    taffrail.restart().unwrap();
    sleep(PHASE);
    assert_eq!(ends(), before, "nor does the start after it");
    // But for good.
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    taffrail.spawn_with(&["--leaving"]).unwrap();
    taffrail.wait_ready(SOON).unwrap();
    sleep(PHASE);
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    let shapes = shapes(&Samples::accepted(&ours.received()));
    for (series, shape) in
        shapes.iter().filter(|(name, _)| !name.contains("=timed") || name.contains("=tracked"))
    {
        assert!(shape.ends_with('S'), "{series} has no end: {shape}");
    }
}
