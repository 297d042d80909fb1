//! What each mounted XFS does, from `/sys/fs/xfs/<device>/stats/stats` (kernel source `fs/xfs/xfs_stats.c`). The kernel's
//! counters have 32 bits and begin again at 0.

use taffrail_core::file::KernelFile;
use taffrail_core::{Family, Out, Subject, metrics};

use crate::config::HostConfig;
use crate::folder::Folder;
use crate::scan::{self, Malformed};
use crate::tally::Tally;

metrics! {
    /// Extents allocated.
    EXTENTS_ALLOCATED: Counter = "node_xfs_extent_allocation_extents_allocated_total" ["device"];
    /// Blocks allocated.
    BLOCKS_ALLOCATED: Counter = "node_xfs_extent_allocation_blocks_allocated_total" ["device"];
    /// Extents freed.
    EXTENTS_FREED: Counter = "node_xfs_extent_allocation_extents_freed_total" ["device"];
    /// Blocks freed.
    BLOCKS_FREED: Counter = "node_xfs_extent_allocation_blocks_freed_total" ["device"];
    /// Look-ups in the trees of free space.
    ABT_LOOKUPS: Counter = "node_xfs_allocation_btree_lookups_total" ["device"];
    /// Comparisons in the trees of free space.
    ABT_COMPARES: Counter = "node_xfs_allocation_btree_compares_total" ["device"];
    /// Records put into the trees of free space.
    ABT_INSERTED: Counter = "node_xfs_allocation_btree_records_inserted_total" ["device"];
    /// Records taken out of the trees of free space.
    ABT_DELETED: Counter = "node_xfs_allocation_btree_records_deleted_total" ["device"];
    /// Block maps asked for reading.
    MAP_READS: Counter = "node_xfs_block_mapping_reads_total" ["device"];
    /// Block maps asked for writing.
    MAP_WRITES: Counter = "node_xfs_block_mapping_writes_total" ["device"];
    /// Blocks unmapped.
    MAP_UNMAPS: Counter = "node_xfs_block_mapping_unmaps_total" ["device"];
    /// Extents put into lists.
    LIST_INSERTIONS: Counter = "node_xfs_block_mapping_extent_list_insertions_total" ["device"];
    /// Extents taken out of lists.
    LIST_DELETIONS: Counter = "node_xfs_block_mapping_extent_list_deletions_total" ["device"];
    /// Look-ups in lists of extents.
    LIST_LOOKUPS: Counter = "node_xfs_block_mapping_extent_list_lookups_total" ["device"];
    /// Comparisons in lists of extents.
    LIST_COMPARES: Counter = "node_xfs_block_mapping_extent_list_compares_total" ["device"];
    /// Look-ups in the trees of block maps.
    BMBT_LOOKUPS: Counter = "node_xfs_block_map_btree_lookups_total" ["device"];
    /// Comparisons in the trees of block maps.
    BMBT_COMPARES: Counter = "node_xfs_block_map_btree_compares_total" ["device"];
    /// Records put into the trees of block maps.
    BMBT_INSERTED: Counter = "node_xfs_block_map_btree_records_inserted_total" ["device"];
    /// Records taken out of the trees of block maps.
    BMBT_DELETED: Counter = "node_xfs_block_map_btree_records_deleted_total" ["device"];
    /// Names looked up that the kernel's cache did not have.
    DIR_LOOKUPS: Counter = "node_xfs_directory_operation_lookup_total" ["device"];
    /// Directory entries made.
    DIR_CREATES: Counter = "node_xfs_directory_operation_create_total" ["device"];
    /// Directory entries removed.
    DIR_REMOVES: Counter = "node_xfs_directory_operation_remove_total" ["device"];
    /// Directories listed.
    DIR_GETDENTS: Counter = "node_xfs_directory_operation_getdents_total" ["device"];
    /// Inodes looked for in the cache.
    INODE_ATTEMPTS: Counter = "node_xfs_inode_operation_attempts_total" ["device"];
    /// Inodes found in the cache.
    INODE_FOUND: Counter = "node_xfs_inode_operation_found_total" ["device"];
    /// Inodes found in the cache that were about to be used for others.
    INODE_RECYCLED: Counter = "node_xfs_inode_operation_recycled_total" ["device"];
    /// Inodes not found in the cache.
    INODE_MISSED: Counter = "node_xfs_inode_operation_missed_total" ["device"];
    /// Inodes read that another process had put into the cache meanwhile.
    INODE_DUPLICATES: Counter = "node_xfs_inode_operation_duplicates_total" ["device"];
    /// Inodes taken out of the cache to free memory.
    INODE_RECLAIMS: Counter = "node_xfs_inode_operation_reclaims_total" ["device"];
    /// Changes of inodes' attributes.
    INODE_ATTRIBUTES: Counter = "node_xfs_inode_operation_attribute_changes_total" ["device"];
    /// Calls that read files.
    READS: Counter = "node_xfs_read_calls_total" ["device"];
    /// Calls that write files.
    WRITES: Counter = "node_xfs_write_calls_total" ["device"];
    /// Inodes in use.
    VNODE_ACTIVE: Counter = "node_xfs_vnode_active_total" ["device"];
    /// Inodes allocated in memory.
    VNODE_ALLOCATE: Counter = "node_xfs_vnode_allocate_total" ["device"];
    /// Inodes fetched.
    VNODE_GET: Counter = "node_xfs_vnode_get_total" ["device"];
    /// Inodes held.
    VNODE_HOLD: Counter = "node_xfs_vnode_hold_total" ["device"];
    /// Inodes released.
    VNODE_RELEASE: Counter = "node_xfs_vnode_release_total" ["device"];
    /// Inodes reclaimed.
    VNODE_RECLAIM: Counter = "node_xfs_vnode_reclaim_total" ["device"];
    /// Inodes removed from memory.
    VNODE_REMOVE: Counter = "node_xfs_vnode_remove_total" ["device"];
}

