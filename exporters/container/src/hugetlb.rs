//! Huge pages of a container, by their size (kernel documents `admin-guide/cgroup-v1/hugetlb` and, for version 2,
//! `admin-guide/cgroup-v2`): those in use, not those that are only reserved.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::scan::{self, Malformed};
use crate::stats::{HugePages, Stats};

/// One file about huge pages of one size.
#[derive(Clone, Debug)]
pub struct HugeFile {
    /// Its name.
    pub name: String,
    size: Arc<str>,
    fact: Fact,
}

/// What a file tells.
#[derive(Clone, Copy, Debug)]
enum Fact {
    Usage,
    Peak,
    Failures,
    /// `name number` lines, of which `max` are the failures.
    Events,
}

/// Version 2 knows no peak.
const V2: [(&str, Fact); 2] = [("current", Fact::Usage), ("events", Fact::Events)];
const V1: [(&str, Fact); 3] =
    [("usage_in_bytes", Fact::Usage), ("max_usage_in_bytes", Fact::Peak), ("failcnt", Fact::Failures)];

/// The files of a cgroup about huge pages of these sizes.
pub fn files(sizes: &[Arc<str>], v2: bool) -> Vec<HugeFile> {
    let facts: &[(&str, Fact)] = if v2 { &V2 } else { &V1 };
    let of = |size: &Arc<str>| {
        let size = size.clone();
        facts.iter().map(move |(file, fact)| HugeFile {
            name: format!("hugetlb.{size}.{file}"),
            size: size.clone(),
            fact: *fact,
        })
    };
    sizes.iter().flat_map(of).collect()
}

impl HugeFile {
    /// Takes what it says into the container's statistics.
    pub fn read(&self, bytes: &[u8], stats: &mut Stats) -> Result<(), Malformed> {
        let pages = stats.huge_pages(&self.size);
        match self.fact {
            Fact::Usage => pages.usage = Some(scan::single(bytes)?),
            Fact::Peak => pages.peak = Some(scan::single(bytes)?),
            Fact::Failures => pages.failures = Some(scan::single(bytes)?),
            Fact::Events => scan::pairs(bytes, |name, number| {
                if name == b"max" {
                    pages.failures = Some(number);
                }
            })?,
        }
        Ok(())
    }
}

impl Stats {
    /// The entry of a size, made if it is not there.
    fn huge_pages(&mut self, size: &Arc<str>) -> &mut HugePages {
        let at = self.huge_pages.iter().position(|pages| pages.size == *size).unwrap_or_else(|| {
            self.huge_pages.push(HugePages { size: size.clone(), usage: None, peak: None, failures: None });
            self.huge_pages.len() - 1
        });
        &mut self.huge_pages[at]
    }
}

/// The sizes of huge pages that this machine has, as the names of files have them, the smallest first.
pub fn sizes(sysfs: &Path) -> Vec<Arc<str>> {
    let entries = fs::read_dir(sysfs.join("kernel/mm/hugepages")).into_iter().flatten().flatten();
    let mut sizes: Vec<u64> =
        entries.filter_map(|entry| kib_of(entry.file_name().as_encoded_bytes())).collect();
    sizes.sort_unstable();
    sizes.into_iter().map(|kib| size_name(kib).into()).collect()
}

/// How many KiB a huge page has, from the name of a folder of sysfs: `hugepages-2048kB`.
pub fn kib_of(folder: &[u8]) -> Option<u64> {
    scan::integer(folder.strip_prefix(b"hugepages-")?.strip_suffix(b"kB")?)
}

/// A size as the kernel names it in a cgroup's files: whole GB, MB or KB.
fn size_name(kib: u64) -> String {
    match kib {
        0..1024 => format!("{kib}KB"),
        1024..1_048_576 => format!("{}MB", kib >> 10),
        _ => format!("{}GB", kib >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(v2: bool, texts: &[(&str, &[u8])]) -> Result<Stats, Malformed> {
        let mut stats = Stats::default();
        let files = files(&["2MB".into(), "1GB".into()], v2);
        for (name, bytes) in texts {
            files.iter().find(|file| file.name == *name).unwrap().read(bytes, &mut stats)?;
        }
        Ok(stats)
    }

    #[test]
    fn both_versions() {
        let v2: [(&str, &[u8]); 3] = [
            ("hugetlb.2MB.current", b"4194304\n"),
            ("hugetlb.2MB.events", b"max 3\n"),
            ("hugetlb.1GB.current", b"0\n"),
        ];
        let pages = read(true, &v2).unwrap().huge_pages;
        assert_eq!((&*pages[0].size, pages[0].usage, pages[0].failures), ("2MB", Some(4194304.0), Some(3.0)));
        assert_eq!((&*pages[1].size, pages[1].usage, pages[1].failures), ("1GB", Some(0.0), None));
        let v1: [(&str, &[u8]); 3] = [
            ("hugetlb.1GB.usage_in_bytes", b"1\n"),
            ("hugetlb.1GB.max_usage_in_bytes", b"2\n"),
            ("hugetlb.1GB.failcnt", b"3\n"),
        ];
        let pages = read(false, &v1).unwrap().huge_pages;
        assert_eq!(
            pages,
            [HugePages { size: "1GB".into(), usage: Some(1.0), peak: Some(2.0), failures: Some(3.0) }]
        );
        for (v2, name, bytes) in [
            (true, "hugetlb.2MB.current", b"max\n".as_slice()),
            (true, "hugetlb.2MB.events", b"max\n"),
            (false, "hugetlb.1GB.failcnt", b""),
        ] {
            assert!(read(v2, &[(name, bytes)]).is_err(), "{name}");
        }
    }

    #[test]
    fn names_of_sizes() {
        let names = [64, 2048, 32768, 524_288, 1_048_576, 16_777_216].map(size_name);
        assert_eq!(names, ["64KB", "2MB", "32MB", "512MB", "1GB", "16GB"]);
        assert_eq!(kib_of(b"hugepages-2048kB"), Some(2048));
        assert_eq!(kib_of(b"hugepages-kB"), None);
        assert_eq!(kib_of(b"free"), None);
    }
}
