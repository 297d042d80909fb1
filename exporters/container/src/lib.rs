//! The container exporter: what each container of this machine uses, named, typed and labelled as cAdvisor does; and the
//! inventory of containers, which others share.
//!
//! Numbers come from the cgroup files, found by path whatever engine made them; names, images, labels and health from the
//! engine's API. So numbers go on when the engine is away.
//!
//! One file a subject, and one line in [`SUBJECTS`].

mod block_device;
mod cgroup;
pub mod config;
mod dimms;
mod directory;
mod disk;
mod engine;
mod files;
mod folder;
mod hugetlb;
mod identity;
pub mod inventory;
mod kills;
pub mod layout;
mod machine;
mod meminfo;
mod mount;
pub mod network;
mod nodes;
mod numa;
pub mod place;
mod pods;
pub mod pressure;
pub mod process;
pub mod proxy;
mod scan;
pub mod source;
pub mod stats;
mod topology;
mod usage;
mod v1;
mod v2;
pub mod walk;
mod write;

use taffrail_core::{Clock, Exporter, Metric, Subject};

pub use config::ContainerConfig;
pub use inventory::Inventory;
pub use scan::Malformed;

use directory::Directory;

/// A subject of this exporter, as the reference knows it.
#[derive(Debug)]
pub struct About {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub description: &'static str,
    /// What it may publish.
    pub metrics: &'static [&'static Metric],
    make: fn(&Parts<'_>) -> Subject,
}

/// What subjects are made of.
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a ContainerConfig,
    pub(crate) inventory: &'a Inventory,
    pub(crate) clock: &'a Clock,
    pub(crate) directory: Directory,
}

/// All subjects. A new one is its file and its line here.
pub static SUBJECTS: &[About] = &[
    About {
        name: "usage",
        description: "What each container uses, is allowed and waits for; its network, health and restarts.",
        metrics: write::METRICS,
        make: usage::subject,
    },
    About {
        name: "disk",
        description: "What each container has written over its image, and the room on the engine's disk.",
        metrics: disk::METRICS,
        make: disk::subject,
    },
    About {
        name: "engine",
        description: "Whether the engine answers, and what happened to containers.",
        metrics: engine::METRICS,
        make: engine::subject,
    },
    About {
        name: "machine",
        description: "CPUs, memory and NUMA nodes of the machine, and versions.",
        metrics: machine::METRICS,
        make: machine::subject,
    },
];

/// The subjects, by any clock.
pub fn subjects(config: &ContainerConfig, inventory: &Inventory, clock: &Clock) -> Vec<Subject> {
    let parts = Parts { config, inventory, clock, directory: Directory::default() };
    SUBJECTS.iter().map(|about| (about.make)(&parts)).collect()
}

/// The exporter `container`, whose series carry `job` (`cadvisor` by default). The inventory is kept by whoever runs its
/// keeper.
pub fn exporter(config: &ContainerConfig, inventory: &Inventory, clock: &Clock, job: &str) -> Exporter {
    Exporter {
        name: "container",
        job: job.to_owned(),
        subjects: subjects(config, inventory, clock),
        duration: None,
        success: None,
    }
}

/// Every metric that this exporter can publish.
pub fn catalogue() -> Vec<&'static Metric> {
    SUBJECTS.iter().flat_map(|about| about.metrics).copied().collect()
}
