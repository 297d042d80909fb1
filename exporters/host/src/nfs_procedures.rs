//! Names of NFS procedures, in the order in which the kernel counts them, as node_exporter writes them. Both sides of
//! NFS have lines `proc2`, `proc3` and the like in `/proc/net/rpc`.

use taffrail_core::{Family, Out};

use crate::scan::{self, Malformed};

/// Version 2 (RFC 1094).
pub(crate) const V2: [&str; 18] = [
    "Null", "GetAttr", "SetAttr", "Root", "Lookup", "ReadLink", "Read", "WrCache", "Write", "Create",
    "Remove", "Rename", "Link", "SymLink", "MkDir", "RmDir", "ReadDir", "FsStat",
];

/// Version 3 (RFC 1813).
pub(crate) const V3: [&str; 22] = [
    "Null",
    "GetAttr",
    "SetAttr",
    "Lookup",
    "Access",
    "ReadLink",
    "Read",
    "Write",
    "Create",
    "MkDir",
    "SymLink",
    "MkNod",
    "Remove",
    "RmDir",
    "Rename",
    "Link",
    "ReadDir",
    "ReadDirPlus",
    "FsStat",
    "FsInfo",
    "PathConf",
    "Commit",
];

/// Version 4 as a client counts it: requests (`NFSPROC4_CLNT_*` in `include/linux/nfs4.h`). node_exporter has LayoutGet
/// and GetDeviceInfo the other way round. Later requests have no name there, and are left out.
pub(crate) const V4_REQUESTS: [&str; 59] = [
    "Null",
    "Read",
    "Write",
    "Commit",
    "Open",
    "OpenConfirm",
    "OpenNoattr",
    "OpenDowngrade",
    "Close",
    "Setattr",
    "FsInfo",
    "Renew",
    "SetClientID",
    "SetClientIDConfirm",
    "Lock",
    "Lockt",
    "Locku",
    "Access",
    "Getattr",
    "Lookup",
    "LookupRoot",
    "Remove",
    "Rename",
    "Link",
    "Symlink",
    "Create",
    "Pathconf",
    "StatFs",
    "ReadLink",
    "ReadDir",
    "ServerCaps",
    "DelegReturn",
    "GetACL",
    "SetACL",
    "FsLocations",
    "ReleaseLockowner",
    "Secinfo",
    "FsidPresent",
    "ExchangeID",
    "CreateSession",
    "DestroySession",
    "Sequence",
    "GetLeaseTime",
    "ReclaimComplete",
    "LayoutGet",
    "GetDeviceInfo",
    "LayoutCommit",
    "LayoutReturn",
    "SecinfoNoName",
    "TestStateID",
    "FreeStateID",
    "GetDeviceList",
    "BindConnToSession",
    "DestroyClientID",
    "Seek",
    "Allocate",
    "DeAllocate",
    "LayoutStats",
    "Clone",
];

/// Version 4 as a server counts it: operations by their number (RFC 7530). Those without a name are not published;
/// operation 16 is LOOKUPP, which node_exporter calls LookupRoot.
pub(crate) const V4_OPERATIONS: [&str; 40] = [
    "",
    "",
    "",
    "Access",
    "Close",
    "Commit",
    "Create",
    "DelegPurge",
    "DelegReturn",
    "GetAttr",
    "GetFH",
    "Link",
    "Lock",
    "Lockt",
    "Locku",
    "Lookup",
    "LookupRoot",
    "Nverify",
    "Open",
    "OpenAttr",
    "OpenConfirm",
    "OpenDgrd",
    "PutFH",
    "",
    "",
    "Read",
    "ReadDir",
    "ReadLink",
    "Remove",
    "Rename",
    "Renew",
    "RestoreFH",
    "SaveFH",
    "SecInfo",
    "SetAttr",
    "SetClientID",
    "SetClientIDConfirm",
    "Verify",
    "Write",
    "RelLockOwner",
];

/// Writes the counts of one line: how many there are, then the counts. Procedures that the kernel does not count are
/// left out, as are all of a version that it does not speak; node_exporter makes them 0.
pub(crate) fn write(
    family: &'static Family<2>,
    version: &str,
    names: &[&str],
    line: &[u8],
    out: &mut Out,
) -> Result<(), Malformed> {
    for (name, count) in names.iter().zip(scan::fields(line).skip(1)) {
        if !name.is_empty() {
            out.put(family, [version, name], scan::expect_number(Some(count), line)?);
        }
    }
    Ok(())
}

/// The first word of a line, and the rest.
pub(crate) fn split(line: &[u8]) -> (&[u8], &[u8]) {
    line.split_at(memchr::memchr(b' ', line).unwrap_or(line.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    taffrail_core::metrics! {
        /// Requests.
        REQUESTS: Counter = "requests_total" ["proto", "method"];
    }

    fn run(names: &[&str], line: &[u8]) -> Result<Vec<(String, f64)>, Malformed> {
        let mut out = Out::default();
        out.begin(0);
        write(&REQUESTS, "4", names, line, &mut out)?;
        let collected = out.finish();
        let methods = collected.new.iter().map(|(_, def)| def.labels[1].1.to_string());
        Ok(methods.zip(collected.samples.iter().map(|s| s.value.to_f64())).collect())
    }

    #[test]
    fn kernels_count_more_or_less() {
        let pair = |name: &str, value: f64| (name.to_owned(), value);
        assert_eq!(run(&V2, b" 2 7 8").unwrap(), [pair("Null", 7.0), pair("GetAttr", 8.0)]);
        assert_eq!(run(&V4_OPERATIONS, b" 5 1 2 3 4 5").unwrap(), [pair("Access", 4.0), pair("Close", 5.0)]);
        assert_eq!(run(&["Null"], b" 3 1 2 3").unwrap(), [pair("Null", 1.0)]);
        assert!(run(&V2, b"").unwrap().is_empty());
        assert!(run(&V2, b" 1 x").is_err());
    }

    #[test]
    fn names_stand_where_the_kernel_counts() {
        assert_eq!((V4_REQUESTS[41], V4_REQUESTS[44], V4_REQUESTS[58]), ("Sequence", "LayoutGet", "Clone"));
        assert_eq!((V4_OPERATIONS[9], V4_OPERATIONS[25], V4_OPERATIONS[38]), ("GetAttr", "Read", "Write"));
    }
}
