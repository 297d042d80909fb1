//! A primary and a replica that follows it through a slot.

use std::time::Duration;

use crate::kit::{Cluster, Given, Reader};

fn value(given: &Given, series: &str) -> Option<f64> {
    given.page.get(series).map(|(_, value)| *value)
}

/// The first value of a family.
fn any(given: &Given, family: &str) -> Option<f64> {
    let begins = format!("{family}{{");
    given.page.iter().find(|(series, _)| series.starts_with(&begins)).map(|(_, (_, value))| *value)
}

/// Reads until what is read is as wanted.
async fn until(reader: &mut Reader, what: &str, wanted: impl Fn(&Given) -> bool) -> Given {
    for _ in 0..300 {
        let given = reader.read().await;
        if wanted(&given) {
            return given;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never came to that {what}");
}

async fn a_replica_is_told_on_both_sides(variable: &str) {
    let settings = ["wal_level=logical", "max_slot_wal_keep_size=1GB"];
    let primary = Cluster::start_with(variable, &settings).await;
    primary.sql("create table orders (id serial primary key, name text)").await;
    primary.sql("select pg_create_logical_replication_slot('changes', 'pgoutput')").await;
    let replica = primary.replica(variable).await;
    let follows = |given: &Given| any(given, "pg_stat_replication_pg_wal_lsn_diff").is_some();
    let mut of_primary = Reader::new(&primary.server("postgres"));
    let given = until(&mut of_primary, "it is followed", follows).await;
    let name = given.page.keys().find(|series| series.starts_with("pg_stat_replication_pg_wal_lsn_diff{"));
    let name = name.unwrap();
    for part in ["application_name=\"follower", "client_addr=\"127.0.0.1", "slot_name=\"follower", "state=\""]
    {
        assert!(name.contains(part), "{part} is not in {name}");
    }
    assert_eq!(value(&given, "pg_replication_is_replica{}"), Some(0.0));
    assert_eq!(value(&given, "pg_replication_slots_active{slot_name=\"follower}"), Some(1.0));
    assert_eq!(
        value(&given, "pg_replication_slots_active{database=\"postgres,slot_name=\"changes}"),
        Some(0.0)
    );
    assert!(any(&given, "pg_replication_slots_safe_wal_size_bytes") > Some(0.0));
    assert_eq!(given.problems, Vec::<String>::new());

    let mut of_replica = Reader::new(&replica.server("postgres"));
    let received = |given: &Given| any(given, "pg_stat_wal_receiver_flushed_lsn").is_some();
    let given = until(&mut of_replica, "it receives", received).await;
    assert_eq!(value(&given, "pg_replication_is_replica{}"), Some(1.0));
    let receiver =
        given.page.keys().find(|series| series.starts_with("pg_stat_wal_receiver_flushed_lsn")).unwrap();
    assert!(receiver.contains("upstream_host=\"127.0.0.1") && !receiver.contains("hunter2"), "{receiver}");
    assert_eq!(given.problems, Vec::<String>::new());
    // Both as the incumbent tells them.
    crate::beside_the_peer(&primary).await;
    crate::beside_the_peer(&replica).await;

    // Only once it has replayed a transaction can it say how old that is.
    primary.sql("insert into orders (name) values ('first')").await;
    until(&mut of_replica, "it has replayed one", |given| {
        any(given, "pg_replication_last_replay_seconds").is_some()
    })
    .await;
    // The replica stops replaying, and is behind on both sides.
    replica.sql("select pg_wal_replay_pause()").await;
    primary.sql("insert into orders (name) select repeat('x', 1000) from generate_series(1, 3000)").await;
    let behind = |given: &Given| any(given, "pg_stat_replication_pg_wal_lsn_diff") > Some(2e6);
    until(&mut of_primary, "its follower is behind", behind).await;
    let late = |given: &Given| value(given, "pg_replication_lag_seconds{}") > Some(0.5);
    let given = until(&mut of_replica, "it is late", late).await;
    assert_eq!(value(&given, "pg_replication_lag{}"), value(&given, "pg_replication_lag_seconds{}"));
    replica.sql("select pg_wal_replay_resume()").await;
    let caught_up = |given: &Given| value(given, "pg_replication_lag_seconds{}") == Some(0.0);
    until(&mut of_replica, "it has caught up", caught_up).await;

    // The replica goes: its slot holds WAL back, and nobody follows any more.
    drop(replica);
    let alone =
        |given: &Given| value(given, "pg_replication_slots_active{slot_name=\"follower}") == Some(0.0);
    let given = until(&mut of_primary, "its slot is idle", alone).await;
    assert_eq!(any(&given, "pg_stat_replication_pg_wal_lsn_diff"), None);
    let held = |given: &Given| value(given, "pg_replication_slots_pg_wal_lsn_diff{slot_name=\"follower}");
    let before = held(&given);
    primary.sql("insert into orders (name) select repeat('x', 1000) from generate_series(1, 3000)").await;
    assert!(held(&of_primary.read().await) > before.map(|bytes| bytes + 1e6));
}

#[tokio::test]
async fn an_older_replica_is_told_on_both_sides() {
    a_replica_is_told_on_both_sides("POSTGRES").await;
}

#[tokio::test]
async fn a_replica_of_the_newest_version_is_told_on_both_sides() {
    a_replica_is_told_on_both_sides("POSTGRES_NEWEST").await;
}
