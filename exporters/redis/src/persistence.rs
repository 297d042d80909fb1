//! What is saved to disk, from INFO's section Persistence. <https://redis.io/docs/latest/commands/info/>

use taffrail_core::metrics;

use crate::fields::{Field, field};

metrics! {
    /// Whether a dump is being loaded (1) or not (0).
    LOADING_DUMP_FILE: Gauge = "redis_loading_dump_file" [];
    /// Whether a replica loads new data while it serves the old (1) or not (0).
    ASYNC_LOADING: Gauge = "redis_async_loading" [];
    /// Changes since the last dump.
    RDB_CHANGES_SINCE_LAST_SAVE: Gauge = "redis_rdb_changes_since_last_save" [];
    /// Whether a dump is being written (1) or not (0).
    RDB_BGSAVE_IN_PROGRESS: Gauge = "redis_rdb_bgsave_in_progress" [];
    /// When the last good dump was written, in seconds since 1970.
    RDB_LAST_SAVE_TIMESTAMP_SECONDS: Gauge = "redis_rdb_last_save_timestamp_seconds" [];
    /// Whether the last dump succeeded (1) or failed (0).
    RDB_LAST_BGSAVE_STATUS: Gauge = "redis_rdb_last_bgsave_status" [];
    /// Seconds that the last dump took; -1 before the first.
    RDB_LAST_BGSAVE_DURATION_SEC: Gauge = "redis_rdb_last_bgsave_duration_sec" [];
    /// Seconds that the dump under way has taken; -1 when there is none.
    RDB_CURRENT_BGSAVE_DURATION_SEC: Gauge = "redis_rdb_current_bgsave_duration_sec" [];
    /// Dumps since the server started.
    RDB_SAVES_TOTAL: Gauge = "redis_rdb_saves_total" [] irregular;
    /// Bytes that were copied as they changed during the last dump.
    RDB_LAST_COW_SIZE_BYTES: Gauge = "redis_rdb_last_cow_size_bytes" [];
    /// Keys that had expired when the dump was loaded.
    RDB_LAST_LOAD_EXPIRED_KEYS: Gauge = "redis_rdb_last_load_expired_keys" [];
    /// Keys that were loaded from the dump.
    RDB_LAST_LOAD_LOADED_KEYS: Gauge = "redis_rdb_last_load_loaded_keys" [];
    /// Whether the append-only file is on (1) or off (0).
    AOF_ENABLED: Gauge = "redis_aof_enabled" [];
    /// Whether the append-only file is being rewritten (1) or not (0).
    AOF_REWRITE_IN_PROGRESS: Gauge = "redis_aof_rewrite_in_progress" [];
    /// Whether it will be rewritten once the dump under way is done (1) or not (0).
    AOF_REWRITE_SCHEDULED: Gauge = "redis_aof_rewrite_scheduled" [];
    /// Seconds that the last rewriting took; -1 before the first.
    AOF_LAST_REWRITE_DURATION_SEC: Gauge = "redis_aof_last_rewrite_duration_sec" [];
    /// Seconds that the rewriting under way has taken; -1 when there is none.
    AOF_CURRENT_REWRITE_DURATION_SEC: Gauge = "redis_aof_current_rewrite_duration_sec" [];
    /// Bytes that were copied as they changed during the last rewriting.
    AOF_LAST_COW_SIZE_BYTES: Gauge = "redis_aof_last_cow_size_bytes" [];
    /// The append-only file's size.
    AOF_CURRENT_SIZE_BYTES: Gauge = "redis_aof_current_size_bytes" [];
    /// The append-only file's size when it was last rewritten.
    AOF_BASE_SIZE_BYTES: Gauge = "redis_aof_base_size_bytes" [];
    /// Whether a rewriting waits (1) or not (0).
    AOF_PENDING_REWRITE: Gauge = "redis_aof_pending_rewrite" [];
    /// Bytes in the append-only file's buffer.
    AOF_BUFFER_LENGTH: Gauge = "redis_aof_buffer_length" [];
    /// Bytes in the buffer for the rewriting.
    AOF_REWRITE_BUFFER_LENGTH: Gauge = "redis_aof_rewrite_buffer_length" [];
    /// Syncs of the append-only file that wait.
    AOF_PENDING_BIO_FSYNC: Gauge = "redis_aof_pending_bio_fsync" [];
    /// Writes that waited for a sync.
    AOF_DELAYED_FSYNC: Gauge = "redis_aof_delayed_fsync" [];
    /// Whether the last rewriting succeeded (1) or failed (0).
    AOF_LAST_BGREWRITE_STATUS: Gauge = "redis_aof_last_bgrewrite_status" [];
    /// Whether the last write to the append-only file succeeded (1) or failed (0).
    AOF_LAST_WRITE_STATUS: Gauge = "redis_aof_last_write_status" [];
    /// Whether a module's child process runs (1) or not (0).
    MODULE_FORK_IN_PROGRESS: Gauge = "redis_module_fork_in_progress" [];
    /// Bytes that were copied as they changed during the last child process of a module.
    MODULE_FORK_LAST_COW_SIZE: Gauge = "redis_module_fork_last_cow_size" [];
}

