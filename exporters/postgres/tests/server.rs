//! The Postgres exporter on real servers: beside postgres_exporter, by the list of names, and when things go wrong.
//! `POSTGRES` names a server's program, `POSTGRES_NEWEST` one of the newest version, `POSTGRES_EXPORTER` the peer.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod cases;
mod kit;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use kit::{Cluster, Reader, peer, program, read};
use taffrail_postgres::config::Address;
use taffrail_postgres::tls::{Mode, Tls};

/// Collectors of the peer's that are off by default.
const COLLECTORS: [&str; 12] = [
    "buffercache_summary",
    "database_wraparound",
    "long_running_transactions",
    "postmaster",
    "process_idle",
    "stat_activity_autovacuum",
    "stat_checkpointer",
    "stat_progress_vacuum",
    "stat_user_tables",
    "stat_wal_receiver",
    "statio_user_indexes",
    "statio_user_tables",
];

/// Deliberate differences, by prefix of a family's name, with the reason.
const DIFFERENCES: [(&str, &str); 14] = [
    ("pg_exporter_", "of the program itself: how it is scraped, and how often"),
    ("pg_scrape_collector_", "views are not cut in the same pieces"),
    (
        "pg_process_idle_seconds",
        "a histogram a user's application name; the idle are in pg_stat_activity_count",
    ),
    ("pg_replication_slots_pg_wal_lsn_diff", "a follower goes on while they look"),
    ("pg_stat_replication_", "the peer's slot_name is a process id, and its reply_time of no type"),
    ("pg_replication_slot_", "renamed by the peer itself: pg_replication_slots_slot_… in later versions"),
    ("pg_stat_activity_", "the peer counts its own sessions by what they wait for; both leave out their own"),
    ("pg_statio_user_indexes_", "datname beside, as several databases are read"),
    ("pg_stat_archiver_last_archive_age", "NaN where nothing was archived: left out, as all that is NULL"),
    ("pg_settings_extra_float_digits", "the peer's driver sets it for its own session"),
    ("pg_long_running_transactions", "a transaction that runs while the other looks"),
    (
        "pg_stat_database_",
        "both are sessions, and count each other's work; compared by name, type and labels",
    ),
    ("pg_stat_bgwriter_", "from version 17 on the old names are told as well"),
    ("pg_locks_count", "both hold locks while they look; compared by name, type and labels"),
];

/// Names that these servers cannot show, with the reason.
const NOT_HERE: [(&str, &str); 3] = [
    ("pg_stat_replication_", "nobody follows the server"),
    ("pg_stat_statements_", "the extension is not loaded"),
    ("pg_replication_slots_active", "there is no slot"),
];

async fn prepared(variable: &str) -> Cluster {
    let cluster = Cluster::start(variable).await;
    cluster.sql("create table orders (id serial primary key, name text)").await;
    cluster.sql("insert into orders (name) select 'x' || g from generate_series(1, 3000) g").await;
    cluster.sql("vacuum analyze orders").await;
    cluster.sql("create database shop").await;
    cluster
}

/// Whether a value is about one of two, or between them.
fn between(value: f64, first: f64, last: f64) -> bool {
    let slack = 0.05 * value.abs().max(1.0);
    (first.min(last) - slack..=first.max(last) + slack).contains(&value)
}

