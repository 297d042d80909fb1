//! Interrupts of each CPU from `/proc/interrupts` (proc_interrupts(5)).
//!
//! A CPU more is a series more for nearly every interrupt. So only values that are not zero are published, and only those
//! of the first CPUs that are online, 16 of them by default.

use taffrail_core::file::KernelFile;
use taffrail_core::{Out, Subject, label, metrics};

use crate::config::{HostConfig, Interrupts};
use crate::scan::{self, Malformed};

metrics! {
    /// Interrupts that the CPU handled: their number or short name, what they are or by which chip they come, and for
    /// which devices.
    INTERRUPTS: Counter = "node_interrupts_total" ["cpu", "type", "info", "devices"];
}

/// The subject `interrupts`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("interrupts"));
    let mut table = Table { config: config.interrupts.clone(), cpus: Vec::new(), rows: Vec::new() };
    Subject::blocking("interrupts", METRICS, move |out| {
        let written = table.write(file.read()?, out);
        written.map_err(|e| file.malformed(e))
    })
}

/// What is kept from run to run: the texts of the file's rows.
struct Table {
    config: Interrupts,
    /// The file's first line, and the numbers in it.
    cpus: Vec<(Vec<u8>, String)>,
    rows: Vec<Row>,
}

#[derive(Debug, Default)]
struct Row {
    name: Vec<u8>,
    /// What stands behind the values, as it stands there.
    text: Vec<u8>,
    wanted: bool,
    /// Name, info and devices.
    labels: [String; 3],
}

impl Table {
    fn write(&mut self, bytes: &[u8], out: &mut Out) -> Result<(), Malformed> {
        let mut lines = scan::lines(bytes);
        let head = lines.next().unwrap_or_default();
        self.read_head(head)?;
        for (at, line) in lines.enumerate() {
            let Some((name, values)) = split(line) else { continue };
            let Some(text) = behind(values, self.cpus.len()) else { continue };
            self.row(at, name, text);
            let row = &self.rows[at];
            if !row.wanted {
                continue;
            }
            let [name, info, devices] = &row.labels;
            let cpus = self.cpus.iter().take(self.config.max_cpus);
            for ((_, cpu), field) in cpus.zip(scan::fields(values)) {
                let value = scan::expect_number(Some(field), line)?;
                if value != 0.0 || self.config.zeros {
                    out.put(&INTERRUPTS, [cpu, name, info, devices], value);
                }
            }
        }
        Ok(())
    }

    /// The first line names the CPUs that are online. Their numbers may have gaps, which node_exporter counts over.
    fn read_head(&mut self, line: &[u8]) -> Result<(), Malformed> {
        if scan::fields(line).eq(self.cpus.iter().map(|(name, _)| &**name)) && !self.cpus.is_empty() {
            return Ok(());
        }
        let cpu = |name: &[u8]| {
            let number = scan::integer(name.strip_prefix(b"CPU")?)?;
            Some((name.to_vec(), number.to_string()))
        };
        let cpus: Option<Vec<_>> = scan::fields(line).map(cpu).collect();
        self.cpus =
            cpus.filter(|cpus| !cpus.is_empty()).ok_or_else(|| Malformed::new("`CPU0 CPU1 …`", line))?;
        Ok(())
    }

    /// Sees to it that the row at `at` is this one.
    fn row(&mut self, at: usize, name: &[u8], text: &[u8]) {
        while self.rows.len() <= at {
            self.rows.push(Row::default());
        }
        let row = &mut self.rows[at];
        if row.name != name || row.text != text {
            *row = Row::new(name, text, &self.config);
        }
    }
}

impl Row {
    fn new(name: &[u8], text: &[u8], config: &Interrupts) -> Self {
        let mut words = scan::fields(text);
        let join = |words: &mut dyn Iterator<Item = &[u8]>| {
            let words: Vec<_> = words.map(label::value).collect();
            label::value(words.join(" ").as_bytes()).into_owned()
        };
        // Of a numbered interrupt the first word is its chip; the rest, and all of a named one, is for people.
        let labels = if scan::integer(name).is_some() {
            let info = words.next().map(|word| label::value(word).into_owned()).unwrap_or_default();
            [label::value(name).into_owned(), info, join(&mut words)]
        } else {
            [label::value(name).into_owned(), join(&mut words), String::new()]
        };
        let wanted = config.names.keeps(labels.join(";").as_bytes());
        Row { name: name.to_vec(), text: text.to_vec(), wanted, labels }
    }
}

/// The name of an interrupt and what stands behind its colon; on some machines there is no blank between the two.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    Some((scan::trim(&line[..colon]), &line[colon + 1..]))
}

/// What stands behind `count` fields; `None` if nothing does: counts of errors are not of a CPU.
fn behind(values: &[u8], count: usize) -> Option<&[u8]> {
    let field = scan::fields(values).nth(count)?;
    // The field is a part of the line, so its place in it is known.
    let at = field.as_ptr().addr() - values.as_ptr().addr();
    Some(scan::trim(&values[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_core::pattern::Filter;

    const TEXT: &[u8] = b"           CPU0       CPU2       \n  \
        0:         18          0  IR-IO-APIC    2-edge      timer\n \
        IPI0:4          5 Rescheduling interrupts\nERR:          0\nLOC:  10  20   Local timer interrupts\n";

    fn run(table: &mut Table, text: &[u8]) -> Result<Vec<(String, f64)>, Malformed> {
        let mut out = Out::default();
        out.begin(0);
        table.write(text, &mut out)?;
        let collected = out.finish();
        let labels = collected.new.iter().map(|(_, def)| {
            def.labels.iter().map(|(_, value)| value.to_string()).collect::<Vec<_>>().join("|")
        });
        Ok(labels.zip(collected.samples.iter().map(|s| s.value.to_f64())).collect())
    }

    fn table(config: Interrupts) -> Table {
        Table { config, cpus: Vec::new(), rows: Vec::new() }
    }

    #[test]
    fn values_with_the_numbers_of_the_head() {
        let mut table = table(Interrupts::default());
        let expected = [
            ("0|0|IR-IO-APIC|2-edge timer".to_owned(), 18.0),
            ("0|IPI0|Rescheduling interrupts|".to_owned(), 4.0),
            ("2|IPI0|Rescheduling interrupts|".to_owned(), 5.0),
            ("0|LOC|Local timer interrupts|".to_owned(), 10.0),
            ("2|LOC|Local timer interrupts|".to_owned(), 20.0),
        ];
        assert_eq!(run(&mut table, TEXT).unwrap(), expected);
        assert_eq!(run(&mut table, TEXT).unwrap(), expected);
        // A CPU went, and the rows moved.
        let other = run(&mut table, b"  CPU2\nLOC: 7 Local timer interrupts\n").unwrap();
        assert_eq!(other, [("2|LOC|Local timer interrupts|".to_owned(), 7.0)]);
    }

    #[test]
    fn settings_choose() {
        let config = Interrupts { zeros: true, max_cpus: 1, names: Filter::excluding("^LOC;Local timer") };
        let got = run(&mut table(config), TEXT).unwrap();
        assert_eq!(got.len(), 2, "{got:?}");
        let config = Interrupts { zeros: true, ..Interrupts::default() };
        assert_eq!(run(&mut table(config), TEXT).unwrap().len(), 6);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"".as_slice(), b"\n", b"CPUx\n", b"LOC: 1 x\n", b"CPU0\nLOC: x Local\n"] {
            assert!(run(&mut table(Interrupts::default()), bad).is_err(), "{bad:?}");
        }
    }
}
