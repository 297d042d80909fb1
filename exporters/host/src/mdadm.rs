//! Software RAID from `/proc/mdstat` and `/sys/block/md*/md` (kernel document `admin-guide/md`).

use std::path::Path;

use taffrail_core::file::KernelFile;
use taffrail_core::{Out, Subject, label, metrics};

use crate::attribute::{Attribute, Buffer};
use crate::config::HostConfig;
use crate::devices::{Devices, Node};
use crate::scan;

metrics! {
    /// Whether the array is in this state (1) or not (0).
    STATE: Gauge = "node_md_state" ["device", "state"];
    /// Disks of the array that are active, failed or spare.
    DISKS: Gauge = "node_md_disks" ["device", "state"];
    /// Disks that the array needs.
    DISKS_REQUIRED: Gauge = "node_md_disks_required" ["device"];
    /// Blocks of 1024 bytes in the array.
    BLOCKS: Gauge = "node_md_blocks" ["device"];
    /// Blocks of 1024 bytes that are the same on all disks; in a resync those done so far.
    BLOCKS_SYNCED: Gauge = "node_md_blocks_synced" ["device"];
    /// Disks in the array when it is whole.
    RAID_DISKS: Gauge = "node_md_raid_disks" ["device"];
    /// Disks that the array lacks.
    DEGRADED: Gauge = "node_md_degraded" ["device"];
}

/// The states that are published, and the words for them in [`Md::state`].
const STATES: [(&str, &[u8]); 5] = [
    ("active", b"active"),
    ("inactive", b"inactive"),
    ("recovering", b"recovering"),
    ("resync", b"resyncing"),
    ("check", b"checking"),
];

/// The subject `mdadm`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("mdstat"));
    // A machine may have a thousand other disks.
    let mut arrays = Devices::new(config.sys("block")).seldom();
    let mut buffer: Box<Buffer> = Box::new([0; 4096]);
    Subject::blocking("mdadm", METRICS, move |out| {
        for md in parse(file.read()?) {
            md.write(out);
        }
        // Without sysfs, what procfs says is there all the same.
        if let Ok(arrays) = arrays.present(Array::open) {
            for array in arrays {
                array.write(&mut buffer, out);
            }
        }
        Ok(())
    })
}

/// An array as `/proc/mdstat` has it.
#[derive(Debug, Default, PartialEq)]
pub struct Md<'a> {
    /// Its name, `md0`.
    pub name: &'a [u8],
    /// `active`, `inactive`, `broken`, `recovering`, `resyncing`, `checking` or `reshaping`.
    pub state: &'a [u8],
    /// Active disks, and those it needs; personalities without redundancy of their own do not say.
    pub disks: Option<(f64, f64)>,
    /// Disks marked as failed.
    pub failed: f64,
    /// Disks marked as spare.
    pub spare: f64,
    /// Size in blocks of 1024 bytes.
    pub blocks: Option<f64>,
    /// Blocks that are in sync.
    pub synced: Option<f64>,
}

/// The arrays in the file. A line that begins with a name and ` : ` begins one, and the indented lines behind it are its.
/// What reads otherwise is left out.
pub fn parse(bytes: &[u8]) -> impl Iterator<Item = Md<'_>> {
    let mut lines = scan::lines(bytes).peekable();
    std::iter::from_fn(move || {
        loop {
            let Some(mut md) = head(lines.next()?) else { continue };
            while let Some(line) = lines.next_if(|line| line.is_empty() || line[0] == b' ') {
                md.add(line);
            }
            return Some(md);
        }
    })
}

