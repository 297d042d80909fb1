//! What holds where nothing is written.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::env::Env;

/// `listen`
pub const LISTEN: &str = "127.0.0.1:9753";
/// The same, read.
pub const LISTEN_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9753);
/// `spool_size`
pub const SPOOL_SIZE: &str = "1GiB";
/// `logs.syslog.max_message_bytes`
pub const SYSLOG_MESSAGE: &str = "64KiB";
/// `logs.syslog.max_connections`
pub const SYSLOG_CONNECTIONS: u64 = 256;
/// `logs.syslog.idle_timeout`
pub const SYSLOG_IDLE: &str = "1h";
/// `logs.push.listen`
pub const PUSH: &str = "127.0.0.1:3500";
/// The same as an address.
pub const PUSH_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3500);
/// `scrape_timeout`
pub const SCRAPE_TIMEOUT: &str = "10s";
/// `scrape_memory`
pub const SCRAPE_MEMORY: &str = "256MiB";
/// `fold[].keep`
pub const FOLD_KEEP: u64 = 100;
/// `interval`
pub const INTERVAL: &str = "15s";
/// `grace_period`: less than the ten seconds that Docker gives a container.
pub const GRACE: &str = "8s";
/// `outputs.*.timeout`
pub const TIMEOUT: &str = "30s";
/// `outputs.archive.timeout`
pub const ARCHIVE_TIMEOUT: &str = "60s";
/// `outputs.archive.every`
pub const ARCHIVE_EVERY: &str = "5m";
/// `outputs.archive.size`
pub const ARCHIVE_SIZE: &str = "64MiB";
/// `outputs.loki.*.limits.reject_old_samples_max_age`
pub const LOKI_MAX_AGE: &str = "168h";
/// `outputs.loki.*.dead_letters.max_bytes`
pub const DEAD_BYTES: &str = "64MiB";
/// `outputs.loki.*.dead_letters.max_age`
pub const DEAD_AGE: &str = "168h";
/// `outputs.loki.*.max_tenants`
pub const MAX_TENANTS: u64 = 16;
/// `max_shards` of a Prometheus output.
pub const MAX_SHARDS: u64 = 16;
/// `host.subjects.*.budget`
pub const BUDGET: &str = "1s";
/// `host.job`
pub const HOST_JOB: &str = "node";
/// `containers.job`
pub const CONTAINERS_JOB: &str = "cadvisor";
/// `postgres.*.job`
pub const POSTGRES_JOB: &str = "postgres";
/// `postgres.*.database_interval`
pub const DATABASE_INTERVAL: &str = "1m";
/// `postgres.*.costly_interval`
pub const COSTLY_INTERVAL: &str = "1h";
/// `postgres.*.timeout`
pub const POSTGRES_TIMEOUT: &str = "5s";
/// The `job` label of PgBouncer
pub const PGBOUNCER_JOB: &str = "pgbouncer";
/// `pgbouncer[].timeout`
pub const PGBOUNCER_TIMEOUT: &str = "5s";
/// The `job` label of Redis servers
pub const REDIS_JOB: &str = "redis";
/// `redis[].timeout`
pub const REDIS_TIMEOUT: &str = "5s";
/// `probe.job`
pub const PROBE_JOB: &str = "probe";
/// `probe.timeout`
pub const PROBE_TIMEOUT: &str = "10s";
/// `logs.files.max_line_bytes`
pub const MAX_LINE: &str = "256KiB";
/// `logs.journald.max_age`
pub const JOURNAL_AGE: &str = "7h";
/// `logs.multiline.max_lines`
pub const MULTILINE_LINES: u64 = 500;
/// `logs.multiline.max_wait`
pub const MULTILINE_WAIT: &str = "3s";
/// `log.level`
pub const LEVEL: &str = "info";
/// `self`
pub const OWN_METRICS: bool = true;
/// `reload_on_change`
pub const WATCH: bool = false;

/// What runs without a configuration file: what this machine has, shown on the live page. Text logs of the system that
/// Debian, Red Hat and their like write; a glob that matches nothing costs nothing.
pub const WITHOUT_FILE: &str = "\
host: {}
containers: {}
logs:
  - name: system
    files:
      include: [/var/log/*.log, /var/log/syslog, /var/log/messages, /var/log/secure, /var/log/maillog, /var/log/cron]
    labels: {job: varlog}
";

/// `data_dir`: <https://specifications.freedesktop.org/basedir-spec/latest/> and systemd.exec(5), `StateDirectory=`.
pub fn data_dir(env: Env<'_>) -> PathBuf {
    let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // systemd separates several folders by colons.
    let systemd = env("STATE_DIRECTORY").and_then(|all| all.split(':').next().map(PathBuf::from));
    systemd
        .filter(|path| path.is_absolute())
        .or_else(|| absolute("XDG_STATE_HOME").map(|path| path.join("taffrail")))
        .or_else(|| {
            absolute("HOME").filter(|h| h.parent().is_some()).map(|h| h.join(".local/state/taffrail"))
        })
        .unwrap_or_else(|| "/var/lib/taffrail".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_has_its_place() {
        let with = |vars: &[(&str, &str)]| {
            data_dir(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        let home = ("HOME", "/home/ada");
        assert_eq!(with(&[]), PathBuf::from("/var/lib/taffrail"));
        assert_eq!(with(&[("HOME", "/")]), PathBuf::from("/var/lib/taffrail"));
        assert_eq!(with(&[home]), PathBuf::from("/home/ada/.local/state/taffrail"));
        assert_eq!(
            with(&[("XDG_STATE_HOME", "relative"), home]),
            PathBuf::from("/home/ada/.local/state/taffrail")
        );
        assert_eq!(with(&[("XDG_STATE_HOME", "/state")]), PathBuf::from("/state/taffrail"));
        assert_eq!(with(&[("STATE_DIRECTORY", "/a:/b")]), PathBuf::from("/a"));
    }
}
