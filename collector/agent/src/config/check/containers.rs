//! `containers`: roots, the engine's address, details and labels.

use std::time::Duration;

use taffrail_container::ContainerConfig;

use super::Checker;
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::valid::{Containers, Host};
use crate::config::written;

/// The most labels of containers that become labels of series.
const MAX_LABELS: usize = 20;

impl Checker<'_> {
    /// Without roots of its own, it looks where `host` does.
    pub(super) fn containers(
        &mut self,
        written: &written::Containers,
        host: Option<&Host>,
        interval: Duration,
    ) -> Containers {
        let interval = match written.interval {
            Field::Absent => interval,
            _ => self.interval(&written.interval, defaults::INTERVAL),
        };
        let mut config = ContainerConfig::default();
        if let Some(host) = host.map(|host| &host.config) {
            config.procfs.clone_from(&host.procfs);
            config.sysfs.clone_from(&host.sysfs);
            config.rootfs.clone_from(&host.rootfs);
        }
        let roots = [
            (&written.procfs, &mut config.procfs),
            (&written.sysfs, &mut config.sysfs),
            (&written.rootfs, &mut config.rootfs),
        ];
        for (field, root) in roots {
            let Some((at, path)) = field.good() else { continue };
            root.clone_from(&path.0);
            if !path.0.is_absolute() {
                self.fault(at, format!("`{}` is a relative path", path.0.display()), "write the whole path");
            }
        }
        config.engine = written.docker.get().map(|address| address.0.clone());
        config.full = written.detail.get() == Some(&written::Detail::Full);
        if let Some((at, labels)) = written.labels.good() {
            config.labels = labels.iter().filter_map(Field::get).map(|label| label.0.clone()).collect();
            self.container_labels(at, &config.labels);
        }
        let job = written.job.get().map_or(defaults::CONTAINERS_JOB, |job| &job.0).to_owned();
        Containers { job, interval, config }
    }

    fn container_labels(&mut self, at: crate::config::source::Span, labels: &[String]) {
        if labels.len() > MAX_LABELS {
            let what = format!("{} labels for every series of every container", labels.len());
            self.fault(at, what, format!("name at most {MAX_LABELS}"));
        }
        let names: Vec<_> =
            labels.iter().map(|label| taffrail_container::config::label_name(label)).collect();
        for (place, name) in names.iter().enumerate() {
            if let Some(other) = names[..place].iter().position(|other| other == name) {
                let what =
                    format!("the labels `{}` and `{}` both become `{name}`", labels[other], labels[place]);
                self.fault(at, what, "name one of them");
            }
        }
    }
}
