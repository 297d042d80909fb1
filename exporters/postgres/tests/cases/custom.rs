//! Queries of a user's own: beside postgres_exporter's `--extend.query-path`, and queries that are wrong in every way.

use std::collections::BTreeMap;
use std::time::Duration;

use taffrail_postgres::Server;
use taffrail_postgres::custom::{Column, CustomQuery, Usage, Versions};

use crate::kit::{Cluster, Given, Reader, peer_with, read};

const ORDERS: &str = "create table orders (state text, cents int, at timestamptz, note text, late bool); \
    insert into orders select case when g % 3 = 0 then 'paid' else 'new' end, g, '2026-11-21 10:00:00+00', 'x', \
    g = 7 from generate_series(1, 100) g";

fn query(name: &str, sql: &str, columns: &[(&str, Usage)]) -> CustomQuery {
    let column = |(name, usage): &(&str, Usage)| {
        ((*name).to_owned(), Column { usage: usage.clone(), help: format!("About {name}") })
    };
    CustomQuery {
        name: name.to_owned(),
        sql: sql.to_owned(),
        columns: columns.iter().map(column).collect::<BTreeMap<_, _>>(),
        each_database: false,
        interval: Duration::from_secs(15),
        versions: Versions::default(),
        max_rows: 1000,
    }
}

/// A server of which nothing is asked but these.
fn asking(cluster: &Cluster, queries: Vec<CustomQuery>) -> Server {
    let mut server = cluster.server("postgres");
    for view in taffrail_postgres::VIEWS {
        server.views.insert(view.name.to_owned(), false);
    }
    server.queries = queries;
    server
}

/// What went wrong with a query.
fn problem(given: &Given, query: &str) -> String {
    let found = given.problems.iter().find(|problem| problem.starts_with(&format!("query `{query}`: ")));
    found.unwrap_or_else(|| panic!("nothing went wrong with {query}: {:?}", given.problems)).clone()
}

fn value(given: &Given, series: &str) -> Option<f64> {
    given.page.get(series).map(|(_, value)| *value)
}

fn succeeded(given: &Given, query: &str) -> Option<bool> {
    value(given, &format!("pg_scrape_collector_success{{collector=\"queries/{query}}}")).map(|v| v == 1.0)
}

/// The committed file as the program reads it is compared in the collector's tests; here are the same queries.
fn of_the_file() -> Vec<CustomQuery> {
    let text = include_str!("../data/queries.yaml");
    let written: BTreeMap<String, serde_json::Value> = serde_saphyr::from_str(text).unwrap();
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let one = |(name, written): (&String, &serde_json::Value)| {
        let columns =
            written["metrics"].as_array().unwrap().iter().flat_map(|item| item.as_object().unwrap());
        let columns = columns.map(|(name, said)| {
            let usage = match said["usage"].as_str().unwrap() {
                "LABEL" => Usage::Label,
                "COUNTER" => Usage::Counter,
                "GAUGE" => Usage::Gauge,
                "HISTOGRAM" => Usage::Histogram,
                "DURATION" => Usage::Duration,
                "DISCARD" => Usage::Discard,
                other => panic!("{other}"),
            };
            (name.clone(), Column { usage, help: word(&said["description"]) })
        });
        let versions = written["runonserver"].as_str().map(|text| Versions::parse(text).unwrap());
        CustomQuery {
            columns: columns.collect(),
            versions: versions.unwrap_or_default(),
            ..query(name, written["query"].as_str().unwrap(), &[])
        }
    };
    written.iter().map(one).collect()
}

#[tokio::test]
async fn queries_are_told_as_postgres_exporter_tells_them() {
    let cluster = Cluster::start("POSTGRES_NEWEST").await;
    cluster.sql(ORDERS).await;
    let path = format!("{}/tests/data/queries.yaml", env!("CARGO_MANIFEST_DIR"));
    let theirs = peer_with(&cluster, &[format!("--extend.query-path={path}")]).await;
    let ours = read(&asking(&cluster, of_the_file())).await;
    assert_eq!(ours.problems, Vec::<String>::new());
    let mut compared = 0;
    for (series, (kind, value)) in theirs.iter().filter(|(series, _)| series.starts_with("shop_")) {
        // NULL is NaN there and nothing here.
        if series.starts_with("shop_orders_nothing") {
            assert!(value.is_nan() && !ours.page.contains_key(series));
            continue;
        }
        let (own, own_value) = ours.page.get(series).unwrap_or_else(|| panic!("{series} is missing"));
        assert_eq!((own, own_value), (kind, value), "{series}");
        compared += 1;
    }
    assert_eq!(compared, 2 * 5 + 6 + 1, "{:?}", theirs.keys());
    // A DURATION in text comes to nothing there.
    let more = ours.page.keys().filter(|series| series.starts_with("shop_") && !theirs.contains_key(*series));
    assert_eq!(more.collect::<Vec<_>>(), ["shop_wait_longest_milliseconds{}"]);
    assert_eq!(value(&ours, "shop_wait_longest_milliseconds{}"), Some(90_000.0));
    assert_eq!((succeeded(&ours, "shop_new"), succeeded(&ours, "shop_old")), (Some(true), None));
}

