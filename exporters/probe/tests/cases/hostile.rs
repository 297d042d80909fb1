//! Servers that hang in each phase, never end, or talk nonsense: a probe ends in time, tells where it hung, and holds
//! no more memory than before.

use std::sync::Arc;
use std::time::Duration;

use taffrail_core::Clock;
use taffrail_probe::{Context, Failure, Module};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::kit::pki::{GOOD, Pki};
use crate::kit::server::{request, serve, serve_tls, site};
use crate::kit::{Samples, module, probe, probe_in};

const HTTP: &str =
    "    timeout: 400ms\n    prober: http\n    http: {tls_config: {insecure_skip_verify: true}}";

fn quick(text: &str) -> Module {
    let mut module = module(&text.replace("    timeout: 400ms\n", ""));
    module.timeout = Some(Duration::from_millis(400));
    module
}

/// Probes, and expects no answer in time: how long the phase took in which it hung.
async fn hung(module: &Module, target: &str, doing: &str, phase: &str) -> Samples {
    let (verdict, samples) = probe(module, target).await;
    let why = verdict.failure.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(matches!(verdict.failure, Some(Failure::Timeout { .. })), "{target}: {why}");
    assert!(why.starts_with("no answer within 400 ms, while ") && why.contains(doing), "{why}");
    assert!(verdict.duration < Duration::from_millis(700), "{:?}", verdict.duration);
    let spent = samples[&format!("probe_http_duration_seconds{{phase=\"{phase}\"}}")];
    assert!(spent > 0.3, "{target}: {phase} took {spent} s");
    assert_eq!(samples["probe_success"], 0.0);
    samples
}

#[tokio::test]
async fn a_probe_ends_whichever_phase_hangs() {
    let http = quick(HTTP);
    let silent = serve(|stream| async move {
        let _keep = stream;
        std::future::pending::<()>().await;
    })
    .await;
    hung(&http, &format!("http://{}/", silent.at), "waiting for an answer", "processing").await;
    hung(&http, &format!("https://{}/", silent.at), "shaking hands", "tls").await;

    // A backlog that is full: the kernel answers no more connections.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let at = full.local_addr().unwrap();
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(tokio::time::timeout(Duration::from_millis(50), tokio::net::TcpStream::connect(at)).await);
    }
    hung(&http, &format!("http://{at}/"), "connecting to", "connect").await;

    let dripping = serve(|mut stream| async move {
        while stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    hung(&http, &format!("http://{}/", dripping.at), "waiting for an answer", "processing").await;

    let body = serve(site).await;
    let samples = hung(&http, &format!("http://{}/hang-in-body", body.at), "reading", "transfer").await;
    assert_eq!(samples["probe_http_status_code"], 200.0);
    assert_eq!(samples["probe_http_uncompressed_body_length"], 5.0);
}

#[tokio::test]
async fn a_dialogue_ends_whichever_side_is_silent() {
    let tcp = |steps: &str| quick(&format!("    prober: tcp\n    tcp: {{query_response: [{steps}]}}"));
    let silent = serve(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    for steps in ["{expect: a}", "{expect_bytes: a}", "{starttls: true}"] {
        let (verdict, _) = probe(&tcp(steps), &silent.at.to_string()).await;
        assert!(matches!(verdict.failure, Some(Failure::Timeout { .. })), "{steps}: {:?}", verdict.failure);
    }
    let chatter = serve(|mut stream| async move {
        let line = vec![b'x'; 1 << 16];
        while stream.write_all(&line).await.is_ok() {}
    })
    .await;
    let (verdict, _) = probe(&tcp("{expect: a}"), &chatter.at.to_string()).await;
    assert_eq!(verdict.failure.unwrap().to_string(), "a line of more than 64 KiB came");
}

/// The most memory that this process ever held, in bytes: what was kept for a moment only shows as well.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_is_counted_and_not_kept() {
    let server = serve(site).await;
    let mut plain = module("    prober: http");
    plain.timeout = Some(Duration::from_secs(60));
    let mut searched = module("    prober: http\n    http: {fail_if_body_not_matches_regexp: [y]}");
    searched.timeout = plain.timeout;
    let target = format!("http://{}/gigabyte", server.at);
    let cx = Context::new(Clock::system()).within(Duration::from_secs(60));
    let before = peak();
    let (verdict, samples) = probe_in(&cx, &plain, &target).await;
    assert!(verdict.success(), "{}", verdict.trail.text());
    assert_eq!(samples["probe_http_uncompressed_body_length"], 1_073_741_824.0);
    let (verdict, _) = probe_in(&cx, &searched, &target).await;
    assert_eq!(verdict.failure.unwrap().to_string(), "the body's first 10 MiB does not match `y`");
    let grown = peak().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown} bytes more");

    let limited = module("    prober: http\n    http: {body_size_limit: 1MB}");
    let (verdict, samples) = probe(&limited, &target).await;
    assert!(verdict.failure.unwrap().to_string().contains("longer than body_size_limit"));
    assert_eq!(samples["probe_http_uncompressed_body_length"], 1_048_576.0);
}

