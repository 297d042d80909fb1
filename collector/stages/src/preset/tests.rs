use std::borrow::Cow;
use std::collections::BTreeMap;

use super::*;
use crate::format::{Format, Records};
use crate::multiline::Entries;
use crate::stage::Change;
use crate::{Entry, Stages, Time};

/// What the preset measures in some lines: `name{label=value} amount`, and of histograms the sum.
fn measured(program: Program, text: &str) -> BTreeMap<String, f64> {
    let preset = program.preset().unwrap();
    let stages = Stages::new(preset.stages).joining(preset.join);
    let lines = text.lines().map(Cow::Borrowed);
    for record in Entries::new(stages.join(), Records::new(Format::Plain, lines, 0)) {
        let mut entry = Entry::default();
        entry.begin(record.line, i64::MAX / 2, 1);
        stages.apply(&mut entry);
    }
    let mut all = BTreeMap::new();
    for measured in stages.take_measured() {
        let labels: Vec<String> =
            measured.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let amount = match measured.change {
            Change::Add(more) => more,
            Change::Set(value) => value,
            Change::Observe { sum, .. } => sum,
        };
        *all.entry(format!("{}{{{}}}", measured.metric.name, labels.join(","))).or_default() += amount;
    }
    all
}

#[track_caller]
fn check(program: Program, text: &str, wanted: &[(&str, f64)]) {
    let measured = measured(program, text);
    let wanted: BTreeMap<String, f64> =
        wanted.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let names: Vec<_> = measured.keys().collect();
    assert_eq!(names, wanted.keys().collect::<Vec<_>>());
    for (name, value) in &wanted {
        assert!((measured[name] - value).abs() < 1e-9, "{name}: {} is not {value}", measured[name]);
    }
}

#[test]
fn nginx() {
    let text = r#"10.0.0.7 - - [21/Nov/2026:14:59:59 +0000] "GET /cart HTTP/1.1" 200 512 "-" "curl/8.5"
10.0.0.7 - ada [21/Nov/2026:14:59:59 +0000] "POST /pay HTTP/2.0" 502 157 "https://shop/\x22" "Mozilla/5.0 (X \"Y\")" 0.250
10.0.0.7 - - [21/Nov/2026:14:59:59 +0000] "BREW /tea HTTP/1.1" 418 0 "-" "kettle" "-" rt=0.5
10.0.0.7 - - [21/Nov/2026:14:59:59 +0000] "" 400 0 "-" "-"
2026/11/21 14:59:59 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream
"#;
    let name = |rest: &str| format!("access_log_{rest}");
    check(
        Program::Nginx,
        text,
        &[
            (&name("requests_total{method=GET,status=2xx}"), 1.0),
            (&name("requests_total{method=POST,status=5xx}"), 1.0),
            (&name("requests_total{method=other,status=4xx}"), 1.0),
            (&name("request_duration_seconds{method=POST,status=5xx}"), 0.25),
            (&name("request_duration_seconds{method=other,status=4xx}"), 0.5),
            (&name("response_bytes_total{}"), 669.0),
        ],
    );
}

