//! The engines of containers that are looked at: one inventory for each, however many parts look into it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use taffrail_container::inventory::{self, Address};
use taffrail_container::{ContainerConfig, Inventory};
use taffrail_core::Clock;
use tokio_util::sync::CancellationToken;

use crate::contain::keep_running;
use crate::logs::Notes;
use crate::status::lock;

/// The inventories that are kept now.
#[derive(Clone, Debug, Default)]
pub struct Engines(Arc<Mutex<Vec<Kept>>>);

type Kept = (Place, Weak<Engine>);

/// Where an engine is looked for: what makes two parts look into the same inventory.
type Place = (Option<Address>, PathBuf);

/// One engine's inventory. It is kept until the last part that looks into it lets it go.
#[derive(Debug)]
pub struct Engine {
    inventory: Inventory,
    stop: CancellationToken,
}

impl Engines {
    /// The inventory of the engine that `config` names, which from now on is kept if it was not yet. To be called within
    /// the runtime.
    pub fn get(&self, config: &ContainerConfig, clock: &Clock, notes: &Notes) -> Arc<Engine> {
        let place = (config.engine.clone(), config.rootfs.clone());
        let mut kept = lock(&self.0);
        kept.retain(|(_, engine)| engine.strong_count() > 0);
        let there = kept.iter().find(|(other, _)| *other == place);
        if let Some(engine) = there.and_then(|(_, engine)| engine.upgrade()) {
            return engine;
        }
        let notes = notes.clone();
        let (inventory, keeper) = inventory::new(config, clock, move |note| notes.send(note));
        let engine = Arc::new(Engine { inventory, stop: CancellationToken::new() });
        let (keeper, stop) = (Arc::new(keeper), engine.stop.clone());
        tokio::spawn(keep_running("the inventory of containers".into(), move || {
            let (keeper, stop) = (keeper.clone(), stop.clone());
            async move { keeper.run(stop).await }
        }));
        kept.push((place, Arc::downgrade(&engine)));
        engine
    }
}

impl Engine {
    /// What is known of its containers.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_inventory_for_each_engine() {
        let (engines, clock) = (Engines::default(), Clock::manual(1));
        let (notes, _source) = Notes::new(clock.clone());
        let at = |path: &str| ContainerConfig {
            engine: Some(Address::Unix(path.into())),
            ..ContainerConfig::default()
        };
        let metrics = engines.get(&at("/none/a"), &clock, &notes);
        let logs = engines.get(&at("/none/a"), &clock, &notes);
        assert!(Arc::ptr_eq(&metrics, &logs));
        assert!(!Arc::ptr_eq(&metrics, &engines.get(&at("/none/b"), &clock, &notes)));
        let stopped = metrics.stop.clone();
        drop(metrics);
        assert!(!stopped.is_cancelled(), "the logs still look into it");
        drop(logs);
        assert!(stopped.is_cancelled());
        let anew = engines.get(&at("/none/a"), &clock, &notes);
        assert!(!anew.stop.is_cancelled());
    }
}
