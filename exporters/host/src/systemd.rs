//! Units of systemd over D-Bus (`org.freedesktop.systemd1(5)`): states, restarts, timers, sockets.
//!
//! Each run costs systemd one `ListUnits` and one `Get` for each number that may have changed. Nothing waits for it: a
//! run is given up after four fifths of the subject's budget, and the next one connects anew.

mod bus;
mod manager;
mod units;

use std::collections::BTreeMap;
use std::time::Duration;

use taffrail_core::note::Level;
use taffrail_core::subject::Collecting;
use taffrail_core::{Clock, Collect, CollectError, Family, Note, Out, Subject, label, metrics};
use zbus::Variant;

use crate::config::{HostConfig, Systemd};
use bus::{Bus, Failure, Property};
use manager::About;
use units::{Facts, Kind, Known, SERVICE, SOCKET, TIMER, UNIT, Unit};

metrics! {
    /// Whether the unit is in this state (1) or not (0).
    UNIT_STATE: Gauge = "node_systemd_unit_state" ["name", "state", "type"];
    /// When the unit became active, in seconds since 1970; 0 when it is not.
    START_TIME: Gauge = "node_systemd_unit_start_time_seconds" ["name"];
    /// Tasks (processes and threads) of the service.
    TASKS: Gauge = "node_systemd_unit_tasks_current" ["name"];
    /// The most tasks that the service may have.
    TASKS_MAX: Gauge = "node_systemd_unit_tasks_max" ["name"];
    /// Whether systemd calls the system running (1), or starting, degraded, stopping (0).
    RUNNING: Gauge = "node_systemd_system_running" [];
    /// Units in this state, of all kinds.
    UNITS: Gauge = "node_systemd_units" ["state"];
    /// How often systemd has started the service again by itself.
    RESTARTS: Counter = "node_systemd_service_restart_total" ["name"];
    /// When the timer last elapsed, in seconds since 1970; 0 when it never has.
    LAST_TRIGGER: Gauge = "node_systemd_timer_last_trigger_seconds" ["name"];
    /// Connections that the socket has accepted.
    ACCEPTED: Counter = "node_systemd_socket_accepted_connections_total" ["name"];
    /// Connections that the socket has now.
    CONNECTIONS: Gauge = "node_systemd_socket_current_connections" ["name"];
    /// Connections that the socket has refused. A gauge, as node_exporter has it.
    REFUSED: Gauge = "node_systemd_socket_refused_connections_total" ["name"] irregular;
    /// systemd's version, as a number as well.
    VERSION: Gauge = "node_systemd_version" ["version"];
    /// What systemd says the machine is run by: `kvm`, `docker`, `none`. Always 1.
    VIRTUALIZATION: Gauge = "node_systemd_virtualization_info" ["virtualization_type"];
}

/// The states of a unit that have a series each.
const STATES: [&str; 5] = ["active", "activating", "deactivating", "inactive", "failed"];

/// The most units that are published, five series each and more. Failed ones come first.
const MAX_UNITS: usize = 1000;
/// Units whose facts are asked between two looks at the clock.
const AT_ONCE: usize = 32;

/// The subject `systemd`.
pub fn subject(config: &HostConfig, clock: &Clock) -> Subject {
    Subject::asynchronous("systemd", METRICS, Collector::new(config, clock))
}

struct Collector {
    host: HostConfig,
    clock: Clock,
    /// How long a run may take.
    limit: Duration,
    bus: Option<Bus>,
    known: Known,
    about: About,
    /// Whether units were left out in the run before.
    too_many: bool,
}

impl Collect for Collector {
    fn collect<'a>(&'a mut self, out: &'a mut Out) -> Collecting<'a> {
        Box::pin(async move {
            let limit = self.limit;
            let run = tokio::time::timeout(limit, self.run(out)).await;
            let result = run.unwrap_or_else(|_| {
                Err(CollectError::Other(format!(
                    "systemd has not answered within {} ms: is it busy? `host.subjects.systemd.budget` may be larger",
                    limit.as_millis()
                )))
            });
            // A connection on which a call was given up or failed is not used again.
            if result.is_err() || self.bus.as_ref().is_some_and(|bus| !bus.lasts()) {
                self.bus = None;
            }
            result
        })
    }
}

impl Collector {
    fn new(host: &HostConfig, clock: &Clock) -> Self {
        Collector {
            host: host.clone(),
            clock: clock.clone(),
            // What has been written by then is kept; at its budget the frame would keep nothing.
            limit: host.schedule("systemd").budget * 4 / 5,
            bus: None,
            known: Known::new(&host.systemd.units),
            about: About::default(),
            too_many: false,
        }
    }

