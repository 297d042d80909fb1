//! Loki's push API as a door: another taffrail, and hand-made requests, send to it; nothing is answered before it is safe.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::ensure;
use flate2::Compression;
use flate2::write::GzEncoder;
use taffrail_tests::{Answer, Client, LokiDouble, Response, Taffrail, free_port, wait_for};

use crate::support::{SOON, own, status};
use crate::targets::kit::Pki;

const PUSH: &str = "/loki/api/v1/push";
const JSON: (&str, &str) = ("content-type", "application/json");

fn door(loki: &LokiDouble, port: u16) -> String {
    format!(
        "hostname: ship
logs: [{{name: door, push: \"127.0.0.1:{port}\"}}]
outputs: {{loki: [{{url: \"{}\"}}]}}
",
        loki.url()
    )
}

fn now_ns() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64
}

fn push(port: u16, headers: &[(&str, &str)], body: &[u8]) -> Response {
    // A dead output costs three seconds, and the machine may be busy: asked again when nothing came in time.
    wait_for("an answer", SOON, || Client::new(port).post(PUSH, headers, body)).unwrap()
}

fn json(labels: &str, ns: i64, line: &str) -> Vec<u8> {
    let values = serde_json::json!([[ns.to_string(), line, {"trace": "t1"}]]);
    format!(r#"{{"streams": [{{"stream": {labels}, "values": {values}}}]}}"#).into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn another_taffrail_sends_to_it_and_every_line_keeps_its_time() {
    let (loki, port) = (LokiDouble::start().unwrap(), free_port().unwrap());
    let taffrail = Taffrail::start(&door(&loki, port)).unwrap();
    let sender = Taffrail::prepare(&format!(
        "hostname: sender
logs: [{{name: app, files: {{include: [DIR/*.txt], start: beginning}}}}]
outputs: {{loki: [{{url: \"http://127.0.0.1:{port}\"}}]}}
"
    ));
    let mut sender = sender.unwrap();
    let lines: Vec<String> = (0..20_000).map(|n| format!("level=info n={} same=yes", n / 2)).collect();
    std::fs::write(sender.dir().join("a.txt"), lines.join("\n") + "\n").unwrap();
    sender.restart().unwrap();
    let labels = [("job", "app"), ("instance", "sender"), ("service_name", "app")];
    let arrived = loki.wait_for_lines(&labels, lines.len(), SOON).unwrap();
    assert!(arrived == lines, "all lines, in their order, equal ones too");
    assert_eq!(own(&taffrail, "taffrail_source_lines_total{source=\"door\"}"), 20_000.0);
    let entries = loki.streams().into_iter().find(|s| s.labels["job"] == "app").unwrap().entries;
    assert_eq!(entries[0].metadata["detected_level"], "info");
}

#[test]
fn a_request_is_answered_when_it_is_safe_and_survives_a_kill() {
    let (loki, port) = (LokiDouble::start().unwrap(), free_port().unwrap());
    let mut taffrail = Taffrail::start(&door(&loki, port)).unwrap();
    loki.always(Answer::status(503));
    let ns = now_ns();
    assert_eq!(push(port, &[JSON], &json(r#"{"app": "shop"}"#, ns, "safe")).status, 204);
    // The answer says that it is on disk: nothing that happens now can take it away.
    taffrail.kill();
    loki.always(Answer::Usual);
    taffrail.restart().unwrap();
    let labels = [("app", "shop"), ("service_name", "shop"), ("job", "door"), ("instance", "ship")];
    assert_eq!(loki.wait_for_lines(&labels, 1, SOON).unwrap(), ["safe"]);
    let stream = loki.streams().into_iter().find(|stream| stream.labels.contains_key("app")).unwrap();
    assert_eq!((stream.entries[0].ns, &*stream.entries[0].metadata["trace"]), (ns, "t1"));
    // Who got no answer sends it again, and Loki stores it once.
    assert_eq!(push(port, &[JSON], &json(r#"{"app": "shop"}"#, ns, "safe")).status, 204);
    wait_for("the second one", SOON, || {
        ensure!(loki.equal() == 1, "{} are equal", loki.equal());
        Ok(())
    })
    .unwrap();
}

#[test]
fn answers_are_those_of_loki() {
    let (loki, port) = (LokiDouble::start().unwrap(), free_port().unwrap());
    let taffrail = Taffrail::start(&door(&loki, port)).unwrap();
    let good = json(r#"{"job": "x"}"#, now_ns(), "good");
    let protobuf = ("content-type", "application/x-protobuf");
    let answers: Vec<(u16, &str, Response)> = vec![
        (204, "", push(port, &[JSON, ("content-encoding", "gzip"), ("x-scope-orgid", "any")], &gzip(&good))),
        (400, "JSON: EOF", push(port, &[JSON], &good[..20])),
        (400, "snappy", push(port, &[protobuf], b"not snappy")),
        (400, "gzip", push(port, &[JSON, ("content-encoding", "gzip")], b"not gzip")),
        (
            413,
            "more than 8388608 bytes",
            push(port, &[JSON, ("content-encoding", "gzip")], &gzip(&vec![b' '; 100 << 20])),
        ),
        (
            415,
            "application/x-protobuf or application/json",
            push(port, &[("content-type", "text/plain")], &good),
        ),
        (403, "browser", push(port, &[JSON, ("origin", "http://evil.example")], &good)),
        (404, "only POST", Client::new(port).post("/other", &[JSON], &good).unwrap()),
        (405, "POST", Client::new(port).get(PUSH).unwrap()),
        (200, "ready", Client::new(port).get("/ready").unwrap()),
        (
            400,
            "an object with `stream`",
            push(port, &[JSON], format!("{{\"streams\": {}", "[".repeat(1000)).as_bytes()),
        ),
    ];
    for (n, (expected, part, answer)) in answers.into_iter().enumerate() {
        let text = answer.text();
        assert!(answer.status == expected && text.contains(part), "{n}: {} {text}", answer.status);
    }
    // A bad stream costs the good ones nothing.
    let mixed = format!(
        r#"{{"streams": [{{"stream": {{"a": "{}"}}, "values": [["1", "no"]]}}, {{"stream": {{"job": "x"}}, "values": [["{}", "too"]]}}]}}"#,
        "v".repeat(20_000),
        now_ns()
    );
    let answer = push(port, &[JSON], mixed.as_bytes());
    assert_eq!((answer.status, answer.text().contains("1 streams were not taken")), (400, true));
    assert_eq!(loki.wait_for_lines(&[("job", "x")], 2, SOON).unwrap(), ["good", "too"]);
    assert_eq!(own(&taffrail, "taffrail_source_refused_total{source=\"door\",reason=\"too_large\"}"), 1.0);
    let source = status(&taffrail).unwrap()["sources"][0].clone();
    assert!(
        source["last_error"]["text"].as_str().unwrap().starts_with("a request was answered 400"),
        "{source}"
    );
}

#[test]
fn hostile_senders_hold_up_nobody_and_cost_little() {
    let (loki, port) = (LokiDouble::start().unwrap(), free_port().unwrap());
    let taffrail = Taffrail::start(&door(&loki, port)).unwrap();
    // Heads and bodies that never end, and one body of 100 MB.
    let mut open = Vec::new();
    for n in 0..100 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let head = "POST /loki/api/v1/push HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        if n % 2 == 0 {
            stream.write_all(b"content-length: 8000000\r\n\r\n{\"streams\"").unwrap();
        }
        open.push(stream);
    }
    let mut large = TcpStream::connect(("127.0.0.1", port)).unwrap();
    large.write_all(b"POST /loki/api/v1/push HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let piece = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
    // It is closed long before the end.
    let sent = (0..100).take_while(|_| large.write_all(&piece).is_ok()).count();
    assert!(sent < 100, "all of it was taken");
    let bomb = gzip(&vec![b'['; 100 << 20]);
    for _ in 0..20 {
        assert_eq!(push(port, &[JSON, ("content-encoding", "gzip")], &bomb).status, 413);
    }
    assert_eq!(push(port, &[JSON], &json(r#"{"job": "x"}"#, now_ns(), "through")).status, 204);
    loki.wait_for_lines(&[("job", "x")], 1, SOON).unwrap();
    let resident = own(&taffrail, "process_resident_memory_bytes");
    assert!(resident < 80e6, "{resident} bytes resident");
    // Those beyond the bound are closed at once, and counted.
    let more: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    wait_for("connections that are turned away", SOON, || {
        let refused = own(&taffrail, "taffrail_source_refused_total{source=\"door\",reason=\"connections\"}");
        ensure!(refused > 20.0, "{refused} of {}", more.len());
        Ok(())
    })
    .unwrap();
    drop((open, more));
    wait_for("a place for a good sender", SOON, || {
        let answer = Client::new(port).post(PUSH, &[JSON], &json(r#"{"job": "x"}"#, now_ns(), "again"))?;
        ensure!(answer.status == 204, "{}", answer.status);
        Ok(())
    })
    .unwrap();
}

#[test]
fn tls_and_credentials_are_asked_for_and_certificates_change_while_it_runs() {
    let (loki, port) = (LokiDouble::start().unwrap(), free_port().unwrap());
    let pki = Pki::new();
    let config = |password: &str| {
        format!(
            "hostname: ship
logs: [{{name: door, push: {{listen: \"0.0.0.0:{port}\", tls: {{cert_file: DIR/door.crt, key_file: DIR/door.key}},
  basic_auth: {{username: ada, password: {password}}}}}}}]
outputs: {{loki: [{{url: \"{}\"}}]}}
",
            loki.url()
        )
    };
    let mut taffrail = Taffrail::prepare(&config("one")).unwrap();
    pki.issue(|_| {}).write(taffrail.dir(), "door");
    taffrail.restart().unwrap();
    let mut sender = Taffrail::prepare(&format!(
        "hostname: sender
logs: [{{name: app, files: {{include: [DIR/*.txt], start: beginning}}}}]
outputs: {{loki: [{{url: \"https://127.0.0.1:{port}\", basic_auth: {{username: ada, password: two}}, tls: {{ca_file: DIR/ca.pem}}}}]}}
"
    ))
    .unwrap();
    std::fs::write(sender.dir().join("ca.pem"), pki.pem()).unwrap();
    std::fs::write(sender.dir().join("a.txt"), "one\n").unwrap();
    sender.restart().unwrap();
    wait_for("a sender that is not let in", SOON, || {
        let refused =
            own(&taffrail, "taffrail_source_refused_total{source=\"door\",reason=\"unauthorized\"}");
        ensure!(refused > 0.0, "{refused}");
        Ok(())
    })
    .unwrap();
    assert!(loki.lines(&[("job", "app")]).is_empty());
    // A reload takes the other password; the socket stays.
    taffrail.configure(&config("two")).unwrap();
    taffrail.hang_up().unwrap();
    loki.wait_for_lines(&[("job", "app")], 1, SOON).unwrap();
    // Plain text at a door that speaks TLS.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
    plain.write_all(b"GET /ready HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.set_read_timeout(Some(Duration::from_secs(20)));
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    wait_for("a handshake that failed", SOON, || {
        let refused = own(&taffrail, "taffrail_source_refused_total{source=\"door\",reason=\"tls\"}");
        ensure!(refused > 0.0, "{refused}");
        Ok(())
    })
    .unwrap();
}
