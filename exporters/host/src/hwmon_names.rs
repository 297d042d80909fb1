//! Names of hardware monitors and their sensors: of chips from sysfs' paths, of metrics from attributes' files (kernel
//! document `hwmon/sysfs-interface`). They are node_exporter's, oddities included.

use taffrail_core::{Family, Keyed};

use crate::columns::Unit;
use crate::hwmon::{ATTRIBUTE, ENERGY, ENERGY_ATTRIBUTE, NAMED};

/// The kinds of sensors.
const KINDS: [&str; 14] = [
    "vrm",
    "beep_enable",
    "update_interval",
    "in",
    "cpu",
    "fan",
    "pwm",
    "temp",
    "curr",
    "power",
    "energy",
    "humidity",
    "intrusion",
    "freq",
];

/// A file's name taken apart: `temp1_crit_alarm` is kind `temp`, number 1, element `crit_alarm`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    pub(crate) kind: &'static str,
    /// 0 where the name has none.
    pub(crate) number: u64,
    /// Empty where the name has none (`pwm1`).
    pub(crate) element: &'a str,
}

/// Takes a file's name apart; `None` for one that is no sensor's.
pub(crate) fn parts(file: &str) -> Option<Parts<'_>> {
    let at = file.find(|c: char| c.is_ascii_digit());
    let (kind, rest) = file.split_at(at.unwrap_or(file.len()));
    let kind = KINDS.into_iter().find(|known| *known == kind)?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = rest.split_at(digits);
    let number = if number.is_empty() { 0 } else { number.parse().ok()? };
    let element = match rest.strip_prefix('_') {
        Some(element) if !element.is_empty() => element,
        None if rest.is_empty() => rest,
        _ => return None,
    };
    Some(Parts { kind, number, element })
}

/// A name as part of a label or a metric: in lower case, with `_` for what may not stand there, but not at its ends.
pub(crate) fn clean(name: &str) -> String {
    let good = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase() || matches!(c, '_' | ':');
    let name: String = name.to_lowercase().chars().map(|c| if good(c) { c } else { '_' }).collect();
    name.trim_matches('_').to_owned()
}