    async fn run(&mut self, out: &mut Out) -> Result<(), CollectError> {
        let begun = self.clock.monotonic();
        if self.bus.is_none() {
            let places = bus::places(&self.host);
            if places.is_empty() {
                return Err(CollectError::Absent);
            }
            self.bus = Some(Bus::connect(&places).await.map_err(CollectError::Other)?);
        }
        let Some(bus) = &self.bus else { return Ok(()) };
        let failed = |failure| tell(failure, &self.host);

        let listed = bus.list_units().await.map_err(failed)?.body();
        let listed = units::parse(&listed).map_err(CollectError::Other)?;
        count(&listed, out);
        if self.about.ask(bus, self.clock.monotonic(), out).await.map_err(failed)? {
            self.known.outdate();
        }
        let selected = self.known.select(&listed);
        // Half of the time for what changes rarely; what is not known by then comes with the next runs.
        let until = begun + self.limit / 2;
        learn(&mut self.known, bus, &selected, &self.clock, until).await.map_err(failed)?;

        let mut units = published(&self.known, &selected, self.host.systemd.all);
        let left_out = bound(&mut units);
        self.tell_of_too_many(left_out, out);
        let Some(bus) = &self.bus else { return Ok(()) };
        write_states(&self.known, &units, out);
        let numbers = write_numbers(&mut self.known, bus, &units, &self.host.systemd, out).await;
        numbers.map_err(|failure| tell(failure, &self.host))
    }

    fn tell_of_too_many(&mut self, left_out: usize, out: &mut Out) {
        if left_out > 0 && !self.too_many {
            let text = format!(
                "{left_out} units are left out, {MAX_UNITS} are the most: `host.subjects.systemd.include_units` says which"
            );
            out.note(Note { level: Level::Warn, event: "systemd_units", text, facts: vec![] });
        }
        self.too_many = left_out > 0;
    }
}

/// What a failure means here: where systemd did not start the machine, that it is not on the bus is no error.
fn tell(failure: Failure, host: &HostConfig) -> CollectError {
    match failure {
        Failure::NoSystemd if !host.rootfs.join("run/systemd/system").exists() => CollectError::Absent,
        failure => CollectError::Other(failure.to_string()),
    }
}

/// Counts all units by state, wanted or not, as node_exporter does.
fn count(listed: &[Unit<'_>], out: &mut Out) {
    let mut counts: BTreeMap<&str, u32> = STATES.iter().map(|state| (*state, 0)).collect();
    for unit in listed {
        *counts.entry(unit.state).or_default() += 1;
    }
    for (state, count) in counts {
        out.put(&UNITS, [&label::value(state.as_bytes())], f64::from(count));
    }
}

/// Asks the facts of units, a few at a time, until all are known or the time is up.
async fn learn(
    known: &mut Known,
    bus: &Bus,
    units: &[Unit<'_>],
    clock: &Clock,
    until: Duration,
) -> Result<(), Failure> {
    for some in known.unknown(units).chunks(AT_ONCE) {
        let asked: Vec<(usize, Property<'_>)> = some
            .iter()
            .enumerate()
            .flat_map(|(at, unit)| Facts::properties(unit).map(move |property| (at, property)))
            .collect();
        let properties: Vec<Property<'_>> = asked.iter().map(|(_, property)| *property).collect();
        // A unit that has gone meanwhile answers nothing, and stays unknown.
        let mut facts: Vec<Option<Facts>> = vec![None; some.len()];
        bus.read(&properties, |at, value| {
            if let (Some((unit, property)), Some(value)) = (asked.get(at), value) {
                facts[*unit].get_or_insert_default().learn(property.name, value);
            }
        })
        .await?;
        for (unit, facts) in some.iter().zip(facts) {
            if let Some(facts) = facts {
                known.set(unit, facts);
            }
        }
        if clock.monotonic() >= until {
            break;
        }
    }
    Ok(())
}

/// The units that are published: those that are known, and enabled or failed, or all.
fn published<'a>(known: &Known, selected: &[Unit<'a>], all: bool) -> Vec<Unit<'a>> {
    let is_published =
        |unit: &&Unit<'a>| known.facts(unit).is_some_and(|facts| all || facts.enabled || unit.failed());
    selected.iter().filter(is_published).copied().collect()
}

/// Keeps at most [`MAX_UNITS`], and says how many are left out.
fn bound(units: &mut Vec<Unit<'_>>) -> usize {
    let left_out = units.len().saturating_sub(MAX_UNITS);
    if left_out > 0 {
        units.sort_by_key(|unit| !unit.failed());
        units.truncate(MAX_UNITS);
    }
    left_out
}

