//! Pages of a container by NUMA node: `memory.numa_stat` of both versions (kernel documents
//! `admin-guide/cgroup-v1/memory`, 5.6, and `admin-guide/cgroup-v2`).

use crate::scan::{self, Malformed};

/// Pages of one kind on one node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodePages {
    /// `anon`, `file` or `unevictable`.
    pub kind: &'static str,
    /// `container` for its own cgroup, `hierarchy` for it with all below.
    pub scope: &'static str,
    /// The node's number.
    pub node: u64,
    /// How many.
    pub pages: f64,
}

/// The kinds that are published: version 2 has many more.
const KINDS: [&str; 3] = ["anon", "file", "unevictable"];

/// Version 1: lines of `anon=12 N0=8 N1=4`, in pages; with `hierarchical_` before it, all cgroups below are counted.
pub fn parse_v1(bytes: &[u8]) -> Result<Vec<NodePages>, Malformed> {
    let mut all = Vec::new();
    for line in scan::lines(bytes) {
        let malformed = || Malformed::new("`name=pages N0=pages…`", line);
        let mut fields = scan::fields(line);
        let first = fields.next().ok_or_else(malformed)?;
        let name = &first[..memchr::memchr(b'=', first).ok_or_else(malformed)?];
        let (name, scope) = match name.strip_prefix(b"hierarchical_") {
            Some(name) => (name, "hierarchy"),
            None => (name, "container"),
        };
        if let Some(kind) = kind(name) {
            nodes(fields, kind, scope, 1, &mut all).ok_or_else(malformed)?;
        }
    }
    Ok(all)
}

/// Version 2: lines of `anon N0=32768 N1=16384`, in bytes, with all cgroups below.
pub fn parse_v2(bytes: &[u8], page_size: usize) -> Result<Vec<NodePages>, Malformed> {
    let mut all = Vec::new();
    for line in scan::lines(bytes) {
        let malformed = || Malformed::new("`name N0=bytes…`", line);
        let mut fields = scan::fields(line);
        let name = fields.next().ok_or_else(malformed)?;
        if let Some(kind) = kind(name) {
            nodes(fields, kind, "hierarchy", page_size, &mut all).ok_or_else(malformed)?;
        }
    }
    Ok(all)
}

fn kind(name: &[u8]) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| kind.as_bytes() == name)
}

/// Fields `N0=…`, in units of so many to a page.
fn nodes<'a>(
    fields: impl Iterator<Item = &'a [u8]>,
    kind: &'static str,
    scope: &'static str,
    unit: usize,
    all: &mut Vec<NodePages>,
) -> Option<()> {
    for field in fields {
        let at = memchr::memchr(b'=', field)?;
        let node = scan::integer(field[..at].strip_prefix(b"N")?)?;
        let pages = scan::integer(&field[at + 1..])? as f64 / unit as f64;
        all.push(NodePages { kind, scope, node, pages });
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions() {
        let v1 = b"total=9 N0=9\nfile=3 N0=2 N1=1\nhierarchical_unevictable=7 N0=7\n";
        let file = |node, pages| NodePages { kind: "file", scope: "container", node, pages };
        let below = NodePages { kind: "unevictable", scope: "hierarchy", node: 0, pages: 7.0 };
        assert_eq!(parse_v1(v1), Ok(vec![file(0, 2.0), file(1, 1.0), below]));
        let v2 = b"anon N0=8192 N12=4096\nkernel_stack N0=16384\nanon_thp N0=0\n";
        let anon = |node, pages| NodePages { kind: "anon", scope: "hierarchy", node, pages };
        assert_eq!(parse_v2(v2, 4096), Ok(vec![anon(0, 2.0), anon(12, 1.0)]));
        assert_eq!(parse_v2(b"", 4096), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in [b"file 3 N0=3\n".as_slice(), b"\n", b"file=3 N=3\n", b"file=3 N0\n", b"anon=1 N0=x\n"] {
            assert!(parse_v1(bad).is_err(), "{bad:?}");
        }
        for bad in [b"\n".as_slice(), b"file 3\n", b"file N0=-3\n", b"unevictable M0=1\n"] {
            assert!(parse_v2(bad, 4096).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn this_machine() {
        for tree in ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"] {
            let Ok(bytes) = std::fs::read(format!("{tree}/memory.numa_stat")) else { continue };
            let v2 = parse_v2(&bytes, rustix::param::page_size());
            let pages = if tree.ends_with("memory") { parse_v1(&bytes) } else { v2 };
            assert!(pages.unwrap().iter().any(|pages| pages.kind == "anon" && pages.pages > 0.0));
        }
    }
}