/// `md0 : active raid1 sdb1[1](F) sda1[0]`
fn head(line: &[u8]) -> Option<Md<'_>> {
    let mut fields = scan::fields(line);
    let (name, colon, state) = (fields.next()?, fields.next()?, fields.next()?);
    if colon != b":" || name == b"Personalities" {
        return None;
    }
    let marked = |mark: &[u8]| line.windows(mark.len()).filter(|window| *window == mark).count() as f64;
    let mut md = Md { name, state, failed: marked(b"(F)"), spare: marked(b"(S)"), ..Md::default() };
    let whole = fields.clone().any(|field| field == b"raid0" || field == b"linear");
    if whole {
        // Each disk has its number in brackets, and none can be missing.
        let disks = line.iter().filter(|b| **b == b'[').count() as f64;
        md.disks = Some((disks, disks));
    } else if state == b"inactive" {
        md.disks = Some((0.0, 0.0));
    }
    Some(md)
}

impl<'a> Md<'a> {
    fn add(&mut self, line: &'a [u8]) {
        let mut fields = scan::fields(line);
        if self.blocks.is_none()
            && let (Some(blocks), Some(b"blocks")) = (fields.next().and_then(scan::integer), fields.next())
        {
            self.blocks = Some(blocks as f64);
            self.synced = self.blocks;
            self.disks = self.disks.or_else(|| fields.find_map(disks));
            return;
        }
        for (word, state) in [
            (b"recovery".as_slice(), b"recovering".as_slice()),
            (b"reshape", b"reshaping"),
            (b"check", b"checking"),
            (b"resync", b"resyncing"),
        ] {
            if memchr::memmem::find(line, word).is_some() && memchr::memchr(b'=', line).is_some() {
                self.state = state;
                let waits = |word: &[u8]| memchr::memmem::find(line, word).is_some();
                self.synced = if waits(b"PENDING") || waits(b"DELAYED") { Some(0.0) } else { done(line) };
                return;
            }
        }
    }

    fn write(&self, out: &mut Out) {
        let name = &*label::value(self.name);
        if let Some((active, required)) = self.disks {
            out.put(&DISKS_REQUIRED, [name], required);
            out.put(&DISKS, [name, "active"], active);
        }
        out.put(&DISKS, [name, "failed"], self.failed);
        out.put(&DISKS, [name, "spare"], self.spare);
        for (state, word) in STATES {
            out.put(&STATE, [name, state], if self.state == word { 1.0 } else { 0.0 });
        }
        for (family, value) in [(&BLOCKS, self.blocks), (&BLOCKS_SYNCED, self.synced)] {
            if let Some(value) = value {
                out.put(family, [name], value);
            }
        }
    }
}

/// `[3/2]`: three disks, of which two are active. The active ones come first.
fn disks(field: &[u8]) -> Option<(f64, f64)> {
    let inside = field.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let at = memchr::memchr(b'/', inside)?;
    Some((scan::integer(&inside[at + 1..])? as f64, scan::integer(&inside[..at])? as f64))
}

/// `(37043392/292945152)`: the blocks done so far, and those there are.
fn done(line: &[u8]) -> Option<f64> {
    let from = memchr::memchr(b'(', line)? + 1;
    let to = from + memchr::memchr(b'/', &line[from..])?;
    scan::integer(&line[from..to]).map(|blocks| blocks as f64)
}

/// An array in sysfs.
struct Array {
    node: Node,
    name: String,
    level: Attribute,
    raid_disks: Attribute,
    degraded: Attribute,
}

impl Array {
    fn open(block: &Path, name: &[u8]) -> Option<Self> {
        if !name.starts_with(b"md") {
            return None;
        }
        let disk = Node::open(block, name)?;
        let node = Node::open(&disk.path, b"md")?;
        let name = disk.label;
        let [level, raid_disks, degraded] = Default::default();
        Some(Array { node, name, level, raid_disks, degraded })
    }

