//! ZFS from `/proc/spl/kstat/zfs` (OpenZFS' kstats, `kstat.h`): its caches and queues, its pools and their data sets.
//! Untyped, as node_exporter publishes them.

use std::path::Path;

use taffrail_core::file::KernelFile;
use taffrail_core::{CollectError, Keyed, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::folder::Folder;
use crate::scan::{self, Malformed};
use crate::tally::Tally;

metrics! {
    /// kstat.zfs.misc.abdstats.{key}: buffers.
    ABD: Untyped = "node_zfs_abd_" {"/proc/spl/kstat/zfs/abdstats"} "" [];
    /// kstat.zfs.misc.arcstats.{key}: the cache in memory and on fast disks.
    ARC: Untyped = "node_zfs_arc_" {"/proc/spl/kstat/zfs/arcstats"} "" [];
    /// kstat.zfs.misc.dbufstats.{key}: buffers of blocks.
    DBUF: Untyped = "node_zfs_dbuf_" {"/proc/spl/kstat/zfs/dbufstats"} "" [];
    /// kstat.zfs.misc.dmu_tx.{key}: transactions.
    DMU_TX: Untyped = "node_zfs_dmu_tx_" {"/proc/spl/kstat/zfs/dmu_tx"} "" [];
    /// kstat.zfs.misc.dnodestats.{key}: objects.
    DNODE: Untyped = "node_zfs_dnode_" {"/proc/spl/kstat/zfs/dnodestats"} "" [];
    /// kstat.zfs.misc.fm.{key}: reports of faults.
    FM: Untyped = "node_zfs_fm_" {"/proc/spl/kstat/zfs/fm"} "" [];
    /// kstat.zfs.misc.vdev_cache_stats.{key}: the cache of devices; old versions only.
    VDEV_CACHE: Untyped = "node_zfs_vdev_cache_" {"/proc/spl/kstat/zfs/vdev_cache_stats"} "" [];
    /// kstat.zfs.misc.vdev_mirror_stats.{key}: which half of a mirror was read.
    VDEV_MIRROR: Untyped = "node_zfs_vdev_mirror_" {"/proc/spl/kstat/zfs/vdev_mirror_stats"} "" [];
    /// kstat.zfs.misc.xuio_stats.{key}: buffers lent to others; old versions only.
    XUIO: Untyped = "node_zfs_xuio_" {"/proc/spl/kstat/zfs/xuio_stats"} "" [];
    /// kstat.zfs.misc.zfetchstats.{key}: reading ahead.
    ZFETCH: Untyped = "node_zfs_zfetch_" {"/proc/spl/kstat/zfs/zfetchstats"} "" [];
    /// kstat.zfs.misc.zil.{key}: the log of what was asked to be on disk at once.
    ZIL: Untyped = "node_zfs_zil_" {"/proc/spl/kstat/zfs/zil"} "" [];
    /// kstat.zfs.misc.objset.{key} of a data set.
    DATASET: Untyped = "node_zfs_zpool_dataset_" {"/proc/spl/kstat/zfs/<pool>/objset-*"} "" ["zpool", "dataset"];
    /// kstat.zfs.misc.io.{key} of a pool.
    POOL: Untyped = "node_zfs_zpool_" {"/proc/spl/kstat/zfs/<pool>/io"} "" ["zpool"];
    /// The state that the pool is in (1), and all that it is not in (0).
    STATE: Gauge = "node_zfs_zpool_state" ["zpool", "state"];
}

static FILES: [(&str, &Keyed<0>); 11] = [
    ("abdstats", &ABD),
    ("arcstats", &ARC),
    ("dbufstats", &DBUF),
    ("dmu_tx", &DMU_TX),
    ("dnodestats", &DNODE),
    ("fm", &FM),
    ("vdev_cache_stats", &VDEV_CACHE),
    ("vdev_mirror_stats", &VDEV_MIRROR),
    ("xuio_stats", &XUIO),
    ("zfetchstats", &ZFETCH),
    ("zil", &ZIL),
];

const STATES: [&str; 7] = ["online", "degraded", "faulted", "offline", "removed", "unavail", "suspended"];

/// The subject `zfs`.
pub fn subject(config: &HostConfig) -> Subject {
    let root = config.proc("spl/kstat/zfs");
    let mut folder = Folder::new(root.clone());
    let mut files: Vec<_> =
        FILES.iter().map(|(name, family)| (KernelFile::new(root.join(name)), *family)).collect();
    let mut pools: Vec<Pool> = Vec::new();
    Subject::blocking("zfs", METRICS, move |out| {
        // Pools stand among the files; what is in a pool is looked at as often as the folder.
        if folder.is_new()? {
            let names = folder.names().filter(|name| folder.join(name).is_dir());
            pools = names.map(|name| Pool::new(name, &folder.join(name))).collect();
        }
        let mut tally = Tally::default();
        for (file, family) in &mut files {
            let written = file
                .read()
                .map(|bytes| write_named(bytes, |key, value| out.put_keyed(family, key, [], value)));
            // Not every version has every file.
            tally.add(flatten(file, written));
        }
        for pool in &mut pools {
            pool.write(&mut tally, out);
        }
        tally.finish()
    })
}

/// Reading a file and understanding it, as one result.
fn flatten(
    file: &KernelFile,
    written: Result<Result<(), Malformed>, CollectError>,
) -> Result<(), CollectError> {
    written?.map_err(|error| file.malformed(error))
}

struct Pool {
    name: String,
    io: KernelFile,
    state: KernelFile,
    datasets: Folder,
    objsets: Vec<KernelFile>,
}

impl Pool {
    fn new(name: &str, path: &Path) -> Self {
        Pool {
            name: name.to_owned(),
            io: KernelFile::new(path.join("io")),
            state: KernelFile::new(path.join("state")),
            datasets: Folder::new(path),
            objsets: Vec::new(),
        }
    }

    /// Writes what there is of the pool.
    fn write(&mut self, tally: &mut Tally, out: &mut Out) {
        match self.datasets.is_new() {
            Ok(true) => {
                let names = self.datasets.names().filter(|name| name.starts_with("objset-"));
                self.objsets = names.map(|name| KernelFile::new(self.datasets.join(name))).collect();
            }
            Ok(false) => {}
            // It may have been exported since the folder was listed.
            Err(error) => {
                tally.add(Err(error));
                return;
            }
        }
        let pool = &*self.name;
        let written = self.io.read().map(|bytes| write_io(bytes, pool, out));
        tally.add(flatten(&self.io, written));
        for file in &mut self.objsets {
            let written = file.read().map(|bytes| write_objset(bytes, pool, out));
            if !tally.add(flatten(file, written)) {
                self.datasets.look_again();
            }
        }
        // Versions before 0.8 do not have it.
        tally.add(self.state.read().map(|bytes| write_state(bytes, pool, out)));
    }
}

/// One row of a kstat of names: its name, type and value.
type Row<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// The rows behind the line `name type data`. The line before it says what the kstat is about.
fn rows(bytes: &[u8]) -> Result<impl Iterator<Item = Row<'_>>, Malformed> {
    let mut lines = scan::lines(bytes);
    if !lines.by_ref().any(|line| scan::fields(line).eq([b"name".as_slice(), b"type", b"data"])) {
        return Err(Malformed::new("a line `name type data`", bytes));
    }
    Ok(lines.filter_map(|line| {
        let mut fields = scan::fields(line);
        let (name, kind, first) = (fields.next()?, fields.next()?, fields.next()?);
        // A text may have blanks: it reaches to the end of the line.
        let at = first.as_ptr().addr() - line.as_ptr().addr();
        Some((name, kind, scan::trim(&line[at..])))
    }))
}

