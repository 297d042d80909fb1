//! Batteries, chargers and mains from `/sys/class/power_supply` (kernel document `ABI/sysfs-class-power`).

use taffrail_core::{Subject, metrics};

use crate::attribute::Buffer;
use crate::columns::{Column, Numbers, Texts, Unit};
use crate::config::HostConfig;
use crate::devices::{Devices, Node};

metrics! {
    /// Whether the battery is a genuine one (1) or not (0).
    AUTHENTIC: Gauge = "node_power_supply_authentic" ["power_supply"];
    /// Whether the battery is being calibrated (1) or not (0).
    CALIBRATE: Gauge = "node_power_supply_calibrate" ["power_supply"];
    /// Charge in percent.
    CAPACITY: Gauge = "node_power_supply_capacity" ["power_supply"];
    /// Charge in percent above which the driver warns.
    CAPACITY_ALERT_MAX: Gauge = "node_power_supply_capacity_alert_max" ["power_supply"];
    /// Charge in percent below which the driver warns.
    CAPACITY_ALERT_MIN: Gauge = "node_power_supply_capacity_alert_min" ["power_supply"];
    /// How often the battery was charged and used up.
    CYCLE_COUNT: Gauge = "node_power_supply_cyclecount" ["power_supply"];
    /// Whether the supply gives power: 0 no, 1 yes at a fixed voltage, 2 yes at one that can be set.
    ONLINE: Gauge = "node_power_supply_online" ["power_supply"];
    /// Whether the battery is there (1) or not (0).
    PRESENT: Gauge = "node_power_supply_present" ["power_supply"];
    /// Seconds until the battery is empty.
    TIME_TO_EMPTY_NOW: Gauge = "node_power_supply_time_to_empty_seconds" ["power_supply"];
    /// Seconds until the battery is full.
    TIME_TO_FULL_NOW: Gauge = "node_power_supply_time_to_full_seconds" ["power_supply"];
    /// Current in amperes that was measured when the machine started.
    CURRENT_BOOT: Gauge = "node_power_supply_current_boot" ["power_supply"];
    /// Largest current in amperes.
    CURRENT_MAX: Gauge = "node_power_supply_current_max" ["power_supply"];
    /// Current in amperes; negative or positive by direction as the driver has it.
    CURRENT_NOW: Gauge = "node_power_supply_current_ampere" ["power_supply"];
    /// Energy in watt hours at which the battery counts as empty.
    ENERGY_EMPTY: Gauge = "node_power_supply_energy_empty" ["power_supply"];
    /// Energy in watt hours at which a new battery counts as empty.
    ENERGY_EMPTY_DESIGN: Gauge = "node_power_supply_energy_empty_design" ["power_supply"];
    /// Energy in watt hours of the battery when full.
    ENERGY_FULL: Gauge = "node_power_supply_energy_full" ["power_supply"];
    /// Energy in watt hours of a new battery when full.
    ENERGY_FULL_DESIGN: Gauge = "node_power_supply_energy_full_design" ["power_supply"];
    /// Energy in watt hours in the battery.
    ENERGY_NOW: Gauge = "node_power_supply_energy_watthour" ["power_supply"];
    /// Voltage in volts that was measured when the machine started.
    VOLTAGE_BOOT: Gauge = "node_power_supply_voltage_boot" ["power_supply"];
    /// Largest voltage in volts.
    VOLTAGE_MAX: Gauge = "node_power_supply_voltage_max" ["power_supply"];
    /// Largest voltage in volts by design.
    VOLTAGE_MAX_DESIGN: Gauge = "node_power_supply_voltage_max_design" ["power_supply"];
    /// Smallest voltage in volts.
    VOLTAGE_MIN: Gauge = "node_power_supply_voltage_min" ["power_supply"];
    /// Smallest voltage in volts by design.
    VOLTAGE_MIN_DESIGN: Gauge = "node_power_supply_voltage_min_design" ["power_supply"];
    /// Voltage in volts.
    VOLTAGE_NOW: Gauge = "node_power_supply_voltage_volt" ["power_supply"];
    /// Voltage in volts without load.
    VOLTAGE_OCV: Gauge = "node_power_supply_voltage_ocv" ["power_supply"];
    /// Limit set on charging, in millionths of the kernel's steps.
    CHARGE_CONTROL_LIMIT: Gauge = "node_power_supply_charge_control_limit" ["power_supply"];
    /// Largest limit on charging, in millionths of the kernel's steps.
    CHARGE_CONTROL_LIMIT_MAX: Gauge = "node_power_supply_charge_control_limit_max" ["power_supply"];
    /// Charge in ampere hours counted since the driver began.
    CHARGE_COUNTER: Gauge = "node_power_supply_charge_counter" ["power_supply"];
    /// Charge in ampere hours at which the battery counts as empty.
    CHARGE_EMPTY: Gauge = "node_power_supply_charge_empty" ["power_supply"];
    /// Charge in ampere hours at which a new battery counts as empty.
    CHARGE_EMPTY_DESIGN: Gauge = "node_power_supply_charge_empty_design" ["power_supply"];
    /// Charge in ampere hours of the battery when full.
    CHARGE_FULL: Gauge = "node_power_supply_charge_full" ["power_supply"];
    /// Charge in ampere hours of a new battery when full.
    CHARGE_FULL_DESIGN: Gauge = "node_power_supply_charge_full_design" ["power_supply"];
    /// Charge in ampere hours in the battery.
    CHARGE_NOW: Gauge = "node_power_supply_charge_ampere" ["power_supply"];
    /// Current in amperes at which charging ends.
    CHARGE_TERM_CURRENT: Gauge = "node_power_supply_charge_term_current" ["power_supply"];
    /// Current in amperes that the charger keeps.
    CONSTANT_CHARGE_CURRENT: Gauge = "node_power_supply_constant_charge_current" ["power_supply"];
    /// Largest current in amperes that the charger can keep.
    CONSTANT_CHARGE_CURRENT_MAX: Gauge = "node_power_supply_constant_charge_current_max" ["power_supply"];
    /// Voltage in volts that the charger keeps.
    CONSTANT_CHARGE_VOLTAGE: Gauge = "node_power_supply_constant_charge_voltage" ["power_supply"];
    /// Largest voltage in volts that the charger can keep.
    CONSTANT_CHARGE_VOLTAGE_MAX: Gauge = "node_power_supply_constant_charge_voltage_max" ["power_supply"];
    /// Current in amperes at which charging of an empty battery begins.
    PRECHARGE_CURRENT: Gauge = "node_power_supply_precharge_current" ["power_supply"];
    /// Limit in amperes on what is drawn from the supply.
    INPUT_CURRENT_LIMIT: Gauge = "node_power_supply_input_current_limit" ["power_supply"];
    /// Power in watts.
    POWER_NOW: Gauge = "node_power_supply_power_watt" ["power_supply"];
    /// Temperature in degrees Celsius.
    TEMP: Gauge = "node_power_supply_temp_celsius" ["power_supply"];
    /// Temperature in degrees Celsius above which the driver warns.
    TEMP_ALERT_MAX: Gauge = "node_power_supply_temp_alert_max_celsius" ["power_supply"];
    /// Temperature in degrees Celsius below which the driver warns.
    TEMP_ALERT_MIN: Gauge = "node_power_supply_temp_alert_min_celsius" ["power_supply"];
    /// Temperature of the surroundings in degrees Celsius.
    TEMP_AMBIENT: Gauge = "node_power_supply_temp_ambient_celsius" ["power_supply"];
    /// Temperature of the surroundings in degrees Celsius above which the driver warns.
    TEMP_AMBIENT_MAX: Gauge = "node_power_supply_temp_ambient_max_celsius" ["power_supply"];
    /// Temperature of the surroundings in degrees Celsius below which the driver warns.
    TEMP_AMBIENT_MIN: Gauge = "node_power_supply_temp_ambient_min_celsius" ["power_supply"];
    /// Largest temperature in degrees Celsius at which the battery works.
    TEMP_MAX: Gauge = "node_power_supply_temp_max_celsius" ["power_supply"];
    /// Smallest temperature in degrees Celsius at which the battery works.
    TEMP_MIN: Gauge = "node_power_supply_temp_min_celsius" ["power_supply"];
    /// What of the supply is no number; what it does not say is empty. Always 1.
    INFO: Gauge = "node_power_supply_info" [
        "power_supply", "capacity_level", "charge_type", "health", "manufacturer", "model_name", "scope",
        "serial_number", "status", "technology", "type", "usb_type"
    ];
}

