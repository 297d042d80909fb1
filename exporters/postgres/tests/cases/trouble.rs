//! Deadlocks, bloat, statements, and a server that shuts down while somebody holds on to it.

use std::time::Duration;

use crate::kit::{Cluster, Given, Reader, read};

fn value(given: &Given, series: &str) -> Option<f64> {
    given.page.get(series).map(|(_, value)| *value)
}

/// The values of a family, by what its labels hold.
fn having(given: &Given, family: &str, part: &str) -> Vec<f64> {
    let begins = format!("{family}{{");
    let of = given.page.iter().filter(|(series, _)| series.starts_with(&begins) && series.contains(part));
    of.map(|(_, (_, value))| *value).collect()
}

#[tokio::test]
async fn deadlocks_are_counted() {
    let cluster = Cluster::start_with("POSTGRES", &["deadlock_timeout=100ms"]).await;
    cluster.sql("create table a (id int); create table b (id int)").await;
    let (one, other) = (cluster.client().await, cluster.client().await);
    one.batch_execute("begin; lock table a").await.unwrap();
    other.batch_execute("begin; lock table b").await.unwrap();
    let (first, second) =
        tokio::join!(one.batch_execute("lock table b"), other.batch_execute("lock table a"));
    assert!(first.is_err() != second.is_err(), "one of them has to give way");
    drop((one, other));
    let mut reader = Reader::new(&cluster.server("postgres"));
    for _ in 0..100 {
        let given = reader.read().await;
        if having(&given, "pg_stat_database_deadlocks", "datname=\"postgres") == [1.0] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no deadlock was counted");
}

#[tokio::test]
async fn bloat_is_estimated_about_as_it_is() {
    let cluster = Cluster::start_with("POSTGRES", &["autovacuum=off"]).await;
    for (name, left) in [("whole", 1), ("half", 2), ("tenth", 10)] {
        cluster.sql(&format!("create table {name} (id int primary key, name text)")).await;
        let rows = "select g, repeat('x', 100) from generate_series(1, 20000) g";
        cluster.sql(&format!("insert into {name} {rows}; delete from {name} where id % {left} <> 0")).await;
        cluster.sql(&format!("analyze {name}")).await;
    }
    let given = read(&cluster.server("postgres")).await;
    for (name, percent) in [("whole", 0.0), ("half", 50.0), ("tenth", 90.0)] {
        for family in ["pg_bloat_table_bloat_pct", "pg_bloat_btree_bloat_pct"] {
            let found = having(&given, family, &format!("relname=\"{name}"));
            assert_eq!(found.len(), 1, "{family} of {name}");
            assert!((found[0] - percent).abs() < 12.0, "{family} of {name} is {}", found[0]);
        }
    }
    let size = having(&given, "pg_bloat_table_real_size", "relname=\"whole");
    assert!((2e6..4e6).contains(&size[0]), "{size:?}");
}

#[tokio::test]
async fn statements_are_told_and_their_text_is_not() {
    for variable in ["POSTGRES", "POSTGRES_NEWEST"] {
        let settings = ["shared_preload_libraries=pg_stat_statements", "track_io_timing=on"];
        let cluster = Cluster::start_with(variable, &settings).await;
        cluster.sql("create extension pg_stat_statements").await;
        cluster.sql("create table orders (id int, secret text)").await;
        let client = cluster.client().await;
        for id in 0..20 {
            let insert = format!("insert into orders values ({id}, 'hunter2')");
            client.batch_execute(&insert).await.unwrap();
        }
        let mut server = cluster.server("postgres");
        server.limits.statements = 5;
        let mut reader = Reader::new(&server);
        let given = reader.read().await;
        assert_eq!(given.problems, Vec::<String>::new());
        let told = having(&given, "pg_stat_statements_calls_total", "datname=\"postgres");
        assert_eq!(told.len(), 5, "{variable}");
        // The rest is told once something was done by it.
        client.batch_execute("select count(*) from orders").await.unwrap();
        let other = having(&reader.read().await, "pg_stat_statements_calls_total", "queryid=\"other");
        assert_eq!(other.len(), 1, "{variable}");
        assert!(other[0] > 0.0, "{variable}: {other:?}");
        assert!(!given.page.keys().any(|series| series.contains("hunter2") || series.contains("values (")));
    }
}

#[tokio::test]
async fn a_server_that_shuts_down_says_so() {
    let cluster = Cluster::start("POSTGRES").await;
    let mut reader = Reader::new(&cluster.server("postgres"));
    assert_eq!(value(&reader.read().await, "pg_up{}"), Some(1.0));
    // It waits for the one who is there to go, and takes nobody new.
    let holder = cluster.client().await;
    cluster.shut_down_when_all_have_gone();
    for _ in 0..100 {
        let given = read(&cluster.server("postgres")).await;
        if value(&given, "pg_up{}") == Some(0.0) {
            let said = &given.problems[0];
            assert!(
                said.contains("shutting down") && said.contains("it starts, stops or recovers"),
                "{said}"
            );
            // The sessions that there are go on, so that it is seen what it waits for.
            assert_eq!(value(&reader.read().await, "pg_up{}"), Some(1.0));
            drop(holder);
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it does not shut down");
}
