//! What the machine's firmware says of it, from `/sys/class/dmi/id` (kernel document `ABI/sysfs-class-dmi`). Serial
//! numbers and the machine's UUID are there for root only.

use std::fs::File;

use taffrail_core::{CollectError, Subject, metrics};

use crate::columns::text;
use crate::config::HostConfig;

metrics! {
    /// What the firmware says of the machine; what it does not say is empty. Always 1.
    INFO: Gauge = "node_dmi_info" [
        "bios_date", "bios_release", "bios_vendor", "bios_version", "board_asset_tag", "board_name", "board_serial",
        "board_vendor", "board_version", "chassis_asset_tag", "chassis_serial", "chassis_vendor", "chassis_version",
        "product_family", "product_name", "product_serial", "product_sku", "product_uuid", "product_version",
        "system_vendor"
    ];
}

/// The files of the labels, in their order.
const FILES: [&str; 20] = [
    "bios_date",
    "bios_release",
    "bios_vendor",
    "bios_version",
    "board_asset_tag",
    "board_name",
    "board_serial",
    "board_vendor",
    "board_version",
    "chassis_asset_tag",
    "chassis_serial",
    "chassis_vendor",
    "chassis_version",
    "product_family",
    "product_name",
    "product_serial",
    "product_sku",
    "product_uuid",
    "product_version",
    "sys_vendor",
];

/// The subject `dmi`.
pub fn subject(config: &HostConfig) -> Subject {
    let path = config.sys("class/dmi/id");
    // It does not change before the machine starts anew.
    let mut known: Option<[String; FILES.len()]> = None;
    Subject::blocking("dmi", METRICS, move |out| {
        if known.is_none() {
            let dir = File::open(&path).map_err(|_| CollectError::Absent)?;
            let values = FILES.map(|file| text(&dir, file));
            if values.iter().all(Option::is_none) {
                return Err(CollectError::Absent);
            }
            known = Some(values.map(Option::unwrap_or_default));
        }
        if let Some(values) = &known {
            out.put(&INFO, values.each_ref().map(String::as_str), 1.0);
        }
        Ok(())
    })
}
