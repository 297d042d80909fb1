//! Memory errors found and corrected, from `/sys/devices/system/edac/mc` (kernel document `admin-guide/RAS`).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use taffrail_core::{Family, Out, Subject, metrics};

use crate::attribute::{Attribute, Buffer, number};
use crate::columns::{Column, Numbers, Unit, text};
use crate::config::HostConfig;
use crate::devices::{Devices, Node, numbered};

metrics! {
    /// Errors that a memory controller corrected.
    CORRECTABLE: Counter = "node_edac_correctable_errors_total" ["controller"];
    /// Errors that a memory controller could not correct.
    UNCORRECTABLE: Counter = "node_edac_uncorrectable_errors_total" ["controller"];
    /// Errors corrected by row of chips, `unknown` where the controller could not tell which.
    ROW_CORRECTABLE: Counter = "node_edac_csrow_correctable_errors_total" ["controller", "csrow"];
    /// Errors not corrected by row of chips, `unknown` where the controller could not tell which.
    ROW_UNCORRECTABLE: Counter = "node_edac_csrow_uncorrectable_errors_total" ["controller", "csrow"];
    /// Errors corrected by channel.
    CHANNEL_CORRECTABLE: Counter = "node_edac_channel_correctable_errors_total" [
        "controller", "csrow", "channel", "dimm_label"
    ];
    /// Errors not corrected by channel.
    CHANNEL_UNCORRECTABLE: Counter = "node_edac_channel_uncorrectable_errors_total" [
        "controller", "csrow", "channel", "dimm_label"
    ];
}

static CONTROLLER: [Column<1>; 2] =
    [("ce_count", &CORRECTABLE, Unit::One), ("ue_count", &UNCORRECTABLE, Unit::One)];
static NO_ROW: [Column<2>; 2] =
    [("ce_noinfo_count", &ROW_CORRECTABLE, Unit::One), ("ue_noinfo_count", &ROW_UNCORRECTABLE, Unit::One)];
static ROW: [Column<2>; 2] =
    [("ce_count", &ROW_CORRECTABLE, Unit::One), ("ue_count", &ROW_UNCORRECTABLE, Unit::One)];

struct Controller {
    node: Node,
    number: String,
    numbers: Numbers<1>,
    no_row: Numbers<2>,
    rows: Vec<Row>,
}

struct Row {
    node: Node,
    number: String,
    numbers: Numbers<2>,
    channels: Vec<Channel>,
}

struct Channel {
    number: String,
    dimm: String,
    counts: [(String, Attribute, &'static Family<4>); 2],
}

/// The subject `edac`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut controllers = Devices::new(config.sys("devices/system/edac/mc"));
    let mut buffer: Box<Buffer> = Box::new([0; 4096]);
    Subject::blocking("edac", METRICS, move |out| {
        for controller in controllers.present(Controller::open)? {
            controller.write(&mut buffer, out);
        }
        Ok(())
    })
}

impl Controller {
    fn open(root: &Path, name: &[u8]) -> Option<Self> {
        let number = numbered(name, "mc")?.to_owned();
        let node = Node::open(root, name)?;
        let rows = names(&node.path, |name| numbered(name, "csrow").is_some());
        let rows = rows.iter().filter_map(|name| Row::open(&node.path, name)).collect();
        Some(Controller {
            node,
            number,
            numbers: Numbers::new(&CONTROLLER),
            no_row: Numbers::new(&NO_ROW),
            rows,
        })
    }

    fn write(&mut self, buffer: &mut Buffer, out: &mut Out) {
        let controller = &*self.number;
        self.numbers.write(&self.node, [controller], buffer, out);
        self.no_row.write(&self.node, [controller, "unknown"], buffer, out);
        for row in &mut self.rows {
            row.numbers.write(&row.node, [controller, &row.number], buffer, out);
            for Channel { number: channel, dimm, counts } in &mut row.channels {
                for (file, attribute, family) in counts {
                    let value = attribute.read(&row.node, Path::new(&*file), true, buffer).ok().flatten();
                    if let Some(value) = value.and_then(number) {
                        out.put(family, [controller, &row.number, channel, dimm], value);
                    }
                }
            }
        }
    }
}

impl Row {
    fn open(controller: &Path, name: &[u8]) -> Option<Self> {
        let number = numbered(name, "csrow")?.to_owned();
        let node = Node::open(controller, name)?;
        let channel = |name: &[u8]| numbered(name.strip_suffix(b"_ce_count")?, "ch").map(str::to_owned);
        let files = names(&node.path, |name| channel(name).is_some());
        let channels = files.iter().filter_map(|name| Some(Channel::new(channel(name)?, &node))).collect();
        Some(Row { node, number, numbers: Numbers::new(&ROW), channels })
    }
}

impl Channel {
    fn new(number: String, row: &Node) -> Self {
        let dimm = match text(row, &format!("ch{number}_dimm_label")) {
            Some(label) => dimm(&label),
            None => "unknown".into(),
        };
        let count = |suffix: &str, family| (format!("ch{number}_{suffix}"), Attribute::default(), family);
        let counts = [count("ce_count", &CHANNEL_CORRECTABLE), count("ue_count", &CHANNEL_UNCORRECTABLE)];
        Channel { number, dimm, counts }
    }
}

/// Without the `#` of labels that drivers make up: `CPU_SrcID#0_Ha#0_Chan#1_DIMM#0`, `mc#0csrow#1channel#0`.
fn dimm(label: &str) -> String {
    label.replace('#', "").replace("csrow", "_csrow").replace("channel", "_channel")
}

/// The names in a folder that `wanted` keeps, sorted.
fn names(dir: &Path, wanted: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let names = entries.filter_map(|entry| Some(OsStr::as_bytes(&entry.ok()?.file_name()).to_vec()));
    let mut names: Vec<_> = names.filter(|name| wanted(name)).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_modules() {
        assert_eq!(dimm("mc#0csrow#1channel#0"), "mc0_csrow1_channel0");
        assert_eq!(dimm("CPU_SrcID#0_Ha#0_Chan#1_DIMM#0"), "CPU_SrcID0_Ha0_Chan1_DIMM0");
    }
}
