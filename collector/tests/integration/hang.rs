//! A mount that stops answering, as a dead NFS server's does: it costs its own series, and nothing else.

use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use anyhow::ensure;
use taffrail_tests::{HangingMount, Prometheus, Taffrail, Version, wait_for};

use crate::support::{SOON, own, status, times, widest};

#[test]
fn a_mount_that_hangs_costs_its_own_series_only() {
    let prometheus = Prometheus::start(Version::V3, &[]).unwrap();
    let mut mount = HangingMount::start_well().unwrap();
    let config = format!(
        "interval: 1s\nhostname: ship\nhost: {{}}\noutputs: {{prometheus: [{{url: \"{}\"}}]}}\n",
        prometheus.write_url()
    );
    let mut taffrail = Taffrail::start(&config).unwrap();
    let at = format!("mountpoint=\"{}\"", mount.path().display());
    let size = format!("node_filesystem_size_bytes{{{at}}}");
    let error = format!("node_filesystem_device_error{{{at}}}");
    assert_eq!(prometheus.wait_for(&size, SOON).unwrap()[0].value(), 4_096_000.0);
    assert_eq!(prometheus.wait_for(&error, SOON).unwrap()[0].value(), 0.0);
    let others = format!("count(node_filesystem_size_bytes{{mountpoint!=\"{}\"}})", mount.path().display());
    let before = prometheus.wait_for(&others, SOON).unwrap()[0].value();

    mount.hang().unwrap();
    let hung = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    wait_for("the mount's series to end", SOON, || {
        // Without a marker, a query goes on finding the last value for five minutes.
        let found = prometheus.query(&size)?;
        ensure!(found.is_empty(), "{found:?}");
        Ok(())
    })
    .unwrap();
    // As node_exporter's: why is a label.
    let hangs = format!("node_filesystem_device_error{{{at},device_error!=\"\"}}");
    assert_eq!(prometheus.wait_for(&hangs, SOON).unwrap()[0].value(), 1.0);
    sleep(Duration::from_secs(6));
    let until = hung + 6.0;
    for (what, expr) in [
        ("another subject", "node_load1"),
        ("the frame", "up{job=\"node\"}"),
        ("the subject itself", "node_scrape_collector_success{collector=\"filesystem\"}"),
        ("its duration", "node_scrape_collector_duration_seconds{collector=\"filesystem\"}"),
        ("another mount", "node_filesystem_size_bytes{mountpoint=\"/\"}"),
        ("that it hangs", hangs.as_str()),
    ] {
        let series = prometheus.query(&format!("{expr}[10s]")).unwrap();
        let points = times(series.last().unwrap_or_else(|| panic!("{what}: {expr} is not there")));
        assert!(widest(points.clone()) < 2.5, "{what}: {expr} has a gap: {points:?}");
        assert!(points.last().is_some_and(|last| *last > until - 2.0), "{what}: {expr} stopped: {points:?}");
    }
    assert_eq!(prometheus.query(&others).unwrap()[0].value(), before, "all other mounts are there");

    for path in ["/", "/metrics", "/metrics/host", "/api/v1/status", "/-/ready"] {
        let asked = Instant::now();
        taffrail.client().get_ok(path).unwrap();
        let took = asked.elapsed();
        assert!(took < Duration::from_millis(500), "{path} took {took:?}");
    }
    let page = taffrail.client().get_ok("/metrics/host").unwrap().text();
    let of_mount: Vec<&str> = page.lines().filter(|line| line.contains(&at)).collect();
    let names: Vec<&str> = of_mount.iter().filter_map(|line| line.split('{').next()).collect();
    assert_eq!(names, ["node_filesystem_device_error", "node_filesystem_readonly"], "what needs no answer");
    assert!(of_mount[0].ends_with(" 1"), "{of_mount:?}");
    assert!(own(&taffrail, "process_threads") < 20.0, "no thread a second is left to the mount");
    let status = status(&taffrail).unwrap();
    assert_eq!(status["exporters"][0]["series"].as_u64().map(|n| n > 100), Some(true), "{status}");

    let asked = Instant::now();
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(3), "the end does not wait for the mount");
}
