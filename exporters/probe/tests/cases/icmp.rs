//! ICMP probes of this machine. They need what any ping needs: a group in net.ipv4.ping_group_range, or CAP_NET_RAW.

use std::time::Duration;

use taffrail_probe::icmp::Settings;
use taffrail_probe::{Addressing, Failure, Module, Prefer, Prober};

use crate::kit::probe;

fn module(settings: Settings) -> Module {
    Module { prober: Prober::Icmp(settings), timeout: Some(Duration::from_millis(500)) }
}

#[tokio::test]
async fn this_machine_answers() {
    let has_v6 = std::net::UdpSocket::bind("[::1]:0").is_ok();
    for (target, protocol) in [("127.0.0.1", 4.0), ("::1", 6.0)] {
        if protocol == 6.0 && !has_v6 {
            println!("SKIPPED: no IPv6 on this machine");
            continue;
        }
        for settings in [
            Settings::default(),
            Settings { payload_size: Some(0), ..Settings::default() },
            Settings { payload_size: Some(9000), dont_fragment: true, ttl: Some(7), ..Settings::default() },
        ] {
            let (verdict, samples) = probe(&module(settings), target).await;
            assert!(verdict.success(), "{}", verdict.trail.text());
            assert_eq!(samples["probe_ip_protocol"], protocol);
            assert!(samples["probe_icmp_duration_seconds{phase=\"rtt\"}"] > 0.0);
            assert_eq!(samples["probe_icmp_reply_hop_limit"], 64.0);
        }
    }
}

#[tokio::test]
async fn many_at_once_are_not_mixed_up() {
    let target = "127.0.0.1";
    let addressing = Addressing { prefer: Prefer::V4, fallback: false };
    let all: Vec<_> = (0..40)
        .map(|at| {
            let settings = Settings { payload_size: Some(at), addressing, ..Settings::default() };
            tokio::spawn(async move { probe(&module(settings), target).await.0.success() })
        })
        .collect();
    for one in all {
        assert!(one.await.unwrap());
    }
}

#[tokio::test]
async fn nobody_there_is_a_timeout_or_no_way() {
    // A group that nobody is in.
    let (verdict, samples) = probe(&module(Settings::default()), "224.0.0.177").await;
    assert!(!verdict.success());
    assert_eq!(samples["probe_icmp_duration_seconds{phase=\"rtt\"}"], 0.0);
    assert!(!samples.contains_key("probe_icmp_reply_hop_limit"));
    let wrong = probe(&module(Settings::default()), "http://x").await.0.failure;
    assert!(matches!(wrong, Some(Failure::Target { .. })));
}
