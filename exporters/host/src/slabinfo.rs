//! Caches of the kernel's objects from `/proc/slabinfo` (slabinfo(5)), which only root can read.

use taffrail_core::file::KernelFile;
use taffrail_core::pattern::Decisions;
use taffrail_core::{Family, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::scan::{self, Malformed};

metrics! {
    /// Objects of the cache that are in use.
    ACTIVE: Gauge = "node_slabinfo_active_objects" ["slab"];
    /// Objects of the cache, in use or not.
    OBJECTS: Gauge = "node_slabinfo_objects" ["slab"];
    /// Bytes of one object.
    OBJECT_SIZE: Gauge = "node_slabinfo_object_size_bytes" ["slab"];
    /// Objects in one slab.
    OBJECTS_PER_SLAB: Gauge = "node_slabinfo_objects_per_slab" ["slab"];
    /// Pages of one slab.
    PAGES_PER_SLAB: Gauge = "node_slabinfo_pages_per_slab" ["slab"];
}

/// The columns behind the name.
static COLUMNS: [&Family<1>; 5] = [&ACTIVE, &OBJECTS, &OBJECT_SIZE, &OBJECTS_PER_SLAB, &PAGES_PER_SLAB];

/// The subject `slabinfo`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("slabinfo"));
    let mut wanted = Decisions::new(&config.slabinfo);
    Subject::blocking("slabinfo", METRICS, move |out| {
        let written = write(file.read()?, &mut wanted, out);
        written.map_err(|e| file.malformed(e))
    })
}

fn write(bytes: &[u8], wanted: &mut Decisions, out: &mut Out) -> Result<(), Malformed> {
    // Two lines before the caches: the version, and the columns' names.
    let caches =
        scan::lines(bytes).filter(|line| !line.starts_with(b"slabinfo - ") && !line.starts_with(b"#"));
    for (at, line) in caches.enumerate() {
        let (name, values) = parse(line)?;
        if wanted.keeps(at, name) {
            let name = label::value(name);
            for (family, value) in COLUMNS.iter().zip(values) {
                out.put(family, [&name], value);
            }
        }
    }
    Ok(())
}

/// The name of a cache and its first five numbers.
pub fn parse(line: &[u8]) -> Result<(&[u8], [f64; 5]), Malformed> {
    let wrong = || Malformed::new("a name and at least five numbers", line);
    let mut fields = scan::fields(line);
    let name = fields.next().ok_or_else(wrong)?;
    let mut values = [0.0; 5];
    for value in &mut values {
        *value = fields.next().and_then(scan::number).ok_or_else(wrong)?;
    }
    Ok((name, values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use taffrail_core::pattern::Filter;

    #[test]
    fn caches_that_are_wanted() {
        let text = b"slabinfo - version: 2.1\n# name            <active_objs> ...\n\
            ext4_inode_cache   10  12 1176 27 8 : tunables 0 0 0 : slabdata 1 1 0\nkmalloc-8k 1 2 3 4 5 : x\n";
        let mut out = Out::default();
        out.begin(0);
        write(text, &mut Decisions::new(&Filter::including("^ext4")), &mut out).unwrap();
        let values: Vec<_> = out.finish().samples.iter().map(|s| s.value.to_f64()).collect();
        assert_eq!(values, [10.0, 12.0, 1176.0, 27.0, 8.0]);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"".as_slice(), b"kmalloc-8k", b"kmalloc-8k 1 2 3 4", b"kmalloc-8k 1 2 3 4 x"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
