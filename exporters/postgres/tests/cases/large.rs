//! Many databases and many tables: what is told is bounded, and so is what it costs the server.

use std::time::Duration;

use crate::kit::{Cluster, Given, Reader, read};

/// The bench has 500; here their files would take too long to remove.
const DATABASES: usize = 40;
const TABLES: usize = 20_000;

/// What the server spent on the statements of one collection, in milliseconds.
const SPENT: &str = "select coalesce(sum(total_exec_time), 0)::float8 from pg_stat_statements s \
    join pg_roles r on r.oid = s.userid where rolname = 'monitor'";

fn count(given: &Given, part: &str) -> usize {
    given.page.keys().filter(|series| series.contains(part)).count()
}

fn value(given: &Given, series: &str) -> Option<f64> {
    given.page.get(series).map(|(_, value)| *value)
}

#[tokio::test]
async fn a_small_server_stays_in_its_budget() {
    for variable in ["POSTGRES", "POSTGRES_NEWEST"] {
        let cluster = Cluster::start(variable).await;
        let before = read(&cluster.server("postgres")).await.page.len();
        assert!(before <= 700, "{variable}: {before} series");
        for table in 0..20 {
            cluster
                .sql(&format!("create table t{table} (id int primary key); insert into t{table} values (1)"))
                .await;
        }
        cluster.sql("vacuum analyze").await;
        let given = read(&cluster.server("postgres")).await;
        let tables = count(&given, "pg_stat_user_tables_") + count(&given, "pg_statio_user_tables_");
        assert!(tables <= 15 * 20, "{variable}: {tables} series of 20 tables");
    }
}

#[tokio::test]
async fn a_large_server_is_told_within_bounds() {
    let settings = ["shared_preload_libraries=pg_stat_statements", "max_locks_per_transaction=1024"];
    let cluster = Cluster::start_with("POSTGRES", &settings).await;
    cluster.sql("create extension pg_stat_statements").await;
    cluster.sql("create role monitor login password 'hunter2'; grant pg_monitor to monitor").await;
    let client = cluster.client().await;
    for database in 0..DATABASES {
        client.batch_execute(&format!("create database d{database}")).await.unwrap();
    }
    for from in (0..TABLES).step_by(500) {
        let to = from + 499;
        let make = format!(
            "do $$ begin for i in {from}..{to} loop execute format('create table t%s (id int)', i); end loop; end $$"
        );
        client.batch_execute(&make).await.unwrap();
    }
    client.batch_execute("insert into t7 select generate_series(1, 10000); analyze t7").await.unwrap();

    let mut server = cluster.server("monitor");
    server.timeout = Duration::from_secs(60);
    let mut reader = Reader::new(&server);
    let given = reader.read().await;
    assert_eq!(given.problems, Vec::<String>::new());
    // 20 databases are looked into, and 200 tables of each are told; the largest one is among them.
    assert_eq!(value(&given, "taffrail_postgres_databases_left_out{}"), Some(DATABASES as f64 + 1.0 - 20.0));
    assert_eq!(count(&given, "taffrail_postgres_tables_left_out{"), 20);
    let left_out = value(&given, "taffrail_postgres_tables_left_out{datname=\"postgres}");
    // pg_stat_statements brings no table of its own.
    assert_eq!(left_out, Some(TABLES as f64 - 200.0));
    assert_eq!(count(&given, "pg_stat_user_tables_n_live_tup"), 200);
    let largest = "pg_stat_user_tables_table_size_bytes{datname=\"postgres,relname=\"t7,schemaname=\"public}";
    assert!(value(&given, largest) > Some(300_000.0), "{:?}", value(&given, largest));
    // What grows with databases and tables grows by so much each.
    let of_databases = count(&given, "datname=\"d");
    assert!(of_databases <= 40 * DATABASES, "{of_databases} series of {DATABASES} databases");
    let of_tables = count(&given, "pg_stat_user_tables_") + count(&given, "pg_statio_user_tables_");
    assert!(of_tables <= 15 * 200, "{of_tables} series of tables");
    let of_statements = count(&given, "pg_stat_statements_");
    assert!(of_statements <= 5 * 101, "{of_statements} series of statements");
    let rest = given.page.len().saturating_sub(of_databases + of_tables + of_statements);
    assert!(rest <= 700, "{rest} series beside those");
    // No timed test: a plan that looks at every table for each table would take minutes.
    client.batch_execute("select pg_stat_statements_reset()").await.unwrap();
    reader.read().await;
    let spent: f64 = client.query_one(SPENT, &[]).await.unwrap().get(0);
    assert!(spent < 20_000.0, "{spent:.1} ms in the server for one collection of everything");
}
