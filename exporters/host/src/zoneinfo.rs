//! Pages of each zone of memory from `/proc/zoneinfo` (proc_zoneinfo(5)). What the kernel counts by node stands under the
//! node's first zone, and is published so.

use taffrail_core::file::KernelFile;
use taffrail_core::{Family, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::ordinals::Ordinals;
use crate::scan::{self, Malformed};

metrics! {
    /// Free pages.
    FREE: Gauge = "node_zoneinfo_nr_free_pages" ["node", "zone"];
    /// Free pages below which only the kernel itself may allocate.
    MIN: Gauge = "node_zoneinfo_min_pages" ["node", "zone"];
    /// Free pages below which pages are reclaimed.
    LOW: Gauge = "node_zoneinfo_low_pages" ["node", "zone"];
    /// Free pages above which reclaiming rests.
    HIGH: Gauge = "node_zoneinfo_high_pages" ["node", "zone"];
    /// Pages looked at since the last one was reclaimed; old kernels only.
    SCANNED: Gauge = "node_zoneinfo_scanned_pages" ["node", "zone"];
    /// Pages that the zone spans, with its holes.
    SPANNED: Gauge = "node_zoneinfo_spanned_pages" ["node", "zone"];
    /// Pages that exist.
    PRESENT: Gauge = "node_zoneinfo_present_pages" ["node", "zone"];
    /// Pages that the allocator manages.
    MANAGED: Gauge = "node_zoneinfo_managed_pages" ["node", "zone"];
    /// Anonymous pages used not long ago.
    ACTIVE_ANON: Gauge = "node_zoneinfo_nr_active_anon_pages" ["node", "zone"];
    /// Anonymous pages not used for long.
    INACTIVE_ANON: Gauge = "node_zoneinfo_nr_inactive_anon_pages" ["node", "zone"];
    /// Anonymous pages taken off their list for a moment.
    ISOLATED_ANON: Gauge = "node_zoneinfo_nr_isolated_anon_pages" ["node", "zone"];
    /// Anonymous pages.
    ANON: Gauge = "node_zoneinfo_nr_anon_pages" ["node", "zone"];
    /// Anonymous huge pages.
    ANON_HUGE: Gauge = "node_zoneinfo_nr_anon_transparent_hugepages" ["node", "zone"];
    /// Pages of files used not long ago.
    ACTIVE_FILE: Gauge = "node_zoneinfo_nr_active_file_pages" ["node", "zone"];
    /// Pages of files not used for long.
    INACTIVE_FILE: Gauge = "node_zoneinfo_nr_inactive_file_pages" ["node", "zone"];
    /// Pages of files taken off their list for a moment.
    ISOLATED_FILE: Gauge = "node_zoneinfo_nr_isolated_file_pages" ["node", "zone"];
    /// Pages of files.
    FILE: Gauge = "node_zoneinfo_nr_file_pages" ["node", "zone"];
    /// Pages of the kernel's objects that can be reclaimed.
    SLAB_RECLAIMABLE: Gauge = "node_zoneinfo_nr_slab_reclaimable_pages" ["node", "zone"];
    /// Pages of the kernel's objects that cannot be reclaimed.
    SLAB_UNRECLAIMABLE: Gauge = "node_zoneinfo_nr_slab_unreclaimable_pages" ["node", "zone"];
    /// Locked pages found on a list of reclaimable ones; old kernels only.
    MLOCK_STACK: Gauge = "node_zoneinfo_nr_mlock_stack_pages" ["node", "zone"];
    /// Memory of kernel stacks, as the kernel gives it.
    KERNEL_STACKS: Gauge = "node_zoneinfo_nr_kernel_stacks" ["node", "zone"];
    /// Pages that are mapped.
    MAPPED: Gauge = "node_zoneinfo_nr_mapped_pages" ["node", "zone"];
    /// Pages to be written.
    DIRTY: Gauge = "node_zoneinfo_nr_dirty_pages" ["node", "zone"];
    /// Pages being written.
    WRITEBACK: Gauge = "node_zoneinfo_nr_writeback_pages" ["node", "zone"];
    /// Pages that cannot be reclaimed.
    UNEVICTABLE: Gauge = "node_zoneinfo_nr_unevictable_pages" ["node", "zone"];
    /// Pages of shared memory and tmpfs.
    SHMEM: Gauge = "node_zoneinfo_nr_shmem_pages" ["node", "zone"];
    /// Pages made dirty.
    DIRTIED: Counter = "node_zoneinfo_nr_dirtied_total" ["node", "zone"];
    /// Pages written.
    WRITTEN: Counter = "node_zoneinfo_nr_written_total" ["node", "zone"];
    /// Pages allocated on the node that was asked for.
    NUMA_HIT: Counter = "node_zoneinfo_numa_hit_total" ["node", "zone"];
    /// Pages allocated here though another node was asked for.
    NUMA_MISS: Counter = "node_zoneinfo_numa_miss_total" ["node", "zone"];
    /// Pages allocated elsewhere though this node was asked for.
    NUMA_FOREIGN: Counter = "node_zoneinfo_numa_foreign_total" ["node", "zone"];
    /// Pages allocated here in turn with other nodes.
    NUMA_INTERLEAVE: Counter = "node_zoneinfo_numa_interleave_total" ["node", "zone"];
    /// Pages allocated by processes on this node.
    NUMA_LOCAL: Counter = "node_zoneinfo_numa_local_total" ["node", "zone"];
    /// Pages allocated by processes on other nodes.
    NUMA_OTHER: Counter = "node_zoneinfo_numa_other_total" ["node", "zone"];
    /// Pages kept from allocations that could be made in zone number {key}.
    PROTECTION: Gauge = "node_zoneinfo_protection_" {"zones of /proc/zoneinfo"} "" ["node", "zone"];
}

/// Lines by their first word.
static FIELDS: [(&[u8], &Family<2>); 34] = [
    (b"nr_free_pages", &FREE),
    (b"min", &MIN),
    (b"low", &LOW),
    (b"high", &HIGH),
    (b"scanned", &SCANNED),
    (b"spanned", &SPANNED),
    (b"present", &PRESENT),
    (b"managed", &MANAGED),
    (b"nr_active_anon", &ACTIVE_ANON),
    (b"nr_inactive_anon", &INACTIVE_ANON),
    (b"nr_isolated_anon", &ISOLATED_ANON),
    (b"nr_anon_pages", &ANON),
    (b"nr_anon_transparent_hugepages", &ANON_HUGE),
    (b"nr_active_file", &ACTIVE_FILE),
    (b"nr_inactive_file", &INACTIVE_FILE),
    (b"nr_isolated_file", &ISOLATED_FILE),
    (b"nr_file_pages", &FILE),
    (b"nr_slab_reclaimable", &SLAB_RECLAIMABLE),
    (b"nr_slab_unreclaimable", &SLAB_UNRECLAIMABLE),
    (b"nr_mlock_stack", &MLOCK_STACK),
    (b"nr_kernel_stack", &KERNEL_STACKS),
    (b"nr_mapped", &MAPPED),
    (b"nr_dirty", &DIRTY),
    (b"nr_writeback", &WRITEBACK),
    (b"nr_unevictable", &UNEVICTABLE),
    (b"nr_shmem", &SHMEM),
    (b"nr_dirtied", &DIRTIED),
    (b"nr_written", &WRITTEN),
    (b"numa_hit", &NUMA_HIT),
    (b"numa_miss", &NUMA_MISS),
    (b"numa_foreign", &NUMA_FOREIGN),
    (b"numa_interleave", &NUMA_INTERLEAVE),
    (b"numa_local", &NUMA_LOCAL),
    (b"numa_other", &NUMA_OTHER),
];

/// The subject `zoneinfo`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("zoneinfo"));
    let mut texts = Ordinals::default();
    Subject::blocking("zoneinfo", METRICS, move |out| {
        let written = write(file.read()?, &mut texts, out);
        written.map_err(|e| file.malformed(e))
    })
}

