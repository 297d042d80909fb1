//! The exporter of containers, with the inventory that it looks into.

use super::Pipeline;
use super::part::Part;
use crate::component::Key;
use crate::config::Containers;
use crate::metrics::Identity;

impl Pipeline {
    /// Starts it; the inventory is kept for as long as it runs, or another part looks into it.
    pub(super) fn start_containers(&self, key: &Key, containers: &Containers, identity: &Identity) -> Part {
        let clock = self.shared.clock.clone();
        let engine = self.engines.get(&containers.config, &clock, &self.notes);
        let make = containers.clone();
        let exporter =
            move || taffrail_container::exporter(&make.config, engine.inventory(), &clock, &make.job);
        self.start_exporter(key, exporter, containers.interval, identity.clone())
    }
}
