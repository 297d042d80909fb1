//! Known weaknesses of the CPUs and what the kernel does about them, from `/sys/devices/system/cpu/vulnerabilities`
//! (kernel document `ABI/sysfs-devices-system-cpu`).

use std::path::Path;

use taffrail_core::file::read_once;
use taffrail_core::{Subject, label, metrics};

use crate::config::HostConfig;
use crate::devices::Devices;
use crate::scan;

metrics! {
    /// Whether the CPUs have the weakness, and what is done about it. Always 1.
    INFO: Gauge = "node_cpu_vulnerabilities_info" ["codename", "state", "mitigation"];
}

struct Vulnerability {
    name: String,
    state: &'static str,
    mitigation: String,
}

/// The subject `cpu_vulnerabilities`.
pub fn subject(config: &HostConfig) -> Subject {
    // A new microcode changes the files; they are read again every few minutes.
    let mut all = Devices::new(config.sys("devices/system/cpu/vulnerabilities"));
    Subject::blocking("cpu_vulnerabilities", METRICS, move |out| {
        for Vulnerability { name, state, mitigation } in all.present(Vulnerability::read)? {
            out.put(&INFO, [name, state, mitigation], 1.0);
        }
        Ok(())
    })
}

impl Vulnerability {
    fn read(dir: &Path, name: &[u8]) -> Option<Self> {
        let name = label::value(name).into_owned();
        let bytes = read_once(&dir.join(&name)).ok()?;
        let text = label::value(scan::trim(&bytes));
        let (state, mitigation) = parse(&text);
        Some(Vulnerability { name, state, mitigation })
    }
}

/// The state, and what stands behind its first word; a text that begins with no state is kept whole.
fn parse(text: &str) -> (&'static str, String) {
    let begins = |state: &str| text.get(..state.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(state));
    if begins("not affected") {
        return ("not affected", String::new());
    }
    for state in ["vulnerable", "mitigation", "unknown"] {
        if begins(state) {
            let words: Vec<_> = text.split_whitespace().skip(1).collect();
            return (state, words.join(" "));
        }
    }
    ("unknown", text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_mitigations() {
        for (text, state, mitigation) in [
            ("Not affected", "not affected", ""),
            ("Vulnerable", "vulnerable", ""),
            ("Vulnerable: No microcode", "vulnerable", "No microcode"),
            ("Mitigation: PTE Inversion; VMX:  flush", "mitigation", "PTE Inversion; VMX: flush"),
            ("Unknown (XEN PV detected)", "unknown", "(XEN PV detected)"),
            ("KVM: Mitigation: VMX disabled", "unknown", "KVM: Mitigation: VMX disabled"),
            ("", "unknown", ""),
        ] {
            assert_eq!(parse(text), (state, mitigation.to_owned()), "{text}");
        }
    }
}
