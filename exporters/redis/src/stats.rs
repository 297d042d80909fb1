//! What was done, from INFO's sections Stats and CPU. <https://redis.io/docs/latest/commands/info/>

use taffrail_core::metrics;

use crate::fields::{Field, field};

metrics! {
    /// Connections that were taken.
    CONNECTIONS_RECEIVED_TOTAL: Counter = "redis_connections_received_total" [];
    /// Commands that were processed.
    COMMANDS_PROCESSED_TOTAL: Counter = "redis_commands_processed_total" [];
    /// Connections that were refused, as there were too many.
    REJECTED_CONNECTIONS_TOTAL: Counter = "redis_rejected_connections_total" [];
    /// Bytes from the network.
    NET_INPUT_BYTES_TOTAL: Counter = "redis_net_input_bytes_total" [];
    /// Bytes to the network.
    NET_OUTPUT_BYTES_TOTAL: Counter = "redis_net_output_bytes_total" [];
    /// Bytes from the network for replication.
    NET_REPL_INPUT_BYTES_TOTAL: Counter = "redis_net_repl_input_bytes_total" [];
    /// Bytes to the network for replication.
    NET_REPL_OUTPUT_BYTES_TOTAL: Counter = "redis_net_repl_output_bytes_total" [];
    /// Keys that expired.
    EXPIRED_KEYS_TOTAL: Counter = "redis_expired_keys_total" [];
    /// Fields of hashes that expired.
    EXPIRED_SUBKEYS_TOTAL: Counter = "redis_expired_subkeys_total" [];
    /// The share of keys in percent that have likely expired and are still there.
    EXPIRED_STALE_PERCENTAGE: Gauge = "redis_expired_stale_percentage" [];
    /// Rounds of expiry that were cut short.
    EXPIRED_TIME_CAP_REACHED_TOTAL: Counter = "redis_expired_time_cap_reached_total" [];
    /// Milliseconds that expiry took.
    EXPIRE_CYCLE_CPU_TIME_MS_TOTAL: Counter = "redis_expire_cycle_cpu_time_ms_total" [];
    /// Keys that were evicted for want of memory.
    EVICTED_KEYS_TOTAL: Counter = "redis_evicted_keys_total" [];
    /// Clients that were ended for want of memory.
    EVICTED_CLIENTS_TOTAL: Counter = "redis_evicted_clients_total" [];
    /// Scripts that were evicted.
    EVICTED_SCRIPTS_TOTAL: Counter = "redis_evicted_scripts_total" [];
    /// Milliseconds for which memory was above its bound.
    EVICTION_EXCEEDED_TIME_MS_TOTAL: Counter = "redis_eviction_exceeded_time_ms_total" [];
    /// Milliseconds for which memory has been above its bound now; 0 if it is not.
    CURRENT_EVICTION_EXCEEDED_TIME_MS: Gauge = "redis_current_eviction_exceeded_time_ms" [];
    /// Keys that were looked up and found.
    KEYSPACE_HITS_TOTAL: Counter = "redis_keyspace_hits_total" [];
    /// Keys that were looked up and not found.
    KEYSPACE_MISSES_TOTAL: Counter = "redis_keyspace_misses_total" [];
    /// Channels with subscribers.
    PUBSUB_CHANNELS: Gauge = "redis_pubsub_channels" [];
    /// Patterns with subscribers.
    PUBSUB_PATTERNS: Gauge = "redis_pubsub_patterns" [];
    /// Channels of shards with subscribers.
    PUBSUBSHARD_CHANNELS: Gauge = "redis_pubsubshard_channels" [];
    /// Seconds that the last fork took; nothing is served meanwhile.
    LATEST_FORK_SECONDS: Gauge = "redis_latest_fork_seconds" [];
    /// Keys that are tracked for clients.
    TRACKING_TOTAL_KEYS: Gauge = "redis_tracking_total_keys" [];
    /// Pairs of keys and clients that are tracked.
    TRACKING_TOTAL_ITEMS: Gauge = "redis_tracking_total_items" [];
    /// Prefixes that are tracked for clients.
    TRACKING_TOTAL_PREFIXES: Gauge = "redis_tracking_total_prefixes" [];
    /// Rounds of the event loop a second, now.
    INSTANTANEOUS_EVENTLOOP_CYCLES_PER_SEC: Gauge = "redis_instantaneous_eventloop_cycles_per_sec" [];
    /// Microseconds that a round of the event loop takes, now.
    INSTANTANEOUS_EVENTLOOP_DURATION_USEC: Gauge = "redis_instantaneous_eventloop_duration_usec" [];
    /// Rounds of the event loop.
    EVENTLOOP_CYCLES_TOTAL: Counter = "redis_eventloop_cycles_total" [];
    /// Microseconds spent in the event loop.
    EVENTLOOP_DURATION_SUM_USEC_TOTAL: Counter = "redis_eventloop_duration_sum_usec_total" [];
    /// Microseconds spent in commands.
    EVENTLOOP_DURATION_CMD_SUM_USEC_TOTAL: Counter = "redis_eventloop_duration_cmd_sum_usec_total" [];
    /// Sockets that are open for MIGRATE.
    MIGRATE_CACHED_SOCKETS_TOTAL: Gauge = "redis_migrate_cached_sockets_total" [] irregular;
    /// Values that active defragmentation moved.
    DEFRAG_HITS: Gauge = "redis_defrag_hits" [];
    /// Values that it looked at in vain.
    DEFRAG_MISSES: Gauge = "redis_defrag_misses" [];
    /// Keys that it moved.
    DEFRAG_KEY_HITS: Gauge = "redis_defrag_key_hits" [];
    /// Keys that it looked at in vain.
    DEFRAG_KEY_MISSES: Gauge = "redis_defrag_key_misses" [];
    /// Seconds of CPU in the kernel.
    CPU_SYS_SECONDS_TOTAL: Counter = "redis_cpu_sys_seconds_total" [];
    /// Seconds of CPU in the program.
    CPU_USER_SECONDS_TOTAL: Counter = "redis_cpu_user_seconds_total" [];
    /// Seconds of CPU in the kernel of child processes.
    CPU_SYS_CHILDREN_SECONDS_TOTAL: Counter = "redis_cpu_sys_children_seconds_total" [];
    /// Seconds of CPU in child processes.
    CPU_USER_CHILDREN_SECONDS_TOTAL: Counter = "redis_cpu_user_children_seconds_total" [];
    /// Seconds of CPU in the kernel of the main thread.
    CPU_SYS_MAIN_THREAD_SECONDS_TOTAL: Counter = "redis_cpu_sys_main_thread_seconds_total" [];
    /// Seconds of CPU in the main thread.
    CPU_USER_MAIN_THREAD_SECONDS_TOTAL: Counter = "redis_cpu_user_main_thread_seconds_total" [];
    /// Errors from replicas or their primary that should not be.
    UNEXPECTED_ERROR_REPLIES: Counter = "redis_unexpected_error_replies" [] irregular;
    /// Commands that were answered with an error.
    TOTAL_ERROR_REPLIES: Counter = "redis_total_error_replies" [] irregular;
    /// Payloads that were looked over whole.
    DUMP_PAYLOAD_SANITIZATIONS: Counter = "redis_dump_payload_sanitizations" [] irregular;
    /// Reads from clients.
    TOTAL_READS_PROCESSED: Counter = "redis_total_reads_processed" [] irregular;
    /// Writes to clients.
    TOTAL_WRITES_PROCESSED: Counter = "redis_total_writes_processed" [] irregular;
    /// Reads by threads other than the main one.
    IO_THREADED_READS_PROCESSED: Counter = "redis_io_threaded_reads_processed" [] irregular;
    /// Writes by threads other than the main one.
    IO_THREADED_WRITES_PROCESSED: Counter = "redis_io_threaded_writes_processed" [] irregular;
    /// Clients that were ended as their query buffer was too large.
    CLIENT_QUERY_BUFFER_LIMIT_DISCONNECTIONS_TOTAL: Counter = "redis_client_query_buffer_limit_disconnections_total" [];
    /// Clients that were ended as their output buffer was too large.
    CLIENT_OUTPUT_BUFFER_LIMIT_DISCONNECTIONS_TOTAL: Counter = "redis_client_output_buffer_limit_disconnections_total" [];
    /// Answer buffers that were made smaller.
    REPLY_BUFFER_SHRINKS_TOTAL: Counter = "redis_reply_buffer_shrinks_total" [];
    /// Answer buffers that were made larger.
    REPLY_BUFFER_EXPANDS_TOTAL: Counter = "redis_reply_buffer_expands_total" [];
    /// Log-ins that were refused.
    ACL_ACCESS_DENIED_AUTH_TOTAL: Counter = "redis_acl_access_denied_auth_total" [];
    /// Commands that were refused to a user.
    ACL_ACCESS_DENIED_CMD_TOTAL: Counter = "redis_acl_access_denied_cmd_total" [];
    /// Keys that were refused to a user.
    ACL_ACCESS_DENIED_KEY_TOTAL: Counter = "redis_acl_access_denied_key_total" [];
    /// Channels that were refused to a user.
    ACL_ACCESS_DENIED_CHANNEL_TOTAL: Counter = "redis_acl_access_denied_channel_total" [];
}

