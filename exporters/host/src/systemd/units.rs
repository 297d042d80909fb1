//! The units that systemd lists, and what is known of each beyond its state: whether it is enabled, its type.
//!
//! That changes when unit files are read again (`systemctl enable`, `daemon-reload`) or not at all. So it is asked when
//! a unit is seen first, and again, a part at a time, when it may have changed.

use std::collections::HashMap;

use taffrail_core::pattern::{Filter, Pattern};
use zbus::Variant;
use zbus::message::Body;

use super::bus::Property;

/// What `ListUnits` says of a unit: name, description, load state, active state, sub state, followed unit, object path,
/// and the number, type and path of its job. Paths are read as texts: nobody but systemd gets them back.
type Listed<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str, &'a str, u32, &'a str, &'a str);
const LISTED: &str = "a(ssssssouso)";

/// One unit of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit<'a> {
    /// Its name, which ends in its kind: `ssh.service`.
    pub name: &'a str,
    /// What it does now: `active`, `failed`.
    pub state: &'a str,
    /// Whether its file was found and understood.
    pub loaded: bool,
    /// Its object on the bus.
    pub path: &'a str,
}

/// Reads the answer to `ListUnits`; the error says what came instead.
pub fn parse(body: &Body) -> Result<Vec<Unit<'_>>, String> {
    if body.signature() != LISTED {
        return Err(format!("systemd lists units as `{}`, expected `{LISTED}`", body.signature()));
    }
    let listed: Result<Vec<Listed<'_>>, _> = body.deserialize_ignore_signature();
    let listed = listed.map_err(|error| format!("systemd's list of units: {error}"))?;
    let units = listed.into_iter();
    Ok(units
        .map(|(name, _, load, state, _, _, path, ..)| Unit { name, state, loaded: load == "loaded", path })
        .collect())
}

/// The kinds of units that have something of their own to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Service,
    Socket,
    Timer,
    Mount,
    Other,
}

impl Unit<'_> {
    /// Its kind, by its name.
    pub fn kind(&self) -> Kind {
        match self.name.rsplit('.').next() {
            Some("service") => Kind::Service,
            Some("socket") => Kind::Socket,
            Some("timer") => Kind::Timer,
            Some("mount") => Kind::Mount,
            _ => Kind::Other,
        }
    }

    /// Whether it has failed.
    pub fn failed(&self) -> bool {
        self.state == "failed"
    }
}

/// What is known of a unit beyond its state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Whether it starts by itself: its file is enabled, or a generator wrote it (for `/etc/fstab`, for init scripts).
    pub enabled: bool,
    /// The type of a service or mount: `notify`, `ext4`. Empty for other kinds.
    pub unit_type: String,
    /// Whether a socket hands itself to one service, which takes the connections: systemd counts none of them.
    hands_over: bool,
    /// The connection counts of such a socket, and its state when it told them.
    counts: [Option<f64>; 3],
    counted_in: String,
}

impl Facts {
    /// The properties that tell the facts of a unit.
    pub fn properties<'a>(unit: &Unit<'a>) -> impl Iterator<Item = Property<'a>> {
        let path = unit.path;
        let own = match unit.kind() {
            Kind::Service => Some((SERVICE, "Type")),
            Kind::Mount => Some((MOUNT, "Type")),
            Kind::Socket => Some((SOCKET, "Accept")),
            Kind::Timer | Kind::Other => None,
        };
        let all = [Some((UNIT, "UnitFileState")), own];
        all.into_iter().flatten().map(move |(interface, name)| Property { path, interface, name })
    }

    /// Takes over the value of one of these properties.
    pub fn learn(&mut self, name: &str, value: &Variant<'_>) {
        match (name, value) {
            ("UnitFileState", Variant::Str(state)) => {
                self.enabled = matches!(state.as_str(), "enabled" | "enabled-runtime" | "generated");
            }
            ("Type", Variant::Str(unit_type)) => self.unit_type = unit_type.as_str().to_owned(),
            ("Accept", Variant::Bool(accept)) => self.hands_over = !accept,
            _ => {}
        }
    }

    /// The connection counts (accepted, current, refused) of a socket that need not be asked, as they cannot have
    /// changed: systemd counts none, and a socket that was triggered too often, which counts as refused, has failed.
    pub fn counts_in(&self, state: &str) -> Option<[f64; 3]> {
        let [Some(accepted), Some(current), Some(refused)] = self.counts else { return None };
        (self.hands_over && self.counted_in == state).then_some([accepted, current, refused])
    }

    /// Remembers one of these counts, by its place.
    pub fn keep_count(&mut self, state: &str, at: usize, count: f64) {
        if self.counted_in != state {
            self.counts = [None; 3];
            self.counted_in = state.to_owned();
        }
        self.counts[at] = Some(count);
    }
}