#[tokio::test]
async fn the_guard_is_asked_before_every_connection() {
    let inside = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let at = inside.local_addr().unwrap();
    let outside = serve(move |mut stream| async move {
        let _ = request(&mut stream).await;
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: http://{at}/\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    let mut cx = Context::new(Clock::system());
    cx.guard = Some(Arc::new(|ip| {
        if ip.to_string() == "127.0.0.2" { Err("it is the test's inside".to_owned()) } else { Ok(()) }
    }));
    let http = module("    prober: http");
    for (target, redirects) in [(format!("http://{}/", outside.at), 1.0), (format!("http://{at}/"), 0.0)] {
        let (verdict, samples) = probe_in(&cx, &http, &target).await;
        let why = verdict.failure.unwrap().to_string();
        assert_eq!(why, "127.0.0.2 is not probed: it is the test's inside");
        assert_eq!(samples["probe_http_redirects"], redirects);
    }
    let mapped = format!("http://[::ffff:127.0.0.2]:{}/", at.port());
    for (module, target) in [
        (http, mapped),
        (module("    prober: tcp"), at.to_string()),
        (module("    prober: http\n    http: {proxy_url: 'http://127.0.0.1:1'}"), format!("http://{at}/")),
        (
            module(
                "    prober: http\n    http: {proxy_url: 'http://127.0.0.1:1', skip_resolve_phase_with_proxy: true}",
            ),
            format!("http://{at}/"),
        ),
    ] {
        let (verdict, _) = probe_in(&cx, &module, &target).await;
        assert!(
            matches!(verdict.failure, Some(Failure::Forbidden { .. })),
            "{target}: {:?}",
            verdict.failure
        );
    }
    let nobody = tokio::time::timeout(Duration::from_millis(50), inside.accept()).await;
    assert!(nobody.is_err(), "a forbidden address was connected to");
}

#[tokio::test]
async fn nonsense_fails_and_says_what_it_is() {
    let plain = serve(site).await;
    let banner = serve(|mut stream| async move {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let http = quick(HTTP);
    for (target, wanted) in [
        (format!("http://{}/garbage", plain.at), "invalid HTTP"),
        (format!("http://{}/close-at-once", plain.at), "connection closed before message completed"),
        (format!("http://{}/close-early", plain.at), "the body broke off"),
        (format!("http://{}/", banner.at), "invalid HTTP"),
        (format!("https://{}/", banner.at), "does not speak TLS on this port"),
        ("http://nonexistent.invalid/".into(), "resolving nonexistent.invalid: "),
    ] {
        let (verdict, _) = probe(&http, &target).await;
        let why = verdict.failure.unwrap().to_string();
        assert!(why.contains(wanted), "{target}: {why}");
    }
}

#[tokio::test]
async fn a_probe_can_be_dropped() {
    let pki = Pki::new();
    let (sender, mut ended) = tokio::sync::mpsc::channel(1);
    let server = serve_tls(pki.issue(&GOOD).server(&[]), move |mut stream| {
        let sender = sender.clone();
        async move {
            let _ = request(&mut stream).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
            let _ = sender.send(()).await;
        }
    })
    .await;
    let http = module("    prober: http\n    http: {tls_config: {insecure_skip_verify: true}}");
    let target = format!("https://{}/", server.at);
    let dropped = tokio::time::timeout(Duration::from_millis(300), probe(&http, &target)).await;
    assert!(dropped.is_err());
    tokio::time::timeout(Duration::from_secs(2), ended.recv()).await.expect("the connection is still open");
}
