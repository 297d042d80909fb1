//! What is remembered of containers goes with them.

use std::fs;
use std::path::{Path, PathBuf};

use taffrail_core::cost;

use super::*;
use crate::inventory;

/// So many containers live for one collection, a hundred at a time. The benches let five times as many.
const SHORT_LIVED: usize = 2000;
const AT_A_TIME: usize = 100;
/// Beside these, which stay.
const STAY: usize = 10;

fn cgroup(tree: &Path, number: usize) -> PathBuf {
    // Every other one is in a pod.
    match number % 2 {
        0 => tree.join(format!("docker/{number:064x}")),
        _ => tree.join(format!("kubepods/pod0a1b2c3d-1111-2222-3333-{number:012x}/{number:064x}")),
    }
}

fn start(tree: &Path, number: usize) {
    let folder = cgroup(tree, number);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("memory.events"), "oom_kill 1\n").unwrap();
    fs::write(folder.join("cpu.stat"), "usage_usec 7\n").unwrap();
}

fn end(tree: &Path, number: usize) {
    let folder = cgroup(tree, number);
    let pod = folder.parent().filter(|parent| !parent.ends_with("docker"));
    fs::remove_dir_all(pod.unwrap_or(&folder)).unwrap();
}

/// How much of everything is held: cgroups, labels, kills, pods, files.
fn held(usage: &Usage) -> [usize; 5] {
    let files = usize::try_from(cost::tally().held_files).unwrap();
    [usage.live.len(), usage.directory.all().len(), usage.kills.len(), usage.pods.len(), files]
}

#[test]
fn nothing_is_left_of_short_lived_containers() {
    let temp = tempfile::tempdir().unwrap();
    let tree = temp.path().join("sys/fs/cgroup");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("cgroup.controllers"), "cpu memory\n").unwrap();
    let root = |name: &str| temp.path().join(name);
    let config = ContainerConfig {
        procfs: root("proc"),
        sysfs: root("sys"),
        rootfs: root("root"),
        engine: Some(inventory::Address::Unix(root("none.sock"))),
        ..ContainerConfig::default()
    };
    // Nobody keeps it: without an engine, the first run waits for half a second.
    let (inventory, _keeper) = inventory::new(&config, &Clock::manual(0), |_| {});
    let parts = Parts {
        config: &config,
        inventory: &inventory,
        clock: &Clock::manual(0),
        directory: Directory::default(),
    };
    let mut usage = Usage::new(&parts);
    let mut out = Out::default();
    let mut run = |usage: &mut Usage| {
        out.begin(0);
        usage.collect(&mut out).unwrap();
        out.finish().samples.len()
    };
    (0..STAY).for_each(|number| start(&tree, number));
    // Looked for more than once: links of pods come late, files that are not there are looked for again.
    for _ in 0..8 {
        run(&mut usage);
    }
    let (before, samples) = (held(&usage), run(&mut usage));
    assert!(before[0] == STAY + 1 && before[2] == STAY && before[3] == STAY / 2, "{before:?}");
    for first in (STAY..STAY + SHORT_LIVED).step_by(AT_A_TIME) {
        let numbers = first..first + AT_A_TIME;
        numbers.clone().for_each(|number| start(&tree, number));
        assert!(run(&mut usage) > samples + AT_A_TIME);
        numbers.for_each(|number| end(&tree, number));
        assert_eq!(run(&mut usage), samples);
    }
    for _ in 0..8 {
        run(&mut usage);
    }
    assert_eq!(held(&usage), before);
}
