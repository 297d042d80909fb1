//! Hardware that comes, goes and fails while a subject runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use taffrail_core::{Clock, CollectError, Out, Pattern, Subject};
use taffrail_host::{HostConfig, cpufreq, dmi, hwmon, nvme, rapl, thermal_zone};

use crate::run;

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn config(root: &Path) -> HostConfig {
    HostConfig { sysfs: root.into(), ..HostConfig::default() }
}

/// A subject, with the series that it has now as `name label label`, sorted.
struct Shown {
    subject: Subject,
    out: Out,
    shown: Vec<(taffrail_core::SeriesRef, String)>,
}

impl Shown {
    fn new(subject: Subject) -> Self {
        Shown { subject, out: Out::default(), shown: Vec::new() }
    }

    fn run(&mut self) -> Vec<&str> {
        let collected = run(&mut self.subject, &mut self.out).unwrap();
        self.shown.retain(|(series, _)| !collected.gone.contains(series));
        for (series, def) in &collected.new {
            let labels = def.labels.iter().map(|(_, value)| format!(" {value}"));
            self.shown.push((*series, def.family.name.clone() + &labels.collect::<String>()));
        }
        let mut names: Vec<_> = self.shown.iter().map(|(_, name)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

fn chip(root: &Path, number: u32, name: &str) {
    let folder = format!("class/hwmon/hwmon{number}");
    write(root, &format!("{folder}/name"), name);
    write(root, &format!("{folder}/temp{number}_input"), "1000\n");
    fs::create_dir_all(root.join("devices/platform/asus.0")).unwrap();
    symlink("../../../devices/platform/asus.0", root.join(folder).join("device")).unwrap();
}

#[test]
fn chips_of_one_device_come_and_go() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let mut hwmon = Shown::new(hwmon::subject(&config(root)));
    assert!(matches!(run(&mut hwmon.subject, &mut Out::default()), Err(CollectError::Absent)));
    chip(root, 1, "fans");
    let alone =
        ["node_hwmon_chip_names platform_asus_0 fans", "node_hwmon_temp_celsius platform_asus_0 temp1"];
    assert_eq!(hwmon.run(), alone);
    chip(root, 2, "wmi");
    assert_eq!(
        hwmon.run(),
        [
            "node_hwmon_chip_names platform_asus_0_fans fans",
            "node_hwmon_chip_names platform_asus_0_wmi wmi",
            "node_hwmon_temp_celsius platform_asus_0_fans temp1",
            "node_hwmon_temp_celsius platform_asus_0_wmi temp2",
        ]
    );
    fs::remove_dir_all(root.join("class/hwmon/hwmon2")).unwrap();
    assert_eq!(hwmon.run(), alone);
    // A sensor without a value is left out until it has one again.
    fs::write(root.join("class/hwmon/hwmon1/temp1_input"), "").unwrap();
    assert_eq!(hwmon.run(), alone[..1]);
    fs::write(root.join("class/hwmon/hwmon1/temp1_input"), "2000\n").unwrap();
    assert_eq!(hwmon.run(), alone);
}

#[test]
fn chips_and_sensors_are_left_out_by_their_labels() {
    let root = tempfile::tempdir().unwrap();
    chip(root.path(), 1, "fans");
    write(root.path(), "class/hwmon/hwmon9/name", "other\n");
    let mut config = config(root.path());
    config.hwmon.chips.exclude = Pattern::new("^other$").ok();
    config.hwmon.sensors.exclude = Pattern::new("^platform_asus_0;temp1$").ok();
    let mut hwmon = Shown::new(hwmon::subject(&config));
    assert_eq!(hwmon.run(), ["node_hwmon_chip_names platform_asus_0 fans"]);
}

#[test]
fn a_cpu_that_goes_offline_has_no_frequency() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    write(root, "devices/system/cpu/offline", "\n");
    for cpu in 0..2 {
        write(root, &format!("devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq"), "1000\n");
    }
    let mut cpufreq = Shown::new(cpufreq::subject(&config(root), &Clock::system()));
    let name = "node_cpu_scaling_frequency_hertz";
    let both = [format!("{name} 0"), format!("{name} 1")];
    assert_eq!(cpufreq.run(), both);
    fs::write(root.join("devices/system/cpu/offline"), "1\n").unwrap();
    assert_eq!(cpufreq.run(), both[..1]);
    fs::write(root.join("devices/system/cpu/offline"), "\n").unwrap();
    assert_eq!(cpufreq.run(), both);
}

#[test]
fn cpus_that_share_a_policy_have_one_frequency() {
    let root = tempfile::tempdir().unwrap();
    let cpus = root.path().join("devices/system/cpu");
    write(&cpus, "cpufreq/policy0/scaling_cur_freq", "1000\n");
    for cpu in 0..2 {
        fs::create_dir_all(cpus.join(format!("cpu{cpu}"))).unwrap();
        symlink("../cpufreq/policy0", cpus.join(format!("cpu{cpu}/cpufreq"))).unwrap();
    }
    let mut cpufreq = Shown::new(cpufreq::subject(&config(root.path()), &Clock::system()));
    assert_eq!(cpufreq.run().len(), 2);
}

#[test]
fn a_namespace_is_seen_within_a_minute() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    write(root, "class/nvme/nvme0/model", "x\n");
    let mut nvme = Shown::new(nvme::subject(&config(root)));
    assert_eq!(nvme.run().len(), 1);
    write(root, "class/nvme/nvme0/nvme0n1/size", "8\n");
    let runs = (1..=4).position(|_| nvme.run().len() == 4);
    assert!(runs.is_some(), "not within four runs");
}

#[test]
fn what_nobody_may_read_is_silence() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    write(root, "class/powercap/intel-rapl:0/name", "package-0\n");
    write(root, "class/dmi/id/modalias", "dmi:\n");
    for mut subject in [rapl::subject(&config(root)), dmi::subject(&config(root))] {
        let result = run(&mut subject, &mut Out::default());
        assert!(matches!(result, Err(CollectError::Absent)), "{}", subject.name);
    }
    write(root, "class/powercap/intel-rapl:0/energy_uj", "1\n");
    assert_eq!(run(&mut rapl::subject(&config(root)), &mut Out::default()).unwrap().samples.len(), 1);
}

#[test]
fn an_empty_class_is_no_error() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("class/thermal")).unwrap();
    let mut subject = thermal_zone::subject(&config(root.path()));
    assert!(run(&mut subject, &mut Out::default()).unwrap().samples.is_empty());
}

#[test]
fn the_temperature_of_a_zone_has_no_more_digits_than_the_kernel_gives() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "class/thermal/thermal_zone0/temp", "20400\n");
    let collected = run(&mut thermal_zone::subject(&config(root.path())), &mut Out::default()).unwrap();
    assert_eq!(collected.samples[0].value.to_f64(), 20.4);
}
