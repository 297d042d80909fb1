//! blackbox_exporter and we ask the same name servers and hosts with the same module file: name servers of this process,
//! that answer everything a module can object to, and a real one (`DNSMASQ`).

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use taffrail_core::Clock;
use taffrail_probe::Context;
use taffrail_probe::blackbox::Modules;

use super::compare::differences;
use super::dns::{A, SOA, server, with};
use crate::kit::blackbox::Blackbox;
use crate::kit::page_of;

const MODULES: &str = r#"
modules:
  a: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A}}
  any: {prober: dns, timeout: 1s, dns: {query_name: example.com}}
  aaaa: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: AAAA}}
  soa: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: SOA}}
  mx: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: MX, validate_answer_rrs: {fail_if_not_matches_regexp: ["example.com.\t.*\tIN\tMX\t10 mail.example.com."]}}}
  txt: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: TXT, validate_answer_rrs: {fail_if_not_matches_regexp: ["\tTXT\t\"v=spf1 -all\" \"a .quoted. one\"$"]}}}
  srv: {prober: dns, timeout: 1s, dns: {query_name: _ldap._tcp.example.com, query_type: SRV, validate_answer_rrs: {fail_if_not_matches_regexp: ["\tSRV\t1 2 389 mail.example.com."]}}}
  tcp: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A, transport_protocol: tcp}}
  other: {prober: dns, timeout: 1s, dns: {query_name: other.example, query_type: A, valid_rcodes: [REFUSED, NXDOMAIN]}}
  nxdomain: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A, valid_rcodes: [NXDOMAIN]}}
  alone: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A, recursion_desired: false}}
  no_lo: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A, validate_answer_rrs: {fail_if_matches_regexp: ["127.0.0.1$"]}}}
  all_lo: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A, validate_answer_rrs: {fail_if_not_matches_regexp: ["\\s127.0.0.1$"]}}}
  some_lo: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A, validate_answer_rrs: {fail_if_none_matches_regexp: ["127.0.0.2$", "127.0.0.1$"]}}}
  none_lo: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A, validate_answer_rrs: {fail_if_none_matches_regexp: ["127.0.0.9$"]}}}
  not_all: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A, validate_answer_rrs: {fail_if_all_match_regexp: ["127.0.0.1$"]}}}
  not_all_ttl: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A, validate_answer_rrs: {fail_if_all_match_regexp: ["\t7200\t"]}}}
  authority: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A, validate_authority_rrs: {fail_if_not_matches_regexp: ["x"]}}}
  additional: {prober: dns, timeout: 1s, dns: {query_name: example.com, query_type: A, validate_additional_rrs: {fail_if_all_match_regexp: ["x"]}}}
  icmp: {prober: icmp, timeout: 1s}
  icmp4: {prober: icmp, timeout: 1s, icmp: {preferred_ip_protocol: ip4, payload_size: 1000, ttl: 9}}
  icmp_whole: {prober: icmp, timeout: 1s, icmp: {preferred_ip_protocol: ip4, dont_fragment: true}}
"#;

/// dnsmasq with a zone of its own; it ends with the value.
struct Dnsmasq {
    child: Child,
    at: String,
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "the name server is a program")]
async fn dnsmasq() -> Dnsmasq {
    let program = super::program("DNSMASQ");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new(program)
        .args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root"])
        .args(["--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file", "--log-facility=-"])
        .arg(format!("--port={port}"))
        .args(["--host-record=example.com,127.0.0.1,::1,300", "--mx-host=example.com,mail.example.com,10"])
        .args(["--txt-record=example.com,v=spf1 -all,a \"quoted\" one", "--auth-ttl=60"])
        .args(["--srv-host=_ldap._tcp.example.com,mail.example.com,389,1,2"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let at = format!("127.0.0.1:{port}");
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(&at).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Dnsmasq { child, at }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_blackbox_exporters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blackbox.yml");
    std::fs::write(&path, MODULES).unwrap();
    let peer = Blackbox::start(&path).await;
    let modules = Modules::read(&path).unwrap();
    assert!(modules.refused.is_empty(), "{:?}", modules.refused);
    let real = dnsmasq().await;
    let names: Vec<&str> = modules.modules.keys().map(String::as_str).collect();

    let mut cases: Vec<(&str, String)> = Vec::new();
    for answer in [
        |query| with(query, 0, &[A]),
        |query| with(query, 0, &[A, A, SOA]),
        |query| with(query, 0, &[]),
        |query| with(query, 3, &[]),
        |query| with(query, 5, &[A]),
    ] {
        let at = server(answer).await.to_string();
        cases.extend(names.iter().filter(|name| !name.starts_with("icmp")).map(|name| (*name, at.clone())));
    }
    for name in names {
        if name.starts_with("icmp") {
            cases.extend(
                ["127.0.0.1", "localhost", "nonexistent.invalid"].map(|host| (name, host.to_owned())),
            );
        } else {
            cases.push((name, real.at.clone()));
        }
    }
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    cases.push(("a", silent.local_addr().unwrap().to_string()));
    cases.push(("tcp", silent.local_addr().unwrap().to_string()));
    cases.push(("a", "nonexistent.invalid".into()));

    let cx = Context::new(Clock::system());
    let mut problems = Vec::new();
    for (module, target) in &cases {
        let (verdict, ours) = page_of(&cx, modules.get(module).unwrap(), target).await;
        let theirs = peer.probe(module, target).await;
        for difference in differences(&ours, &theirs) {
            problems.push(format!("{module} {target}: {difference}\n{}", verdict.trail.text()));
        }
    }
    assert!(problems.is_empty(), "{} of {} cases:\n{}", problems.len(), cases.len(), problems.join("\n"));
    assert!(Path::new(&path).exists() && cases.len() > 100);
}
