//! A mount that never answers, beside mounts that do; and what a container sees.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use taffrail_core::{Clock, Collected, Out};
use taffrail_core::{Filter, Pattern};
use taffrail_host::{HostConfig, Schedule, filesystem};

use crate::fuse::Fuse;
use crate::{MOUNTS, run};

const BUDGET: Duration = Duration::from_secs(1);

/// A tmpfs, unmounted when dropped.
struct Tmpfs(std::path::PathBuf);

impl Tmpfs {
    fn mount(point: &Path) -> Self {
        fs::create_dir(point).unwrap();
        mount("healthy", point, "tmpfs", MountFlags::empty(), None).unwrap();
        Tmpfs(point.into())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// A procfs in which this process is the first: the mounts are those of its namespace, wherever the tests run.
fn procfs(dir: &Path) {
    fs::create_dir(dir).unwrap();
    symlink("/proc/self", dir.join("1")).unwrap();
    symlink("/proc/self", dir.join("self")).unwrap();
    fs::create_dir(dir.join("2")).unwrap();
    fs::write(dir.join("2/comm"), "kthreadd\n").unwrap();
}

fn config(root: &Path) -> HostConfig {
    procfs(&root.join("proc"));
    let mut config = HostConfig { procfs: root.join("proc"), ..HostConfig::default() };
    let below = format!("^{}/mnt-", root.display());
    config.filesystem.mount_points = Filter { include: Pattern::new(&below).ok(), exclude: None };
    config.schedules.insert("filesystem", Schedule { budget: BUDGET, ..Schedule::default() });
    config
}

/// What is known of the series through all runs.
#[derive(Default)]
struct Known {
    out: Out,
    series: std::collections::HashMap<u32, (String, Vec<String>)>,
}

impl Known {
    /// The family, mount point and error of each sample, with its value.
    fn take(&mut self, collected: &Collected) -> Vec<(String, String, String, f64)> {
        for (series, def) in &collected.new {
            let labels = def.labels.iter().map(|(_, value)| value.to_string()).collect();
            self.series.insert(series.0, (def.family.name.clone(), labels));
        }
        let sample = |sample: &taffrail_core::Sample| {
            let (family, labels) = &self.series[&sample.series.0];
            let point = labels[1].rsplit('/').next().unwrap_or_default().to_owned();
            (family.clone(), point, labels[3].clone(), sample.value.to_f64())
        };
        collected.samples.iter().map(sample).collect()
    }
}

fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.flatten().filter(|task| task.file_name() != "0").map(name).filter(|name| name == "statfs\n").count()
}

/// Says that a test was skipped; not through eprintln!, which the test runner keeps to itself when nothing fails.
fn skipped(test: &str) {
    let skipped = format!("SKIPPED: {test} needs root, to mount a file system\n");
    std::io::stderr().write_all(skipped.as_bytes()).unwrap();
}

#[test]
fn mounts_that_come_change_and_go_are_seen_by_the_next_run() {
    if !rustix::process::geteuid().is_root() {
        return skipped("mounts_that_come_change_and_go_are_seen_by_the_next_run");
    }
    let _mounts = MOUNTS.read().unwrap();
    let root = tempfile::tempdir().unwrap();
    let mut subject = filesystem::subject(&config(root.path()));
    let mut known = Known::default();
    let mut read_only = || {
        let collected = run(&mut subject, &mut known.out).unwrap();
        let samples = known.take(&collected);
        let family = samples.into_iter().filter(|sample| sample.0 == "node_filesystem_readonly");
        family.map(|(_, point, _, value)| (point, value)).collect::<Vec<_>>()
    };
    let of = |point: &str, value| (point.to_owned(), value);
    assert_eq!(read_only(), []);
    let first = Tmpfs::mount(&root.path().join("mnt-1"));
    assert_eq!(read_only(), [of("mnt-1", 0.0)]);
    assert_eq!(read_only(), [of("mnt-1", 0.0)]);
    let second = Tmpfs::mount(&root.path().join("mnt-2"));
    mount_remount(&second.0, MountFlags::RDONLY, "").unwrap();
    assert_eq!(read_only(), [of("mnt-1", 0.0), of("mnt-2", 1.0)]);
    mount_remount(&first.0, MountFlags::RDONLY, "").unwrap();
    assert_eq!(read_only(), [of("mnt-1", 1.0), of("mnt-2", 1.0)]);
    drop(first);
    assert_eq!(read_only(), [of("mnt-2", 1.0)]);
    drop(second);
    assert_eq!(read_only(), []);
}

#[test]
fn a_mount_that_hangs_costs_its_own_series_only() {
    if !rustix::process::geteuid().is_root() {
        return skipped("a_mount_that_hangs_costs_its_own_series_only");
    }
    let _mounts = MOUNTS.write().unwrap();
    let root = tempfile::tempdir().unwrap();
    let point = |name: &str| root.path().join(name);
    let _first = Tmpfs::mount(&point("mnt-1"));
    fs::create_dir(point("mnt-2")).unwrap();
    let fuse = Fuse::mount(&point("mnt-2")).unwrap();
    let _last = Tmpfs::mount(&point("mnt-3"));

    let mut subject = filesystem::subject(&config(root.path()));
    let mut known = Known::default();
    let clock = Clock::system();
    let mut notes = Vec::new();
    let mut collect = |known: &mut Known| {
        let start = clock.monotonic();
        let collected = run(&mut subject, &mut known.out).unwrap();
        notes.extend(collected.notes.iter().map(|note| (note.event, note.facts[0].1.ends_with("mnt-2"))));
        let took = clock.monotonic() - start;
        let gone: Vec<_> = collected.gone.iter().map(|series| known.series[&series.0].clone()).collect();
        (known.take(&collected), gone, took)
    };
    let points = |samples: &[(String, String, String, f64)], family: &str| -> Vec<_> {
        let of_family = samples.iter().filter(|s| s.0 == family);
        of_family.map(|(_, point, error, value)| (point.clone(), error.clone(), *value)).collect()
    };

    let (samples, _, _) = collect(&mut known);
    let sizes = points(&samples, "node_filesystem_size_bytes");
    assert_eq!(sizes.iter().map(|(p, ..)| &**p).collect::<Vec<_>>(), ["mnt-1", "mnt-2", "mnt-3"]);
    assert_eq!(sizes[1].2, 4_096_000.0);

    fuse.hang();
    for pass in ["when it begins to hang", "while it hangs"] {
        let (samples, gone, took) = collect(&mut known);
        let sizes = points(&samples, "node_filesystem_size_bytes");
        assert_eq!(sizes.iter().map(|(p, ..)| &**p).collect::<Vec<_>>(), ["mnt-1", "mnt-3"], "{pass}");
        let errors = points(&samples, "node_filesystem_device_error");
        assert_eq!(errors[1], ("mnt-2".into(), "mountpoint timeout".into(), 1.0), "{pass}");
        assert_eq!((errors[0].2, errors[2].2), (0.0, 0.0), "{pass}");
        assert!(took < BUDGET, "{took:?} {pass}");
        if pass == "while it hangs" {
            assert!(took < BUDGET / 2, "it was waited for again: {took:?}");
            assert!(gone.is_empty());
        } else {
            assert!(gone.iter().any(|(f, l)| f == "node_filesystem_size_bytes" && l[1].ends_with("mnt-2")));
        }
        assert_eq!(fuse.held(), 1, "one call hangs, {pass}");
    }
    assert!(threads() >= 1, "the stuck thread can be seen");

    fuse.answer();
    let deadline = clock.monotonic() + Duration::from_secs(20);
    loop {
        let (samples, ..) = collect(&mut known);
        if points(&samples, "node_filesystem_size_bytes").len() == 3 {
            break;
        }
        assert!(clock.monotonic() < deadline, "the mount answers, but its series do not come back");
    }
    // Told once when it begins and once when it ends, whatever the number of runs.
    assert_eq!(notes, [("mount_hangs", true), ("mount_hangs_no_more", true)]);
}

#[test]
fn a_container_s_own_mounts_are_not_published() {
    let root = tempfile::tempdir().unwrap();
    let mounts = "610 500 0:60 / / rw - overlay overlay rw\n\
                  620 610 8:1 /etc/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n";
    for dir in ["1", "self"] {
        fs::create_dir(root.path().join(dir)).unwrap();
        fs::write(root.path().join(dir).join("mountinfo"), mounts).unwrap();
    }
    let config = HostConfig { procfs: root.path().into(), ..HostConfig::default() };
    let mut subject = filesystem::subject(&config);
    for _ in 0..2 {
        let error = run(&mut subject, &mut Out::default()).unwrap_err().to_string();
        assert!(error.contains("-v /:/host:ro,rslave") && error.contains("host.rootfs"), "{error}");
    }
}

#[test]
fn mounts_below_the_host_s_root_lose_its_path() {
    let root = tempfile::tempdir().unwrap();
    let mounts = "610 500 0:60 / / rw - overlay overlay rw\n\
                  620 610 8:1 /etc/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n\
                  630 610 8:1 / /host ro - ext4 /dev/sda1 rw\n\
                  640 630 8:2 / /host/srv ro - ext4 /dev/sdb1 rw\n";
    for dir in ["1", "self"] {
        fs::create_dir(root.path().join(dir)).unwrap();
        fs::write(root.path().join(dir).join("mountinfo"), mounts).unwrap();
    }
    let config = HostConfig { procfs: root.path().into(), rootfs: "/host".into(), ..HostConfig::default() };
    let mut asked_for_path = filesystem::asking(&config, |path| {
        assert!(path.starts_with("/host"), "{}", path.display());
        Err(std::io::Error::from_raw_os_error(2))
    });
    let mut known = Known::default();
    let collected = run(&mut asked_for_path, &mut known.out).unwrap();
    let samples = known.take(&collected);
    let errors: Vec<_> = samples.iter().filter(|s| s.0 == "node_filesystem_device_error").collect();
    let points: Vec<_> = known.series.values().map(|(_, labels)| &*labels[1]).collect();
    assert_eq!(errors.len(), 2);
    assert!(points.contains(&"/") && points.contains(&"/srv"), "{points:?}");
}
