//! Temperatures, fans, voltages and the like from `/sys/class/hwmon` (kernel document `hwmon/sysfs-interface`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use taffrail_core::pattern::Filter;
use taffrail_core::{Family, Out, Subject, metrics};

use crate::attribute::{Attribute, Buffer, number};
use crate::columns::{Unit, text};
use crate::config::HostConfig;
use crate::devices::{Devices, Node};
use crate::hwmon_names::{self, Target, clean, parts, target};

metrics! {
    /// The chip's own name, for people. Always 1.
    CHIP_NAMES: Gauge = "node_hwmon_chip_names" ["chip", "chip_name"];
    /// What the driver calls a sensor. Always 1.
    SENSOR_LABEL: Gauge = "node_hwmon_sensor_label" ["chip", "sensor", "label"];
    /// Temperature in degrees Celsius.
    TEMP: Gauge = "node_hwmon_temp_celsius" ["chip", "sensor"];
    /// Temperature in degrees Celsius above which the chip calls it high.
    TEMP_MAX: Gauge = "node_hwmon_temp_max_celsius" ["chip", "sensor"];
    /// Temperature in degrees Celsius above which the chip calls it critical.
    TEMP_CRIT: Gauge = "node_hwmon_temp_crit_celsius" ["chip", "sensor"];
    /// Temperature in degrees Celsius below which it is no longer critical.
    TEMP_CRIT_HYST: Gauge = "node_hwmon_temp_crit_hyst_celsius" ["chip", "sensor"];
    /// Whether the temperature is critical (0.001) or not (0).
    TEMP_CRIT_ALARM: Gauge = "node_hwmon_temp_crit_alarm_celsius" ["chip", "sensor"];
    /// Whether the temperature is too high or too low (1) or not (0).
    TEMP_ALARM: Gauge = "node_hwmon_temp_alarm" ["chip", "sensor"];
    /// Turns of a fan in a minute.
    FAN: Gauge = "node_hwmon_fan_rpm" ["chip", "sensor"];
    /// Turns in a minute below which the chip warns.
    FAN_MIN: Gauge = "node_hwmon_fan_min_rpm" ["chip", "sensor"];
    /// Turns in a minute above which the chip warns.
    FAN_MAX: Gauge = "node_hwmon_fan_max_rpm" ["chip", "sensor"];
    /// Whether the fan is too slow (1) or not (0).
    FAN_ALARM: Gauge = "node_hwmon_fan_alarm" ["chip", "sensor"];
    /// Voltage in volts.
    IN: Gauge = "node_hwmon_in_volts" ["chip", "sensor"];
    /// Current in amperes.
    CURR: Gauge = "node_hwmon_curr_amps" ["chip", "sensor"];
    /// Power in watts.
    POWER: Gauge = "node_hwmon_power_watt" ["chip", "sensor"];
    /// Joules used.
    pub(crate) ENERGY: Counter = "node_hwmon_energy_joule_total" ["chip", "sensor"];
    /// Element {key} of a sensor of energy, in joules.
    pub(crate) ENERGY_ATTRIBUTE: Counter = "node_hwmon_energy_" {"elements of sensors of energy in /sys/class/hwmon"} "_joule_total" ["chip", "sensor"];
    /// Attribute {key} of a sensor, in the unit that its name ends in.
    pub(crate) ATTRIBUTE: Gauge = "node_hwmon_" {"attributes of sensors in /sys/class/hwmon"} "" ["chip", "sensor"];
}

/// The attributes that most chips have; others are of a keyed family.
pub(crate) static NAMED: [&Family<2>; 13] = [
    &TEMP,
    &TEMP_MAX,
    &TEMP_CRIT,
    &TEMP_CRIT_HYST,
    &TEMP_CRIT_ALARM,
    &TEMP_ALARM,
    &FAN,
    &FAN_MIN,
    &FAN_MAX,
    &FAN_ALARM,
    &IN,
    &CURR,
    &POWER,
];

/// The subject `hwmon`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut chips = Devices::new(config.sys("class/hwmon"));
    let settings = config.hwmon.clone();
    let mut buffer: Box<Buffer> = Box::new([0; 4096]);
    let mut count = 0;
    Subject::blocking("hwmon", METRICS, move |out| {
        let mut opened = false;
        let mut known: Vec<&mut Chip> = chips
            .present(|class, name| {
                opened = true;
                Chip::open(class, name)
            })?
            .collect();
        // A chip that comes or goes can change the label of another, of the same device.
        if opened || known.len() != count {
            count = known.len();
            name(&mut known, &settings.chips, &settings.sensors);
        }
        for chip in known {
            chip.write(&mut buffer, out);
        }
        Ok(())
    })
}

/// One chip. Labels and names are made when it comes, values are read at each run.
struct Chip {
    node: Node,
    /// The label that it has if no other chip has the same.
    base: String,
    /// What it calls itself, fit for a label.
    own: String,
    label: String,
    wanted: bool,
    sensors: Vec<Sensor>,
}

struct Sensor {
    /// `temp1`
    name: String,
    wanted: bool,
    label: Option<String>,
    attributes: Vec<Value>,
}

