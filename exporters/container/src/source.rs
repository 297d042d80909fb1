//! The cgroup files that are read, as tables: which file of which controller, and what reads it.

use crate::scan::Malformed;
use crate::stats::Stats;
use crate::{v1, v2};

/// One file of a container's cgroup.
#[derive(Debug)]
pub struct Source {
    /// Its controller's folder, in version 1.
    pub controller: &'static str,
    /// Its name.
    pub file: &'static str,
    /// Whether it is read only when all details are asked for.
    pub full: bool,
    /// When it is read.
    pub pace: Pace,
    /// Takes what it says into the container's statistics.
    pub read: fn(&[u8], &mut Stats) -> Result<(), Malformed>,
}

/// When a file is read. To open and read one costs the kernel some four microseconds, and a container has twenty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// In each reading.
    Each,
    /// A setting, which goes into [`crate::stats::Limits`]: it says the same until somebody changes it, so it is looked at
    /// seldom.
    Setting,
    /// What is counted only where there is a quota of CPU time, and told only then: with the settings, and in each reading
    /// when they name a quota.
    Quota,
    /// In each reading once it tells of a device (`8:0 …`). Until then it is looked at seldom.
    Devices,
}

/// A file that is read in each reading.
pub(crate) const fn read(
    controller: &'static str,
    file: &'static str,
    read: fn(&[u8], &mut Stats) -> Result<(), Malformed>,
) -> Source {
    Source { controller, file, full: false, pace: Pace::Each, read }
}

impl Source {
    /// The same, at another pace.
    pub(crate) const fn at(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// The same, read only when all details are asked for.
    pub(crate) const fn full(mut self) -> Self {
        self.full = true;
        self
    }
}

/// The files of a version of cgroups.
pub fn table(v2: bool) -> &'static [Source] {
    if v2 { v2::SOURCES } else { v1::SOURCES }
}
