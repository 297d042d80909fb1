//! Interfaces that come, go and change their names, and another network than the host's.

use std::fs;
use std::path::Path;

use taffrail_core::{CollectError, Collected, Out, Subject};
use taffrail_host::{HostConfig, conntrack, netclass, netdev, nfs, tcpstat, udp_queues};

use crate::run;

struct Machine {
    dir: tempfile::TempDir,
    config: HostConfig,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = HostConfig {
            procfs: dir.path().join("proc"),
            sysfs: dir.path().join("sys"),
            ..HostConfig::default()
        };
        fs::create_dir_all(dir.path().join("proc/1/net")).unwrap();
        fs::create_dir_all(dir.path().join("sys/class/net")).unwrap();
        Machine { dir, config }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn add(&self, name: &str, index: u32) {
        for (file, text) in [("ifindex", &*index.to_string()), ("mtu", "1500"), ("operstate", "up")] {
            self.write(&format!("sys/class/net/{name}/{file}"), &format!("{text}\n"));
        }
        self.write(&format!("sys/class/net/{name}/statistics/rx_nohandler"), &format!("{index}\n"));
    }

    fn list(&self, names: &[&str]) {
        let columns = " 1".repeat(16);
        let lines: String = names.iter().map(|name| format!("{name}:{columns}\n")).collect();
        self.write("proc/1/net/dev", &format!("head\nhead\n{lines}"));
    }

    fn class(&self) -> &Path {
        &self.config.sysfs
    }
}

