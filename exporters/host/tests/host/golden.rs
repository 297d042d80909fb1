//! Each subject on each fixture writes the committed page.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use taffrail_core::golden::{compare, page};
use taffrail_core::sys::{BtrfsDevice, STA_NANO, Timex};
use taffrail_core::{Clock, CollectError, Filter, Pattern, Run, Subject};
use taffrail_host::statfs::Usage;
use taffrail_host::uname::{self, Names};
use taffrail_host::{HostConfig, SUBJECTS, Schedule, btrfs, filesystem, subjects_at, timex};

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
    if case.join("textfile").is_dir() {
        config.textfile = vec![case.join("textfile").display().to_string()];
    }
    if case.ends_with("hardware") {
        config.bcache.priority_stats = true;
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
        config.arp = Filter::excluding("^down");
        config.ipvs.backend_labels = [true, false, false, false, true, false];
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
                    uname::write_build("amd64", "1.2.3", out);
                    Ok(())
                });
            }
            "btrfs" => *subject = btrfs::asking(&config, devices),
            "timex" => {
                *subject = Subject::blocking("timex", timex::METRICS, |out| {
                    timex::write(&clock_state(), out);
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

/// What the file system mounted at `/data` would tell of its devices; others do not answer.
fn devices(path: &Path) -> Option<([u8; 16], Vec<BtrfsDevice>)> {
    const ID: u128 = 0x0abb23a9_579b_43e6_ad30_227ef47fcb9d;
    let device = |name: &str, errors| BtrfsDevice {
        path: format!("/dev/{name}").into(),
        uuid: [name.len() as u8; 16],
        used: 1 << 30,
        total: 20971520 * 512,
        errors,
    };
    path.ends_with("data")
        .then(|| (ID.to_be_bytes(), vec![device("loop25", [1, 2, 3, 4, 5]), device("loop26", [0; 5])]))
}

fn clock_state() -> Timex {
    Timex {
        status: STA_NANO,
        offset: -1_234_567,
        freq: -1_500_000,
        maxerror: 250_000,
        esterror: 31,
        constant: 7,
        tick: 10_000,
        tai: 37,
        ..Timex::default()
    }
}

/// Git keeps no times: the files of a case get one.
fn set_times(case: &Path) {
    let Ok(entries) = fs::read_dir(case.join("textfile")) else { return };
    for entry in entries {
        let file = fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_795_225_000)).unwrap();
    }
}

/// Compares every subject's page with the committed one; a subject that a case has nothing for has no page.
fn check(case: &str) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    // Seen from the package's folder, in which tests run: so labels with paths are the same everywhere.
    let fixture = Path::new("fixtures").join(case);
    set_times(&fixture);
    let mut subjects = subjects(&fixture);
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
