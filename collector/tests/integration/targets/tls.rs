//! Certificates that are right, wrong, expired, of nobody; and the version of HTTP that is spoken behind them.

use std::collections::BTreeMap;

use http::Version;
use rcgen::{BasicConstraints, IsCa, date_time_ymd};
use rustls::version::{TLS12, TLS13};

use super::kit::{Pair, Pki, Web, beside, page};

/// A job, what `tls_config` says in it, which server it asks, and what is said if it is not up.
type Case = (&'static str, String, u16, &'static [&'static str]);

#[test]
fn certificates_are_judged_as_prometheus_does_and_faults_are_said() {
    let dir = tempfile::tempdir().unwrap();
    let (pki, other) = (Pki::new(), Pki::new());
    let web = |pair: &Pair| Web::start(Some(pair.server(&[&TLS12, &TLS13])), |_| page());
    let file = |name: &str, pem: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.display().to_string()
    };
    let (ca, wrong) = (file("ca.pem", &pki.pem()), file("other.pem", &other.pem()));
    let leaf = pki.issue(|_| {});
    let expired = pki.issue(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let early = pki.issue(|params| params.not_before = date_time_ymd(2090, 1, 1));
    let foreign = pki.issue(|params| {
        params.subject_alt_names.clear();
        params.subject_alt_names.push(rcgen::SanType::DnsName("web.example".try_into().unwrap()));
    });
    let own = Pair::self_signed(|_| {});
    // As `openssl req -x509` makes them.
    let own_authority = Pair::self_signed(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let (own_file, own_authority_file) =
        (file("own.pem", &own.cert), file("own-authority.pem", &own_authority.cert));
    let (cert, key) = pki.issue(|_| {}).write(dir.path(), "us");
    let mutual = format!("cert_file: {}, key_file: {}", cert.display(), key.display());

    let good = web(&leaf);
    let (expired, early, foreign) = (web(&expired), web(&early), web(&foreign));
    let (own, own_authority) = (web(&own), web(&own_authority));
    let old = Web::start(Some(leaf.server(&[&TLS12])), |_| page());
    let insists = Web::start(Some(pki.insist(&leaf)), |_| page());
    let plain = Web::start(None, |_| page());
    let trust = format!("ca_file: {ca}");
    let cases: [Case; 16] = [
        ("good", trust.clone(), good.port(), &[]),
        ("unknown", String::new(), good.port(), &["authority", "ca_file"]),
        ("wrong-authority", format!("ca_file: {wrong}"), good.port(), &["authority", "ca_file"]),
        ("expired", trust.clone(), expired.port(), &["expired", "2020-01-01"]),
        ("early", trust.clone(), early.port(), &["not valid yet", "2090-01-01"]),
        ("other-name", trust.clone(), foreign.port(), &["web.example", "server_name"]),
        ("named", format!("{trust}, server_name: web.example"), foreign.port(), &[]),
        ("self-signed", trust.clone(), own.port(), &["authority", "ca_file"]),
        ("self-signed-pinned", format!("ca_file: {own_file}"), own.port(), &[]),
        ("own-authority-pinned", format!("ca_file: {own_authority_file}"), own_authority.port(), &[]),
        ("skip-verify", "insecure_skip_verify: true".into(), expired.port(), &[]),
        ("mutual", format!("{trust}, {mutual}"), insists.port(), &[]),
        ("no-certificate", trust.clone(), insists.port(), &["certificate", "cert_file"]),
        ("old-enough", format!("{trust}, min_version: TLS12"), old.port(), &[]),
        ("too-old", format!("{trust}, min_version: TLS13"), old.port(), &["version"]),
        ("no-tls", trust.clone(), plain.port(), &["does not speak TLS", "http"]),
    ];
    let mut jobs = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for (name, tls, port, _) in &cases {
        jobs.push_str(&format!(
            "  - {{job_name: {name}, scheme: https, tls_config: {{{tls}}}, \
             static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n"
        ));
    }
    let (_taffrail, verdicts, differ) = beside(&jobs, cases.len());
    assert!(differ.is_empty(), "{differ:#?}");
    let mut bad = Vec::new();
    for (name, _, _, words) in &cases {
        let (up, error) = &verdicts[*name];
        if *up != words.is_empty() || !words.iter().all(|word| error.contains(word)) {
            bad.push(format!("{name}: up {up}, {error:?} has to say {words:?}"));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn http_2_is_spoken_where_it_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, pki.pem()).unwrap();
    let leaf = pki.issue(|_| {});
    let both = |offers: bool| {
        let mut config = leaf.server(&[&TLS13]);
        if !offers {
            config.alpn_protocols.clear();
        }
        Web::start(Some(config), |_| page())
    };
    let servers =
        BTreeMap::from([("usual", both(true)), ("turned-off", both(true)), ("not-offered", both(false))]);
    let mut jobs = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for (name, server) in &servers {
        jobs.push_str(&format!(
            "  - {{job_name: {name}, scheme: https, enable_http2: {}, tls_config: {{ca_file: {}}}, \
             static_configs: [{{targets: ['127.0.0.1:{}']}}]}}\n",
            *name != "turned-off",
            ca.display(),
            server.port()
        ));
    }
    let (_taffrail, verdicts, differ) = beside(&jobs, servers.len());
    assert!(differ.is_empty() && verdicts.values().all(|(up, _)| *up), "{verdicts:?} {differ:?}");
    for (name, server) in &servers {
        let wanted = if *name == "usual" { Version::HTTP_2 } else { Version::HTTP_11 };
        for asked in server.asked() {
            assert_eq!(asked.version, wanted, "{name}: {:?}", asked.header("user-agent"));
        }
    }
}