#[tokio::test]
async fn what_is_wrong_with_a_query_is_said_and_hides_no_other() {
    let cluster = Cluster::start("POSTGRES").await;
    cluster.sql(ORDERS).await;
    let gauge = || Usage::Gauge;
    let mapped = Usage::Mapped(BTreeMap::from([("paid".to_owned(), 2.0)]));
    let mut many =
        query("many", "select g, g as n from generate_series(1, 1000000) g", &[("g", Usage::Label)]);
    many.max_rows = 10;
    let wide: Vec<String> = (0..30).map(|n| format!("g as c{n}")).collect();
    let wide = format!("select g::text as id, {} from generate_series(1, 10) g", wide.join(", "));
    let mut wide = query("wide", &wide, &[("id", Usage::Label)]);
    wide.max_rows = 10;
    let mut server = asking(
        &cluster,
        vec![
            query("endless", "select count(*) as n from generate_series(1, 1e12::int8)", &[]),
            many,
            wide,
            query(
                "huge",
                "select g as id, repeat('x', 1000000) as text from generate_series(1, 500) g",
                &[("id", Usage::Label), ("text", Usage::Discard)],
            ),
            query(
                "equal",
                "select state, cents as n from orders",
                &[("state", Usage::Label), ("n", gauge())],
            ),
            query(
                "words",
                "select state as id, min(state) as n, 5 as m from orders group by state",
                &[("id", Usage::Label), ("n", gauge())],
            ),
            query(
                "odd",
                "select '{}'::jsonb as n, 5 as m, now()::text, gen_random_uuid() as id",
                &[("n", gauge()), ("id", Usage::Label), ("gone", gauge())],
            ),
            query(
                "mapped",
                "select state as id, state as n from orders group by state",
                &[("id", Usage::Label), ("n", mapped)],
            ),
            query("wrong", "select nothing from nowhere", &[]),
            query("writes", "insert into orders values ('hacked')", &[]),
            query("broken", "select 1 as a, 1 / (random() * 0)::int as b", &[]),
            query("pg_database", "select 1 as size_bytes, 2 as more", &[]),
            query(
                "none",
                "select null::int as a, 'NaN'::float8 as b, null::text as c, 3 as d",
                &[("c", Usage::Label)],
            ),
            query(
                "good",
                "select state, count(*) as n from orders group by state",
                &[("state", Usage::Label), ("n", gauge())],
            ),
        ],
    );
    server.timeout = Duration::from_millis(1500);
    server.views.insert("database".to_owned(), true);
    let mut reader = Reader::new(&server);
    let given = reader.read().await;
    for (name, parts) in [
        ("endless", &["statement timeout"][..]),
        ("many", &["more than 10 rows: only the first are told; aggregate, or raise `max_rows` (10)"]),
        ("wide", &["column `c10`", "more than 100 series in all"]),
        ("huge", &["more than 16 MiB"]),
        ("equal", &["rows 1 and 2 have the same labels (server=", "state=\"new\"", "98 left out"]),
        ("words", &["column `n`, in 2 rows: `", "` is no number"]),
        (
            "odd",
            &[
                "column `n` is of type jsonb, which is no number: write n::float8",
                "column `id` is of type uuid, which is no label: write id::text",
                "the answer has no column `gone`; it has n, m, now, id",
                "column `now` is of type text, and `metrics` does not say what it is",
            ],
        ),
        ("mapped", &["column `n`: `new` is not in its metric_mapping"]),
        ("wrong", &["\"nowhere\" does not exist"]),
        ("writes", &["read-only transaction"]),
        ("broken", &["division by zero"]),
    ] {
        let said = problem(&given, name);
        for part in parts {
            assert!(said.contains(part), "{part} is not in: {said}");
        }
        assert_eq!(succeeded(&given, name), Some(false));
    }
    // What is right of each is told all the same.
    assert_eq!(value(&given, "many_n{g=\"10}"), Some(10.0));
    assert_eq!(given.page.keys().filter(|series| series.starts_with("many_")).count(), 10);
    assert_eq!(given.page.keys().filter(|series| series.starts_with("wide_")).count(), 100);
    assert_eq!(value(&given, "equal_n{state=\"new}"), Some(1.0));
    assert_eq!(value(&given, "words_m{id=\"new}"), Some(5.0));
    assert_eq!(value(&given, "odd_m{}"), Some(5.0));
    assert_eq!(value(&given, "mapped_n{id=\"paid}"), Some(2.0));
    assert_eq!(value(&given, "good_n{state=\"paid}"), Some(33.0));
    assert_eq!(succeeded(&given, "good"), Some(true));
    assert_eq!(
        (value(&given, "none_d{}"), given.page.keys().filter(|s| s.starts_with("none_")).count()),
        (Some(3.0), 1)
    );
    // What is told without a query is told once.
    assert_eq!(value(&given, "pg_database_more{}"), Some(2.0));
    assert!(!given.page.contains_key("pg_database_size_bytes{}"));
    assert!(given.page.contains_key("pg_database_size_bytes{datname=\"postgres}"));
    assert_eq!(value(&given, "pg_up{}"), Some(1.0));
    let problems = given.problems.len();
    assert_eq!(problems, 11, "{:?}", given.problems);
    // The server was told to stop: nothing of ours runs on.
    let left =
        "select count(*) from pg_stat_activity where application_name = 'taffrail' and state = 'active'";
    let client = cluster.client().await;
    let count: i64 = client.query_one(left, &[]).await.unwrap().get(0);
    assert_eq!(count, 0);
    let orders: i64 =
        client.query_one("select count(*) from orders where state = 'hacked'", &[]).await.unwrap().get(0);
    assert_eq!(orders, 0);
}

