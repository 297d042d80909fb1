//! What the page's header says of the host.

use serde::Serialize;
use taffrail_core::SeriesDef;

/// The families that facts are read from.
pub(super) const FAMILIES: [&str; 5] = [
    "node_uname_info",
    "node_os_info",
    "node_boot_time_seconds",
    "node_memory_MemTotal_bytes",
    "node_cpu_seconds_total",
];

/// The longest fact, in bytes.
const MAX_BYTES: usize = 128;

/// The host, as far as its metrics tell. Empty and 0 are unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Facts {
    /// The kernel: `Linux 6.12.0`.
    pub kernel: String,
    /// The machine's architecture: `x86_64`.
    pub machine: String,
    /// The operating system: `Debian GNU/Linux 13 (trixie)`.
    pub os: String,
    /// CPUs that run.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: f64,
    /// When the kernel started, in Unix milliseconds.
    pub boot_ms: i64,
    #[serde(skip)]
    counted: u32,
}

impl Facts {
    pub(super) fn begin(&mut self) {
        self.counted = 0;
    }

    /// Takes one sample of one of [`FAMILIES`].
    pub(super) fn take(&mut self, def: &SeriesDef, value: f64) {
        match def.family.name.as_str() {
            "node_cpu_seconds_total" if label(def, "mode") == Some("idle") => self.counted += 1,
            "node_memory_MemTotal_bytes" if value.is_finite() => self.memory_bytes = value,
            "node_boot_time_seconds" if value.is_finite() => self.boot_ms = (value * 1000.0) as i64,
            "node_uname_info" => {
                let (name, release) = (label(def, "sysname"), label(def, "release"));
                set(&mut self.kernel, &[name.unwrap_or_default(), release.unwrap_or_default()]);
                set(&mut self.machine, &[label(def, "machine").unwrap_or_default()]);
            }
            "node_os_info" => {
                let name = label(def, "pretty_name").or_else(|| label(def, "name"));
                set(&mut self.os, &[name.unwrap_or_default()]);
            }
            _ => {}
        }
    }

    pub(super) fn finish(&mut self) {
        if self.counted > 0 {
            self.cpus = self.counted;
        }
    }
}

/// Sets `fact` to the words, bounded.
fn set(fact: &mut String, words: &[&str]) {
    let mut text = words.join(" ");
    text.truncate(text.floor_char_boundary(MAX_BYTES));
    if text != *fact {
        *fact = text;
    }
}

/// The value of the label `name`, if the series has it and it is not empty.
pub(super) fn label<'a>(def: &'a SeriesDef, name: &str) -> Option<&'a str> {
    def.labels.iter().find(|(n, _)| n == name).map(|(_, v)| &**v).filter(|v| !v.is_empty())
}
