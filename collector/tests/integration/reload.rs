//! Reloads, good and bad, while lines and samples flow: what is not changed does not notice.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::ensure;
use taffrail_tests::{
    Client, LokiDouble, Process, Prometheus, Receiver, Taffrail, Version, free_port, wait_for,
};

use crate::support::{
    SOON, accepted_samples, own, status, wait_for_all, wait_for_peace, wait_for_problem, widest,
};

/// What a reload may change around outputs that stay as they are.
#[derive(Clone, Copy, Default)]
struct Turn {
    extra_output: bool,
    label: bool,
    fast: bool,
}

fn config(prometheus: &str, loki: &str, extra: &str, turn: Turn) -> String {
    let extra =
        if turn.extra_output { format!(", {{name: extra, url: \"{extra}\"}}") } else { String::new() };
    let labels = if turn.label { "{turn: label}" } else { "{}" };
    let interval = if turn.fast { "500ms" } else { "1s" };
    format!(
        "hostname: ship
interval: {interval}
labels: {labels}
host: {{subjects: {{filesystem: false, netclass: false}}}}
logs: [{{name: app, files: {{include: [DIR/*.txt], start: beginning}}}}]
outputs:
  prometheus: [{{url: \"{prometheus}\"}}]
  loki: [{{url: \"{loki}\"}}{extra}]
"
    )
}

fn post_reload(taffrail: &Taffrail) -> (u16, String) {
    let answer = taffrail.client().post("/-/reload", &[], &[]).unwrap();
    (answer.status, answer.text())
}

/// SIGHUP has no answer: waits until the config was taken, which the page tells by its time.
fn hang_up(taffrail: &mut Taffrail) {
    let loaded = |taffrail: &Taffrail| status(taffrail).unwrap()["process"]["config_loaded_ms"].clone();
    let before = loaded(taffrail);
    taffrail.hang_up().unwrap();
    wait_for("the reload", SOON, || {
        ensure!(loaded(taffrail) != before, "not yet");
        Ok(())
    })
    .unwrap();
}

fn write_until(stop: &AtomicBool, path: &std::path::Path) -> Vec<String> {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let mut written = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let line = format!("line {}", written.len());
        writeln!(file, "{line}").unwrap();
        written.push(line);
        sleep(Duration::from_millis(5));
    }
    written
}

/// Ends the writer also when an assertion ends the test: the scope waits for it.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn reloads_under_load_lose_and_repeat_nothing() {
    let receiver = Receiver::start().unwrap();
    let (loki, extra) = (LokiDouble::start().unwrap(), LokiDouble::start().unwrap());
    let with = |turn| config(&receiver.url(""), &loki.url(), &extra.url(), turn);
    let mut taffrail = Taffrail::start(&with(Turn::default())).unwrap();
    let stop = AtomicBool::new(false);
    let path = taffrail.dir().join("app.txt");
    let written = thread::scope(|scope| {
        let stopping = Stop(&stop);
        let writer = scope.spawn(|| write_until(&stop, &path));
        sleep(Duration::from_secs(1));
        for step in 0..12_u8 {
            let turn = Turn { extra_output: step % 2 == 0, label: step % 3 == 0, fast: step % 4 == 0 };
            let good = with(turn);
            if step % 3 == 1 {
                taffrail.configure(&good.replace("hostname:", "hostnames:")).unwrap();
                let (code, text) = post_reload(&taffrail);
                assert_eq!(code, 400, "{text}");
                assert!(text.contains("not reloaded") && text.contains("hostnames"), "{text}");
                wait_for_problem(&taffrail, &["config ", "refused", "goes on", "hostnames"]).unwrap();
                assert_eq!(own(&taffrail, "taffrail_config_last_reload_success"), 0.0);
            }
            taffrail.configure(&good).unwrap();
            if step % 2 == 0 {
                assert_eq!(post_reload(&taffrail), (200, "reloaded\n".to_owned()));
            } else {
                hang_up(&mut taffrail);
            }
            assert_eq!(own(&taffrail, "taffrail_config_last_reload_success"), 1.0);
            let there = status(&taffrail).unwrap()["outputs"].as_array().unwrap().len();
            assert_eq!(there, 2 + usize::from(turn.extra_output));
            sleep(Duration::from_millis(300));
        }
        drop(stopping);
        writer.join().unwrap()
    });
    assert!(written.len() > 500, "{} lines are no load", written.len());
    let mut lines = wait_for_all(&loki, &[("job", "app")], &written).unwrap();
    assert_eq!(lines.len(), written.len(), "each line exactly once");
    assert_eq!(loki.equal(), 0);
    // Two streams, by the label; within the whole, all are there once.
    let (mut sorted, _) = (written.clone(), lines.sort());
    sorted.sort();
    assert_eq!(lines, sorted);
    assert!(!extra.lines(&[("job", "app")]).is_empty(), "the extra output was really there");
    wait_for_peace(&taffrail).unwrap();

    let samples = accepted_samples(&receiver);
    let load: Vec<_> = samples.iter().filter(|(name, _)| name.starts_with("__name__=node_load1,")).collect();
    assert_eq!(
        load.len(),
        2,
        "with the label and without: {:?}",
        load.iter().map(|l| l.0).collect::<Vec<_>>()
    );
    let mut times: Vec<f64> =
        load.iter().flat_map(|(_, times)| times.iter().map(|ms| *ms as f64 / 1000.0)).collect();
    times.dedup();
    assert!(widest(times.clone()) < 1.9, "a gap: {times:?}");
    for (series, times) in &samples {
        assert!(times.is_sorted_by(|a, b| a < b), "{series} came twice or out of order: {times:?}");
    }
}

#[test]
fn series_end_with_their_job_and_with_a_machine_that_leaves_but_not_with_a_restart() {
    let prometheus = Prometheus::start(Version::V3, &[]).unwrap();
    let config = |rest: &str| {
        format!(
            "hostname: ship\ninterval: 1s\n{rest}\noutputs: {{prometheus: [{{url: \"{}\"}}]}}\n",
            prometheus.write_url()
        )
    };
    let empty = |expr: &str| {
        // Without a marker, a query goes on finding the last value for five minutes.
        wait_for(&format!("{expr} to be empty"), Duration::from_secs(5), || {
            let found = prometheus.query(expr)?;
            ensure!(found.is_empty(), "{found:?}");
            Ok(())
        })
        .unwrap();
    };
    let mut taffrail = Taffrail::start(&config("host: {}")).unwrap();
    prometheus.wait_for("node_load1", SOON).unwrap();
    taffrail.configure(&config("host: {subjects: {loadavg: false}}")).unwrap();
    assert_eq!(post_reload(&taffrail).0, 200);
    empty("node_load1");
    prometheus.wait_for("node_memory_MemTotal_bytes", SOON).unwrap();
    taffrail.configure(&config("self: true")).unwrap();
    assert_eq!(post_reload(&taffrail).0, 200);
    empty("{job=\"node\"}");
    prometheus.wait_for("up{job=\"taffrail\"} == 1", SOON).unwrap();

    taffrail.configure(&config("host: {}")).unwrap();
    assert_eq!(post_reload(&taffrail).0, 200);
    prometheus.wait_for("node_load1", SOON).unwrap();
    prometheus.wait_for("node_processes_pids", SOON).unwrap();
    let families = |taffrail: &Taffrail| -> anyhow::Result<usize> {
        let page = taffrail.client().get_ok("/metrics/host")?.text();
        Ok(page.lines().filter(|line| line.starts_with("# TYPE ")).count())
    };
    let before = families(&taffrail).unwrap();
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    sleep(Duration::from_secs(1));
    for expr in ["node_load1", "up{job=\"node\"} == 1", "up{job=\"taffrail\"} == 1"] {
        assert_eq!(prometheus.query(expr).unwrap().len(), 1, "{expr}: SIGTERM marks nothing");
    }
    taffrail.spawn_with(&["--leaving"]).unwrap();
    // What has not been seen since the start cannot be marked.
    wait_for("all that ran before on the page", SOON, || {
        let now = families(&taffrail)?;
        ensure!(now >= before, "{now} families of {before}");
        Ok(())
    })
    .unwrap();
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    // A state that no process is in any more is not known to the one that leaves.
    empty("{instance=\"ship\",__name__!~\"node_processes_(threads_)?state\"}");
}

/// The harness fixes `listen` on the command line; this one leaves it to the file.
#[test]
fn listen_moves_the_server_and_a_taken_address_moves_nothing() {
    let taffrail = Taffrail::prepare("host: {}\n").unwrap();
    let (old, new) = (free_port().unwrap(), free_port().unwrap());
    let config = |port: u16| format!("listen: 127.0.0.1:{port}\ndata_dir: DIR/data\nhost: {{}}\n");
    taffrail.configure(&config(old)).unwrap();
    let mut command = Command::new(Taffrail::binary().unwrap());
    command.arg("run").arg("--config").arg(taffrail.config_path());
    let mut process = Process::start("taffrail", &mut command, &taffrail.dir().join("log")).unwrap();
    process.wait_ready(SOON, || Client::new(old).get_ok("/-/ready").map(drop)).unwrap();

    let taken = Receiver::start().unwrap();
    taffrail.configure(&config(taken.port())).unwrap();
    let refused = Client::new(old).post("/-/reload", &[], &[]).unwrap();
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("taken by another program"), "{}", refused.text());
    assert_eq!(Client::new(old).get("/-/ready").unwrap().status, 200);

    taffrail.configure(&config(new)).unwrap();
    // The request that moves the server is still answered at the old place.
    assert_eq!(Client::new(old).post("/-/reload", &[], &[]).unwrap().status, 200);
    assert_eq!(Client::new(new).get_ok("/-/ready").unwrap().text(), "ready\n");
    wait_for("the old socket to close", SOON, || {
        ensure!(Client::new(old).get("/-/healthy").is_err(), "it still answers");
        Ok(())
    })
    .unwrap();
    assert_eq!(process.terminate(SOON).unwrap().code(), Some(0));
}

#[test]
fn a_changed_file_is_reloaded_where_that_is_asked_for() {
    let taffrail = Taffrail::start("host: {}\n").unwrap();
    let config = |on: bool, name: &str| format!("reload_on_change: {on}\nhostname: {name}\nhost: {{}}\n");
    let instance = || status(&taffrail).unwrap()["process"]["instance"].as_str().unwrap().to_owned();
    let becomes = |name: &str| {
        wait_for(&format!("the name {name}"), SOON, || {
            ensure!(instance() == name, "it is {}", instance());
            Ok(())
        })
        .unwrap();
    };
    taffrail.configure(&config(true, "one")).unwrap();
    sleep(Duration::from_secs(1));
    assert_ne!(instance(), "one", "nobody asked for it yet");
    assert_eq!(post_reload(&taffrail).0, 200);
    becomes("one");
    // The watcher that this reload started has read the file once before it sees changes.
    sleep(Duration::from_secs(1));
    taffrail.configure(&config(true, "two")).unwrap();
    becomes("two");
    taffrail.configure("host: [\n").unwrap();
    wait_for_problem(&taffrail, &["config ", "refused"]).unwrap();
    assert_eq!(instance(), "two");
    taffrail.configure(&config(false, "three")).unwrap();
    becomes("three");
    wait_for_peace(&taffrail).unwrap();
    taffrail.configure(&config(true, "four")).unwrap();
    sleep(Duration::from_secs(2));
    assert_eq!(instance(), "three", "it was turned off");
}