/// Lines by their first word, and what their numbers are.
static LINES: [(&[u8], &[&Family<1>]); 8] = [
    (b"extent_alloc", &[&EXTENTS_ALLOCATED, &BLOCKS_ALLOCATED, &EXTENTS_FREED, &BLOCKS_FREED]),
    (b"abt", &[&ABT_LOOKUPS, &ABT_COMPARES, &ABT_INSERTED, &ABT_DELETED]),
    (
        b"blk_map",
        &[
            &MAP_READS,
            &MAP_WRITES,
            &MAP_UNMAPS,
            &LIST_INSERTIONS,
            &LIST_DELETIONS,
            &LIST_LOOKUPS,
            &LIST_COMPARES,
        ],
    ),
    (b"bmbt", &[&BMBT_LOOKUPS, &BMBT_COMPARES, &BMBT_INSERTED, &BMBT_DELETED]),
    (b"dir", &[&DIR_LOOKUPS, &DIR_CREATES, &DIR_REMOVES, &DIR_GETDENTS]),
    (
        b"ig",
        &[
            &INODE_ATTEMPTS,
            &INODE_FOUND,
            &INODE_RECYCLED,
            &INODE_MISSED,
            &INODE_DUPLICATES,
            &INODE_RECLAIMS,
            &INODE_ATTRIBUTES,
        ],
    ),
    (b"rw", &[&WRITES, &READS]),
    (
        b"vnodes",
        &[
            &VNODE_ACTIVE,
            &VNODE_ALLOCATE,
            &VNODE_GET,
            &VNODE_HOLD,
            &VNODE_RELEASE,
            &VNODE_RECLAIM,
            &VNODE_REMOVE,
        ],
    ),
];

/// The subject `xfs`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut folder = Folder::new(config.sys("fs/xfs"));
    let mut mounts: Vec<(String, KernelFile)> = Vec::new();
    Subject::blocking("xfs", METRICS, move |out| {
        if folder.is_new()? {
            // Statistics of all mounts together and switches for developers stand among them.
            let devices = folder.names().filter(|name| !matches!(*name, "stats" | "debug"));
            let file = |name: &str| KernelFile::new(folder.join(name).join("stats/stats"));
            mounts = devices.map(|name| (name.to_owned(), file(name))).collect();
        }
        let mut tally = Tally::default();
        for (device, file) in &mut mounts {
            let written = match file.read() {
                Ok(bytes) => write(bytes, device, out).map_err(|e| file.malformed(e)),
                Err(error) => Err(error),
            };
            if !tally.add(written) {
                // Perhaps it was unmounted since the folder was listed.
                folder.look_again();
            }
        }
        tally.finish()
    })
}

/// Writes the lines that are known; an older kernel has fewer of them, and a newer one more numbers in them.
fn write(bytes: &[u8], device: &str, out: &mut Out) -> Result<(), Malformed> {
    for line in scan::lines(bytes) {
        let mut fields = scan::fields(line);
        let name = fields.next();
        let Some((_, families)) = LINES.iter().find(|(known, _)| name == Some(*known)) else { continue };
        for (family, field) in families.iter().zip(fields) {
            out.put(family, [device], scan::expect_number(Some(field), line)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_lines_and_numbers_only() {
        let text = b"extent_alloc 1 2 3\nxpc 399724544 92823103 86219234\nrw 107739 94045 7\nfuture 1 x\n";
        let mut out = Out::default();
        out.begin(0);
        write(text, "sda1", &mut out).unwrap();
        let collected = out.finish();
        let values: Vec<_> = collected.samples.iter().map(|s| s.value.to_f64()).collect();
        assert_eq!(values, [1.0, 2.0, 3.0, 107739.0, 94045.0]);
        assert_eq!(collected.new[4].1.family.name, "node_xfs_read_calls_total");
        assert!(write(b"rw 1 x\n", "sda1", &mut out).is_err());
    }
}
