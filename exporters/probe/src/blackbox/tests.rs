use super::*;
use crate::http::{Auth, Compression};
use crate::tcp::Expect;

fn parse(text: &str) -> Result<Modules, String> {
    Modules::parse(text, Path::new("/etc/blackbox.yml")).map_err(|e| e.to_string())
}

fn http(text: &str) -> crate::http::Settings {
    let all = parse(&format!("modules:\n  m:\n    prober: http\n    http:\n{text}")).unwrap();
    match all.get("m").unwrap().prober.clone() {
        Prober::Http(settings) => *settings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_key_of_http_is_read() {
    let settings = http(
        r#"
      valid_status_codes: [200, 404]
      valid_http_versions: ["HTTP/1.1", "HTTP/2.0"]
      method: POST
      headers: {Host: vhost.example, X-A: b}
      http_headers: {X-B: {values: [c], files: [token]}}
      follow_redirects: false
      fail_if_not_ssl: true
      fail_if_body_matches_regexp: ["a\\d+"]
      fail_if_body_not_matches_regexp: [b]
      fail_if_header_matches: [{header: Set-Cookie, regexp: '.*', allow_missing: true}]
      fail_if_header_not_matches: [{header: X, regexp: y}]
      tls_config: {insecure_skip_verify: true, server_name: other.example, min_version: TLS13}
      basic_auth: {username: u, password_file: /p}
      preferred_ip_protocol: ip4
      ip_protocol_fallback: false
      body: '{}'
      compression: gzip
      body_size_limit: 10MB
      enable_http2: false
      proxy_url: http://127.0.0.1:3128
      no_proxy: a.example
      proxy_connect_header: {X: [y]}
      skip_resolve_phase_with_proxy: true
"#,
    );
    assert_eq!(settings.valid_status_codes, [200, 404]);
    assert_eq!(settings.headers["host"], "vhost.example");
    assert_eq!(settings.headers["x-b"], "c");
    assert_eq!(settings.header_files[0].1, Source::File("/etc/token".into()));
    assert!(!settings.follow_redirects && settings.fail_if_not_ssl && !settings.http2);
    assert!(settings.body_matches[0].matches(b"xa1") && settings.header_matches[0].allow_missing);
    assert_eq!(settings.tls.server_name(), Some("other.example"));
    assert!(matches!(
        settings.auth,
        Some(Auth::Basic { username: Some(_), password: Some(Source::File(_)) })
    ));
    assert_eq!(settings.addressing, Addressing { prefer: Prefer::V4, fallback: false });
    assert_eq!((settings.compression, settings.body_size_limit), (Some(Compression::Gzip), Some(10 << 20)));
    assert!(settings.proxy.is_some() && settings.skip_resolve_phase_with_proxy);
    assert!(!format!("{settings:?}").contains("vhost"), "headers are not printed");
}

#[test]
fn defaults_are_upstreams() {
    let all = parse("modules:\n  a: {prober: http}\n  b: {prober: tcp, timeout: 5s, tcp: }\n").unwrap();
    let Prober::Http(settings) = &all.modules["a"].prober else { panic!() };
    assert!(settings.follow_redirects && settings.http2 && settings.method == "GET");
    assert_eq!(settings.addressing, Addressing { prefer: Prefer::V6, fallback: true });
    assert_eq!(all.modules["a"].timeout, None);
    assert_eq!(all.modules["b"].timeout, Some(std::time::Duration::from_secs(5)));
    assert_eq!(parse("").unwrap_or_default(), Modules::default());
}

#[test]
fn dialogues_have_texts_and_bytes() {
    let all = parse(
        r#"
modules:
  postgres:
    prober: tcp
    tcp:
      query_response:
        - send: !!binary AAAACATSFi8=
        - expect_bytes: S
        - starttls: true
        - expect: "^SSH-2.0-([^ -]+)"
          send: "QUIT\r"
          labels: [{name: version, value: "${1}"}]
"#,
    )
    .unwrap();
    let Prober::Tcp(settings) = &all.modules["postgres"].prober else { panic!() };
    let steps = &settings.query_response;
    assert_eq!(steps[0].send, [0, 0, 0, 8, 4, 210, 22, 47]);
    assert_eq!(steps[1].expect, Some(Expect::Bytes(b"S".to_vec())));
    assert!(steps[2].starttls);
    assert_eq!((&*steps[3].send, &*steps[3].labels[0].1), (&b"QUIT\r"[..], "${1}"));
}

#[test]
fn anchors_and_merges_work() {
    let all = parse(
        "modules:\n  a: &base\n    prober: tcp\n    timeout: 2s\n  b:\n    <<: *base\n    timeout: 3s\n",
    );
    let all = all.unwrap();
    assert_eq!(all.modules["b"].timeout, Some(std::time::Duration::from_secs(3)));
}

#[test]
fn what_cannot_be_done_takes_out_its_module_only() {
    let all = parse(
        "modules:\n  a: {prober: grpc, grpc: {tls: true}}\n  b: {prober: http, http: {oauth2: {client_id: x}}}\n  \
         c: {prober: http, http: {tls_config: {ca_file: /nonexistent}}}\n  d: {prober: icmp}\n",
    )
    .unwrap();
    assert_eq!(all.modules.keys().collect::<Vec<_>>(), ["d"]);
    assert!(
        all.get("a").unwrap_err().starts_with("module a cannot be used: the prober grpc is not here: probe")
    );
    assert!(all.refused["b"].contains("authorization.credentials_file"));
    assert!(all.refused["c"].starts_with("tls_config: ca_file: /nonexistent: "), "{}", all.refused["c"]);
    assert_eq!(all.get("x").unwrap_err(), "there is no module x; there are: d");
}

#[test]
fn faults_have_a_place_and_say_what_would_be_right() {
    let cases = [
        (
            "modules:\n  a:\n    prober: htpp\n",
            "/etc/blackbox.yml:3:13: module a: `htpp` is no prober: wanted http, tcp, dns or icmp",
        ),
        (
            "modules:\n  a:\n    prober: http\n    http:\n      fail_if_body_matches_regexp: ['a(']\n",
            "/etc/blackbox.yml:5:37: `a(` is not a regular expression in RE2's syntax: unclosed group",
        ),
        (
            "modules:\n  a:\n    prober: http\n    timeout: 5\n",
            "/etc/blackbox.yml:4:14: `5` is not a duration: wanted one such as 5s, 500ms or 1m30s",
        ),
        (
            "modules:\n  a:\n    prober: http\n    http: {body: x, body_file: y}\n",
            "/etc/blackbox.yml:4:11: module a: body and body_file are both there: one of them is enough",
        ),
        (
            "modules:\n  a:\n    prober: dns\n",
            "/etc/blackbox.yml:3:5: module a: dns: query_name is missing: the name to ask for",
        ),
        (
            "modules:\n  a:\n    prober: http\n    http:\n      compression: gzip\n      headers: {Accept-Encoding: 'br, gzip;q=0'}\n",
            "/etc/blackbox.yml:5:7: module a: `compression: gzip` and the header `Accept-Encoding: br, gzip;q=0` exclude each other",
        ),
        (
            "modules:\n  a:\n    prober: tcp\n    tcp:\n      query_response: [{expect: a, expect_bytes: b}]\n",
            "/etc/blackbox.yml:5:24: module a: expect and expect_bytes are both there: one of them is enough",
        ),
        ("modules:\n  a:\n    timeout: 5s\n", "/etc/blackbox.yml:3:5: missing field `prober`"),
    ];
    for (text, message) in cases {
        assert_eq!(parse(text).unwrap_err(), message);
    }
    let unknown = parse("modules:\n  a:\n    prober: tcp\n    tcp:\n      tsl: true\n").unwrap_err();
    assert!(unknown.starts_with("/etc/blackbox.yml:5:7: unknown field `tsl`, expected one of "), "{unknown}");
}
