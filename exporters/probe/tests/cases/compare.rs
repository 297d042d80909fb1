//! blackbox_exporter and we probe the same targets with the same module file. Every family of both has the same name,
//! type, labels and, within what time changes, value.

use std::io::Write;

use taffrail_core::Clock;
use taffrail_probe::Context;
use taffrail_probe::blackbox::Modules;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_rustls::TlsAcceptor;

use crate::kit::blackbox::{Blackbox, Page};
use crate::kit::page_of;
use crate::kit::pki::{GOOD, Identity, Pki, Wish};
use crate::kit::server::{Server, serve, serve_tls, site, site_h2};

const MODULES: &str = r#"
modules:
  http: {prober: http, timeout: 3s}
  http_ip4: {prober: http, timeout: 3s, http: {preferred_ip_protocol: ip4, ip_protocol_fallback: false}}
  http_no_ip6: {prober: http, timeout: 3s, http: {ip_protocol_fallback: false}}
  http_3xx: {prober: http, timeout: 3s, http: {follow_redirects: false, valid_status_codes: [302]}}
  http_404: {prober: http, timeout: 3s, http: {valid_status_codes: [404]}}
  http_1x: {prober: http, timeout: 3s, http: {valid_http_versions: ["HTTP/1.0"]}}
  http_hello: {prober: http, timeout: 3s, http: {fail_if_body_not_matches_regexp: ["^hello"]}}
  http_no_hello: {prober: http, timeout: 3s, http: {fail_if_body_matches_regexp: ["hello"]}}
  http_blue: {prober: http, timeout: 3s, http: {fail_if_header_not_matches: [{header: x-colour, regexp: blue}]}}
  http_no_blue: {prober: http, timeout: 3s, http: {fail_if_header_matches: [{header: X-Colour, regexp: blue}]}}
  http_no_header: {prober: http, timeout: 3s, http: {fail_if_header_matches: [{header: X-None, regexp: a}]}}
  http_limited: {prober: http, timeout: 3s, http: {body_size_limit: 7B}}
  http_gzip: {prober: http, timeout: 3s, http: {compression: gzip}}
  http_head: {prober: http, timeout: 3s, http: {method: HEAD}}
  http_post: {prober: http, timeout: 3s, http: {method: POST, body: "secret=1", headers: {Content-Type: a/b}, basic_auth: {username: u, password: p}, fail_if_body_not_matches_regexp: ["POST /echo HTTP/1.1[^$]*Authorization: Basic dTpw[^$]*secret=1$"]}}
  http_cookie: {prober: http, timeout: 3s, http: {fail_if_body_not_matches_regexp: ["Cookie: a=1"]}}
  http_ssl: {prober: http, timeout: 3s, http: {fail_if_not_ssl: true}}
  https: {prober: http, timeout: 3s, http: {fail_if_ssl: true, tls_config: {ca_file: CA}}}
  https_any: {prober: http, timeout: 3s, http: {tls_config: {insecure_skip_verify: true}}}
  https_name: {prober: http, timeout: 3s, http: {tls_config: {ca_file: CA, server_name: other.example}}}
  https_host: {prober: http, timeout: 3s, http: {headers: {Host: other.example}, tls_config: {ca_file: CA}}}
  https_1: {prober: http, timeout: 3s, http: {enable_http2: false, tls_config: {ca_file: CA, max_version: TLS12}}}
  tcp: {prober: tcp, timeout: 3s}
  tcp_tls: {prober: tcp, timeout: 3s, tcp: {tls: true, tls_config: {ca_file: CA}}}
  ssh: {prober: tcp, timeout: 3s, tcp: {query_response: [{expect: "^SSH-2.0-([^ -]+)(?: (.*))?$", labels: [{name: ssh_version, value: "${1}"}, {name: ssh_comments, value: "${2}"}]}]}}
  silence: {prober: tcp, timeout: 1s, tcp: {query_response: [{expect: "^never"}]}}
  starttls:
    prober: tcp
    timeout: 3s
    tcp:
      tls_config: {ca_file: CA}
      query_response:
        - {expect: "^220 ([^ ]+) ESMTP (.+)$", send: "EHLO ${1}\r"}
        - {expect: "^250-STARTTLS", send: "STARTTLS\r"}
        - {expect: "^220"}
        - {starttls: true}
        - {send: "EHLO again\r"}
        - {expect: "^250 safe again"}
  postgres: {prober: tcp, timeout: 3s, tcp: {tls_config: {insecure_skip_verify: true}, query_response: [{send: !!binary AAAACATSFi8=}, {expect_bytes: S}, {starttls: true}]}}
  postgres_no: {prober: tcp, timeout: 3s, tcp: {query_response: [{send: !!binary AAAACATSFi8=}, {expect_bytes: N}]}}
