//! A disk that is full, or takes no writes: the rest goes on, it is said, and what is lost is counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;
use taffrail_tests::{Receiver, Taffrail, free_port, wait_for};

use super::rig::{Numbered, Samples, check, gaps};
use crate::support::{SOON, own, status, wait_for_peace, wait_for_problem};

/// A file system of a few megabytes, in memory.
pub struct Small(PathBuf);

impl Small {
    pub fn mount(at: &Path, mib: u32) -> Self {
        fs::create_dir_all(at).unwrap();
        mount(&["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"], at);
        Small(at.to_owned())
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(&self.0).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    /// Takes all but `left` bytes of it.
    pub fn fill(&self, left: u64) {
        let taken = self.free().saturating_sub(left);
        let written = fs::write(self.0.join("filler"), vec![0; taken as usize]);
        // It is shared, with who writes meanwhile.
        assert!(written.is_ok() || self.free() == 0, "{written:?}");
    }

    /// Gives it back.
    pub fn empty(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }

    fn remount(&self, how: &str) {
        mount(&["-o", &format!("remount,{how}"), "tmpfs"], &self.0);
    }
}

fn mount(args: &[&str], at: &Path) {
    let done = Command::new("mount").args(args).arg(at).output().unwrap();
    assert!(done.status.success(), "this test mounts, as root: {}", String::from_utf8_lossy(&done.stderr));
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn config(target: &Numbered, port: u16) -> String {
    format!(
        "hostname: ship\nself: false\n{}outputs: {{prometheus: [{{url: \"http://127.0.0.1:{port}\", timeout: 1s}}]}}\n",
        target.job()
    )
}

fn dropped(taffrail: &Taffrail) -> u64 {
    let status = status(taffrail).unwrap();
    let logs = status["logs"].as_array().unwrap();
    let metrics = logs.iter().find(|log| log["name"] == "metrics").unwrap();
    let reasons = metrics["dropped"].as_object().unwrap();
    for (reason, count) in reasons.iter().filter(|(reason, _)| *reason != "disk") {
        assert_eq!(count, 0, "{reason}");
    }
    reasons["disk"].as_u64().unwrap()
}

#[test]
fn a_full_disk_is_survived_and_told_and_what_is_lost_is_counted() {
    const SERIES: usize = 1000;
    const BLOCKED: &str = "taffrail_spool_blocked{log=\"metrics\"}";
    let target = Numbered::start(SERIES);
    let port = free_port().unwrap();
    let mut taffrail = Taffrail::prepare(&config(&target, port)).unwrap();
    let disk = Small::mount(&taffrail.data_dir(), 24);
    taffrail.restart().unwrap();
    sleep(Duration::from_secs(1));
    assert_eq!(own(&taffrail, BLOCKED), 0.0);

    // Below the floor: it leaves alone what is left, and what comes is kept in memory.
    disk.fill(2 << 20);
    let before = target.served();
    wait_for_problem(&taffrail, &["log metrics", "takes no records", "must stay free"]).unwrap();
    assert_eq!(own(&taffrail, BLOCKED), 1.0);
    let free = disk.free();
    sleep(Duration::from_millis(1500));
    assert!(disk.free() + (64 << 10) >= free, "it took {} bytes more", free - disk.free());
    assert!(target.served() > before + 5, "scrapes go on");
    assert_eq!(dropped(&taffrail), 0, "memory holds it");
    disk.empty();
    wait_for("the disk to be used again", SOON, || {
        ensure!(own(&taffrail, BLOCKED) == 0.0);
        Ok(())
    })
    .unwrap();
    assert_eq!(dropped(&taffrail), 0);

    // Full to the last byte, for longer than memory lasts.
    disk.fill(0);
    wait_for("the first loss", SOON, || {
        ensure!(dropped(&taffrail) > 0, "none yet");
        Ok(())
    })
    .unwrap();
    wait_for_problem(&taffrail, &["log metrics", "given up", "disk"]).unwrap();
    disk.empty();
    wait_for("the disk to be used again", SOON, || {
        ensure!(own(&taffrail, BLOCKED) == 0.0);
        Ok(())
    })
    .unwrap();

    // Nobody took anything yet: all of it comes now, but for what was counted.
    let receiver = Receiver::start_on(port).unwrap();
    let last = target.served();
    let came = wait_for("the last number", SOON, || {
        let came = Samples::accepted(&receiver.received());
        ensure!(came.numbers().contains(&last), "{:?} is the last of {last}", came.numbers().last());
        Ok(came)
    })
    .unwrap();
    let (lost, records) = (gaps(&came.numbers()).len() as u64, dropped(&taffrail));
    // A page is a record, and what is known of its scrape another, which may be lost without its page.
    assert!(lost > 0 && (lost..=4 * lost).contains(&records), "{lost} pages, {records} records are lost");
    assert_eq!(came.repeated(), 0);
    taffrail.terminate(SOON).unwrap();
    assert_eq!(check(&taffrail).unwrap()["sound"], true);
}

#[test]
fn a_disk_that_turned_read_only_is_told_and_holds_what_it_held() {
    let target = Numbered::start(20);
    let port = free_port().unwrap();
    let mut taffrail = Taffrail::prepare(&config(&target, port)).unwrap();
    let disk = Small::mount(&taffrail.data_dir(), 24);
    taffrail.restart().unwrap();
    wait_for("some pages", SOON, || {
        ensure!(target.served() > 5);
        Ok(())
    })
    .unwrap();
    taffrail.kill();
    let held = Samples::on_disk(&taffrail).unwrap();
    assert!(held.numbers().len() > 3);
    disk.remount("ro");
    assert_eq!(check(&taffrail).unwrap()["logs"].as_array().unwrap().len(), 3, "it can be looked at");
    let (config, dir) = (taffrail.config_path(), taffrail.data_dir());
    let set = format!("data_dir={}", dir.display());
    let args = ["run", "--config", config.to_str().unwrap(), "--set", "listen=127.0.0.1:0", "--set", &set];
    let (code, said) = Taffrail::command(&args).unwrap();
    assert_eq!(code, Some(1), "{said}");
    for word in [dir.to_str().unwrap(), "Read-only file system", "mount the file system read-write"] {
        assert!(said.contains(word), "{word} is not said: {said}");
    }
    disk.remount("rw");
    let receiver = Receiver::start_on(port).unwrap();
    taffrail.restart().unwrap();
    wait_for("all that was held", SOON, || {
        let missing = Samples::accepted(&receiver.received()).missing(&held);
        ensure!(missing.is_empty(), "{} are missing: {}", missing.len(), missing[0]);
        Ok(())
    })
    .unwrap();
    wait_for_peace(&taffrail).unwrap();
}
