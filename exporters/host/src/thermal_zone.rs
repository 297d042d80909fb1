//! Temperatures and cooling devices from `/sys/class/thermal` (kernel document `driver-api/thermal/sysfs-api`).

use taffrail_core::{Subject, metrics};

use crate::attribute::Buffer;
use crate::columns::{Column, Numbers, Unit, text};
use crate::config::HostConfig;
use crate::devices::{Devices, Node, numbered};

metrics! {
    /// The zone's temperature in degrees Celsius.
    TEMP: Gauge = "node_thermal_zone_temp" ["zone", "type"];
    /// How hard the device cools now: from 0 to its largest state; -1 when it does not say.
    CUR_STATE: Gauge = "node_cooling_device_cur_state" ["name", "type"];
    /// The device's largest state.
    MAX_STATE: Gauge = "node_cooling_device_max_state" ["name", "type"];
}

// node_exporter publishes 0 for a zone that cannot be read, or nothing of any zone, by its version; a sensor that is
// switched off has no temperature.
static ZONE: [Column<2>; 1] = [("temp", &TEMP, Unit::Thousandth)];
static COOLING: [Column<2>; 2] = [("cur_state", &CUR_STATE, Unit::One), ("max_state", &MAX_STATE, Unit::One)];

struct Device {
    node: Node,
    number: String,
    kind: String,
    numbers: Numbers<2>,
}

impl Device {
    fn open(class: &std::path::Path, name: &[u8]) -> Option<Self> {
        let (number, columns): (_, &'static [Column<2>]) = match numbered(name, "thermal_zone") {
            Some(number) => (number, &ZONE),
            None => (numbered(name, "cooling_device")?, &COOLING),
        };
        let node = Node::open(class, name)?;
        let kind = text(&node, "type").unwrap_or_default();
        Some(Device { node, number: number.into(), kind, numbers: Numbers::new(columns) })
    }
}

/// The subject `thermal_zone`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut devices = Devices::new(config.sys("class/thermal"));
    let mut buffer: Box<Buffer> = Box::new([0; 4096]);
    Subject::blocking("thermal_zone", METRICS, move |out| {
        for Device { node, number, kind, numbers } in devices.present(Device::open)? {
            numbers.write(&*node, [number, kind], &mut buffer, out);
        }
        Ok(())
    })
}