"#;

/// Values that differ from run to run.
fn is_timing(series: &str) -> bool {
    series.contains("duration_seconds") || series == "probe_dns_lookup_time_seconds"
}

/// What differs on purpose, and why.
fn excused(series: &str, ours: Option<&(String, f64)>, theirs: Option<&(String, f64)>) -> bool {
    match (ours, theirs) {
        // Of certificates that are not trusted blackbox_exporter tells nothing; when they expire is worth knowing.
        // The time allowed is told by its next version.
        (Some(_), None) => series.starts_with("probe_ssl_") || series == "probe_timeout_seconds",
        _ => false,
    }
}

pub fn differences(ours: &Page, theirs: &Page) -> Vec<String> {
    let mut names: Vec<_> = ours.keys().chain(theirs.keys()).collect();
    names.sort();
    names.dedup();
    let differs = |series: &&String| {
        let (mine, other) = (ours.get(*series), theirs.get(*series));
        let same = match (mine, other) {
            (Some((kind, value)), Some((kind2, value2))) => {
                kind == kind2 && (value == value2 || is_timing(series))
            }
            _ => false,
        };
        !same && !excused(series, mine, other)
    };
    let tell = |series: &String| {
        let tell =
            |page: &Page| page.get(series).map_or("none".into(), |(kind, value)| format!("{value} ({kind})"));
        format!("{series}: ours {}, theirs {}", tell(ours), tell(theirs))
    };
    names.into_iter().filter(differs).map(tell).collect()
}

async fn smtp(identity: &Identity) -> Server {
    let acceptor = TlsAcceptor::from(identity.server(&[]));
    serve(move |mut stream| {
        let acceptor = acceptor.clone();
        async move {
            stream.write_all(b"220-first\r\n220 mail.example ESMTP Test\r\n").await.unwrap();
            let mut lines = BufReader::new(&mut stream).lines();
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("EHLO mail.example"));
            lines.get_mut().get_mut().write_all(b"250-mail.example\r\n250-STARTTLS\r\n").await.unwrap();
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("STARTTLS"));
            drop(lines);
            stream.write_all(b"220 go\r\n").await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut lines = BufReader::new(&mut stream).lines();
            if lines.next_line().await.is_ok() {
                let _ = stream.write_all(b"250 safe again\r\n").await;
            }
        }
    })
    .await
}