/// The interfaces of the kinds.
pub const UNIT: &str = "org.freedesktop.systemd1.Unit";
pub const SERVICE: &str = "org.freedesktop.systemd1.Service";
pub const SOCKET: &str = "org.freedesktop.systemd1.Socket";
pub const TIMER: &str = "org.freedesktop.systemd1.Timer";
const MOUNT: &str = "org.freedesktop.systemd1.Mount";

/// All that is known of units, from run to run.
#[derive(Debug)]
pub struct Known {
    filter: Filter,
    units: HashMap<Box<str>, Entry>,
    run: u64,
    /// Facts of an earlier edition are still good for a run or two, and asked again.
    edition: u64,
}

#[derive(Debug)]
struct Entry {
    wanted: bool,
    seen: u64,
    edition: u64,
    facts: Option<Facts>,
}

impl Known {
    /// Nothing known. The filter's expressions have to match whole names, as node_exporter's do.
    pub fn new(filter: &Filter) -> Self {
        let whole = |pattern: &Option<Pattern>| {
            pattern.as_ref().and_then(|p| Pattern::new(&format!("^(?:{})$", p.as_str())).ok())
        };
        let filter = Filter { include: whole(&filter.include), exclude: whole(&filter.exclude) };
        Known { filter, units: HashMap::new(), run: 0, edition: 0 }
    }

    /// Unit files may have changed: all facts are to be asked again.
    pub fn outdate(&mut self) {
        self.edition += 1;
    }

    /// Begins a run: of the units listed, those that the filter keeps and that are loaded. Forgets units that are gone.
    pub fn select<'a>(&mut self, listed: &[Unit<'a>]) -> Vec<Unit<'a>> {
        self.run += 1;
        let mut selected = Vec::new();
        for unit in listed {
            let entry = match self.units.get_mut(unit.name) {
                Some(entry) => entry,
                None => {
                    let wanted = self.filter.keeps(unit.name.as_bytes());
                    let entry = Entry { wanted, seen: 0, edition: 0, facts: None };
                    self.units.entry(unit.name.into()).or_insert(entry)
                }
            };
            // A name stands once in the list; a second one would only be counted as a duplicate later on.
            let again = std::mem::replace(&mut entry.seen, self.run) == self.run;
            if entry.wanted && unit.loaded && !again {
                selected.push(*unit);
            }
        }
        if self.units.len() > listed.len() {
            self.units.retain(|_, entry| entry.seen == self.run);
        }
        selected
    }

    /// Of these units those whose facts are to be asked: first those without any, failed ones before others.
    pub fn unknown<'a>(&self, units: &[Unit<'a>]) -> Vec<Unit<'a>> {
        let entry = |unit: &Unit<'_>| self.units.get(unit.name);
        let old = |unit: &&Unit<'a>| {
            entry(unit).is_some_and(|entry| entry.facts.is_none() || entry.edition != self.edition)
        };
        let mut unknown: Vec<Unit<'a>> = units.iter().filter(old).copied().collect();
        unknown.sort_by_key(|unit| (entry(unit).is_some_and(|entry| entry.facts.is_some()), !unit.failed()));
        unknown
    }

    /// Takes over what a unit has told.
    pub fn set(&mut self, unit: &Unit<'_>, facts: Facts) {
        if let Some(entry) = self.units.get_mut(unit.name) {
            entry.facts = Some(facts);
            entry.edition = self.edition;
        }
    }

    /// What is known of a unit.
    pub fn facts(&self, unit: &Unit<'_>) -> Option<&Facts> {
        self.units.get(unit.name)?.facts.as_ref()
    }

    /// The same, to add to it.
    pub fn facts_mut(&mut self, unit: &Unit<'_>) -> Option<&mut Facts> {
        self.units.get_mut(unit.name)?.facts.as_mut()
    }
}
