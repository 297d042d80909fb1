//! `host`: roots, and subjects with the options that they have.

use std::time::Duration;

use taffrail_host::config::{HostConfig, Schedule};

use super::{Checker, bounds};
use crate::config::de::nearest;
use crate::config::defaults;
use crate::config::field::{Field, OneOf};
use crate::config::source::Span;
use crate::config::subjects::Subject;
use crate::config::valid::Host;
use crate::config::written;

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
        for folder in written.textfile.get().into_iter().flatten().filter_map(Field::get) {
            config.textfile.push(folder.0.clone());
        }
        for (name, setting) in written.subjects.get().into_iter().flat_map(|subjects| &subjects.0) {
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
        let mut known: Vec<&'static str> =
            taffrail_host::SUBJECTS.iter().map(|subject| subject.name).collect();
        known.sort_unstable();
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
                subject.apply(name, config);
            }
        }
        config.schedules.insert(name, schedule);
    }
}
