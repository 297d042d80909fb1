//! logrotate at work on a log that is written to.

use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;
use taffrail_tests::{tool, wait_for};

use super::writer::Way;
use super::{Case, JOB, PATIENT, Run, check};
use crate::support::SOON;

/// The real program, again and again; with `kills`, it works while nobody reads, too. Where it packs it does so twice, so that
/// the log that was read is packed, and waits before until the log is followed: what never was is not unpacked.
fn logrotate(run: &mut Run, how: &str, kills: bool) {
    let program = tool("LOGROTATE").unwrap();
    let dir = run.taffrail.dir().to_owned();
    let at = |name: &str| -> PathBuf { dir.join(name) };
    let conf = format!(
        "{} {{\n rotate 100000\n nomail\n missingok\n su root root\n {how}\n}}\n",
        at("app.log").display()
    );
    std::fs::write(at("logrotate.conf"), conf).unwrap();
    let mut rotations = 0;
    while !run.writer.done() {
        let down = kills && run.faults < 8 && rotations % 3 == 2;
        let packs = how.contains("compress");
        if packs {
            let written = run.writer.written();
            wait_for("all that was written", SOON, || {
                let missing = run.loki.numbers(JOB, |numbers| numbers.missing(written).count());
                ensure!(missing == 0, "{missing} of {written} are missing");
                Ok(())
            })
            .unwrap();
        }
        if down && packs {
            run.taffrail.terminate(SOON).unwrap();
        } else if down {
            run.taffrail.kill();
        }
        for again in 0..=usize::from(down && packs) {
            sleep(Duration::from_millis(300) * again as u32);
            rotations += 1;
            let done = Command::new(&program)
                .args(["--force", "--state"])
                .args([at("logrotate.state"), at("logrotate.conf")])
                .output()
                .unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        if down {
            run.taffrail.restart().unwrap();
            run.faults += 1;
        }
        sleep(Duration::from_millis(300));
    }
}

fn loop_with(fault: fn(&mut Run)) {
    check(Case { way: Way::Other, outputs: PATIENT, fault, ..Case::default() });
}

#[test]
fn logrotate_that_renames() {
    loop_with(|run| logrotate(run, "create", false));
}

#[test]
fn logrotate_that_copies() {
    loop_with(|run| logrotate(run, "copytruncate", false));
}

#[test]
fn logrotate_that_copies_and_kills() {
    loop_with(|run| logrotate(run, "copytruncate", true));
}

#[test]
fn logrotate_that_packs_while_nobody_reads() {
    loop_with(|run| logrotate(run, "create\n delaycompress\n compress", true));
}
