//! What only we do, or blackbox_exporter does in silence: proxies, credentials, the trail.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use crate::kit::pki::{GOOD, Pki};
use crate::kit::server::{Server, request, serve, serve_tls, site, site_h2};
use crate::kit::{module, probe};

/// An HTTP proxy that keeps what it was asked.
async fn proxy() -> (Server, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let server = serve(move |mut stream| {
        let log = log.clone();
        async move {
            let Some((head, _)) = request(&mut stream).await else { return };
            log.lock().unwrap().push(head.clone());
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            if head.starts_with("CONNECT ") {
                let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
                let port = target.rsplit(':').next().unwrap().parse().unwrap();
                let mut to = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut to).await;
            } else {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy").await;
            }
        }
    })
    .await;
    (server, asked)
}

#[tokio::test]
async fn requests_go_through_a_proxy() {
    let pki = Pki::new();
    let tls = serve_tls(pki.issue(&GOOD).server(&["h2"]), site_h2).await;
    let (proxy, asked) = proxy().await;
    let through = |more: &str| {
        module(&format!(
            "    prober: http\n    http: {{proxy_url: 'http://{}', tls_config: {{insecure_skip_verify: true}}{more}}}",
            proxy.at
        ))
    };
    let (verdict, samples) = probe(&through(""), "http://localhost:81/a?b").await;
    assert!(verdict.success(), "{}", verdict.trail.text());
    assert_eq!(samples["probe_http_uncompressed_body_length"], 5.0);
    let (verdict, samples) =
        probe(&through(", proxy_connect_header: {X-Team: [a]}"), &format!("https://{}/", tls.name())).await;
    assert!(verdict.success(), "{}", verdict.trail.text());
    assert_eq!(samples["probe_http_version"], 2.0);
    let (verdict, samples) =
        probe(&through(", skip_resolve_phase_with_proxy: true"), "http://nonexistent.invalid/").await;
    assert!(verdict.success(), "{}", verdict.trail.text());
    assert!(!samples.contains_key("probe_ip_protocol"));
    let asked = asked.lock().unwrap();
    assert!(
        asked[0].contains(":81/a?b HTTP/1.1\r\n") && asked[0].contains("Host: localhost:81\r\n"),
        "{}",
        asked[0]
    );
    assert!(asked[1].contains("X-Team: a\r\n") || asked[1].contains("x-team: a\r\n"), "{}", asked[1]);
    assert!(asked[2].starts_with("GET http://nonexistent.invalid:80/ "), "{}", asked[2]);
}

#[tokio::test]
async fn credentials_stay_with_the_target() {
    let heard = Arc::new(Mutex::new(String::new()));
    let log = heard.clone();
    let other = serve(move |mut stream| {
        let log = log.clone();
        async move {
            if let Some((head, _)) = request(&mut stream).await {
                *log.lock().unwrap() = head;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await;
    let to = format!("http://localhost:{}/", other.at.port());
    let first = serve(move |mut stream| {
        let to = to.clone();
        async move {
            let head = request(&mut stream).await.map(|(head, _)| head).unwrap_or_default();
            let known = head.contains("Authorization: Bearer hunter2\r\n");
            let to = if known { to } else { "/refused".into() };
            let answer = format!("HTTP/1.1 307 Go\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&secret, "hunter2\n").unwrap();
    let path = secret.path().display();
    let http = module(&format!(
        "    prober: http\n    http: {{authorization: {{credentials_file: {path}}}, headers: {{X-Kept: y, Cookie: c=1}}}}"
    ));
    let (verdict, samples) = probe(&http, &format!("http://{}/", first.at)).await;
    assert!(verdict.success(), "{}", verdict.trail.text());
    assert_eq!(samples["probe_http_redirects"], 1.0);
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains("X-Kept: y"), "{heard}");
    assert!(!heard.contains("Authorization") && !heard.contains("Cookie"), "{heard}");
    assert!(!verdict.trail.text().contains("hunter2") && !format!("{http:?}").contains("c=1"));

    let gone = module("    prober: http\n    http: {authorization: {credentials_file: /nonexistent}}");
    let (verdict, _) = probe(&gone, &format!("http://{}/", first.at)).await;
    let why = verdict.failure.unwrap().to_string();
    assert!(why.starts_with("the request cannot be made: /nonexistent: "), "{why}");
}

#[tokio::test]
async fn the_trail_tells_what_happened() {
    let server = serve(site).await;
    let (verdict, _) = probe(&module("    prober: http"), &format!("http://{}/redirect", server.at)).await;
    let trail = verdict.trail.text();
    let at = server.at;
    for line in [
        "Resolved 127.0.0.1 to 127.0.0.1".to_owned(),
        format!("Connected to {at}"),
        format!("GET http://{at}/redirect"),
        "Answer: 302 Found over HTTP/1.1".to_owned(),
        format!("Redirected to http://{at}/redirect2?x=1"),
        "The body has 11 bytes".to_owned(),
        "Succeeded".to_owned(),
    ] {
        assert!(trail.contains(&line), "no `{line}` in\n{trail}");
    }
}
