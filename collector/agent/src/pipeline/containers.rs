//! The exporter of containers, and what keeps the inventory that it looks into.

use std::sync::Arc;

use taffrail_container::inventory;

use super::Pipeline;
use super::part::Part;
use crate::component::Key;
use crate::config::Containers;
use crate::contain::keep_running;
use crate::metrics::Identity;

impl Pipeline {
    /// Starts both; they stop together.
    pub(super) fn start_containers(&self, key: &Key, containers: &Containers, identity: &Identity) -> Part {
        let (notes, clock) = (self.notes.clone(), self.shared.clock.clone());
        let (inventory, keeper) = inventory::new(&containers.config, &clock, move |note| notes.send(note));
        let make = containers.clone();
        let exporter = move || taffrail_container::exporter(&make.config, &inventory, &clock, &make.job);
        let part = self.start_exporter(key, exporter, containers.interval, identity.clone());
        if let Part::Exporter { stop, .. } = &part {
            let (keeper, stop) = (Arc::new(keeper), stop.clone());
            tokio::spawn(keep_running("the inventory of containers".into(), move || {
                let (keeper, stop) = (keeper.clone(), stop.clone());
                async move { keeper.run(stop).await }
            }));
        }
        part
    }
}
