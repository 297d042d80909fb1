//! The process itself: what it says and how it ends when it cannot run, cannot write, or cannot deliver.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use taffrail_tests::loki::Limits;
use taffrail_tests::{LokiDouble, Receiver, Taffrail, free_port, wait_for};

use crate::support::{SOON, accepted_times, status, wait_for_all, wait_for_problem, widest};

/// `taffrail run` on a config, to its end.
fn run(config: &Path, set: &[String]) -> (Option<i32>, String) {
    let mut args = vec!["run", "--config", config.to_str().unwrap()];
    set.iter().for_each(|set| args.extend(["--set", set.as_str()]));
    Taffrail::command(&args).unwrap()
}

fn expect(said: &(Option<i32>, String), code: i32, words: &[&str]) {
    assert_eq!(said.0, Some(code), "{}", said.1);
    for word in words {
        assert!(said.1.contains(word), "{word:?} is not said:\n{}", said.1);
    }
    assert!(!said.1.contains("panicked") && !said.1.contains("RUST_BACKTRACE"), "{}", said.1);
}

#[test]
fn a_wrong_config_ends_with_2_and_says_what_would_be_right() {
    let cases: [(&str, &[&str]); 6] = [
        ("intervall: 15s\n", &["unknown key `intervall`", "`interval`", "taffrail.yml:1:1"]),
        ("host: 5\n", &["taffrail.yml:1:7", "`host`", "has to be"]),
        ("host: {}\ninterval: 1s\nhost: {}\n", &["taffrail.yml:3:1", "`host`", "twice"]),
        ("outputs: {loki: [{url: loki}]}\n", &["taffrail.yml:1:", "`loki`", "http://"]),
        (
            "outputs: {loki: [{url: \"http://loki:3100\", bearer_token_file: /nonexistent/token}]}\n",
            &["/nonexistent/token", "cannot be read", "name a file that holds the secret"],
        ),
        ("hostname: ${TAFFRAIL_NOBODY_SETS_THIS}\n", &["TAFFRAIL_NOBODY_SETS_THIS", "not set", ":-default}"]),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("taffrail.yml");
    for (config, words) in cases {
        fs::write(&path, config).unwrap();
        let said = run(&path, &[]);
        expect(&said, 2, words);
        let checked = Taffrail::command(&["check", "--config", path.to_str().unwrap()]).unwrap();
        expect(&checked, 2, words);
    }
    let missing = run(&dir.path().join("nowhere.yml"), &[]);
    expect(&missing, 2, &["nowhere.yml"]);
    assert_eq!(Taffrail::command(&["sail"]).unwrap().0, Some(2), "a wrong command line too");
}

#[test]
fn a_taken_port_and_a_taken_folder_are_said_with_who_has_them() {
    let mut first = Taffrail::start("host: {}\n").unwrap();
    let config = first.config_path();
    let elsewhere = format!("data_dir={}", first.dir().join("other").display());
    let listen = format!("listen=127.0.0.1:{}", first.port());
    expect(&run(&config, &[listen.clone(), elsewhere]), 1, &["taken by another program", "`listen:`"]);
    let same = format!("data_dir={}", first.data_dir().display());
    let said = run(&config, &["listen=127.0.0.1:0".to_owned(), same]);
    let pid = format!("process {}", first.process().unwrap().pid());
    expect(&said, 1, &["in use", &pid, "stop that first"]);
    assert!(first.client().get_ok("/-/ready").is_ok(), "the first does not notice");
    // The lock of a process that was killed binds nobody.
    first.kill();
    first.restart().unwrap();
}

#[test]
fn a_folder_that_cannot_be_used_is_told_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("taffrail.yml");
    fs::write(&config, "listen: 127.0.0.1:0\nhost: {}\n").unwrap();
    fs::write(dir.path().join("file"), "in the way").unwrap();
    let in_the_way = dir.path().join("file/data");
    let said = run(&config, &[format!("data_dir={}", in_the_way.display())]);
    expect(&said, 1, &[in_the_way.to_str().unwrap(), "must be directories"]);

    // As a user who may not write there; in a folder where that user may read the program.
    let shared = tempfile::tempdir().unwrap();
    fs::set_permissions(shared.path(), Permissions::from_mode(0o755)).unwrap();
    let program = shared.path().join("taffrail");
    fs::copy(Taffrail::binary().unwrap(), &program).unwrap();
    let config = shared.path().join("taffrail.yml");
    fs::write(&config, "listen: 127.0.0.1:0\nhost: {}\n").unwrap();
    let data = shared.path().join("data");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&program);
    command.args(["run", "--config"]).arg(&config).args(["--set", &format!("data_dir={}", data.display())]);
    let out = command.output().unwrap();
    let said = (out.status.code(), String::from_utf8([out.stdout, out.stderr].concat()).unwrap());
    expect(&said, 1, &[data.to_str().unwrap(), "uid 65534", "data_dir"]);
}

/// A file system of a few pages.
struct Tiny(PathBuf);