/// One attribute that is a number.
struct Value {
    /// Below the chip's folder.
    path: PathBuf,
    file: Attribute,
    target: Target,
    unit: Unit,
    /// The label `sensor`, where it is not the sensor's name.
    sensor: Option<String>,
}

/// Labels chips, and decides which of them and their sensors are wanted.
fn name(chips: &mut [&mut Chip], wanted: &Filter, sensors: &Filter) {
    let known: Vec<_> = chips
        .iter()
        .map(|chip| hwmon_names::Chip { base: &chip.base, own: &chip.own, folder: &chip.node.label })
        .collect();
    let labels = hwmon_names::labels(&known);
    for (chip, label) in chips.iter_mut().zip(labels) {
        chip.wanted = wanted.keeps(label.as_bytes());
        for sensor in &mut chip.sensors {
            sensor.wanted = sensors.keeps(format!("{label};{}", sensor.name).as_bytes());
        }
        chip.label = label;
    }
}

impl Chip {
    fn open(class: &Path, name: &[u8]) -> Option<Self> {
        let node = Node::open(class, name)?;
        let own = text(&node, "name").map(|name| clean(&name)).unwrap_or_default();
        let base = base(&node, &own)?;
        let sensors = sensors(&node);
        Some(Chip { node, base, own, label: String::new(), wanted: true, sensors })
    }

    fn write(&mut self, buffer: &mut Buffer, out: &mut Out) {
        if !self.wanted {
            return;
        }
        let chip = &*self.label;
        if !self.own.is_empty() {
            out.put(&CHIP_NAMES, [chip, &self.own], 1.0);
        }
        for Sensor { name, label, attributes, .. } in self.sensors.iter_mut().filter(|sensor| sensor.wanted) {
            if let Some(label) = label {
                out.put(&SENSOR_LABEL, [chip, name, label], 1.0);
            }
            for Value { path, file, target, unit, sensor } in attributes {
                // A sensor that has no value now (a fan that was taken out, a broken driver) says so with an error.
                let value = file.read(&self.node, path, true, buffer).ok().flatten();
                let Some(value) = value.and_then(number).map(|value| unit.scale(value)) else { continue };
                let labels = [chip, sensor.as_ref().unwrap_or(name)];
                match target {
                    Target::Named(family) => out.put(family, labels, value),
                    Target::Keyed(family, key) => out.put_keyed(family, key, labels, value),
                }
            }
        }
    }
}

/// The label of a chip: where its device is, which stays the same, unlike the numbers of `hwmon0`, which depend on the
/// order in which modules were loaded. Without a device its own name, or at last its number.
fn base(node: &Node, own: &str) -> Option<String> {
    if let Ok(device) = fs::canonicalize(node.path.join("device")) {
        let part =
            |path: &Path| path.file_name().map(|name| clean(&name.to_string_lossy())).unwrap_or_default();
        let (name, bus) = (part(&device), device.parent().map(part).unwrap_or_default());
        if !name.is_empty() {
            return Some(if bus.is_empty() { name } else { format!("{bus}_{name}") });
        }
    }
    [own.to_owned(), clean(&node.label)].into_iter().find(|name| !name.is_empty())
}

/// The sensors of a chip. Drivers of old have them in the device's folder, later ones in the chip's own.
fn sensors(node: &Node) -> Vec<Sensor> {
    let mut found: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
    let mut kinds = BTreeMap::new();
    for folder in ["", "device"] {
        for file in files(&node.path.join(folder)) {
            let Some(parts) = parts(&file) else { continue };
            let sensor = format!("{}{}", parts.kind, parts.number);
            kinds.insert(sensor.clone(), parts.kind);
            let elements = found.entry(sensor).or_default();
            elements.insert(parts.element.to_owned(), Path::new(folder).join(&file));
        }
    }
    let sensor = |(name, elements): (String, BTreeMap<String, PathBuf>)| {
        let kind = kinds.get(&name).copied().unwrap_or_default();
        Sensor::new(name, kind, elements, node)
    };
    found.into_iter().map(sensor).collect()
}

/// The names of the files in a folder, without those of other folders.
fn files(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let name = |entry: fs::DirEntry| {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        entry.file_name().into_string().ok().filter(|_| is_file)
    };
    entries.filter_map(|entry| name(entry.ok()?)).collect()
}

impl Sensor {
    fn new(name: String, kind: &str, mut elements: BTreeMap<String, PathBuf>, node: &Node) -> Self {
        let label = elements.remove("label").and_then(|path| text(node, &path.to_string_lossy()));
        let has_plain = elements.contains_key("");
        let value = |(element, path): (String, PathBuf)| {
            let (target, unit) = target(kind, &element, has_plain);
            // A graphics card's clocks are known by their labels, and not published without.
            let sensor =
                if (kind, &*element) == ("freq", "input") { Some(clean(label.as_deref()?)) } else { None };
            Some(Value { path, file: Attribute::default(), target, unit, sensor })
        };
        let attributes = elements.into_iter().filter_map(value).collect();
        Sensor { name, wanted: true, attributes, label }
    }
}
