use proptest::prelude::*;

use super::*;

#[test]
fn normal_forms() {
    for (message, normal) in [
        ("user 17 not found", "user <n> not found"),
        ("took 12.5 ms for 10.0.0.1:8080", "took <n> ms for <n>"),
        ("order 550e8400-e29b-41d4-a716-446655440000 failed", "order <id> failed"),
        ("at 0xdeadBEEF, commit 9f86d081", "at <id>, commit <id>"),
        ("column \"user_id\" of relation 'x' missing", "column <s> of relation <s> missing"),
        ("can't open bob's file", "can't open bob's file"),
        ("open /data/12/a.txt: no such file", "open /data/<n>/a.txt: no such file"),
        ("pod api-7f9c4d8b-x2x5z is gone", "pod api-<id>-<id> is gone"),
        ("worker-12 stopped", "worker-<n> stopped"),
        ("mail to bob@example.com bounced", "mail to <id> bounced"),
        ("ä 12 ö", "ä <n> ö"),
        ("[ERROR]   many   spaces  ", "[ERROR] many spaces"),
    ] {
        assert_eq!(normal_form(message), normal, "{message}");
    }
}

/// The same errors, and others.
#[track_caller]
fn same(one: &str, other: &str) {
    let (one, other) = (report(one), report(other));
    assert_eq!(one.fingerprint, other.fingerprint, "\n{}\n{}", one.title, other.title);
}

#[track_caller]
fn differ(one: &str, other: &str) {
    let (one, other) = (report(one), report(other));
    assert_ne!(one.fingerprint, other.fingerprint, "\n{}\n{}", one.title, other.title);
}

#[test]
fn lines() {
    same(
        "2026-11-21T10:00:00.123Z ERROR shop: order 17 of user 'bob' failed after 3 tries",
        "2026-11-22T23:59:59.9Z ERROR shop: order 4711 of user 'alice' failed after 12 tries",
    );
    differ("ERROR shop: order 17 failed", "ERROR shop: payment 17 failed");
    same(
        r#"{"ts":1,"level":"error","msg":"cannot reach 10.0.0.1","error":"timeout after 5s"}"#,
        r#"{"ts":2,"level":"error","msg":"cannot reach 10.0.0.2","error":"timeout after 9s"}"#,
    );
    differ(
        r#"{"level":"error","msg":"cannot reach db","error":"timeout"}"#,
        r#"{"level":"error","msg":"cannot reach db","error":"refused"}"#,
    );
    same(
        r#"ts=2026-11-21 level=error msg="cannot save" err="disk sda1 full" user=1"#,
        r#"ts=2026-11-22 level=error msg="cannot save" err="disk sda2 full" user=2"#,
    );
    differ(r#"level=error msg="cannot save" id=1"#, r#"level=error msg="cannot load" id=1"#);
    same("\u{1b}[31mERROR\u{1b}[0m it broke", "ERROR it broke");
    differ(
        "thread 'main' panicked at src/main.rs:10:5:\nno config",
        "thread 'main' panicked at src/main.rs:12:5:\nno network",
    );
}

const JAVA: &str = "10:00:00.000 [http-1] ERROR c.e.Shop - order 17 failed
java.lang.IllegalStateException: order 17 is closed
\tat java.base/java.util.Optional.orElseThrow(Optional.java:403)
\tat com.example.shop.Orders.close(Orders.java:42)
\tat com.example.shop.Api.lambda$close$0(Api.java:17)
\tat org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:1081)
\t... 43 common frames omitted
Caused by: java.sql.SQLException: connection 12 closed
\tat com.zaxxer.hikari.pool.ProxyConnection.checkException(ProxyConnection.java:1)
\t... 12 more";

#[test]
fn java() {
    let report = report(JAVA);
    assert!(report.trace);
    assert_eq!(report.title, "java.lang.IllegalStateException < java.sql.SQLException: order <n> is closed");
    // Another order, another thread, other lines, other frames of frameworks.
    let moved = JAVA
        .replace("17", "18")
        .replace(":42", ":57")
        .replace("http-1", "http-9")
        .replace("doDispatch", "doService");
    same(JAVA, &moved);
    differ(JAVA, &JAVA.replace("Orders.close", "Orders.open"));
    differ(JAVA, &JAVA.replace("SQLException", "SQLTimeoutException"));
}

const PYTHON: &str = "ERROR:root:job 7 failed
Traceback (most recent call last):
  File \"/app/jobs.py\", line 12, in run
    load(7)
  File \"/app/store.py\", line 99, in load
    return rows[7]
