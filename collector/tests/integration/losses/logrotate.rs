//! logrotate at work on a log that is written to.

use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use taffrail_tests::tool;

use super::writer::Way;
use super::{Case, PATIENT, Run, check};

/// The real program, again and again; with `kills`, it works while nobody reads, too, and twice where it packs: the log that
/// was read is packed then.
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
        if down {
            run.taffrail.kill();
        }
        for again in 0..=usize::from(down && how.contains("compress")) {
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
fn logrotate_that_packs_and_kills() {
    loop_with(|run| logrotate(run, "create\n delaycompress\n compress", true));
}
