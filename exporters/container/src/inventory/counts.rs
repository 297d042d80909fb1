//! How often what has happened to containers, by their names.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::event::What;

/// Counts by name of a container. A container that is made anew under its name goes on counting.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    by_name: HashMap<Arc<str>, Count>,
    /// Kills for lack of memory by container's id.
    ooms: HashMap<Arc<str>, u64>,
}

#[derive(Clone, Debug, Default)]
struct Count {
    events: Vec<(&'static str, u64)>,
    last: Duration,
}

/// The most names that are kept. Containers without a name of their own get one that is never seen again.
const MAX_NAMES: usize = 1000;
/// How long a name is kept that no container has any more.
const KEPT: Duration = Duration::from_secs(600);

impl Counts {
    /// Counts an event at `now`, a monotonic time.
    pub fn add(&mut self, name: &str, id: &Arc<str>, what: &What, now: Duration) {
        match what {
            What::Oom => *self.ooms.entry(id.clone()).or_default() += 1,
            What::Destroy => drop(self.ooms.remove(id)),
            _ => {}
        }
        if !self.by_name.contains_key(name) && self.by_name.len() >= MAX_NAMES {
            self.forget_oldest();
        }
        let count = self.by_name.entry(name.into()).or_default();
        count.last = now;
        let event = what.name();
        match count.events.iter_mut().find(|(known, _)| *known == event) {
            Some((_, times)) => *times += 1,
            None => count.events.push((event, 1)),
        }
    }

    /// Forgets names that no container has any more, some time after the last event; `lives` says whether one has it.
    pub fn forget(&mut self, now: Duration, lives: impl Fn(&str) -> bool) {
        self.by_name.retain(|name, count| now < count.last + KEPT || lives(name));
    }

    /// Kills of a container for lack of memory that the engine told of.
    pub fn ooms(&self, id: &str) -> u64 {
        self.ooms.get(id).copied().unwrap_or(0)
    }

    /// Forgets the kills of containers that are gone.
    pub fn forget_ids(&mut self, lives: impl Fn(&str) -> bool) {
        self.ooms.retain(|id, _| lives(id));
    }

    /// Name, event and count, sorted.
    pub fn all(&self) -> Vec<(&str, &'static str, u64)> {
        let mut all: Vec<_> = self
            .by_name
            .iter()
            .flat_map(|(name, count)| count.events.iter().map(|(event, times)| (&**name, *event, *times)))
            .collect();
        all.sort_unstable();
        all
    }

    fn forget_oldest(&mut self) {
        let oldest = self.by_name.iter().min_by_key(|(_, count)| count.last).map(|(name, _)| name.clone());
        if let Some(name) = oldest {
            self.by_name.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_by_name_and_forgotten() {
        let mut counts = Counts::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let second = Duration::from_secs(1);
        counts.add("web", &a, &What::Start, second);
        counts.add("web", &b, &What::Start, second);
        counts.add("web", &b, &What::Oom, second);
        counts.add("db", &a, &What::Die(None), second);
        assert_eq!(counts.all(), [("db", "die", 1), ("web", "oom", 1), ("web", "start", 2)]);
        assert_eq!((counts.ooms("a"), counts.ooms("b")), (0, 1));
        counts.forget(second + KEPT, |name| name == "db");
        assert_eq!(counts.all(), [("db", "die", 1)]);
        counts.add("web", &b, &What::Destroy, second);
        assert_eq!(counts.ooms("b"), 0);
    }

    #[test]
    fn names_are_bounded() {
        let mut counts = Counts::default();
        let id: Arc<str> = "a".into();
        for i in 0..MAX_NAMES as u64 + 5 {
            counts.add(&i.to_string(), &id, &What::Start, Duration::from_secs(i));
        }
        assert_eq!(counts.by_name.len(), MAX_NAMES);
        assert!(!counts.by_name.contains_key("4") && counts.by_name.contains_key("5"));
    }
}