fn write_states(known: &Known, units: &[Unit<'_>], out: &mut Out) {
    for unit in units {
        let unit_type = known.facts(unit).map(|facts| &*facts.unit_type).unwrap_or_default();
        let (name, unit_type) = (label::value(unit.name.as_bytes()), label::value(unit_type.as_bytes()));
        for state in STATES {
            out.put(&UNIT_STATE, [&name, state, &unit_type], if state == unit.state { 1.0 } else { 0.0 });
        }
    }
}

/// A number of a unit: where it is published, and the property that it comes from.
type Number = (&'static Family<1>, &'static str, &'static str);

static CONNECTION_COUNTS: [Number; 3] = [
    (&ACCEPTED, SOCKET, "NAccepted"),
    (&CONNECTIONS, SOCKET, "NConnections"),
    (&REFUSED, SOCKET, "NRefused"),
];

/// The numbers that are asked of a unit in this run.
fn numbers(unit: &Unit<'_>, counts: bool, config: &Systemd) -> impl Iterator<Item = Number> {
    let kind = unit.kind();
    let is_service = kind == Kind::Service;
    let single: [(bool, Number); 5] = [
        (is_service && config.restarts, (&RESTARTS, SERVICE, "NRestarts")),
        (config.start_times && unit.state == "active", (&START_TIME, UNIT, "ActiveEnterTimestamp")),
        (is_service && config.tasks, (&TASKS, SERVICE, "TasksCurrent")),
        (is_service && config.tasks, (&TASKS_MAX, SERVICE, "TasksMax")),
        (kind == Kind::Timer, (&LAST_TRIGGER, TIMER, "LastTriggerUSec")),
    ];
    let single = single.into_iter().filter(|(on, _)| *on).map(|(_, number)| number);
    single.chain(CONNECTION_COUNTS.iter().copied().filter(move |_| counts && kind == Kind::Socket))
}

/// A property's value in a metric's unit. None for "not known" and "no limit", which systemd writes as the largest number.
fn in_unit(family: &'static Family<1>, value: &Variant<'_>) -> Option<f64> {
    let value = match value {
        Variant::U32(value) => f64::from(*value),
        Variant::U64(value) if *value != u64::MAX => *value as f64,
        _ => return None,
    };
    // systemd's times are in microseconds.
    Some(if family.metric().unit() == Some("seconds") { value / 1e6 } else { value })
}

async fn write_numbers(
    known: &mut Known,
    bus: &Bus,
    units: &[Unit<'_>],
    config: &Systemd,
    out: &mut Out,
) -> Result<(), Failure> {
    let mut asked: Vec<(&Unit<'_>, Number)> = Vec::new();
    for unit in units {
        let name = label::value(unit.name.as_bytes());
        if config.start_times && unit.state != "active" {
            out.put(&START_TIME, [&name], 0.0);
        }
        let counts = known.facts(unit).and_then(|facts| facts.counts_in(unit.state));
        for ((family, ..), value) in CONNECTION_COUNTS.iter().zip(counts.into_iter().flatten()) {
            out.put(family, [&name], value);
        }
        asked.extend(numbers(unit, counts.is_none(), config).map(|number| (unit, number)));
    }
    let properties: Vec<Property<'_>> = asked
        .iter()
        .map(|(unit, (_, interface, name))| Property { path: unit.path, interface, name })
        .collect();
    bus.read(&properties, |at, value| {
        let Some((unit, (family, _, property))) = asked.get(at) else { return };
        let Some(value) = value.and_then(|value| in_unit(family, value)) else { return };
        out.put(family, [&label::value(unit.name.as_bytes())], value);
        let count = CONNECTION_COUNTS.iter().position(|(_, _, name)| name == property);
        if let (Some(count), Some(facts)) = (count, known.facts_mut(unit)) {
            facts.keep_count(unit.state, count, value);
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_their_unit() {
        assert_eq!(in_unit(&LAST_TRIGGER, &Variant::U64(1_500_000)), Some(1.5));
        assert_eq!(in_unit(&TASKS, &Variant::U64(7)), Some(7.0));
        assert_eq!(in_unit(&TASKS_MAX, &Variant::U64(u64::MAX)), None);
        assert_eq!(in_unit(&RESTARTS, &Variant::U32(u32::MAX)), Some(4_294_967_295.0));
        assert_eq!(in_unit(&RESTARTS, &Variant::Bool(true)), None);
    }
}
