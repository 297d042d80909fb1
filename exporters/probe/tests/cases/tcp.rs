//! TCP probes.

use taffrail_probe::Failure;
use tokio::net::TcpListener;

use crate::kit::{module, probe};

#[tokio::test]
async fn a_port_that_listens_and_one_that_does_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let (verdict, samples) = probe(&module("    prober: tcp"), &at).await;
    assert!(verdict.success(), "{}", verdict.trail.text());
    assert_eq!(samples["probe_success"], 1.0);
    assert_eq!(samples["probe_ip_protocol"], 4.0);
    assert_eq!(samples["probe_ip_addr_hash"], 3_668_918_509.0);

    drop(listener);
    let (verdict, samples) = probe(&module("    prober: tcp"), &at).await;
    assert!(matches!(verdict.failure, Some(Failure::Connect { .. })), "{:?}", verdict.failure);
    assert_eq!(samples["probe_success"], 0.0);
}
