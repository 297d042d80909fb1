//! One device, pool or node that is odd: the others are still published.

use std::fs;
use std::path::Path;

use taffrail_core::{CollectError, Out};

use crate::golden::subjects;
use crate::hostile::copy;
use crate::run;

/// How many series a subject has in a copy of the fixture `case`, before something is done to it and when folders were
/// listed again.
fn series(case: &str, subject: &str, change: impl FnOnce(&Path)) -> (usize, Result<usize, CollectError>) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(case);
    let root = tempfile::tempdir().unwrap();
    let root = root.path().join(case);
    copy(&fixture, &root);
    let mut subjects = subjects(&root);
    let subject = subjects.iter_mut().find(|s| s.name == subject).unwrap();
    let mut out = Out::default();
    let before = run(subject, &mut out).unwrap().samples.len();
    change(&root);
    let after = (0..5).map(|_| run(subject, &mut out).map(|collected| collected.samples.len())).last();
    (before, after.unwrap())
}

#[test]
fn an_odd_one_does_not_hide_the_others() {
    let write =
        |path: &'static str, text: &'static str| move |root: &Path| fs::write(root.join(path), text).unwrap();
    for (subject, path, lost) in [
        ("zfs", "proc/spl/kstat/zfs/tank/objset-0x36", 4),
        ("zfs", "proc/spl/kstat/zfs/tank/io", 12),
        ("zfs", "proc/spl/kstat/zfs/arcstats", 5),
        ("bcache", "sys/fs/bcache/deaddd54-c735-46d5-868e-f331c5fd7c74/tree_depth", 1),
        ("btrfs", "sys/fs/btrfs/0abb23a9-579b-43e6-ad30-227ef47fcb9d/commit_stats", 4),
    ] {
        let (before, after) = series("hardware", subject, write(path, "x"));
        assert_eq!(after.unwrap(), before - lost, "{path}");
    }
    // The only one there is: its error is the subject's.
    let (_, after) = series("hardware", "xfs", write("sys/fs/xfs/sda1/stats/stats", "rw x y\n"));
    assert!(after.unwrap_err().to_string().contains("sda1/stats/stats: expected a line of numbers"));
}

#[test]
fn what_vanishes_between_list_and_read_is_left_out() {
    let remove = |path: &'static str| move |root: &Path| fs::remove_dir_all(root.join(path)).unwrap();
    let (before, after) = series("hardware", "zfs", remove("proc/spl/kstat/zfs/pool 2"));
    assert!(before > after.unwrap());
    let (before, after) = series("typical", "processes", remove("proc/812"));
    assert!(before > after.unwrap());
    let (_, after) = series("hardware", "xfs", remove("sys/fs/xfs"));
    assert!(matches!(after, Err(CollectError::Absent)));
}

#[test]
fn a_btrfs_that_goes_while_it_is_read_has_no_numbers() {
    let root = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hardware"), root.path());
    let uuid = "0abb23a9-579b-43e6-ad30-227ef47fcb9d";
    fs::remove_file(root.path().join("sys/fs/btrfs").join(uuid).join("label")).unwrap();
    let mut subjects = subjects(root.path());
    let subject = subjects.iter_mut().find(|s| s.name == "btrfs").unwrap();
    let collected = run(subject, &mut Out::default()).unwrap();
    assert!(!collected.new.is_empty(), "the other one is there");
    let of_it = collected.new.iter().filter(|(_, def)| def.labels.iter().any(|(_, value)| **value == *uuid));
    assert_eq!(of_it.count(), 0);
}
