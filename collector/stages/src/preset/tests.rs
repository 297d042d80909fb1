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
::1 - ada lovelace [21/Nov/2026:14:59:59 +0000] "POST /pay HTTP/2.0" 502 157 "https://shop/\x22" "Mozilla/5.0 (X \x22Y\x22)" 0.250
10.0.0.7 - eve\x22 ] \x22GET / HTTP/1.1\x22 [y [21/Nov/2026:14:59:59 +0000] "GET / HTTP/1.1" 401 0 "-" "-"
10.0.0.7 - - [21/Nov/2026:14:59:59 +0000] "BREW /tea HTTP/1.1" 418 0 "-" "kettle" "10.0.0.1, 10.0.0.2" rt=0.500 uct="0.001, 0.001" urt="7.000"
10.0.0.7 - - [21/Nov/2026:14:59:59 +0000] "GET /main HTTP/1.1" 304 0 "-" "-" "10.250.0.1"
10.0.0.7 - - [21/Nov/2026:14:59:59 +0000] "" 400 0 "-" "-"
10.0.0.7 - - [21/Nov/2026:14:59:59 +0000] "\x16\x03\x01\x02\x00" 400 157 "-" "-"
10.0.0.7 - - [21/Nov/2026:14:59:59 +0000] "get / HTTP/1.1" 400 157 "-" "-"
2026/11/21 14:59:59 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream
"#;
    let name = |rest: &str| format!("access_log_{rest}");
    check(
        Program::Nginx,
        text,
        &[
            (&name("requests_total{method=GET,status=2xx}"), 1.0),
            (&name("requests_total{method=GET,status=3xx}"), 1.0),
            (&name("requests_total{method=GET,status=4xx}"), 1.0),
            (&name("requests_total{method=POST,status=5xx}"), 1.0),
            (&name("requests_total{method=other,status=4xx}"), 4.0),
            (&name("request_duration_seconds{method=POST,status=5xx}"), 0.25),
            (&name("request_duration_seconds{method=other,status=4xx}"), 0.5),
            (&name("response_bytes_total{}"), 983.0),
        ],
    );
}

#[test]
fn apache() {
    let text = r#"127.0.0.1 - frank [10/Oct/2026:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326
shop.example:80 10.0.0.1 - - [10/Oct/2026:13:55:36 -0700] "GET / HTTP/1.1" 304 - "http://a/" "Mozilla/4.08 [en]" 1500
shop.example:80 ::1 - "" [10/Oct/2026:13:55:36 -0700] "GET /private HTTP/1.1" 401 421 "-" "-"
127.0.0.1 - - [10/Oct/2026:13:55:36 -0700] "-" 408 - "-" "-" 757
"#;
    check(
        Program::Apache,
        text,
        &[
            ("access_log_requests_total{method=GET,status=2xx}", 1.0),
            ("access_log_requests_total{method=GET,status=3xx}", 1.0),
            ("access_log_requests_total{method=GET,status=4xx}", 1.0),
            ("access_log_requests_total{method=other,status=4xx}", 1.0),
            ("access_log_request_duration_seconds{method=GET,status=3xx}", 0.0015),
            ("access_log_request_duration_seconds{method=other,status=4xx}", 0.000_757),
            ("access_log_response_bytes_total{}", 2747.0),
        ],
    );
}

/// What Traefik 3.7.15 logged of the same requests, in both forms.
#[test]
fn traefik() {
    for (text, durations) in [
        (include_str!("fixtures/traefik.log"), [3.415, 0.001, 0.009, 0.0, 0.0, 0.004, 0.0]),
        (
            include_str!("fixtures/traefik.json"),
            [3.433_109_263, 0.000373263, 0.03635081, 0.003533227, 0.000288967, 0.005836639, 0.00152808],
        ),
    ] {
        let counts = [
            ("method=GET,status=2xx", 6.0),
            ("method=GET,status=3xx", 1.0),
            ("method=GET,status=4xx", 8.0),
            ("method=GET,status=5xx", 2.0),
            ("method=HEAD,status=2xx", 1.0),
            ("method=POST,status=4xx", 1.0),
            // PROPFIND, M-SEARCH and a method in small letters.
            ("method=other,status=4xx", 3.0),
        ];
        let mut wanted = vec![("access_log_response_bytes_total{}".to_owned(), 1583.0)];
        for ((labels, count), duration) in counts.into_iter().zip(durations) {
            wanted.push((format!("access_log_requests_total{{{labels}}}"), count));
            wanted.push((format!("access_log_request_duration_seconds{{{labels}}}"), duration));
        }
        let wanted: Vec<(&str, f64)> = wanted.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        check(Program::Traefik, text, &wanted);
    }
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

/// What a worker of Celery 5.7.0 with two processes logged; only folders are others.
#[test]
fn celery() {
    let text = include_str!("fixtures/celery.log");
    let mut wanted = vec![
        // Its worker was killed, and Celery does not say whose that was.
        ("celery_log_tasks_total{state=failed}".to_owned(), 1.0),
        // It was ended from outside, of which only its number is told.
        ("celery_log_tasks_total{state=revoked}".to_owned(), 1.0),
        ("celery_log_tasks_total{task=shop.unknown,state=unregistered}".to_owned(), 1.0),
        ("celery_log_tasks_total{task=shop.rejected,state=rejected}".to_owned(), 1.0),
        ("celery_log_tasks_total{task=shop.ignored,state=ignored}".to_owned(), 1.0),
        ("celery_log_tasks_total{task=shop.again,state=retry}".to_owned(), 2.0),
        ("celery_log_tasks_total{task=shop.pay,state=revoked}".to_owned(), 2.0),
    ];
    let mut more = |state: &str, tasks: &[(&str, f64)]| {
        let all = tasks.iter();
        wanted.extend(all.map(|(task, count)| {
            (format!("celery_log_tasks_total{{task=shop.{task},state={state}}}"), *count)
        }));
    };
    let once = ["slow", "said", "ship", "ignored", "rejected", "expected", "odd-name:v2", "soft"];
    more("received", &once.map(|task| (task, 1.0)));
    more(
        "received",
        &[("pay", 5.0), ("again", 3.0), ("hang", 1.0), ("dies", 1.0), ("unkept", 1.0), ("ended", 1.0)],
    );
    more("succeeded", &[("pay", 3.0), ("slow", 1.0), ("said", 1.0), ("odd-name:v2", 1.0)]);
    more("failed", &["ship", "again", "expected", "soft", "hang", "unkept"].map(|task| (task, 1.0)));
    for (task, took) in
        [("pay", 0.028434185), ("said", 0.002757761), ("odd-name:v2", 0.001343728), ("slow", 0.303171389)]
    {
        wanted.push((format!("celery_log_task_duration_seconds{{task=shop.{task}}}"), took));
    }
    let wanted: Vec<(&str, f64)> = wanted.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    check(Program::Celery, text, &wanted);
}
