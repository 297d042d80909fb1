//! This machine, whatever it is: the real kernel's files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use taffrail_core::{Clock, CollectError, Collected, Out, Run, Subject};
use taffrail_host::{HostConfig, subjects, uname};

use crate::{MOUNTS, run};

/// Subjects that any Linux has, in a container too.
const EVERYWHERE: [&str; 8] = ["cpu", "stat", "loadavg", "meminfo", "vmstat", "uname", "time", "filefd"];

fn values(collected: &Collected) -> BTreeMap<&str, f64> {
    let value = |series| collected.samples.iter().find(|s| s.series == series).unwrap().value.to_f64();
    collected.new.iter().map(|(series, def)| (&*def.family.name, value(*series))).collect()
}

#[test]
fn the_kernel_s_own_files_are_understood() {
    let _mounts = MOUNTS.read().unwrap();
    let clock = Clock::system();
    let blocks = |subject: &Subject| matches!(subject.run, Run::Blocking(_));
    for mut subject in subjects(&HostConfig::default()).into_iter().filter(blocks) {
        let mut out = Out::default();
        let collected = match run(&mut subject, &mut out) {
            Ok(collected) => collected,
            // What a machine does not have, or a container does not see.
            Err(CollectError::Absent | CollectError::Other(_)) if !EVERYWHERE.contains(&&*subject.name) => {
                continue;
            }
            Err(error) => panic!("{}: {error}", subject.name),
        };
        assert_eq!(collected.duplicates, 0, "{}", subject.name);
        let values = values(&collected);
        match &*subject.name {
            "cpu" => assert!(values.contains_key("node_cpu_seconds_total")),
            "stat" => assert!(values["node_forks_total"] > 0.0 && values["node_procs_running"] >= 1.0),
            "meminfo" => assert!(values["node_memory_MemTotal_bytes"] > values["node_memory_MemFree_bytes"]),
            "time" => assert!((values["node_time_seconds"] - clock.now_ns() as f64 / 1e9).abs() < 60.0),
            "filefd" => assert!(values["node_filefd_maximum"] >= values["node_filefd_allocated"]),
            _ => {}
        }
        if EVERYWHERE.contains(&&*subject.name) {
            let again = run(&mut subject, &mut out).unwrap();
            assert_eq!(again.samples.len(), collected.samples.len(), "{}", subject.name);
            assert!(again.new.is_empty() && again.gone.is_empty(), "{}", subject.name);
        }
    }
}

fn nodename(subject: &mut Subject) -> String {
    run(subject, &mut Out::default()).unwrap().new[0].1.labels[4].1.to_string()
}

#[test]
fn the_node_s_name_is_the_host_s() {
    let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
    assert_eq!(nodename(&mut uname::subject(&HostConfig::default())), own);
    let rootfs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/typical/root");
    let config = HostConfig { rootfs, ..HostConfig::default() };
    let mut subject = uname::subject(&config);
    assert_eq!((nodename(&mut subject), nodename(&mut subject)), ("web-1".into(), "web-1".into()));
}
