//! Certificates that are good, will end, ended, are for another name, are nobody's, or come without their chain.

use std::time::Duration;

use taffrail_core::Clock;
use taffrail_probe::tls::{Client, Options, Roots, Settings, SystemRoots};
use taffrail_probe::{Context, Module, Prober, Verdict};

use crate::kit::pki::{FAR, GOOD, Identity, Pki, Wish};
use crate::kit::server::{serve_tls, site};
use crate::kit::{Samples, probe_in};

fn module(options: Options) -> Module {
    let client = Client::new(options).unwrap();
    let settings = Settings { addressing: Default::default(), source: None, client };
    Module { prober: Prober::Tls(settings), timeout: Some(Duration::from_secs(5)) }
}

fn trusting(pki: &Pki) -> Context {
    let mut cx = Context::new(Clock::system());
    cx.roots = SystemRoots::fixed(Roots::from_pem(pki.pem().as_bytes()).unwrap());
    cx
}

async fn look(cx: &Context, identity: &Identity) -> (Verdict, Samples) {
    let server = serve_tls(identity.server(&[]), site).await;
    probe_in(cx, &module(Options::default()), &server.name()).await
}

fn why(verdict: &Verdict) -> String {
    verdict.failure.as_ref().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn a_good_certificate_tells_when_it_ends() {
    let pki = Pki::new();
    let soon = FAR - 1000;
    let (verdict, samples) =
        look(&trusting(&pki), &pki.issue(&Wish { until: soon, between: true, ..GOOD })).await;
    assert!(verdict.success(), "{}", verdict.trail.text());
    // The authority in between ends a day before the others.
    assert_eq!(samples["probe_ssl_earliest_cert_expiry"], (FAR - 86_400) as f64);
    assert_eq!(samples["probe_ssl_last_chain_expiry_timestamp_seconds"], (FAR - 86_400) as f64);
    assert_eq!(samples["probe_tls_version_info{version=\"TLS 1.3\"}"], 1.0);
    let info = samples.keys().find(|series| series.starts_with("probe_ssl_last_chain_info")).unwrap();
    assert!(info.contains("issuer=\"CN=between,O=Taffrail\\\\, tests\""), "{info}");
    assert!(info.contains("subject=\"CN=localhost,OU=a\\\\+b,C=DE\""), "{info}");
    assert!(info.contains("subjectalternative=\"localhost,www.localhost\""), "{info}");
}

#[tokio::test]
async fn one_that_ended_still_tells_when() {
    let pki = Pki::new();
    let ended = pki.issue(&Wish { until: 1_577_836_800, ..GOOD });
    let (verdict, samples) = look(&trusting(&pki), &ended).await;
    let text = "the certificate of CN=localhost,OU=a\\+b,C=DE expired on Wed, 01 Jan 2020 00:00:00 GMT";
    assert!(why(&verdict).ends_with(text), "{}", why(&verdict));
    assert_eq!(samples["probe_ssl_earliest_cert_expiry"], 1_577_836_800.0);
    assert!(!samples.contains_key("probe_ssl_last_chain_expiry_timestamp_seconds"));

    // The same certificate by a clock of 2019 is good, and it is the clock that verification asks.
    let mut cx = trusting(&pki);
    cx.clock = Clock::manual(1_550_000_000_000_000_000);
    assert!(look(&cx, &ended).await.0.success());
    cx.clock = Clock::manual(900_000_000_000_000_000);
    let (verdict, _) = look(&cx, &ended).await;
    assert!(why(&verdict).contains("is not valid before Sat, 01 Jan 2000"), "{}", why(&verdict));
}

#[tokio::test]
async fn those_that_nobody_trusts_say_why() {
    let pki = Pki::new();
    let cx = trusting(&pki);
    let own = Identity::self_signed(&GOOD);
    let mut alone = pki.issue(&Wish { between: true, ..GOOD });
    alone.chain.truncate(1);
    let cases = [
        (
            &pki.issue(&Wish { name: "other.example", ..GOOD }),
            "the certificate is not for localhost, but for other.example, www.other.example",
        ),
        (&own, "the certificate is self-signed: ca_file can name it as trusted"),
        (
            &alone,
            "nothing trusted signed for CN=between,O=Taffrail\\, tests; the server may not send its intermediate",
        ),
        (&Pki::new().issue(&GOOD), "the trusted authority of that name did not sign it"),
    ];
    for (identity, wanted) in cases {
        let (verdict, samples) = look(&cx, identity).await;
        assert!(why(&verdict).contains(wanted), "{}", why(&verdict));
        assert_eq!(samples["probe_ssl_earliest_cert_expiry"], FAR as f64);
        assert_eq!(samples["probe_success"], 0.0);
    }
    // An authority that ended is not trusted, though its name is on the list.
    let old = Pki::until(1_577_836_800);
    let (verdict, _) = look(&trusting(&old), &old.issue(&GOOD)).await;
    assert!(why(&verdict).contains("nothing trusted signed for CN=root"), "{}", why(&verdict));
    // Named as trusted, a self-signed one is good.
    let mut cx = cx;
    cx.roots = SystemRoots::fixed(Roots::new(own.chain.clone()));
    assert!(look(&cx, &own).await.0.success());
}

#[tokio::test]
async fn any_certificate_will_do_if_so_wanted() {
    let pki = Pki::new();
    let server = serve_tls(pki.issue(&Wish { until: 1_577_836_800, ..GOOD }).server(&[]), site).await;
    let any = module(Options { insecure_skip_verify: true, ..Options::default() });
    let (verdict, samples) = probe_in(&trusting(&pki), &any, &server.at.to_string()).await;
    assert!(verdict.success());
    assert_eq!(samples["probe_ssl_earliest_cert_expiry"], 1_577_836_800.0);
    // No chain was verified: blackbox_exporter's word for it.
    assert_eq!(samples["probe_ssl_last_chain_expiry_timestamp_seconds"], -62_135_596_800.0);
}

#[tokio::test]
async fn a_chain_that_is_remembered_is_still_checked_for_name_and_time() {
    let pki = Pki::new();
    let ended = pki.issue(&Wish { until: 1_577_836_800, between: true, ..GOOD });
    let mut cx = trusting(&pki);
    cx.clock = Clock::manual(1_550_000_000_000_000_000);
    for _ in 0..2 {
        let (verdict, samples) = look(&cx, &ended).await;
        assert!(verdict.success(), "{}", why(&verdict));
        assert_eq!(samples["probe_ssl_last_chain_expiry_timestamp_seconds"], 1_577_836_800.0);
    }
    let server = serve_tls(ended.server(&[]), site).await;
    let other = module(Options { server_name: Some("other.example".into()), ..Options::default() });
    let (verdict, _) = probe_in(&cx, &other, &server.name()).await;
    assert!(why(&verdict).contains("the certificate is not for other.example"), "{}", why(&verdict));
    cx.clock = Clock::system();
    let (verdict, _) = look(&cx, &ended).await;
    assert!(why(&verdict).contains("expired on Wed, 01 Jan 2020"), "{}", why(&verdict));
}
