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
    /// Takes what it says into the container's statistics.
    pub read: fn(&[u8], &mut Stats) -> Result<(), Malformed>,
}

/// A file that is always read.
pub(crate) const fn read(
    controller: &'static str,
    file: &'static str,
    read: fn(&[u8], &mut Stats) -> Result<(), Malformed>,
) -> Source {
    Source { controller, file, full: false, read }
}

impl Source {
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
