//! The subject `engine`: whether the engine answers, and what has happened to containers.

use taffrail_core::{CollectError, Out, Subject, metrics};

use crate::Parts;
use crate::inventory::{Engine, Inventory};

metrics! {
    /// Whether the engine's API answers (1) or not (0). Absent where there is no engine.
    UP: Gauge = "container_engine_up" [];
    /// What has happened to containers of a name since Taffrail was started: `start`, `die`, `oom`, `health` (its health
    /// check says something else), `destroy`, `deployment` (its service runs another image).
    EVENTS: Counter = "container_events_total" ["event", "name"];
}

/// The subject `engine`.
pub fn subject(parts: &Parts<'_>) -> Subject {
    let inventory = parts.inventory.clone();
    Subject::blocking("engine", METRICS, move |out| collect(&inventory, out))
}

fn collect(inventory: &Inventory, out: &mut Out) -> Result<(), CollectError> {
    let state = inventory.state();
    for (name, event, times) in state.counts.all() {
        out.put(&EVENTS, [event, name], times as f64);
    }
    match &state.engine {
        Engine::None | Engine::Unknown => Err(CollectError::Absent),
        Engine::Connected(_) => {
            out.put(&UP, [], 1.0);
            Ok(())
        }
        // That it is away was said by who keeps the inventory: the values that need it are those of before.
        Engine::Away(_) => {
            out.put(&UP, [], 0.0);
            Ok(())
        }
    }
}