/// The value of a row that is a whole number of 64 bits, signed (3) or not (4); others are not published.
fn number(kind: &[u8], value: &[u8]) -> Option<Result<f64, Malformed>> {
    matches!(kind, b"3" | b"4")
        .then(|| scan::number(value).ok_or_else(|| Malformed::new("a whole number", value)))
}

fn write_named(bytes: &[u8], mut put: impl FnMut(&str, f64)) -> Result<(), Malformed> {
    for (name, kind, value) in rows(bytes)? {
        if let Some(value) = number(kind, value) {
            put(&label::value(name), value?);
        }
    }
    Ok(())
}

/// The row `dataset_name` comes before those that it is the name for.
fn write_objset(bytes: &[u8], pool: &str, out: &mut Out) -> Result<(), Malformed> {
    let mut dataset = None;
    for (name, kind, value) in rows(bytes)? {
        if name == b"dataset_name" {
            dataset = Some(label::value(value));
        } else if let (Some(dataset), Some(value)) = (&dataset, number(kind, value)) {
            out.put_keyed(&DATASET, &label::value(name), [pool, dataset], value?);
        }
    }
    Ok(())
}

/// A kstat of input and output: a line of names that begins with `nread`, and a line of numbers.
fn write_io(bytes: &[u8], pool: &str, out: &mut Out) -> Result<(), Malformed> {
    let mut lines = scan::lines(bytes);
    let names = lines.by_ref().find(|line| scan::fields(line).next() == Some(b"nread"));
    let Some(names) = names else { return Err(Malformed::new("a line that begins with `nread`", bytes)) };
    let values = lines.next().unwrap_or_default();
    for (name, value) in scan::fields(names).zip(scan::fields(values)) {
        out.put_keyed(&POOL, &label::value(name), [pool], scan::expect_number(Some(value), values)?);
    }
    Ok(())
}