async fn postgres(identity: &Identity) -> Server {
    use tokio::io::AsyncReadExt;
    let acceptor = TlsAcceptor::from(identity.server(&[]));
    serve(move |mut stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut query = [0; 8];
            if stream.read_exact(&mut query).await.is_ok() && query == [0, 0, 0, 8, 4, 210, 22, 47] {
                let _ = stream.write_all(b"S").await;
                let _ = acceptor.accept(stream).await;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_blackbox_exporters() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, pki.pem()).unwrap();
    let path = folder.path().join("blackbox.yml");
    let text =
        MODULES.replace("CA}", &format!("{}}}", ca.display())).replace("CA,", &format!("{},", ca.display()));
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    let peer = Blackbox::start(&path).await;
    let modules = Modules::read(&path).unwrap();
    assert!(modules.refused.is_empty(), "{:?}", modules.refused);

    let plain = serve(site).await;
    let good = pki.issue(&GOOD);
    let tls = serve_tls(good.server(&["http/1.1"]), site).await;
    let h2 = serve_tls(good.server(&["h2"]), site_h2).await;
    let chain = serve_tls(pki.issue(&Wish { between: true, ..GOOD }).server(&[]), site).await;
    let mut broken = pki.issue(&Wish { between: true, ..GOOD });
    broken.chain.truncate(1);
    let broken = serve_tls(broken.server(&[]), site).await;
    let expired = serve_tls(pki.issue(&Wish { until: 1_577_836_800, ..GOOD }).server(&[]), site).await;
    let other = serve_tls(pki.issue(&Wish { name: "other.example", ..GOOD }).server(&[]), site).await;
    let own = serve_tls(Identity::self_signed(&GOOD).server(&[]), site).await;
    let ssh = serve(|mut stream| async move {
        let _ = stream.write_all(b"hello\nSSH-2.0-OpenSSH_9 Debian\r\n").await;
    })
    .await;
    let (smtp, postgres) = (smtp(&good).await, postgres(&good).await);
    let gone = serve(|_| async {}).await.at;

    let mut cases: Vec<(&str, String)> = Vec::new();
    for (modules, path) in [
        (
            "http http_ip4 http_1x http_hello http_no_hello http_blue http_no_blue http_no_header http_limited http_gzip http_ssl https",
            "/",
        ),
        ("http http_hello http_limited", "/chunked"),
        ("http", "/until-close"),
        ("http http_1x", "/old"),
        ("http http_hello", "/empty"),
        ("http_head", "/head"),
        ("http http_404", "/missing"),
        ("http http_hello http_3xx http_ssl", "/redirect"),
        ("http http_3xx", "/for-ever"),
        ("http http_3xx", "/no-location"),
        ("http", "/to-file"),
        ("http", "/to-nowhere"),
        ("http_post", "/echo"),
        ("http_post", "/keep-method"),
        ("http_post", "/drop-method"),
        ("http_cookie", "/cookie"),
        ("http", "/to-name"),
        ("http http_gzip", "/gzip"),
        ("http http_hello", "/close-early"),
        ("http", "/close-at-once"),
        ("http", "/garbage"),
    ] {
        cases.extend(modules.split(' ').map(|module| (module, format!("http://{}{path}", plain.at))));
    }
    cases.push(("http_no_ip6", format!("http://{}/", plain.at)));
    cases.push(("http", format!("{}/", plain.name())));
    cases.push(("http", format!("http://{gone}/")));
    cases.push(("http", "http://nonexistent.invalid/".into()));
    for server in [&tls, &h2, &chain, &broken, &expired, &other, &own] {
        for module in ["https", "https_any", "https_name", "https_host", "https_1"] {
            cases.push((module, format!("https://{}/", server.name())));
        }
        cases.push(("tcp_tls", server.name()));
    }
    cases.push(("https", format!("https://{}/redirect", tls.name())));
    cases.push(("https", format!("https://{}/", plain.name())));
    for (module, at) in
        [("ssh", ssh.at), ("tcp", ssh.at), ("tcp", gone), ("silence", ssh.at), ("postgres_no", postgres.at)]
    {
        cases.push((module, at.to_string()));
    }
    cases.push(("starttls", smtp.name()));
    cases.push(("starttls", smtp.at.to_string()));
    cases.push(("postgres", postgres.at.to_string()));
    cases.push(("tcp_tls", plain.name()));
    cases.push(("tcp", "nonsense".into()));

    let cx = Context::new(Clock::system());
    let mut wrong = Vec::new();
    let (mut compared, mut succeeded) = (0, 0);
    for (module, target) in &cases {
        let theirs = peer.probe(module, target).await;
        let (verdict, ours) = page_of(&cx, modules.get(module).unwrap(), target).await;
        let differences = differences(&ours, &theirs);
        compared += theirs.len();
        succeeded += usize::from(verdict.success());
        if !differences.is_empty() {
            wrong.push(format!(
                "{module} {target}\n    {}\n{}",
                differences.join("\n    "),
                verdict.trail.text()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(compared > 1000 && succeeded > 40, "{compared} series, {succeeded} of {} succeeded", cases.len());
}
