//! Databases through the shipped binary: a real PostgreSQL, looked at by `taffrail.yml`, seen on the pull page and in a
//! real Prometheus; and what is seen once it is gone.

use std::fs;
use std::time::Duration;

use taffrail_tests::{Postgres, Prometheus, Taffrail, Version, wait_for};

const SOON: Duration = Duration::from_secs(60);

fn config(server: &Postgres, prometheus: &Prometheus) -> String {
    format!(
        "interval: 1s
postgres:
  - name: shop
    url: postgres://postgres@127.0.0.1:{}/postgres
    password_file: DIR/password
    queries:
      shop_answers:
        query: select 'all' as kind, 42 as given
        metrics:
          - kind: {{usage: LABEL}}
          - given: {{usage: GAUGE, description: Answers given.}}
        interval: 1s
outputs:
  prometheus: [{{url: \"{}\"}}]
",
        server.port(),
        prometheus.write_url()
    )
}

#[test]
fn a_server_arrives_and_its_end_too() {
    let prometheus = Prometheus::start(Version::V3, &[]).unwrap();
    let server = Postgres::start().unwrap();
    let mut taffrail = Taffrail::prepare(&config(&server, &prometheus)).unwrap();
    fs::write(taffrail.dir().join("password"), Postgres::PASSWORD).unwrap();
    taffrail.restart().unwrap();

    let instance = format!("127.0.0.1:{}", server.port());
    let up = prometheus.wait_for("pg_up == 1", SOON).unwrap();
    assert_eq!((up[0].label("job"), up[0].label("instance")), ("postgres", &*instance));
    let version = prometheus.wait_for("pg_static", SOON).unwrap();
    assert!(!version[0].label("short_version").is_empty(), "{version:?}");
    let commits = "pg_stat_database_xact_commit{datname=\"postgres\"} > 0";
    assert_eq!(prometheus.wait_for(commits, SOON).unwrap().len(), 1);
    let own = prometheus.wait_for("shop_answers_given", SOON).unwrap();
    assert_eq!((own[0].label("kind"), own[0].value()), ("all", 42.0));

    let page = taffrail.client().get_ok("/metrics/postgres").unwrap().text();
    assert!(page.contains("# TYPE pg_up gauge\npg_up"), "{page}");
    assert!(page.contains("shop_answers_given{"), "{page}");
    assert!(!page.contains(Postgres::PASSWORD));

    drop(server);
    prometheus.wait_for("pg_up == 0", SOON).unwrap();
    // What the server said once is not said again, neither to who is pushed to nor to who pulls.
    let gone = |what: &str| {
        wait_for(what, SOON, || {
            let left = prometheus.query(what)?;
            anyhow::ensure!(left.is_empty(), "{left:?}");
            Ok(())
        })
    };
    gone("shop_answers_given").unwrap();
    gone(commits).unwrap();
    let page = taffrail.client().get_ok("/metrics/postgres").unwrap().text();
    assert!(page.contains("pg_up") && !page.contains("shop_answers_given{"), "{page}");
}