fn write_state(bytes: &[u8], pool: &str, out: &mut Out) {
    let present = scan::trim(bytes);
    for state in STATES {
        let is = present.eq_ignore_ascii_case(state.as_bytes());
        out.put(&STATE, [pool, state], f64::from(u8::from(is)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(write: impl FnOnce(&mut Out) -> Result<(), Malformed>) -> Result<Vec<String>, Malformed> {
        let mut out = Out::default();
        out.begin(0);
        write(&mut out)?;
        let collected = out.finish();
        let line = |((_, def), sample): (&(_, taffrail_core::SeriesDef), &taffrail_core::Sample)| {
            let labels: Vec<_> = def.labels.iter().map(|(_, value)| &**value).collect();
            format!("{} {} {}", def.name(), labels.join(" "), sample.value.to_f64())
        };
        Ok(collected.new.iter().zip(&collected.samples).map(line).collect())
    }

    #[test]
    fn data_sets_have_names_with_blanks() {
        let text = b"36 1 0x01 7 2160 5214787391 73405258558961\nname                            type data\n\
            dataset_name                    7    tank/my files\nwrites                          4    5\n\
            other                           1    9\nreads                           3    -1\n";
        let expected = [
            "node_zfs_zpool_dataset_writes tank tank/my files 5",
            "node_zfs_zpool_dataset_reads tank tank/my files -1",
        ];
        assert_eq!(run(|out| write_objset(text, "tank", out)).unwrap(), expected);
    }

    #[test]
    fn pools() {
        let text = b"12 3 0x00 1 80 7921048868 5256084270928\nnread    nwritten reads\n1884160  3206144 22\n";
        let expected = [
            "node_zfs_zpool_nread tank 1884160",
            "node_zfs_zpool_nwritten tank 3206144",
            "node_zfs_zpool_reads tank 22",
        ];
        assert_eq!(run(|out| write_io(text, "tank", out)).unwrap(), expected);
        let states = run(|out| {
            write_state(b"DEGRADED\n", "tank", out);
            Ok(())
        });
        let on: Vec<_> = states.unwrap().into_iter().filter(|line| line.ends_with(" 1")).collect();
        assert_eq!(on, ["node_zfs_zpool_state tank degraded 1"]);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"".as_slice(), b"size 4 1\n", b"name type data\nsize 4 x\n"] {
            assert!(run(|_| write_named(bad, |_, _| {})).is_err(), "{bad:?}");
        }
        for bad in [b"".as_slice(), b"nwritten\n1\n", b"nread nwritten\n1 x\n"] {
            assert!(run(|out| write_io(bad, "tank", out)).is_err(), "{bad:?}");
        }
    }
}