/// The fields of INFO that are published as they are.
pub(crate) static FIELDS: &[Field] = &[
    field("total_connections_received", &CONNECTIONS_RECEIVED_TOTAL),
    field("total_commands_processed", &COMMANDS_PROCESSED_TOTAL),
    field("rejected_connections", &REJECTED_CONNECTIONS_TOTAL),
    field("total_net_input_bytes", &NET_INPUT_BYTES_TOTAL),
    field("total_net_output_bytes", &NET_OUTPUT_BYTES_TOTAL),
    field("total_net_repl_input_bytes", &NET_REPL_INPUT_BYTES_TOTAL),
    field("total_net_repl_output_bytes", &NET_REPL_OUTPUT_BYTES_TOTAL),
    field("expired_keys", &EXPIRED_KEYS_TOTAL),
    field("expired_subkeys", &EXPIRED_SUBKEYS_TOTAL),
    field("expired_stale_perc", &EXPIRED_STALE_PERCENTAGE),
    field("expired_time_cap_reached_count", &EXPIRED_TIME_CAP_REACHED_TOTAL),
    field("expire_cycle_cpu_milliseconds", &EXPIRE_CYCLE_CPU_TIME_MS_TOTAL),
    field("evicted_keys", &EVICTED_KEYS_TOTAL),
    field("evicted_clients", &EVICTED_CLIENTS_TOTAL),
    field("evicted_scripts", &EVICTED_SCRIPTS_TOTAL),
    field("total_eviction_exceeded_time", &EVICTION_EXCEEDED_TIME_MS_TOTAL),
    field("current_eviction_exceeded_time", &CURRENT_EVICTION_EXCEEDED_TIME_MS),
    field("keyspace_hits", &KEYSPACE_HITS_TOTAL),
    field("keyspace_misses", &KEYSPACE_MISSES_TOTAL),
    field("pubsub_channels", &PUBSUB_CHANNELS),
    field("pubsub_patterns", &PUBSUB_PATTERNS),
    field("pubsubshard_channels", &PUBSUBSHARD_CHANNELS),
    Field { name: "latest_fork_usec", family: &LATEST_FORK_SECONDS, scale: 1e-6 },
    field("tracking_total_keys", &TRACKING_TOTAL_KEYS),
    field("tracking_total_items", &TRACKING_TOTAL_ITEMS),
    field("tracking_total_prefixes", &TRACKING_TOTAL_PREFIXES),
    field("instantaneous_eventloop_cycles_per_sec", &INSTANTANEOUS_EVENTLOOP_CYCLES_PER_SEC),
    field("instantaneous_eventloop_duration_usec", &INSTANTANEOUS_EVENTLOOP_DURATION_USEC),
    field("eventloop_cycles", &EVENTLOOP_CYCLES_TOTAL),
    field("eventloop_duration_sum", &EVENTLOOP_DURATION_SUM_USEC_TOTAL),
    field("eventloop_duration_cmd_sum", &EVENTLOOP_DURATION_CMD_SUM_USEC_TOTAL),
    field("migrate_cached_sockets", &MIGRATE_CACHED_SOCKETS_TOTAL),
    field("active_defrag_hits", &DEFRAG_HITS),
    field("active_defrag_misses", &DEFRAG_MISSES),
    field("active_defrag_key_hits", &DEFRAG_KEY_HITS),
    field("active_defrag_key_misses", &DEFRAG_KEY_MISSES),
    field("used_cpu_sys", &CPU_SYS_SECONDS_TOTAL),
    field("used_cpu_user", &CPU_USER_SECONDS_TOTAL),
    field("used_cpu_sys_children", &CPU_SYS_CHILDREN_SECONDS_TOTAL),
    field("used_cpu_user_children", &CPU_USER_CHILDREN_SECONDS_TOTAL),
    field("used_cpu_sys_main_thread", &CPU_SYS_MAIN_THREAD_SECONDS_TOTAL),
    field("used_cpu_user_main_thread", &CPU_USER_MAIN_THREAD_SECONDS_TOTAL),
    field("unexpected_error_replies", &UNEXPECTED_ERROR_REPLIES),
    field("total_error_replies", &TOTAL_ERROR_REPLIES),
    field("dump_payload_sanitizations", &DUMP_PAYLOAD_SANITIZATIONS),
    field("total_reads_processed", &TOTAL_READS_PROCESSED),
    field("total_writes_processed", &TOTAL_WRITES_PROCESSED),
    field("io_threaded_reads_processed", &IO_THREADED_READS_PROCESSED),
    field("io_threaded_writes_processed", &IO_THREADED_WRITES_PROCESSED),
    field("client_query_buffer_limit_disconnections", &CLIENT_QUERY_BUFFER_LIMIT_DISCONNECTIONS_TOTAL),
    field("client_output_buffer_limit_disconnections", &CLIENT_OUTPUT_BUFFER_LIMIT_DISCONNECTIONS_TOTAL),
    field("reply_buffer_shrinks", &REPLY_BUFFER_SHRINKS_TOTAL),
    field("reply_buffer_expands", &REPLY_BUFFER_EXPANDS_TOTAL),
    field("acl_access_denied_auth", &ACL_ACCESS_DENIED_AUTH_TOTAL),
    field("acl_access_denied_cmd", &ACL_ACCESS_DENIED_CMD_TOTAL),
    field("acl_access_denied_key", &ACL_ACCESS_DENIED_KEY_TOTAL),
    field("acl_access_denied_channel", &ACL_ACCESS_DENIED_CHANNEL_TOTAL),
];