/// Every series that both have is the same; what only the peer has is a deliberate difference.
async fn beside_the_peer(cluster: &Cluster) {
    let mut server = cluster.server("postgres");
    server.activity_detail = true;
    server.views.insert("statio_user_tables".to_owned(), true);
    // Ours are read before theirs and again behind them: the server works on meanwhile.
    let before = read(&server).await;
    let theirs = peer(cluster, &COLLECTORS).await;
    let ours = read(&server).await;
    assert_eq!(ours.problems, Vec::<String>::new());
    let mut same = 0;
    let mut wrong = Vec::new();
    for (series, (kind, value)) in theirs.iter().filter(|(series, _)| series.starts_with("pg_")) {
        let excused = DIFFERENCES.iter().any(|(prefix, _)| series.starts_with(prefix));
        match ours.page.get(series) {
            Some((own, _)) if own != kind => wrong.push(format!("{series}: {own}, and theirs is {kind}")),
            Some(_) if excused => same += 1,
            Some((_, own))
                if !between(*value, before.page.get(series).map_or(*own, |(_, old)| *old), *own) =>
            {
                wrong.push(format!("{series}: {own}, and theirs is {value}"));
            }
            Some(_) => same += 1,
            None if excused => {}
            None => wrong.push(format!("{series} is missing")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(same > 400, "only {same} series were compared");
}

#[tokio::test]
async fn an_older_server_is_told_as_postgres_exporter_tells_it() {
    beside_the_peer(&prepared("POSTGRES").await).await;
}

#[tokio::test]
async fn the_newest_server_is_told_as_postgres_exporter_tells_it() {
    beside_the_peer(&prepared("POSTGRES_NEWEST").await).await;
}

#[tokio::test]
async fn every_name_that_dashboards_ask_for_is_there() {
    let wanted = include_str!("data/names-pg.txt");
    for variable in ["POSTGRES", "POSTGRES_NEWEST"] {
        let cluster = prepared(variable).await;
        let page = read(&cluster.server("postgres")).await.page;
        let given: BTreeSet<&str> = page.keys().filter_map(|series| series.split('{').next()).collect();
        let excused = |name: &&str| NOT_HERE.iter().any(|(prefix, _)| name.starts_with(prefix));
        let missing: Vec<&str> =
            wanted.lines().filter(|name| !given.contains(name)).filter(|name| !excused(name)).collect();
        assert_eq!(missing, Vec::<&str>::new(), "{variable}");
        // What nobody shows here is declared, at least.
        let declared = |name: &str| taffrail_postgres::metrics().iter().any(|metric| metric.covers(name));
        assert!(wanted.lines().all(declared));
    }
}

#[tokio::test]
async fn what_blocks_whom_is_told_and_a_locked_table_hides_nothing() {
    let cluster = prepared("POSTGRES").await;
    let holder = cluster.client().await;
    for statement in
        ["set application_name = 'holder'", "begin", "lock table orders in access exclusive mode"]
    {
        holder.batch_execute(statement).await.unwrap();
    }
    let given = read(&cluster.server("postgres")).await;
    assert_eq!(given.problems, Vec::<String>::new());
    let orders = "datname=\"postgres,relname=\"orders,schemaname=\"public";
    let has = |name: &str| given.page.contains_key(&format!("{name}{{{orders}}}"));
    assert!(has("pg_stat_user_tables_n_live_tup") && !has("pg_stat_user_tables_table_size_bytes"));

    let waiter = cluster.client().await;
    waiter.batch_execute("set application_name = 'waiter'").await.unwrap();
    let waiting =
        tokio::spawn(
            async move { waiter.batch_execute("update orders set name = 'secret' where id = 1").await },
        );
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    let mut server = cluster.server("postgres");
    // What waits for others to end their waiting is not what this is about.
    for view in taffrail_postgres::VIEWS.iter().filter(|view| view.patient) {
        server.views.insert(view.name.to_owned(), false);
    }
    let mut reader = Reader::new(&server);
    let given = reader.read().await;
    let series = "pg_blocked_sessions{application_name=\"waiter,blocking_application_name=\"holder,datname=\"postgres}";
    assert_eq!(given.page.get(series).map(|(_, value)| *value), Some(1.0), "{:?}", given.page.keys());
    assert_eq!(given.notes.len(), 1);
    let fact = |name: &str| given.notes[0].facts.iter().find(|(known, _)| *known == name).unwrap().1.clone();
    assert_eq!(fact("query"), "update orders set name = ? where id = ?");
    assert_eq!(fact("blocking_query"), "LOCK …");
    assert!(reader.read().await.notes.is_empty(), "a pair is noted once");
    holder.batch_execute("rollback").await.unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_role_that_may_see_nothing_hides_nothing_else() {
    let cluster = prepared("POSTGRES").await;
    cluster.sql("create role nobody login password 'hunter2'").await;
    let given = read(&cluster.server("nobody")).await;
    assert_eq!(given.page["pg_up{}"].1, 1.0);
    let failed: Vec<&String> = given
        .page
        .iter()
        .filter(|(series, (_, value))| series.starts_with("pg_scrape_collector_success") && *value == 0.0)
        .map(|(series, _)| series)
        .collect();
    assert_eq!(failed, ["pg_scrape_collector_success{collector=\"wal}"]);
    assert!(given.problems[0].contains("grant pg_monitor to nobody"), "{:?}", given.problems);
    assert!(given.page.contains_key("pg_settings_max_connections{}"));
}

#[tokio::test]
async fn a_session_outlives_a_full_server_and_comes_back_after_it_was_ended() {
    let cluster = prepared("POSTGRES").await;
    cluster.sql("create role monitor login password 'hunter2'; grant pg_monitor to monitor").await;
    let mut reader = Reader::new(&cluster.server("monitor"));
    assert_eq!(reader.read().await.page["pg_up{}"].1, 1.0);
    let mut others = Vec::new();
    for _ in 0..10 {
        others.push(cluster.client().await);
    }
    // No connection is left for anybody, and the sessions that there are go on.
    let given = reader.read().await;
    assert_eq!(given.page["pg_up{}"].1, 1.0);
    assert!(given.page["pg_connections_used{}"].1 >= given.page["pg_connections_limit{}"].1);
    let newcomer = read(&cluster.server("monitor")).await;
    assert_eq!(newcomer.page["pg_up{}"].1, 0.0);
    assert!(newcomer.problems[0].contains("raise max_connections"), "{:?}", newcomer.problems);
    drop(others.split_off(1));
    let ending = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'taffrail'";
    others[0].simple_query(ending).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let given = reader.read().await;
    assert_eq!((given.page["pg_up{}"].1, given.problems), (1.0, Vec::new()));
    let sessions = "select count(*) from pg_stat_activity where application_name = 'taffrail'";
    let count: i64 = others[0].query_one(sessions, &[]).await.unwrap().get(0);
    assert!(count <= 2, "{count} sessions");
}

#[tokio::test]
async fn a_server_is_trusted_as_far_as_its_mode_says() {
    let cluster = Cluster::start("POSTGRES").await;
    let ca = cluster.with_tls().await;
    let up = async |host: &str, mode: Mode, ca_file: Option<&PathBuf>| {
        let mut server = cluster.server("postgres");
        server.address = Address::Host(host.to_owned(), cluster.port);
        server.tls = Tls { mode, ca_file: ca_file.cloned(), identity: None };
        let given = read(&server).await;
        (given.page["pg_up{}"].1 == 1.0, given.problems.first().cloned().unwrap_or_default())
    };
    assert!(up("localhost", Mode::VerifyFull, Some(&ca)).await.0);
    assert!(up("127.0.0.1", Mode::VerifyCa, Some(&ca)).await.0);
    assert!(up("127.0.0.1", Mode::Require, None).await.0);
    assert!(up("127.0.0.1", Mode::Disable, None).await.0);
    let (trusted, why) = up("127.0.0.1", Mode::VerifyFull, Some(&ca)).await;
    assert!(!trusted && why.contains("not valid for name"), "{why}");
    let (trusted, why) = up("localhost", Mode::VerifyCa, None).await;
    assert!(!trusted && why.contains("UnknownIssuer"), "{why}");
}

#[tokio::test]
async fn a_server_that_is_gone_or_refuses_says_so() {
    let cluster = Cluster::start("POSTGRES").await;
    let refused = read(&cluster.server("stranger")).await;
    assert_eq!(refused.page["pg_up{}"].1, 0.0);
    assert!(refused.problems[0].contains("the role and its password"), "{:?}", refused.problems);
    let server = cluster.server("postgres");
    drop(cluster);
    let given = read(&server).await;
    assert_eq!(given.page["pg_up{}"].1, 0.0);
    assert!(given.problems[0].contains("refused"), "{:?}", given.problems);
    assert!(program("POSTGRES").is_some());
}