impl Tiny {
    fn mount(at: &Path, size: &str) -> Self {
        fs::create_dir(at).unwrap();
        let options = format!("size={size},mode=755");
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).status().unwrap();
        assert!(done.success(), "cannot mount a tmpfs; the tests need root");
        Self(at.to_path_buf())
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        let page = [0_u8; 4096];
        while file.write_all(&page).is_ok() {}
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_data_dir_is_told_and_what_flows_goes_on_flowing() {
    let (receiver, loki) = (Receiver::start().unwrap(), LokiDouble::start().unwrap());
    let config = format!(
        "interval: 1s
hostname: ship
host: {{subjects: {{filesystem: false, netclass: false}}}}
logs: [{{name: app, files: {{include: [DIR/*.txt], start: beginning}}}}]
outputs: {{prometheus: [{{url: \"{}\"}}], loki: [{{url: \"{}\"}}]}}
",
        receiver.url(""),
        loki.url()
    );
    let mut taffrail = Taffrail::prepare(&config).unwrap();
    let tiny = Tiny::mount(&taffrail.data_dir(), "1m");
    taffrail.restart().unwrap();
    wait_for("a first sample", SOON, || {
        ensure!(!accepted_times(&receiver, "node_load1").is_empty());
        Ok(())
    })
    .unwrap();
    tiny.fill();
    let lines: Vec<String> = (0..200).map(|n| format!("line {n}")).collect();
    fs::write(taffrail.dir().join("app.txt"), lines.join("\n") + "\n").unwrap();
    assert_eq!(wait_for_all(&loki, &[("job", "app")], &lines).unwrap(), lines);
    let before = accepted_times(&receiver, "node_load1").len();
    let times = wait_for("samples on a full disk", SOON, || {
        let times = accepted_times(&receiver, "node_load1");
        ensure!(times.len() > before + 4, "{} came", times.len() - before);
        Ok(times)
    });
    assert!(widest(times.unwrap()) < 1.9);
    let log = taffrail.log().unwrap();
    assert!(log.contains("the log on disk takes no records") && log.contains("free"), "{log}");
    assert!(
        log.lines().filter(|line| line.contains("WARN")).count() < 20,
        "said once, not each second: {log}"
    );
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));

    // Nothing can be written at all: it says so and does not start.
    fs::remove_file(taffrail.data_dir().join("lock")).unwrap();
    tiny.fill();
    let set = ["listen=127.0.0.1:0".to_owned(), format!("data_dir={}", taffrail.data_dir().display())];
    let said = run(&taffrail.config_path(), &set);
    expect(&said, 1, &["free space on that file system", taffrail.data_dir().to_str().unwrap()]);
}

#[test]
fn sigterm_with_a_dead_receiver_ends_in_time_says_what_is_left_and_it_comes_after_a_restart() {
    let (metrics, logs) = (free_port().unwrap(), free_port().unwrap());
    let config = format!(
        "interval: 1s
grace_period: 3s
hostname: ship
host: {{subjects: {{filesystem: false, netclass: false}}}}
logs: [{{name: app, files: {{include: [DIR/*.txt], start: beginning}}}}]
outputs:
  prometheus: [{{url: \"http://127.0.0.1:{metrics}\"}}]
  loki: [{{url: \"http://127.0.0.1:{logs}\"}}]
"
    );
    let mut taffrail = Taffrail::start(&config).unwrap();
    let lines: Vec<String> = (0..300).map(|n| format!("line {n}")).collect();
    fs::write(taffrail.dir().join("app.txt"), lines.join("\n") + "\n").unwrap();
    wait_for_problem(&taffrail, &["output loki", "tried again"]).unwrap();
    wait_for_problem(&taffrail, &["output prometheus", "tried again"]).unwrap();
    let asked = Instant::now();
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(5), "the grace is 3 s, it took {took:?}");
    let log = taffrail.log().unwrap();
    let left = log
        .lines()
        .find(|line| line.contains("not delivered, kept for the next start: "))
        .unwrap_or_else(|| panic!("{log}"));
    for word in ["metrics for prometheus: ", "logs for loki: ", "records", "bytes"] {
        assert!(left.contains(word), "{left}");
    }

    let receiver = Receiver::start_on(metrics).unwrap();
    let loki = LokiDouble::listen(&format!("127.0.0.1:{logs}"), Limits::default()).unwrap();
    // Also where the file is gone meanwhile: what was left is on disk.
    fs::remove_file(taffrail.dir().join("app.txt")).unwrap();
    taffrail.restart().unwrap();
    let there = wait_for_all(&loki, &[("job", "app")], &lines).unwrap();
    assert_eq!(there, lines);
    wait_for("samples of before and after", SOON, || {
        let times = accepted_times(&receiver, "node_load1");
        ensure!(times.len() >= 4 && widest(times) > 2.0, "the gap of the restart is not there yet");
        Ok(())
    })
    .unwrap();
    assert_eq!(status(&taffrail).unwrap()["sources"][0]["lost_bytes"], 0);
}

#[test]
fn health_and_ready_tell_what_is() -> Result<()> {
    let taffrail = Taffrail::start("host: {}\n")?;
    let config = taffrail.config_path();
    let listen = format!("listen=127.0.0.1:{}", taffrail.port());
    let ask = |set: &str, more: &[&str]| {
        let args = [&["health", "--config", config.to_str().unwrap(), "--set", set], more].concat();
        Taffrail::command(&args)
    };
    assert_eq!(ask(&listen, &[])?, (Some(0), String::new()), "well, and silent");
    assert_eq!(ask(&listen, &["--ready"])?.0, Some(0));
    expect(
        &ask(&format!("listen=127.0.0.1:{}", free_port()?), &["--timeout", "1s"])?,
        1,
        &["does not answer"],
    );
    // A config that was broken since the start says nothing about the process.
    fs::write(&config, format!("listen: 127.0.0.1:{}\nnonsense: 1\n", taffrail.port()))?;
    assert_eq!(Taffrail::command(&["health", "--config", config.to_str().unwrap()])?.0, Some(0));
    assert_eq!(taffrail.client().get_ok("/-/healthy")?.text(), "healthy\n");
    assert_eq!(taffrail.client().get_ok("/-/ready")?.text(), "ready\n");
    assert_eq!(status(&taffrail)?["ok"], true);
    Ok(())
}
