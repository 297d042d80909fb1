//! What the server is, from INFO's section Server, and its clients. <https://redis.io/docs/latest/commands/info/>

use taffrail_core::metrics;

use crate::fields::{Field, field};

metrics! {
    /// Seconds since the server started.
    UPTIME_IN_SECONDS: Gauge = "redis_uptime_in_seconds" [];
    /// The server's process id.
    PROCESS_ID: Gauge = "redis_process_id" [];
    /// Whether the threads for input and output are at work (1) or not (0).
    IO_THREADS_ACTIVE: Gauge = "redis_io_threads_active" [];
    /// How often a second the server's background tasks run now.
    HZ: Gauge = "redis_hz" [];
    /// How often a second the server's background tasks run as configured.
    CONFIGURED_HZ: Gauge = "redis_configured_hz" [];
    /// Clients that are connected, without replicas.
    CONNECTED_CLIENTS: Gauge = "redis_connected_clients" [];
    /// Clients that wait in a blocking call, such as BLPOP.
    BLOCKED_CLIENTS: Gauge = "redis_blocked_clients" [];
    /// The most clients that may be connected.
    MAX_CLIENTS: Gauge = "redis_max_clients" [];
    /// Clients that are told when keys change (client side caching).
    TRACKING_CLIENTS: Gauge = "redis_tracking_clients" [];
    /// Clients that wait with a time limit.
    CLIENTS_IN_TIMEOUT_TABLE: Gauge = "redis_clients_in_timeout_table" [];
    /// Clients that have subscribed to channels.
    PUBSUB_CLIENTS: Gauge = "redis_pubsub_clients" [];
    /// Clients that watch keys for a transaction.
    WATCHING_CLIENTS: Gauge = "redis_watching_clients" [];
    /// Keys that are watched.
    TOTAL_WATCHED_KEYS: Gauge = "redis_total_watched_keys" [];
    /// Keys on which clients wait.
    TOTAL_BLOCKING_KEYS: Gauge = "redis_total_blocking_keys" [];
    /// Keys whose deletion clients wait for.
    TOTAL_BLOCKING_KEYS_ON_NOKEY: Gauge = "redis_total_blocking_keys_on_nokey" [];
    /// The longest list of answers that wait for a client (before Redis 5).
    CLIENT_LONGEST_OUTPUT_LIST: Gauge = "redis_client_longest_output_list" [];
    /// The largest input buffer of a client in bytes (before Redis 5).
    CLIENT_BIGGEST_INPUT_BUF: Gauge = "redis_client_biggest_input_buf" [];
    /// The largest output buffer of a client lately.
    CLIENT_RECENT_MAX_OUTPUT_BUFFER_BYTES: Gauge = "redis_client_recent_max_output_buffer_bytes" [];
    /// The largest input buffer of a client lately.
    CLIENT_RECENT_MAX_INPUT_BUFFER_BYTES: Gauge = "redis_client_recent_max_input_buffer_bytes" [];
}

/// The fields of INFO that are published as they are.
pub(crate) static FIELDS: &[Field] = &[
    field("uptime_in_seconds", &UPTIME_IN_SECONDS),
    field("process_id", &PROCESS_ID),
    field("io_threads_active", &IO_THREADS_ACTIVE),
    field("hz", &HZ),
    field("configured_hz", &CONFIGURED_HZ),
    field("connected_clients", &CONNECTED_CLIENTS),
    field("blocked_clients", &BLOCKED_CLIENTS),
    field("maxclients", &MAX_CLIENTS),
    field("tracking_clients", &TRACKING_CLIENTS),
    field("clients_in_timeout_table", &CLIENTS_IN_TIMEOUT_TABLE),
    field("pubsub_clients", &PUBSUB_CLIENTS),
    field("watching_clients", &WATCHING_CLIENTS),
    field("total_watched_keys", &TOTAL_WATCHED_KEYS),
    field("total_blocking_keys", &TOTAL_BLOCKING_KEYS),
    field("total_blocking_keys_on_nokey", &TOTAL_BLOCKING_KEYS_ON_NOKEY),
    field("client_longest_output_list", &CLIENT_LONGEST_OUTPUT_LIST),
    field("client_biggest_input_buf", &CLIENT_BIGGEST_INPUT_BUF),
    field("client_recent_max_output_buffer", &CLIENT_RECENT_MAX_OUTPUT_BUFFER_BYTES),
    field("client_recent_max_input_buffer", &CLIENT_RECENT_MAX_INPUT_BUFFER_BYTES),
];
