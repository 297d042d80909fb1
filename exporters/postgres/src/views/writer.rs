//! The background writer and the checkpointer: one view up to version 16, two and `pg_stat_io` from 17 on. The old names
//! stay beside the new ones.

use taffrail_core::metrics;

use crate::view::{Column, Pace, Query, Read, View};

metrics! {
    /// Checkpoints that were made because it was time.
    TIMED: Counter = "pg_stat_bgwriter_checkpoints_timed_total" [];
    /// Checkpoints that were made because something asked for them.
    REQ: Counter = "pg_stat_bgwriter_checkpoints_req_total" [];
    /// Milliseconds that checkpoints spent writing files.
    WRITE_TIME: Counter = "pg_stat_bgwriter_checkpoint_write_time_total" [];
    /// Milliseconds that checkpoints spent flushing files to disk.
    SYNC_TIME: Counter = "pg_stat_bgwriter_checkpoint_sync_time_total" [];
    /// Buffers that checkpoints wrote.
    BUFFERS_CHECKPOINT: Counter = "pg_stat_bgwriter_buffers_checkpoint_total" [];
    /// Buffers that the background writer wrote.
    BUFFERS_CLEAN: Counter = "pg_stat_bgwriter_buffers_clean_total" [];
    /// Times that the background writer stopped because it had written too much.
    MAXWRITTEN: Counter = "pg_stat_bgwriter_maxwritten_clean_total" [];
    /// Buffers that sessions had to write themselves. From version 17 on it comes from `pg_stat_io`.
    BUFFERS_BACKEND: Counter = "pg_stat_bgwriter_buffers_backend_total" [];
    /// Times that sessions had to flush files themselves. From version 17 on it comes from `pg_stat_io`.
    BACKEND_FSYNC: Counter = "pg_stat_bgwriter_buffers_backend_fsync_total" [];
    /// Buffers that were allocated.
    ALLOC: Counter = "pg_stat_bgwriter_buffers_alloc_total" [];
    /// When these counters were reset last, in seconds since 1970-01-01.
    RESET: Counter = "pg_stat_bgwriter_stats_reset_total" [];
    /// Checkpoints that were made because it was time.
    CP_TIMED: Counter = "pg_stat_checkpointer_num_timed_total" [];
    /// Checkpoints that were made because something asked for them.
    CP_REQUESTED: Counter = "pg_stat_checkpointer_num_requested_total" [];
    /// Restartpoints that were due because it was time; on replicas.
    RP_TIMED: Counter = "pg_stat_checkpointer_restartpoints_timed_total" [];
    /// Restartpoints that something asked for; on replicas.
    RP_REQ: Counter = "pg_stat_checkpointer_restartpoints_req_total" [];
    /// Restartpoints that were made; on replicas.
    RP_DONE: Counter = "pg_stat_checkpointer_restartpoints_done_total" [];
    /// Milliseconds that checkpoints and restartpoints spent writing files.
    CP_WRITE_TIME: Counter = "pg_stat_checkpointer_write_time_total" [];
    /// Milliseconds that checkpoints and restartpoints spent flushing files to disk.
    CP_SYNC_TIME: Counter = "pg_stat_checkpointer_sync_time_total" [];
    /// Buffers that checkpoints and restartpoints wrote.
    CP_BUFFERS: Counter = "pg_stat_checkpointer_buffers_written_total" [];
    /// When these counters were reset last, in seconds since 1970-01-01.
    CP_RESET: Counter = "pg_stat_checkpointer_stats_reset_total" [];
}

/// Writing back.
pub static VIEW: View = View {
    name: "stat_bgwriter",
    about: "`pg_stat_bgwriter` and `pg_stat_checkpointer`: checkpoints, and who writes buffers.",
    metrics: METRICS,
    pace: Pace::Often,
    patient: false,
    on: true,
    queries: &[
        Query {
            versions: 13..17,
            extension: None,
            sql: "select *, floor(extract(epoch from stats_reset))::float8 as reset from pg_stat_bgwriter",
            read: Read::Columns(&[OLD, WRITER, SESSIONS]),
        },
        Query {
            versions: 17..u32::MAX,
            extension: None,
            sql: "select w.*, floor(extract(epoch from w.stats_reset))::float8 as reset, \
                num_timed as checkpoints_timed, num_requested as checkpoints_req, \
                write_time as checkpoint_write_time, sync_time as checkpoint_sync_time, \
                buffers_written as buffers_checkpoint, \
                num_timed, num_requested, restartpoints_timed, restartpoints_req, restartpoints_done, write_time, \
                sync_time, buffers_written, floor(extract(epoch from c.stats_reset))::float8 as cp_reset, i.* \
                from pg_stat_bgwriter w cross join pg_stat_checkpointer c cross join \
                (select sum(writes) + sum(extends) as buffers_backend, sum(fsyncs) as buffers_backend_fsync \
                from pg_stat_io where backend_type not in ('background writer', 'checkpointer') \
                and object = 'relation') i",
            read: Read::Columns(&[OLD, WRITER, SESSIONS, CHECKPOINTER]),
        },
    ],
    without_monitor: "",
};

const OLD: &[Column] = &[
    ("checkpoints_timed", TIMED.metric()),
    ("checkpoints_req", REQ.metric()),
    ("checkpoint_write_time", WRITE_TIME.metric()),
    ("checkpoint_sync_time", SYNC_TIME.metric()),
    ("buffers_checkpoint", BUFFERS_CHECKPOINT.metric()),
];
const WRITER: &[Column] = &[
    ("buffers_clean", BUFFERS_CLEAN.metric()),
    ("maxwritten_clean", MAXWRITTEN.metric()),
    ("buffers_alloc", ALLOC.metric()),
    ("reset", RESET.metric()),
];
const SESSIONS: &[Column] =
    &[("buffers_backend", BUFFERS_BACKEND.metric()), ("buffers_backend_fsync", BACKEND_FSYNC.metric())];
const CHECKPOINTER: &[Column] = &[
    ("num_timed", CP_TIMED.metric()),
    ("num_requested", CP_REQUESTED.metric()),
    ("restartpoints_timed", RP_TIMED.metric()),
    ("restartpoints_req", RP_REQ.metric()),
    ("restartpoints_done", RP_DONE.metric()),
    ("write_time", CP_WRITE_TIME.metric()),
    ("sync_time", CP_SYNC_TIME.metric()),
    ("buffers_written", CP_BUFFERS.metric()),
    ("cp_reset", CP_RESET.metric()),
];
