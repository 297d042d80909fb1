//! Events of the memory management from `/proc/vmstat` (proc_vmstat(5)), in the units of the kernel: pages, kilobytes
//! (`pgpgin`, `pgpgout`) or events. Untyped, as node_exporter publishes them.

use taffrail_core::file::KernelFile;
use taffrail_core::{Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::scan::{self, Malformed};
use taffrail_core::pattern::Decisions;

metrics! {
    /// Field {key} of /proc/vmstat.
    FIELD: Untyped = "node_vmstat_" {"fields of /proc/vmstat"} "" [] irregular;
}

/// The subject `vmstat`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("vmstat"));
    let mut wanted = Decisions::new(&config.vmstat);
    Subject::blocking("vmstat", METRICS, move |out| {
        let written = write(file.read()?, &mut wanted, out);
        written.map_err(|e| file.malformed(e))
    })
}

fn write(bytes: &[u8], wanted: &mut Decisions, out: &mut Out) -> Result<(), Malformed> {
    for (at, line) in scan::lines(bytes).enumerate() {
        let (name, value) = split(line)?;
        if wanted.keeps(at, name) {
            let value = scan::number(value).ok_or_else(|| Malformed::new("`name number`", line))?;
            out.put_keyed(&FIELD, &label::value(name), [], value);
        }
    }
    Ok(())
}

/// The name and the number of one line; the number is not looked at, most are not wanted.
fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    match memchr::memchr(b' ', line) {
        Some(at) if at > 0 => Ok((&line[..at], scan::trim(&line[at + 1..]))),
        _ => Err(Malformed::new("`name number`", line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_core::pattern::Filter;

    fn run(text: &[u8]) -> Result<Vec<(String, f64)>, Malformed> {
        let mut out = Out::default();
        out.begin(0);
        let mut wanted = Decisions::new(&Filter::including("^pg"));
        write(text, &mut wanted, &mut out)?;
        let collected = out.finish();
        let names = collected.new.iter().map(|(_, def)| def.family.name.clone());
        Ok(names.zip(collected.samples.iter().map(|s| s.value.to_f64())).collect())
    }

    #[test]
    fn wanted_fields_only() {
        let got = run(b"nr_free_pages 7\npgfault 3\nnr_diff -4\npgx -2\n").unwrap();
        assert_eq!(got, [("node_vmstat_pgfault".to_owned(), 3.0), ("node_vmstat_pgx".to_owned(), -2.0)]);
        assert!(run(b"").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"pgfault\n".as_slice(), b"pgfault x\n", b" 1\n", b"\n"] {
            assert!(run(bad).is_err(), "{bad:?}");
        }
    }
}