fn write(bytes: &[u8], texts: &mut Ordinals, out: &mut Out) -> Result<(), Malformed> {
    let mut zone = None;
    for line in scan::lines(bytes) {
        if let Some(head) = line.strip_prefix(b"Node ") {
            let (node, name) =
                head_of_zone(head).ok_or_else(|| Malformed::new("`Node 0, zone DMA`", line))?;
            zone = Some((label::value(node), label::value(name)));
            continue;
        }
        let Some((node, zone)) = &zone else { return Err(Malformed::new("`Node 0, zone DMA` first", line)) };
        let trimmed = line.trim_ascii_start();
        if let Some(list) = trimmed.strip_prefix(b"protection:") {
            let numbers =
                list.split(|b| matches!(b, b' ' | b',' | b'(' | b')')).filter(|part| !part.is_empty());
            for (at, number) in numbers.enumerate() {
                let value = scan::expect_number(Some(number), line)?;
                out.put_keyed(&PROTECTION, texts.get(at), [node, zone], value);
            }
            continue;
        }
        let mut fields = scan::fields(trimmed);
        let name = fields.next();
        if let Some((_, family)) = FIELDS.iter().find(|(known, _)| name == Some(*known)) {
            out.put(family, [node, zone], scan::expect_number(fields.next(), line)?);
        }
    }
    Ok(())
}

/// `0, zone      DMA`: the node and the zone.
fn head_of_zone(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = scan::fields(head);
    let node = fields.next()?.strip_suffix(b",")?;
    (fields.next() == Some(b"zone")).then_some(())?;
    Some((node, fields.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &[u8]) -> Result<Vec<String>, Malformed> {
        let mut out = Out::default();
        out.begin(0);
        write(text, &mut Ordinals::default(), &mut out)?;
        let collected = out.finish();
        let line = |((_, def), sample): (&(_, taffrail_core::SeriesDef), &taffrail_core::Sample)| {
            format!("{} {} {} {}", def.name(), def.labels[0].1, def.labels[1].1, sample.value.to_f64())
        };
        Ok(collected.new.iter().zip(&collected.samples).map(line).collect())
    }

    #[test]
    fn zones() {
        let text = b"Node 0, zone      DMA\n  per-node stats\n      nr_inactive_anon 5\n  pages free     3952\n        \
            min      33\n        protection: (0, 2877)\n      nr_free_pages 3952\n  pagesets\n    cpu: 0\n              \
            high:  378\n              high_max: 9\n  node_unreclaimable:  0\nNode 1, zone   Normal\n        min 7\n";
        let expected = [
            "node_zoneinfo_nr_inactive_anon_pages 0 DMA 5",
            "node_zoneinfo_min_pages 0 DMA 33",
            "node_zoneinfo_protection_0 0 DMA 0",
            "node_zoneinfo_protection_1 0 DMA 2877",
            "node_zoneinfo_nr_free_pages 0 DMA 3952",
            "node_zoneinfo_min_pages 1 Normal 7",
        ];
        assert_eq!(run(text).unwrap(), expected);
        assert!(run(b"").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        let zone = b"Node 0, zone DMA\n";
        for bad in [b"  min 33\n".as_slice(), b"Node 0 zone DMA\n", b"Node 0, zone\n"] {
            assert!(run(bad).is_err(), "{bad:?}");
        }
        for bad in [b" min\n".as_slice(), b" min x\n", b" protection: (0, x)\n"] {
            assert!(run(&[zone, bad].concat()).is_err(), "{bad:?}");
        }
    }
}
