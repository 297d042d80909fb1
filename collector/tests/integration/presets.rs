//! Presets, with what the real programs write.

use std::process::Command;
use std::thread;

use anyhow::{Context, ensure};
use taffrail_tests::{LokiDouble, Postgres, Process, Taffrail, tool, wait_for};

use crate::support::SOON;

/// The sum of a metric's series on the page whose line has all of these in it.
fn value(taffrail: &Taffrail, name: &str, labels: &[&str]) -> anyhow::Result<f64> {
    let page = taffrail.client().get_ok("/metrics/taffrail")?.text();
    let lines = page.lines().filter(|line| {
        line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
    });
    lines.map(|line| Ok(line.rsplit(' ').next().context("no value")?.parse::<f64>()?)).sum()
}

fn wait_for_value(taffrail: &Taffrail, name: &str, labels: &[&str], least: f64) {
    wait_for(&format!("{name} {labels:?}"), SOON, || {
        let value = value(taffrail, name, labels)?;
        ensure!(value >= least, "it is {value}, not {least}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_a_real_postgresql_logs_is_counted() {
    let (server, loki) = (Postgres::start().unwrap(), LokiDouble::start().unwrap());
    let taffrail = Taffrail::start(&format!(
        "hostname: ship\nlogs: [{{files: {{include: [{}], start: beginning}}, preset: postgres}}]\noutputs: {{loki: [{{url: \"{}\"}}]}}\n",
        server.log().display(),
        loki.url()
    ))
    .unwrap();
    assert!(!server.psql("wrong", "select 1").unwrap());
    let slow = "set log_min_duration_statement = 0; select pg_sleep(0.2)\n, 1";
    assert!(server.psql(Postgres::PASSWORD, slow).unwrap());
    assert!(!server.psql(Postgres::PASSWORD, "select\n 1 / 0").unwrap());
    let rows = "create table stock (id int primary key, n int); insert into stock values (1, 0), (2, 0)";
    assert!(server.psql(Postgres::PASSWORD, rows).unwrap());
    // Each takes a row, then waits for the other's: the server ends one of them.
    let both = thread::scope(|scope| {
        let take = |first: u32| {
            let (one, other) = (first, 3 - first);
            let statements = format!(
                "begin; update stock set n = 1 where id = {one}; select pg_sleep(2); update stock set n = 1 where id = {other}; commit"
            );
            server.psql(Postgres::PASSWORD, &statements).unwrap()
        };
        let one = scope.spawn(move || take(1));
        [take(2), one.join().unwrap()]
    });
    assert_eq!(both.iter().filter(|done| **done).count(), 1);
    wait_for_value(&taffrail, "pg_log_deadlocks_total", &[], 1.0);
    wait_for_value(&taffrail, "pg_log_authentication_failures_total", &[], 1.0);
    wait_for_value(&taffrail, "pg_log_messages_total", &["severity=\"ERROR\""], 1.0);
    wait_for_value(&taffrail, "pg_log_query_duration_seconds_sum", &[], 0.2);
    // The failed statement follows its error in lines of its own, and is one entry with it.
    wait_for("the error with its statement", SOON, || {
        let lines = loki.lines(&[("job", "files")]);
        let error = lines.iter().find(|line| line.contains("division by zero")).context("no error")?;
        ensure!(error.contains("STATEMENT:  select\n"), "{error}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_a_real_redis_logs_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("redis.log");
    let mut redis = Command::new(tool("REDIS").unwrap());
    redis.args(["--port", "0", "--logfile"]).arg(&log).arg("--dir").arg(folder.path());
    redis.arg("--unixsocket").arg(folder.path().join("socket"));
    let _redis = Process::start("redis", &mut redis, &folder.path().join("out")).unwrap();
    let taffrail = Taffrail::start(&format!(
        "hostname: ship\nlogs: [{{files: {{include: [{}], start: beginning}}, preset: redis}}]\n",
        log.display()
    ))
    .unwrap();
    wait_for_value(&taffrail, "redis_log_messages_total", &["level=\"notice\"", "stream_job=\"files\""], 1.0);
}