#[tokio::test]
async fn a_table_may_change_under_a_query() {
    let cluster = Cluster::start("POSTGRES").await;
    cluster.sql(ORDERS).await;
    let all = query(
        "orders",
        "select * from orders where late",
        &[("state", Usage::Label), ("note", Usage::Discard)],
    );
    let mut reader = Reader::new(&asking(&cluster, vec![all]));
    let given = reader.read().await;
    assert_eq!((value(&given, "orders_cents{state=\"new}"), given.problems), (Some(7.0), Vec::new()));
    cluster.sql("alter table orders add column weight float8 default 2.5").await;
    let given = reader.read().await;
    assert_eq!((value(&given, "orders_weight{state=\"new}"), given.problems), (Some(2.5), Vec::new()));
    // A table that is locked is not waited for.
    let holder = cluster.client().await;
    holder.batch_execute("begin; lock table orders in access exclusive mode").await.unwrap();
    let given = reader.read().await;
    assert!(problem(&given, "orders").contains("left out, as what it reads is locked"));
    holder.batch_execute("rollback").await.unwrap();
    assert_eq!(reader.read().await.problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_query_may_be_asked_in_each_database() {
    let cluster = Cluster::start("POSTGRES").await;
    for database in ["shop", "billing"] {
        cluster.sql(&format!("create database {database}")).await;
    }
    let mut each = query(
        "classes",
        "select relkind::text as kind, count(*) as n from pg_class group by 1",
        &[("kind", Usage::Label)],
    );
    each.each_database = true;
    let mut partly =
        query("partly", "select 10 / (case current_database() when 'shop' then 0 else 1 end) as n", &[]);
    partly.each_database = true;
    let mut full = query("full", "select 1 as n", &[]);
    (full.each_database, full.max_rows) = (true, 2);
    let given = read(&asking(&cluster, vec![each, partly, full])).await;
    for database in ["postgres", "shop", "billing"] {
        assert!(
            value(&given, &format!("classes_n{{datname=\"{database},kind=\"r}}")) > Some(50.0),
            "{database}"
        );
    }
    assert!(problem(&given, "partly").contains("database shop: division by zero"), "{:?}", given.problems);
    assert_eq!(given.page.keys().filter(|series| series.starts_with("partly_n")).count(), 2);
    assert!(
        problem(&given, "full").contains("1 more databases are not asked this time, as `max_rows` are told")
    );
}