/// The metric that an attribute becomes.
#[derive(Debug)]
pub(crate) enum Target {
    /// One that is declared by its whole name.
    Named(&'static Family<2>),
    /// One of a keyed family.
    Keyed(&'static Keyed<2>, String),
}

/// The metric of an attribute, and its unit. `has_plain` says that the sensor has a file without element (`pwm1`), whose
/// name the input would take.
pub(crate) fn target(kind: &str, element: &str, has_plain: bool) -> (Target, Unit) {
    let mut name = kind.to_owned();
    match element {
        "" => {}
        "input" if !has_plain => {}
        element => {
            name.push('_');
            name.push_str(&clean(element));
        }
    }
    let (suffix, unit) = match (kind, element) {
        ("beep_enable", _) => return named("beep_enabled", Unit::One),
        ("vrm", _) => return named("voltage_regulator_version", Unit::One),
        ("update_interval", _) => return named("update_interval_seconds", Unit::Milli),
        (_, "fault" | "alarm") => ("", Unit::One),
        (_, "beep") => ("_enabled", Unit::One),
        ("in" | "cpu", _) => ("_volts", Unit::Milli),
        ("temp", "type") => ("", Unit::One),
        // Alarms of limits too: 0.001 degrees for an alarm.
        ("temp", _) => ("_celsius", Unit::Milli),
        ("curr", _) => ("_amps", Unit::Milli),
        ("energy", _) => {
            let element = name.strip_prefix("energy_");
            return match element {
                None => (Target::Named(&ENERGY), Unit::Micro),
                Some(element) => (Target::Keyed(&ENERGY_ATTRIBUTE, element.to_owned()), Unit::Micro),
            };
        }
        ("power", "accuracy") | ("humidity", _) => ("", Unit::Micro),
        ("power", "average_interval" | "average_interval_min" | "average_interval_max") => {
            ("_seconds", Unit::Milli)
        }
        ("power", _) => ("_watt", Unit::Micro),
        ("fan", "input" | "min" | "max" | "target") => ("_rpm", Unit::One),
        ("freq", "input") => ("_freq_mhz", Unit::Micro),
        _ => ("", Unit::One),
    };
    name.push_str(suffix);
    named(&name, unit)
}

fn named(name: &str, unit: Unit) -> (Target, Unit) {
    let declared = NAMED.iter().find(|family| family.metric().name.strip_prefix("node_hwmon_") == Some(name));
    match declared {
        Some(family) => (Target::Named(family), unit),
        None => (Target::Keyed(&ATTRIBUTE, name.to_owned()), unit),
    }
}

/// What tells chips apart: their own names, of which some are equal where several belong to one device, and their names
/// in sysfs (`hwmon3`).
pub(crate) struct Chip<'a> {
    pub(crate) base: &'a str,
    pub(crate) own: &'a str,
    pub(crate) folder: &'a str,
}

/// The labels of chips: with their own name where a device has several chips, or with sysfs' where those have one name.
pub(crate) fn labels(chips: &[Chip<'_>]) -> Vec<String> {
    let count = |same: &dyn Fn(&&Chip<'_>) -> bool| chips.iter().filter(same).count();
    let label = |chip: &Chip<'_>| {
        if count(&|other| other.base == chip.base) == 1 {
            return chip.base.to_owned();
        }
        let alone = count(&|other| other.base == chip.base && other.own == chip.own) == 1;
        let own = Some(chip.own.to_owned()).filter(|own| alone && !own.is_empty());
        format!("{}_{}", chip.base, own.unwrap_or_else(|| clean(chip.folder)))
    };
    chips.iter().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_apart() {
        let good = |file, kind, number, element| {
            assert_eq!(parts(file), Some(Parts { kind, number, element }), "{file}");
        };
        good("temp1_crit_alarm", "temp", 1, "crit_alarm");
        good("in0_input", "in", 0, "input");
        good("pwm12", "pwm", 12, "");
        good("pwm1_auto_point1_temp", "pwm", 1, "auto_point1_temp");
        good("update_interval", "update_interval", 0, "");
        good("cpu0_vid", "cpu", 0, "vid");
        for bad in [
            "",
            "name",
            "uevent",
            "temp1input",
            "temp1_",
            "fan99999999999999999999_input",
            "power_state",
            "1_x",
            "é1_x",
        ] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_and_units() {
        let name = |kind, element, has_plain| match target(kind, element, has_plain) {
            (Target::Named(family), unit) => (family.metric().name.to_owned(), unit.scale(1e6)),
            (Target::Keyed(family, key), unit) => {
                (family.metric().pattern().replace("<key>", &key), unit.scale(1e6))
            }
        };
        for (kind, element, has_plain, expected, million) in [
            ("temp", "input", false, "node_hwmon_temp_celsius", 1000.0),
            ("temp", "crit_alarm", false, "node_hwmon_temp_crit_alarm_celsius", 1000.0),
            ("temp", "alarm", false, "node_hwmon_temp_alarm", 1e6),
            ("temp", "type", false, "node_hwmon_temp_type", 1e6),
            ("in", "beep", false, "node_hwmon_in_beep_enabled", 1e6),
            ("fan", "input", false, "node_hwmon_fan_rpm", 1e6),
            ("fan", "div", false, "node_hwmon_fan_div", 1e6),
            ("pwm", "", true, "node_hwmon_pwm", 1e6),
            ("pwm", "input", true, "node_hwmon_pwm_input", 1e6),
            ("energy", "input", false, "node_hwmon_energy_joule_total", 1.0),
            ("energy", "Max-1", false, "node_hwmon_energy_max_1_joule_total", 1.0),
            ("power", "average_interval", false, "node_hwmon_power_average_interval_seconds", 1000.0),
            ("power", "accuracy", false, "node_hwmon_power_accuracy", 1.0),
            ("power", "input", false, "node_hwmon_power_watt", 1.0),
            ("humidity", "input", false, "node_hwmon_humidity", 1.0),
            ("freq", "input", false, "node_hwmon_freq_freq_mhz", 1.0),
            ("beep_enable", "", true, "node_hwmon_beep_enabled", 1e6),
            ("update_interval", "", true, "node_hwmon_update_interval_seconds", 1000.0),
        ] {
            assert_eq!(name(kind, element, has_plain), (expected.to_owned(), million));
        }
    }

    #[test]
    fn chips_of_one_device_are_told_apart() {
        let chip = |base, own, folder| Chip { base, own, folder };
        let chips = [
            chip("platform_asus", "asus", "hwmon1"),
            chip("platform_asus", "asus_custom", "hwmon2"),
            chip("pci_1", "x", "hwmon3"),
            chip("pci_1", "x", "hwmon4"),
            chip("nvme_nvme0", "nvme", "hwmon5"),
        ];
        let expected =
            ["platform_asus_asus", "platform_asus_asus_custom", "pci_1_hwmon3", "pci_1_hwmon4", "nvme_nvme0"];
        assert_eq!(labels(&chips), expected);
        assert_eq!(clean("Coretemp.0-"), "coretemp_0");
    }
}