static COLUMNS: [Column<1>; 49] = [
    ("authentic", &AUTHENTIC, Unit::One),
    ("calibrate", &CALIBRATE, Unit::One),
    ("capacity", &CAPACITY, Unit::One),
    ("capacity_alert_max", &CAPACITY_ALERT_MAX, Unit::One),
    ("capacity_alert_min", &CAPACITY_ALERT_MIN, Unit::One),
    ("cycle_count", &CYCLE_COUNT, Unit::One),
    ("online", &ONLINE, Unit::One),
    ("present", &PRESENT, Unit::One),
    ("time_to_empty_now", &TIME_TO_EMPTY_NOW, Unit::One),
    ("time_to_full_now", &TIME_TO_FULL_NOW, Unit::One),
    ("current_boot", &CURRENT_BOOT, Unit::Micro),
    ("current_max", &CURRENT_MAX, Unit::Micro),
    ("current_now", &CURRENT_NOW, Unit::Micro),
    ("energy_empty", &ENERGY_EMPTY, Unit::Micro),
    ("energy_empty_design", &ENERGY_EMPTY_DESIGN, Unit::Micro),
    ("energy_full", &ENERGY_FULL, Unit::Micro),
    ("energy_full_design", &ENERGY_FULL_DESIGN, Unit::Micro),
    ("energy_now", &ENERGY_NOW, Unit::Micro),
    ("voltage_boot", &VOLTAGE_BOOT, Unit::Micro),
    ("voltage_max", &VOLTAGE_MAX, Unit::Micro),
    ("voltage_max_design", &VOLTAGE_MAX_DESIGN, Unit::Micro),
    ("voltage_min", &VOLTAGE_MIN, Unit::Micro),
    ("voltage_min_design", &VOLTAGE_MIN_DESIGN, Unit::Micro),
    ("voltage_now", &VOLTAGE_NOW, Unit::Micro),
    ("voltage_ocv", &VOLTAGE_OCV, Unit::Micro),
    ("charge_control_limit", &CHARGE_CONTROL_LIMIT, Unit::Micro),
    ("charge_control_limit_max", &CHARGE_CONTROL_LIMIT_MAX, Unit::Micro),
    ("charge_counter", &CHARGE_COUNTER, Unit::Micro),
    ("charge_empty", &CHARGE_EMPTY, Unit::Micro),
    ("charge_empty_design", &CHARGE_EMPTY_DESIGN, Unit::Micro),
    ("charge_full", &CHARGE_FULL, Unit::Micro),
    ("charge_full_design", &CHARGE_FULL_DESIGN, Unit::Micro),
    ("charge_now", &CHARGE_NOW, Unit::Micro),
    ("charge_term_current", &CHARGE_TERM_CURRENT, Unit::Micro),
    ("constant_charge_current", &CONSTANT_CHARGE_CURRENT, Unit::Micro),
    ("constant_charge_current_max", &CONSTANT_CHARGE_CURRENT_MAX, Unit::Micro),
    ("constant_charge_voltage", &CONSTANT_CHARGE_VOLTAGE, Unit::Micro),
    ("constant_charge_voltage_max", &CONSTANT_CHARGE_VOLTAGE_MAX, Unit::Micro),
    ("precharge_current", &PRECHARGE_CURRENT, Unit::Micro),
    ("input_current_limit", &INPUT_CURRENT_LIMIT, Unit::Micro),
    ("power_now", &POWER_NOW, Unit::Micro),
    ("temp", &TEMP, Unit::Tenth),
    ("temp_alert_max", &TEMP_ALERT_MAX, Unit::Tenth),
    ("temp_alert_min", &TEMP_ALERT_MIN, Unit::Tenth),
    ("temp_ambient", &TEMP_AMBIENT, Unit::Tenth),
    ("temp_ambient_max", &TEMP_AMBIENT_MAX, Unit::Tenth),
    ("temp_ambient_min", &TEMP_AMBIENT_MIN, Unit::Tenth),
    ("temp_max", &TEMP_MAX, Unit::Tenth),
    ("temp_min", &TEMP_MIN, Unit::Tenth),
];
const TEXTS: [&str; 11] = [
    "capacity_level",
    "charge_type",
    "health",
    "manufacturer",
    "model_name",
    "scope",
    "serial_number",
    "status",
    "technology",
    "type",
    "usb_type",
];

struct Supply {
    node: Node,
    numbers: Numbers<1>,
    texts: Texts<11>,
}

/// The subject `powersupplyclass`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut supplies = Devices::new(config.sys("class/power_supply"));
    let wanted = config.powersupplyclass.clone();
    let mut buffer: Box<Buffer> = Box::new([0; 4096]);
    Subject::blocking("powersupplyclass", METRICS, move |out| {
        let new = |class: &_, name: &[u8]| {
            let node = Node::open(class, name).filter(|_| wanted.keeps(name))?;
            Some(Supply { node, numbers: Numbers::new(&COLUMNS), texts: Texts::new(TEXTS) })
        };
        for Supply { node, numbers, texts } in supplies.present(new)? {
            let supply = &*node.label;
            numbers.write(&*node, [supply], &mut buffer, out);
            let [level, charge, health, maker, model, scope, serial, status, technology, kind, usb] =
                texts.read(&*node, &mut buffer);
            let labels =
                [supply, level, charge, health, maker, model, scope, serial, status, technology, kind, usb];
            out.put(&INFO, labels, 1.0);
        }
        Ok(())
    })
}
