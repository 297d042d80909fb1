use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(line: &str, level: &str) {
    let found = detect(line.as_bytes()).map_or(UNKNOWN, Level::as_str);
    assert_eq!(found, level, "{line}");
}

#[test]
fn json() {
    for (line, level) in [
        (r#"{"level":"error","msg":"x"}"#, "error"),
        (r#"{"time":"2026-11-21","severity":"WARNING","message":"x"}"#, "warn"),
        (r#"{"lvl":"dbg"}"#, "debug"),
        (r#"{"log.level":"INFO"}"#, "info"),
        (r#"{"@timestamp":"x","log":{"logger":"a","level":"ERROR"},"message":"y"}"#, "error"),
        (r#"{"level":30,"time":1763721600000,"pid":1,"msg":"pino"}"#, "info"),
        (r#"{"name":"bunyan","level":60}"#, "fatal"),
        (r#"{"version":"1.1","level":3,"short_message":"gelf"}"#, "error"),
        (r#"{"levelno":30,"msg":"python"}"#, "warn"),
        (r#"{"PRIORITY":"4","MESSAGE":"journald"}"#, "warn"),
        (r#"{"severityNumber":17,"body":"otel"}"#, "error"),
        (r#"{"t":{"$date":"2026-11-21"},"s":"W",  "c":"NETWORK","msg":"mongo"}"#, "warn"),
        (r#"{ "msg" : "spaces" , "level" : "error" }"#, "error"),
        (r#"{"msg":"a \"quoted\\\" word","level":"error"}"#, "error"),
        (r#"{"@l":"Fatal","@m":"serilog"}"#, "fatal"),
        // Only the outermost object's keys, and only keys.
        (r#"{"msg":"error: level=error","level":"info"}"#, "info"),
        (r#"{"msg":"error"}"#, "unknown"),
        (r#"{"http":{"level":"error"}}"#, "unknown"),
        (r#"{"a":["level","error"]}"#, "unknown"),
        (r#"{"level":{"name":"error"}}"#, "unknown"),
        (r#"{"level":99}"#, "unknown"),
        (r#"{"level":"#, "unknown"),
        (r#"{"level"#, "unknown"),
        (r#"{"s":"supper"}"#, "unknown"),
        (r#"{"level":"user"}"#, "unknown"),
    ] {
        check(line, level);
    }
}

#[test]
fn prefixes() {
    for (line, level) in [
        ("E0102 15:04:05.000000       1 server.go:12] broken", "error"),
        ("I1121 15:04:05.000000 1 server.go:12] fine", "info"),
        ("<34>1 2026-11-21T10:00:00Z host su - - - failed", "critical"),
        ("<14>Nov 21 10:00:00 host app: hello", "info"),
        ("<0>kernel", "fatal"),
        ("<999>no priority", "unknown"),
        ("[I 261121 10:00:00 web:2271] 200 GET /", "info"),
        ("[W 2026-11-21 10:00:00.123 ServerApp] jupyter", "warn"),
        ("1:M 21 Nov 2026 10:00:00.123 # Server's memory is short", "warn"),
        ("1:M 21 Nov 2026 10:00:00.123 * Ready to accept connections", "info"),
        ("1:M  21  Nov x", "unknown"),
        ("Error01 15:04", "unknown"),
    ] {
        check(line, level);
    }
}

#[test]
fn keys() {
    for (line, level) in [
        ("level=error msg=x", "error"),
        ("ts=2026-11-21T10:00:00Z caller=main.go:1 level=warn msg=\"no error\"", "warn"),
        ("time=\"2026-11-21\" level=\"info\" msg=x", "info"),
        ("ts=1 lvl=dbug msg=x", "debug"),
        ("severity=CRITICAL x", "critical"),
        ("web-1 | {\"level\":\"error\",\"msg\":\"x\"}", "error"),
        ("web {\\\"level\\\":\\\"error\\\"}", "error"),
        ("level: error", "error"),
        ("waterlevel=error", "unknown"),
        ("level=high", "unknown"),
    ] {
        check(line, level);
    }
}

#[test]
fn words() {
    for (line, level) in [
        ("[ERROR] it broke", "error"),
        ("[ error ] it broke", "error"),
        ("2026/11/21 10:00:00 [error] 29#29: *1 open() failed", "error"),
        ("[Sat Nov 21 10:00:00.1 2026] [core:error] [pid 1] AH00126", "error"),
        ("[Sat Nov 21 10:00:00 2026] [mpm_event:notice] [pid 1:tid 2] AH00489", "info"),
        ("2026-11-21 10:00:00,123 - app.module - ERROR - it broke", "error"),
        ("10:00:00.000 [main] ERROR com.example.Main - it broke", "error"),
        ("2026-11-21T10:00:00.000Z  INFO 1 --- [main] c.e.Application : Started", "info"),
        ("2026-11-21T10:00:00.000000Z  WARN my_crate: careful", "warn"),
        ("\u{1b}[2m2026-11-21T10:00:00Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m x: y", "error"),
        ("\u{1b}[36mINFO\u{1b}[0m[0000] logrus", "info"),
        ("[2026-11-21T10:00:00Z ERROR my_crate] broken", "error"),
        ("[2026-11-21 10:00:00,000: ERROR/MainProcess] Task x raised", "error"),
        ("WARNING:root:careful", "warn"),
        ("ERROR: relation \"x\" does not exist", "error"),
        ("2026-11-21 10:00:00.000 UTC [123] LOG:  checkpoint starting", "info"),
        ("2026-11-21 10:00:00.000 UTC [123] FATAL:  password authentication failed", "fatal"),
        ("2026-11-21 10:00:00 UTC ERROR x", "error"),
        ("2026-11-21 10:00:00,123 main ERROR Unable to locate appender", "error"),
        ("Nov 21 10:00:00 host app[1]: ERROR something", "error"),
        ("2026-11-21 10:00:00 |WARN| x", "warn"),
        ("error: could not compile", "error"),
        ("Error: Cannot find module 'x'", "error"),
        ("src/main.c:12:3: warning: unused", "warn"),
        ("Nov 21 10:00:00 host sshd[1]: error: kex_exchange", "error"),
        ("panic: runtime error: index out of range", "fatal"),
        ("fatal: not a git repository", "fatal"),
        ("info: Microsoft.Hosting.Lifetime[0]", "info"),
        ("fail: Microsoft.AspNetCore.Server[13]", "error"),
        ("crit: Microsoft.AspNetCore.Hosting[6]", "critical"),
        ("  ERROR indented", "error"),
        ("ERROR", "error"),
        ("SEVERE: Servlet.service() threw", "error"),
    ] {
        check(line, level);
    }
}

#[test]
fn no_false_hits() {
    for line in [
        "",
        "   ",
        "no error found",
        "NO ERROR FOUND",
        "0 errors, 3 warnings",
        "finished without error",
        "finished without error: all is well",
        "GET /error HTTP/1.1",
        "GET /api/info/debug?level HTTP/1.1",
        "the ErrorHandler is registered",
        "ERROR_CODE=0",
        "LOGGER ready",
        "java.lang.IllegalStateException: x",
        "ValueError: x",
        "error::Error trait",
        "error://x",
        "user info: bob",
        "http://info:80/",
        "x, ERROR",
        "key=ERROR",
        "ÄERROR x",
    ] {
        check(line, "unknown");
    }
}

#[test]
fn only_the_head_counts() {
    let far = format!("{} [error]", "x".repeat(HEAD));
    check(&far, "unknown");
    let json = format!("{{\"msg\":\"{}\",\"level\":\"error\"}}", "x".repeat(HEAD * 2));
    check(&json, "error");
}

#[test]
fn levels_are_ordered() {
    assert!(Level::Fatal > Level::Critical && Level::Error > Level::Warn && Level::Debug > Level::Trace);
}

proptest! {
    #[test]
    fn nothing_panics(line in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = detect(&line);
    }

    #[test]
    fn nothing_panics_near_what_is_known(line in r#"[{<\["EWIF0-9:= a-z\\.*#M-]{0,60}(level|ERROR|error|log)?["\\: =\]{}]{0,6}(error|30|E)?"#) {
        let _ = detect(line.as_bytes());
    }
}
