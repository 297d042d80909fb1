//! What `/proc/cpuinfo` (proc_cpuinfo(5)) says of the CPUs. Which fields there are depends on the architecture.

use taffrail_core::file::KernelFile;
use taffrail_core::pattern::Pattern;
use taffrail_core::{CollectError, Family, Out, label};

use crate::config::HostConfig;
use crate::cpu::{BUG, FLAG, INFO};
use crate::cpufreq::FREQUENCY;
use crate::scan;

/// The file, and what is wanted of it.
pub(crate) struct Info {
    file: KernelFile,
    flags: Option<Pattern>,
    bugs: Option<Pattern>,
}

impl Info {
    pub(crate) fn new(config: &HostConfig) -> Self {
        let file = KernelFile::new(config.proc("cpuinfo"));
        Info { file, flags: config.cpu.flags.clone(), bugs: config.cpu.bugs.clone() }
    }

    pub(crate) fn write(&mut self, out: &mut Out) -> Result<(), CollectError> {
        for (at, cpu) in parse(self.file.read()?).enumerate() {
            cpu.write(out);
            if at == 0 {
                words(cpu.flags, self.flags.as_ref(), &FLAG, out);
                words(cpu.bugs, self.bugs.as_ref(), &BUG, out);
            }
        }
        Ok(())
    }
}

fn words(list: &[u8], wanted: Option<&Pattern>, family: &'static Family<1>, out: &mut Out) {
    let Some(wanted) = wanted else { return };
    for word in scan::fields(list).filter(|word| wanted.matches(word)) {
        out.put(family, [&label::value(word)], 1.0);
    }
}

/// One CPU. What the file does not say is empty.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Cpu<'a> {
    number: &'a [u8],
    package: &'a [u8],
    core: &'a [u8],
    vendor: &'a [u8],
    family: &'a [u8],
    model: &'a [u8],
    model_name: &'a [u8],
    microcode: &'a [u8],
    stepping: &'a [u8],
    cache_size: &'a [u8],
    megahertz: &'a [u8],
    flags: &'a [u8],
    bugs: &'a [u8],
}

/// The CPUs in the file: blocks of lines `name : value`, each of which begins with the CPU's number. What stands before
/// the first or after the last (as on ARM) belongs to none.
pub(crate) fn parse(bytes: &[u8]) -> impl Iterator<Item = Cpu<'_>> {
    let mut lines = scan::lines(bytes).filter_map(|line| {
        let at = memchr::memchr(b':', line)?;
        Some((scan::trim(&line[..at]), scan::trim(&line[at + 1..])))
    });
    let mut next = None;
    std::iter::from_fn(move || {
        let number = next.take().or_else(|| lines.find(|line| is_number(*line)).map(|(_, number)| number))?;
        let mut cpu = Cpu { number, ..Cpu::default() };
        for line in lines.by_ref() {
            if is_number(line) {
                next = Some(line.1);
                break;
            }
            cpu.set(line);
        }
        Some(cpu)
    })
}

fn is_number((name, value): (&[u8], &[u8])) -> bool {
    name == b"processor" && scan::integer(value).is_some()
}

impl<'a> Cpu<'a> {
    fn set(&mut self, (name, value): (&[u8], &'a [u8])) {
        let field = match name {
            b"vendor" | b"vendor_id" => &mut self.vendor,
            b"cpu family" => &mut self.family,
            b"model" => &mut self.model,
            b"model name" => &mut self.model_name,
            b"stepping" => &mut self.stepping,
            b"microcode" => &mut self.microcode,
            b"cpu MHz" => &mut self.megahertz,
            b"cache size" => &mut self.cache_size,
            b"physical id" => &mut self.package,
            b"core id" => &mut self.core,
            // x86, ARM.
            b"flags" | b"Features" => &mut self.flags,
            b"bugs" => &mut self.bugs,
            _ => return,
        };
        *field = value;
    }

    fn write(&self, out: &mut Out) {
        let values = [
            self.package,
            self.core,
            self.number,
            self.vendor,
            self.family,
            self.model,
            self.model_name,
            self.microcode,
            self.stepping,
            self.cache_size,
        ];
        let values = values.map(label::value);
        out.put(&INFO, values.each_ref().map(|value| &**value), 1.0);
    }

    /// Writes the frequency, where the file has one.
    pub(crate) fn write_frequency(&self, out: &mut Out) {
        if let Some(megahertz) = scan::number(self.megahertz) {
            let [package, core, number] = [self.package, self.core, self.number].map(label::value);
            out.put(&FREQUENCY, [&package, &core, &number], megahertz * 1e6);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_a_cpu() {
        let text = b"processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\nmodel name\t: Xeon: 1\ncpu MHz\t\t: 2100.5\n\
                     flags\t\t: fpu vme\npower management:\n\nprocessor\t: 7\nphysical id\t: 1\ncore id\t\t: 3\n";
        let cpus: Vec<_> = parse(text).collect();
        assert_eq!(
            (cpus.len(), cpus[0].number, cpus[0].vendor),
            (2, b"0".as_slice(), b"GenuineIntel".as_slice())
        );
        assert_eq!((cpus[0].model_name, cpus[0].megahertz), (b"Xeon: 1".as_slice(), b"2100.5".as_slice()));
        assert_eq!(
            (cpus[1].number, cpus[1].package, cpus[1].core),
            (b"7".as_slice(), b"1".as_slice(), b"3".as_slice())
        );
        assert_eq!(cpus[1].vendor, b"");
    }

    #[test]
    fn what_is_no_cpu_is_left_out() {
        for text in ["", "\n\n", "Hardware\t: BCM\nprocessor : x\n", ":\n", "processor\n"] {
            assert_eq!(parse(text.as_bytes()).count(), 0, "{text}");
        }
        assert_eq!(parse(b"processor\t: 0\nprocessor\t: 1").count(), 2);
    }
}
