//! Each subject on each fixture writes the committed page.

use std::path::{Path, PathBuf};

use taffrail_core::golden::{compare, page};
use taffrail_core::{Clock, CollectError, Filter, Pattern, Run, Subject};
use taffrail_host::statfs::Usage;
use taffrail_host::uname::{self, Names};
use taffrail_host::{HostConfig, SUBJECTS, Schedule, filesystem, subjects_at};

/// Subjects that do not read files.
const ASYNC: usize = 1;

/// 2026-11-21 01:42:06.5 UTC, a winter's night.
const NOW_NS: i64 = 1_795_225_326_500_000_000;

fn config(case: &Path) -> HostConfig {
    let mut config = HostConfig {
        procfs: case.join("proc"),
        sysfs: case.join("sys"),
        rootfs: case.join("root"),
        udev: case.join("udev"),
        ..HostConfig::default()
    };
    // Those that are off by default have pages as well.
    for about in SUBJECTS.iter().filter(|about| !about.on) {
        config.schedules.insert(about.name, Schedule::default());
    }
    if case.ends_with("hardware") {
        config.cpu.info = true;
        config.cpu.flags = Pattern::new("^(aes|avx.*)$").ok();
        config.cpu.bugs = Pattern::new("^spectre_v").ok();
        config.hwmon.chips = Filter::excluding("^i2c_0_0_0049$");
        config.hwmon.sensors = Filter::excluding("^platform_nct6775_656;in7$");
    }
    if case.ends_with("odd") {
        config.rapl.zone_label = true;
        config.stat.softirq = true;
        config.netclass.ignore_invalid_speed = true;
        config.cpu.guest = false;
    }
    config
}

/// Mounts of a fixture do not exist: numbers that tell them apart stand in for the kernel's.
fn statfs(path: &Path) -> std::io::Result<Usage> {
    let path = path.as_os_str().as_encoded_bytes();
    if path.ends_with(b"/refused") {
        return Err(std::io::Error::from_raw_os_error(13));
    }
    let size = 1_000_000_000 + path.iter().map(|b| u64::from(*b)).sum::<u64>();
    Ok(Usage { size, free: size / 2, available: size / 4, files: 1000, files_free: 900 })
}

/// The subjects of a case; what comes from system calls and not from files is replaced by something that stands still.
pub(crate) fn subjects(case: &Path) -> Vec<Subject> {
    let config = config(case);
    let mut subjects = subjects_at(&config, &Clock::manual(NOW_NS));
    // What is asked over a socket has pages of its own.
    subjects.retain(|subject| matches!(subject.run, Run::Blocking(_)));
    for subject in &mut subjects {
        match &*subject.name {
            "uname" => {
                *subject = Subject::blocking("uname", uname::METRICS, |out| {
                    uname::write(&names(), out);
                    Ok(())
                });
            }
            // Seen from `/`: the mounts of a fixture are those of a host, not of a container with another root.
            "filesystem" => {
                *subject = filesystem::asking(&HostConfig { rootfs: "/".into(), ..config.clone() }, statfs);
            }
            _ => {}
        }
    }
    subjects
}

fn names() -> Names {
    Names {
        sysname: b"Linux".into(),
        release: b"6.18.44".into(),
        version: b"#1 SMP PREEMPT_DYNAMIC \"x\"".into(),
        machine: b"x86_64".into(),
        nodename: b"web-1".into(),
        domainname: b"(none)".into(),
    }
}

fn check(case: &str) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    let mut subjects = subjects(&root.join("fixtures").join(case));
    assert_eq!(subjects.len() + ASYNC, SUBJECTS.len());
    for subject in &mut subjects {
        let file = root.join("golden").join(case).join(&*subject.name).with_extension("prom");
        let compared = match page(subject) {
            Ok(page) => compare(&page, &file),
            // A machine does not have everything; what it has stays there.
            Err(CollectError::Absent) if !file.exists() => Ok(()),
            // This tree has hardware, and little else.
            Err(_) if case == "hardware" && !file.exists() => Ok(()),
            Err(error) => Err(format!("{case}: {}: {error}", subject.name)),
        };
        wrong.extend(compared.err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_typical_machine() {
    check("typical");
}

#[test]
fn an_odd_machine() {
    check("odd");
}

#[test]
fn a_machine_with_much_hardware() {
    check("hardware");
}