/// The fields of INFO that are published as they are.
pub(crate) static FIELDS: &[Field] = &[
    field("loading", &LOADING_DUMP_FILE),
    field("async_loading", &ASYNC_LOADING),
    field("rdb_changes_since_last_save", &RDB_CHANGES_SINCE_LAST_SAVE),
    field("rdb_bgsave_in_progress", &RDB_BGSAVE_IN_PROGRESS),
    field("rdb_last_save_time", &RDB_LAST_SAVE_TIMESTAMP_SECONDS),
    field("rdb_last_bgsave_status", &RDB_LAST_BGSAVE_STATUS),
    field("rdb_last_bgsave_time_sec", &RDB_LAST_BGSAVE_DURATION_SEC),
    field("rdb_current_bgsave_time_sec", &RDB_CURRENT_BGSAVE_DURATION_SEC),
    field("rdb_saves", &RDB_SAVES_TOTAL),
    field("rdb_last_cow_size", &RDB_LAST_COW_SIZE_BYTES),
    field("rdb_last_load_keys_expired", &RDB_LAST_LOAD_EXPIRED_KEYS),
    field("rdb_last_load_keys_loaded", &RDB_LAST_LOAD_LOADED_KEYS),
    field("aof_enabled", &AOF_ENABLED),
    field("aof_rewrite_in_progress", &AOF_REWRITE_IN_PROGRESS),
    field("aof_rewrite_scheduled", &AOF_REWRITE_SCHEDULED),
    field("aof_last_rewrite_time_sec", &AOF_LAST_REWRITE_DURATION_SEC),
    field("aof_current_rewrite_time_sec", &AOF_CURRENT_REWRITE_DURATION_SEC),
    field("aof_last_cow_size", &AOF_LAST_COW_SIZE_BYTES),
    field("aof_current_size", &AOF_CURRENT_SIZE_BYTES),
    field("aof_base_size", &AOF_BASE_SIZE_BYTES),
    field("aof_pending_rewrite", &AOF_PENDING_REWRITE),
    field("aof_buffer_length", &AOF_BUFFER_LENGTH),
    field("aof_rewrite_buffer_length", &AOF_REWRITE_BUFFER_LENGTH),
    field("aof_pending_bio_fsync", &AOF_PENDING_BIO_FSYNC),
    field("aof_delayed_fsync", &AOF_DELAYED_FSYNC),
    field("aof_last_bgrewrite_status", &AOF_LAST_BGREWRITE_STATUS),
    field("aof_last_write_status", &AOF_LAST_WRITE_STATUS),
    field("module_fork_in_progress", &MODULE_FORK_IN_PROGRESS),
    field("module_fork_last_cow_size", &MODULE_FORK_LAST_COW_SIZE),
];