#[test]
fn apache() {
    let text = r#"127.0.0.1 - frank [10/Oct/2026:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326
shop.example:80 10.0.0.1 - - [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.1" 304 - "http://a/" "Mozilla/4.08 [en]" 1500
"#;
    check(
        Program::Apache,
        text,
        &[
            ("access_log_requests_total{method=GET,status=2xx}", 1.0),
            ("access_log_requests_total{method=GET,status=3xx}", 1.0),
            ("access_log_request_duration_seconds{method=GET,status=3xx}", 0.0015),
            ("access_log_response_bytes_total{}", 2326.0),
        ],
    );
}

#[test]
fn traefik() {
    let text = r#"10.0.0.1 - - [21/Nov/2026:15:00:00 +0000] "GET /a HTTP/1.1" 200 12 "-" "curl/8" 5 "shop@docker" "http://10.0.0.2:80" 3ms
{"ClientHost":"10.0.0.1","DownstreamContentSize":8,"DownstreamStatus":404,"Duration":2000000,"RequestMethod":"PUT","RequestPath":"/b","RouterName":"shop@docker","StartUTC":"2026-11-21T15:00:00.5Z"}
"#;
    check(
        Program::Traefik,
        text,
        &[
            ("access_log_requests_total{method=GET,status=2xx}", 1.0),
            ("access_log_requests_total{method=PUT,status=4xx}", 1.0),
            ("access_log_request_duration_seconds{method=GET,status=2xx}", 0.003),
            ("access_log_request_duration_seconds{method=PUT,status=4xx}", 0.002),
            ("access_log_response_bytes_total{}", 20.0),
        ],
    );
}

const POSTGRES: &str = "2026-11-21 15:00:00.123 UTC [77] ada@shop LOG:  duration: 1500.250 ms  statement: select
\tpg_sleep(1.5)
2026-11-21 15:00:01.000 UTC [78] ada@shop ERROR:  deadlock detected
2026-11-21 15:00:01.000 UTC [78] ada@shop DETAIL:  Process 78 waits for ShareLock on transaction 5; blocked by process 79.
\tProcess 79 waits for ShareLock on transaction 4; blocked by process 78.
2026-11-21 15:00:01.000 UTC [78] ada@shop HINT:  See server log for query details.
2026-11-21 15:00:01.000 UTC [78] ada@shop STATEMENT:  update a set b = 1
2026-11-21 15:00:02.000 UTC [80] eve@shop FATAL:  password authentication failed for user \"eve\"
2026-11-21 15:00:03.000 UTC [1] LOG:  database system is ready to accept connections
";

#[test]
fn postgres() {
    check(
        Program::Postgres,
        POSTGRES,
        &[
            ("pg_log_messages_total{severity=LOG}", 2.0),
            ("pg_log_messages_total{severity=ERROR}", 1.0),
            ("pg_log_messages_total{severity=FATAL}", 1.0),
            ("pg_log_slow_queries_total{database=shop}", 1.0),
            ("pg_log_query_duration_seconds{database=shop}", 1.50025),
            ("pg_log_deadlocks_total{database=shop}", 1.0),
            ("pg_log_authentication_failures_total{database=shop}", 1.0),
        ],
    );
    let join = Program::Postgres.preset().unwrap().join.unwrap();
    let lines = || POSTGRES.lines().map(Cow::Borrowed);
    let entries: Vec<usize> = Entries::new(Some(&join), Records::new(Format::Plain, lines(), 0))
        .map(|record| record.line.split('\n').count())
        .collect();
    assert_eq!(entries, [2, 5, 1, 1]);
}

#[test]
fn the_time_is_the_log_s_where_its_zone_is_known() {
    let preset = Program::Postgres.preset().unwrap();
    let stages = Stages::new(preset.stages);
    for (zone, known) in [("UTC", true), ("+02", true), ("CET", false)] {
        let mut entry = Entry::default();
        entry.begin(format!("2026-11-21 15:00:00.5 {zone} [7] LOG:  x").into(), 1, 1);
        stages.apply(&mut entry);
        assert_eq!(matches!(entry.time, Time::Said { .. }), known, "{zone}");
    }
}

#[test]
fn redis() {
    let text = "1:C 21 Nov 2026 15:00:00.001 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo
1:M 21 Nov 2026 15:00:00.002 # WARNING Memory overcommit must be enabled!
1:M 21 Nov 2026 15:00:00.003 # Background saving error
1:S 21 Nov 2026 15:00:00.004 * Connection with master lost.
";
    check(
        Program::Redis,
        text,
        &[
            ("redis_log_messages_total{level=notice}", 2.0),
            ("redis_log_messages_total{level=warning}", 2.0),
            ("redis_log_save_failures_total{}", 1.0),
            ("redis_log_replication_failures_total{}", 1.0),
        ],
    );
}

#[test]
fn celery() {
    let id = "7b3d2a54-0a43-4a35-b77d-9b8f6c1f0c55";
    let text = format!(
        "[2026-11-21 15:00:00,001: INFO/MainProcess] Task shop.pay[{id}] received
[2026-11-21 15:00:00,101: INFO/ForkPoolWorker-1] Task shop.pay[{id}] succeeded in 0.1s: None
[2026-11-21 15:00:00,201: ERROR/ForkPoolWorker-1] Task shop.ship[{id}] raised unexpected: KeyError('a')
Traceback (most recent call last):
  File \"/app/x.py\", line 1, in ship
KeyError: 'a'
[2026-11-21 15:00:00,301: INFO/MainProcess] celery@host ready.
"
    );
    check(
        Program::Celery,
        &text,
        &[
            ("celery_log_tasks_total{task=shop.pay,state=received}", 1.0),
            ("celery_log_tasks_total{task=shop.pay,state=succeeded}", 1.0),
            ("celery_log_tasks_total{task=shop.ship,state=failed}", 1.0),
            ("celery_log_task_duration_seconds{task=shop.pay}", 0.1),
        ],
    );
}
