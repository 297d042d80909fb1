//! Components: what a reload keeps, restarts, starts and stops, told by kind and name.

use std::collections::BTreeMap;
use std::fmt;

/// What a component is called: folders, positions, cursors and metrics use it, never a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// `exporter`, `files`, `prometheus`, `loki`.
    pub kind: &'static str,
    /// Its name in the config; by default the kind.
    pub name: String,
}

impl Key {
    /// The key of the component `name` of `kind`.
    pub fn new(kind: &'static str, name: impl Into<String>) -> Self {
        Key { kind, name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == self.name { f.write_str(self.kind) } else { write!(f, "{}/{}", self.kind, self.name) }
    }
}

/// What a reload has to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan<'a, C> {
    /// Equal in both: goes on undisturbed.
    pub keep: Vec<Key>,
    /// In both, but not equal: settled, then started anew with its cursor.
    pub change: Vec<(Key, &'a C)>,
    /// New.
    pub start: Vec<(Key, &'a C)>,
    /// No longer wanted.
    pub stop: Vec<Key>,
}

/// Compares what runs with what is wanted.
pub fn plan<'a, C: PartialEq>(running: &BTreeMap<Key, C>, wanted: &'a BTreeMap<Key, C>) -> Plan<'a, C> {
    let mut plan = Plan { keep: vec![], change: vec![], start: vec![], stop: vec![] };
    for (key, config) in wanted {
        match running.get(key) {
            Some(present) if present == config => plan.keep.push(key.clone()),
            Some(_) => plan.change.push((key.clone(), config)),
            None => plan.start.push((key.clone(), config)),
        }
    }
    plan.stop = running.keys().filter(|key| !wanted.contains_key(key)).cloned().collect();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_touches_only_what_changed() {
        let key = |name| Key::new("loki", name);
        let running = BTreeMap::from([(key("a"), 1), (key("b"), 2), (key("c"), 3)]);
        let wanted = BTreeMap::from([(key("a"), 1), (key("b"), 20), (key("d"), 4)]);
        let plan = plan(&running, &wanted);
        assert_eq!(plan.keep, [key("a")]);
        assert_eq!(plan.change, [(key("b"), &20)]);
        assert_eq!(plan.start, [(key("d"), &4)]);
        assert_eq!(plan.stop, [key("c")]);
    }

    #[test]
    fn a_default_name_is_said_once() {
        assert_eq!(Key::new("loki", "loki").to_string(), "loki");
        assert_eq!(Key::new("loki", "audit").to_string(), "loki/audit");
    }
}