/// The devices of one family, with their values.
fn devices(subject: &mut Subject, out: &mut Out, family: &str) -> Result<Vec<(String, f64)>, CollectError> {
    // A fresh table each time, so that all series are new and have their labels.
    *out = Out::default();
    let Collected { new, samples, .. } = run(subject, out)?;
    let of_family = new.iter().filter(|(_, def)| def.family.name == family);
    let value = |series| samples.iter().find(|s| s.series == series).unwrap().value.to_f64();
    let mut found: Vec<_> =
        of_family.map(|(series, def)| (def.labels[0].1.to_string(), value(*series))).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

#[test]
fn interfaces_come_and_go_and_change_places() {
    let machine = Machine::new();
    machine.add("eth0", 2);
    machine.add("eth1", 3);
    machine.list(&["eth0", "eth1"]);
    let mut subject = netclass::subject(&machine.config);
    let mut out = Out::default();
    let mut ids = || devices(&mut subject, &mut out, "node_network_iface_id").unwrap();
    let pair = |name: &str, id: f64| (name.to_owned(), id);
    assert_eq!(ids(), [pair("eth0", 2.0), pair("eth1", 3.0)]);

    let class = machine.class().join("class/net");
    fs::rename(class.join("eth0"), class.join("old")).unwrap();
    fs::rename(class.join("eth1"), class.join("eth0")).unwrap();
    fs::rename(class.join("old"), class.join("eth1")).unwrap();
    assert_eq!(ids(), [pair("eth0", 3.0), pair("eth1", 2.0)], "names were exchanged");

    fs::remove_dir_all(class.join("eth1")).unwrap();
    machine.list(&["eth0"]);
    assert_eq!(ids(), [pair("eth0", 3.0)]);
}

#[test]
fn a_changed_value_is_seen_through_the_open_file() {
    let machine = Machine::new();
    machine.add("eth0", 2);
    machine.list(&["eth0"]);
    let mut subject = netclass::subject(&machine.config);
    let mut out = Out::default();
    let mut mtu = || devices(&mut subject, &mut out, "node_network_mtu_bytes").unwrap()[0].1;
    assert_eq!(mtu(), 1500.0);
    machine.write("sys/class/net/eth0/mtu", "9000\n");
    assert_eq!(mtu(), 9000.0);
}

#[test]
fn another_network_in_sysfs_is_refused_with_the_fix() {
    let machine = Machine::new();
    machine.add("eth0", 2);
    machine.list(&["eth0", "docker0"]);
    let mut out = Out::default();
    let mut class = netclass::subject(&machine.config);
    let error = devices(&mut class, &mut out, "node_network_up").unwrap_err().to_string();
    assert!(error.contains("-v /sys:/host/sys:ro"), "{error}");

    // Traffic is the host's all the same; only what sysfs alone knows is left out.
    let mut dev = netdev::subject(&machine.config);
    let count = |dev: &mut Subject, out: &mut Out, family| devices(dev, out, family).unwrap().len();
    assert_eq!(count(&mut dev, &mut out, "node_network_receive_bytes_total"), 2);
    assert_eq!(count(&mut dev, &mut out, "node_network_receive_nohandler_total"), 0);

    machine.add("docker0", 3);
    assert_eq!(count(&mut class, &mut out, "node_network_up"), 2);
    assert_eq!(count(&mut dev, &mut out, "node_network_receive_nohandler_total"), 2);
}

/// The values of one run, as they were written.
fn values(subject: &mut Subject) -> Result<Vec<f64>, CollectError> {
    let collected = run(subject, &mut Out::default())?;
    Ok(collected.samples.iter().map(|sample| sample.value.to_f64()).collect())
}

#[test]
fn a_file_may_come_with_a_module_and_go_with_it() {
    let machine = Machine::new();
    machine.list(&["eth0"]);
    let mut subject = nfs::subject(&machine.config);
    let file = machine.config.procfs.join("1/net/rpc/nfs");
    for _ in 0..2 {
        assert!(matches!(values(&mut subject), Err(CollectError::Absent)));
        machine.write("proc/1/net/rpc/nfs", "rpc 1 2 3\n");
        assert_eq!(values(&mut subject).unwrap(), [1.0, 2.0, 3.0]);
        machine.write("proc/1/net/rpc/nfs", "rpc 1 2\n");
        let error = values(&mut subject).unwrap_err().to_string();
        assert!(error.contains("1/net/rpc/nfs: expected a line of numbers"), "{error}");
        // What is open stays so; the kernel refuses to read what it has taken away, a file system does not.
        subject = nfs::subject(&machine.config);
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn connections_are_the_host_s_or_none() {
    let machine = Machine::new();
    machine.list(&["eth0"]);
    machine.write("proc/sys/net/netfilter/nf_conntrack_count", "7\n");
    machine.write("proc/sys/net/netfilter/nf_conntrack_max", "100\n");
    let mut subject = conntrack::subject(&machine.config);
    // The sysctl would show the number of a container's network.
    assert!(matches!(values(&mut subject), Err(CollectError::Absent)));
    machine.write("proc/1/net/stat/nf_conntrack", "entries found\n0000000a 00000001\n");
    assert_eq!(values(&mut subject).unwrap(), [10.0, 1.0, 100.0]);

    let machine = Machine::new();
    machine.list(&["eth0"]);
    machine.write("proc/sys/net/core/netdev_budget", "300\n");
    let mut subject = conntrack::subject(&machine.config);
    assert!(matches!(values(&mut subject), Err(CollectError::Absent)));
    machine.write("proc/sys/net/netfilter/nf_conntrack_count", "7\n");
    assert_eq!(values(&mut subject).unwrap(), [7.0]);
}

#[test]
fn a_machine_may_have_one_version_of_ip_or_none() {
    let machine = Machine::new();
    machine.list(&["eth0"]);
    let (mut tcp, mut udp) = (tcpstat::subject(&machine.config), udp_queues::subject(&machine.config));
    assert!(matches!(values(&mut tcp), Err(CollectError::Absent)));
    assert!(matches!(values(&mut udp), Err(CollectError::Absent)));
    let socket = "  sl  local\n   0: 0:1 0:2 01 00000002:00000003 00:0\n";
    machine.write("proc/1/net/tcp6", socket);
    machine.write("proc/1/net/udp6", socket);
    let states = values(&mut tcp).unwrap();
    assert_eq!((states.len(), states[0], states[11], states[12]), (13, 1.0, 3.0, 2.0));
    assert_eq!(values(&mut udp).unwrap(), [2.0, 3.0]);
}
