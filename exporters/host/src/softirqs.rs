//! Soft interrupts of each CPU from `/proc/softirqs` (proc_softirqs(5)).

use taffrail_core::file::KernelFile;
use taffrail_core::{Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::ordinals::Ordinals;
use crate::scan::{self, Malformed};

metrics! {
    /// Soft interrupts that the CPU handled.
    FUNCTIONS: Counter = "node_softirqs_functions_total" ["cpu", "type"];
}

/// The subject `softirqs`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("softirqs"));
    let mut texts = Ordinals::default();
    Subject::blocking("softirqs", METRICS, move |out| {
        let written = write(file.read()?, &mut texts, out);
        written.map_err(|e| file.malformed(e))
    })
}

fn write(bytes: &[u8], texts: &mut Ordinals, out: &mut Out) -> Result<(), Malformed> {
    let mut lines = scan::lines(bytes);
    let head = lines.next().unwrap_or_default();
    if cpus(head).next().is_none() || cpus(head).any(|cpu| cpu.is_none()) {
        return Err(Malformed::new("`CPU0 CPU1 …`", head));
    }
    for line in lines {
        let mut fields = scan::fields(line);
        let Some(name) = fields.next().and_then(|field| field.strip_suffix(b":")) else { continue };
        let name = label::value(name);
        for (cpu, field) in cpus(head).flatten().zip(fields) {
            let value = scan::expect_number(Some(field), line)?;
            out.put(&FUNCTIONS, [texts.get(cpu), &name], value);
        }
    }
    Ok(())
}

/// The CPUs of the first line: all that this machine could have.
fn cpus(head: &[u8]) -> impl Iterator<Item = Option<usize>> {
    // More than any kernel is built for, and few enough to keep their texts.
    const MAX: u64 = 1 << 16;
    let number = |name: &[u8]| scan::integer(name.strip_prefix(b"CPU")?).filter(|number| *number < MAX);
    scan::fields(head).map(move |name| Some(number(name)? as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &[u8]) -> Result<Vec<(String, f64)>, Malformed> {
        let mut out = Out::default();
        out.begin(0);
        write(text, &mut Ordinals::default(), &mut out)?;
        let collected = out.finish();
        let labels = collected.new.iter().map(|(_, def)| format!("{} {}", def.labels[0].1, def.labels[1].1));
        Ok(labels.zip(collected.samples.iter().map(|s| s.value.to_f64())).collect())
    }

    #[test]
    fn every_type_of_every_cpu() {
        let got = run(b"        CPU0   CPU10\n   HI:  7 1\n  RCU:  508444 497743\n").unwrap();
        let expected = [("0 HI", 7.0), ("10 HI", 1.0), ("0 RCU", 508444.0), ("10 RCU", 497743.0)];
        assert_eq!(got, expected.map(|(labels, value)| (labels.to_owned(), value)));
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"".as_slice(), b"\n", b"CPUx\n", b"CPU99999999\n", b"CPU0\nHI: x\n"] {
            assert!(run(bad).is_err(), "{bad:?}");
        }
    }
}