KeyError: 7

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/usr/lib/python3/dist-packages/celery/app.py\", line 1, in call
    run()
  File \"/app/jobs.py\", line 14, in run
    raise JobError(\"job 7\")
app.errors.JobError: job 7";

#[test]
fn python() {
    let report = report(PYTHON);
    assert_eq!((report.trace, &*report.title), (true, "KeyError < app.errors.JobError: <n>"));
    same(PYTHON, &PYTHON.replace('7', "8").replace("line 1", "line 2").replace("celery", "rq"));
    differ(PYTHON, &PYTHON.replace("in run", "in stop"));
    differ(PYTHON, &PYTHON.replace("JobError", "WorkError"));
    let json = format!("{{\"level\":\"error\",\"message\":\"job 7 failed\",\"exc_info\":{:?}}}", PYTHON);
    assert!(super::report(&json).trace);
}

const GO: &str = "panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.(*Server).pick(0xc000012345, 0x5)
\t/src/server.go:42 +0x1d
main.main()
\t/src/main.go:10 +0x2a
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3285 +0x4b4
exit status 2";

#[test]
fn go() {
    let report = report(GO);
    assert_eq!(
        (report.trace, &*report.title),
        (true, "panic: runtime error: index out of range [<n>] with length <n>")
    );
    same(GO, &GO.replace("[5]", "[9]").replace("0xc000012345", "0xc0000fffff").replace(":42", ":43"));
    differ(GO, &GO.replace("pick", "drop"));
}

const RUST: &str = "thread 'worker-3' panicked at src/store.rs:10:5:
no row 7
stack backtrace:
   0: rust_begin_unwind
             at /rustc/5980/library/std/src/panicking.rs:689:5
   1: core::panicking::panic_fmt
             at /rustc/5980/library/core/src/panicking.rs:80:14
   2: shop::store::load
             at ./src/store.rs:10:5
   3: shop::main
             at ./src/main.rs:3:5";

#[test]
fn rust() {
    assert!(report(RUST).trace);
    same(RUST, &RUST.replace("worker-3", "worker-4").replace("row 7", "row 8").replace("689", "700"));
    differ(RUST, &RUST.replace("store::load", "store::save"));
}

const NODE: &str = "TypeError: Cannot read properties of undefined (reading 'id')
    at Orders.close (/app/src/orders.js:42:17)
    at async /app/src/api.js:10:5
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
    at Layer.handle (/app/node_modules/express/lib/router/layer.js:95:5)";

#[test]
fn node() {
    assert_eq!(report(NODE).title, "TypeError: Cannot read properties of undefined (reading <s>)");
    same(NODE, &NODE.replace(":42:17", ":43:1").replace("express", "fastify"));
    differ(NODE, &NODE.replace("Orders.close", "Orders.open"));
}

const DOTNET: &str = "Unhandled exception. System.InvalidOperationException: order 17 is closed
 ---> System.TimeoutException: after 30 s
   at Shop.Store.Load(Int32 id) in /src/Store.cs:line 42
   --- End of inner exception stack trace ---
   at Shop.Orders.Close(Int32 id) in /src/Orders.cs:line 17
   at System.Runtime.CompilerServices.TaskAwaiter.Throw()";

#[test]
fn dotnet() {
    assert_eq!(
        report(DOTNET).title,
        "System.InvalidOperationException < System.TimeoutException: order <n> is closed"
    );
    same(DOTNET, &DOTNET.replace("17", "18").replace("line 42", "line 4"));
    differ(DOTNET, &DOTNET.replace("Store.Load", "Store.Save"));
}

#[test]
fn a_fingerprint_is_the_same_in_every_version() {
    assert_eq!(report("ERROR it broke").label(), "36379130c0833d15");
}

#[test]
fn time_is_linear() {
    for part in [
        "'",
        "\"",
        "1.",
        "a1",
        "   at a(b)\n",
        "x: ",
        "Traceback (most recent call last):\n",
        "panic: ",
        "\\",
    ] {
        let _ = report(&part.repeat(500_000 / part.len()));
    }
}

proptest! {
    #[test]
    fn nothing_panics(text in "(\\PC|[\\n\\t :.'\"(){}]|at |File \"|panic: |Caused by: |Traceback \\(most recent call last\\):|[0-9]){0,60}") {
        let one = report(&text);
        prop_assert!(one.title.len() <= MAX_TITLE);
        prop_assert_eq!(report(&text), one);
    }

    #[test]
    fn numbers_do_not_count(first in 0_u64.., second in 0_u64..) {
        let text = |number: u64| format!("ERROR job {number} of queue-{number} at 10.0.0.{number} failed");
        prop_assert_eq!(report(&text(first)).fingerprint, report(&text(second)).fingerprint);
    }
}
