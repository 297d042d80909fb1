//! `host`: roots, and subjects with the options that they have.

use std::time::Duration;

use taffrail_core::pattern::Filter;
use taffrail_host::config::{HostConfig, Schedule};

use super::{Checker, bounds};
use crate::config::de::nearest;
use crate::config::defaults;
use crate::config::field::{Field, OneOf};
use crate::config::scalar::Regex;
use crate::config::source::Span;
use crate::config::valid::Host;
use crate::config::written::{self, Subject};

/// Subjects whose devices can be chosen.
const WITH_DEVICES: &[&str] = &["diskstats", "netdev", "netclass"];

impl Checker<'_> {
    pub(super) fn host(&mut self, written: &written::Host, interval: Duration) -> Host {
        let interval = match written.interval {
            Field::Absent => interval,
            _ => self.interval(&written.interval, defaults::INTERVAL),
        };
        let mut config = HostConfig::default();
        // Whether the folders are there shows when the exporter starts: a file is often checked on another machine.
        let roots = [
            (&written.procfs, &mut config.procfs),
            (&written.sysfs, &mut config.sysfs),
            (&written.rootfs, &mut config.rootfs),
            (&written.udev, &mut config.udev),
        ];
        for (field, root) in roots {
            let Some((at, path)) = field.good() else { continue };
            root.clone_from(&path.0);
            if !path.0.is_absolute() {
                self.fault(at, format!("`{}` is a relative path", path.0.display()), "write the whole path");
            }
        }
        for (name, setting) in written.subjects.get().into_iter().flatten() {
            self.subject(name, setting, written.subjects.span(), &mut config);
        }
        let job = written.job.get().map_or(defaults::HOST_JOB, |job| &job.0).to_owned();
        Host { job, interval, config }
    }

    fn subject(
        &mut self,
        name: &str,
        setting: &Field<OneOf<bool, Subject>>,
        all: Option<Span>,
        config: &mut HostConfig,
    ) {
        let at = setting.span().or(all).unwrap_or_default();
        let known: Vec<&'static str> = taffrail_host::SUBJECTS.iter().map(|subject| subject.name).collect();
        let Some(name) = known.iter().find(|known| **known == name).copied() else {
            let guess = nearest(name, known.iter().copied());
            let guess = guess.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default();
            let help = format!("subjects of this version: {}", known.join(", "));
            self.fault(at, format!("unknown subject `{name}`{guess}"), help);
            return;
        };
        let mut schedule = Schedule::default();
        match setting.get() {
            None => return,
            Some(OneOf::Short(on)) => schedule.on = *on,
            Some(OneOf::Long(subject)) => {
                if !matches!(subject.interval, Field::Absent) {
                    schedule.interval = Some(self.interval(&subject.interval, defaults::INTERVAL));
                }
                let budget = bounds(Duration::from_millis(10), Duration::from_secs(60));
                schedule.budget = self.duration(&subject.budget, defaults::BUDGET, &budget);
                self.options(name, subject, config);
            }
        }
        config.schedules.insert(name, schedule);
    }

    fn options(&mut self, name: &str, subject: &Subject, config: &mut HostConfig) {
        let fs: &[&str] = &["filesystem"];
        let given = [
            ("include_devices", subject.include_devices.span(), WITH_DEVICES),
            ("exclude_devices", subject.exclude_devices.span(), WITH_DEVICES),
            ("include_mount_points", subject.include_mount_points.span(), fs),
            ("exclude_mount_points", subject.exclude_mount_points.span(), fs),
            ("include_fs_types", subject.include_fs_types.span(), fs),
            ("exclude_fs_types", subject.exclude_fs_types.span(), fs),
            ("fields", subject.fields.span(), &["vmstat"]),
            ("guest", subject.guest.span(), &["cpu"]),
            ("softirq", subject.softirq.span(), &["stat"]),
            ("ignore_invalid_speed", subject.ignore_invalid_speed.span(), &["netclass"]),
        ];
        for (option, at, subjects) in given {
            if let Some(at) = at.filter(|_| !subjects.contains(&name)) {
                let what = format!("the subject `{name}` has no `{option}`");
                self.fault(at, what, format!("it belongs to {}", subjects.join(", ")));
            }
        }
        let devices = match name {
            "diskstats" => Some(&mut config.diskstats),
            "netdev" => Some(&mut config.netdev),
            "netclass" => Some(&mut config.netclass.devices),
            _ => None,
        };
        if let Some(filter) = devices {
            choose(filter, &subject.include_devices, &subject.exclude_devices);
        }
        choose(
            &mut config.filesystem.mount_points,
            &subject.include_mount_points,
            &subject.exclude_mount_points,
        );
        choose(&mut config.filesystem.fs_types, &subject.include_fs_types, &subject.exclude_fs_types);
        choose(&mut config.vmstat, &subject.fields, &Field::Absent);
        set(&mut config.cpu.guest, &subject.guest);
        set(&mut config.stat.softirq, &subject.softirq);
        set(&mut config.netclass.ignore_invalid_speed, &subject.ignore_invalid_speed);
    }
}

/// Replaces a filter by what is written. Who names what to include wants just that: the default exclusion goes.
fn choose(filter: &mut Filter, include: &Field<Regex>, exclude: &Field<Regex>) {
    if matches!((include, exclude), (Field::Absent, Field::Absent)) {
        return;
    }
    let pattern = |field: &Field<Regex>| field.get().map(|regex| regex.0.clone());
    *filter = Filter { include: pattern(include), exclude: pattern(exclude) };
}

fn set(option: &mut bool, field: &Field<bool>) {
    if let Some(value) = field.get() {
        *option = *value;
    }
}
