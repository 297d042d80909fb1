//! What stands in rows of a name and a number: `SHOW LISTS`, `SHOW CONFIG`; and clients, which are counted.
//! <https://www.pgbouncer.org/usage.html>

use std::collections::BTreeMap;

use taffrail_core::{Family, Out, metrics};
use taffrail_postgres::Rows;

metrics! {
    /// Databases.
    DATABASES: Gauge = "pgbouncer_databases" [];
    /// Users.
    USERS: Gauge = "pgbouncer_users" [];
    /// Pools.
    POOLS: Gauge = "pgbouncer_pools" [];
    /// Places for clients that are free.
    FREE_CLIENTS: Gauge = "pgbouncer_free_clients" [];
    /// Clients that are connected.
    USED_CLIENTS: Gauge = "pgbouncer_used_clients" [];
    /// Clients that are logging in.
    LOGIN_CLIENTS: Gauge = "pgbouncer_login_clients" [];
    /// Places for connections to servers that are free.
    FREE_SERVERS: Gauge = "pgbouncer_free_servers" [];
    /// Connections to servers.
    USED_SERVERS: Gauge = "pgbouncer_used_servers" [];
    /// Names that are kept as DNS resolved them.
    DNS_NAMES: Gauge = "pgbouncer_cached_dns_names" [];
    /// Zones that are kept.
    DNS_ZONES: Gauge = "pgbouncer_cached_dns_zones" [];
    /// Names that are being resolved.
    DNS_QUERIES: Gauge = "pgbouncer_in_flight_dns_queries" [];
    /// The most clients that may be connected.
    MAX_CLIENTS: Gauge = "pgbouncer_config_max_client_connections" [];
    /// The most connections to servers for each user; 0 where there is no bound.
    MAX_USER: Gauge = "pgbouncer_config_max_user_connections" [];
    /// Clients by database, user, application and state.
    CLIENTS: Gauge = "pgbouncer_client_connections" ["database", "user", "application_name", "state"];
}

/// Rows of `SHOW LISTS` and of `SHOW CONFIG`, and what they become.
static NAMED: [(&str, &Family<0>); 13] = [
    ("databases", &DATABASES),
    ("users", &USERS),
    ("pools", &POOLS),
    ("free_clients", &FREE_CLIENTS),
    ("used_clients", &USED_CLIENTS),
    ("login_clients", &LOGIN_CLIENTS),
    ("free_servers", &FREE_SERVERS),
    ("used_servers", &USED_SERVERS),
    ("dns_names", &DNS_NAMES),
    ("dns_zones", &DNS_ZONES),
    ("dns_queries", &DNS_QUERIES),
    ("max_client_conn", &MAX_CLIENTS),
    ("max_user_connections", &MAX_USER),
];

/// The most combinations of clients' database, user, application and state: applications name themselves.
const MOST_CLIENTS: usize = 500;

/// Publishes rows of a name and a number.
pub(crate) fn write(rows: &Rows, out: &mut Out) {
    for row in rows.iter().filter(|row| row.len() >= 2) {
        let known = NAMED.iter().find(|(name, _)| row.get(0) == Some(name));
        if let (Some((_, family)), Some(Ok(value))) = (known, row.get(1).map(str::parse)) {
            out.put(family, [], value);
        }
    }
}

/// Publishes how many clients there are of each kind; beyond a bound, by database and state alone.
pub(crate) fn write_clients(rows: &Rows, out: &mut Out) {
    let count = |labels: &[&str; 4]| {
        let mut counts: BTreeMap<[&str; 4], u32> = BTreeMap::new();
        for row in rows {
            let key = labels.map(|name| match name {
                "" => "",
                name => row.try_get(name).ok().flatten().unwrap_or_default(),
            });
            *counts.entry(key).or_default() += 1;
        }
        counts
    };
    let mut counts = count(&["database", "user", "application_name", "state"]);
    if counts.len() > MOST_CLIENTS {
        counts = count(&["database", "", "", "state"]);
    }
    for (labels, number) in counts {
        out.put(&CLIENTS, labels, f64::from(number));
    }
}