    fn write(&mut self, buffer: &mut Buffer, out: &mut Out) {
        let level = self.level.read(&self.node, Path::new("level"), true, buffer);
        let Ok(Some(level)) = level else { return };
        let has_disks = !matches!(level, b"container" | b"imsm" | b"ddf" | b"");
        // An array of these levels may lack disks; node_exporter says 0 of the others.
        let may_lack = matches!(level, b"raid1" | b"raid4" | b"raid5" | b"raid6" | b"raid10");
        let mut read = |attribute: &mut Attribute, file: &str| {
            let value = attribute.read(&self.node, Path::new(file), true, buffer).ok().flatten()?;
            // While disks are added: `11 (10)`, the number to come and the one before.
            scan::integer(scan::fields(value).next()?).map(|number| number as f64)
        };
        if has_disks && let Some(disks) = read(&mut self.raid_disks, "raid_disks") {
            out.put(&RAID_DISKS, [&self.name], disks);
        }
        let degraded = if may_lack { read(&mut self.degraded, "degraded") } else { Some(0.0) };
        if let Some(degraded) = degraded {
            out.put(&DEGRADED, [&self.name], degraded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Md<'_> {
        let all: Vec<_> = parse(text.as_bytes()).collect();
        assert_eq!(all.len(), 1, "{text}");
        all.into_iter().next().unwrap()
    }

    #[test]
    fn an_array_that_lacks_a_disk() {
        let md = one("Personalities : [raid1]\nmd0 : active raid1 sdb1[1](F) sda1[0] sdc1[2](S)\n      \
                      1048512 blocks super 1.2 [2/1] [U_]\n      bitmap: 1/1 pages [4KB], 65536KB chunk\n\n\
                      unused devices: <none>\n");
        assert_eq!(
            (md.name, md.state, md.disks),
            (b"md0".as_slice(), b"active".as_slice(), Some((1.0, 2.0)))
        );
        assert_eq!((md.failed, md.spare, md.blocks, md.synced), (1.0, 1.0, Some(1048512.0), Some(1048512.0)));
    }

    #[test]
    fn arrays_at_work() {
        let head =
            "md1 : active (auto-read-only) raid5 sda[0] sdb[1]\n  100 blocks level 5, 64k chunk [2/2] [UU]\n";
        for (line, state, synced) in [
            (
                "  [=>...]  recovery = 8.5% (16775552/195310144) finish=17.0min speed=259783K/sec",
                "recovering",
                Some(16775552.0),
            ),
            (
                "  [=>...]  reshape = 8.5% (7/195310144) finish=17.0min speed=259783K/sec",
                "reshaping",
                Some(7.0),
            ),
            ("  [=>...]  check = 0.0% (0/195310144) finish=17.0min speed=259783K/sec", "checking", Some(0.0)),
            ("  \tresync=PENDING", "resyncing", Some(0.0)),
            ("  \tresync=DELAYED", "resyncing", Some(0.0)),
            ("  \tresync=REMOTE", "resyncing", None),
            ("  bitmap: 1/1 pages [4KB], 65536KB chunk, file: /check", "active", Some(100.0)),
        ] {
            let text = format!("{head}{line}\n");
            let md = one(&text);
            assert_eq!(
                (md.state, md.synced, md.disks),
                (state.as_bytes(), synced, Some((2.0, 2.0))),
                "{line}"
            );
        }
    }

    #[test]
    fn arrays_without_redundancy() {
        let md = one("md2 : active raid0 sdb[1] sda[0]\n  10 blocks super 1.2 512k chunks\n");
        assert_eq!((md.disks, md.blocks), (Some((2.0, 2.0)), Some(10.0)));
        let md = one("md127 : inactive sdc[1](S) sdb[0](S)\n  6306 blocks super external:imsm\n");
        assert_eq!((md.disks, md.spare, md.state), (Some((0.0, 0.0)), 2.0, b"inactive".as_slice()));
    }

    #[test]
    fn what_reads_otherwise_is_left_out() {
        for text in [
            "",
            "\n",
            "md0\n",
            "md0 active raid1\n",
            "Personalities : [raid1] x\n",
            "unused devices: <none>\n",
        ] {
            assert_eq!(parse(text.as_bytes()).count(), 0, "{text}");
        }
        let md = one("md3 : active later sda[0]\n  ten blocks\n");
        assert_eq!((md.disks, md.blocks, md.synced), (None, None, None));
    }
}
