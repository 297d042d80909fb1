//! What probes cost: CPU of the probing thread alone, the servers run on another.
//!
//! `cargo run --release -p taffrail-probe --example probe_cost`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

#[path = "../tests/kit/pki.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod pki;
#[path = "../tests/kit/server.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod server;

use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use taffrail_core::{Clock, Out};
use taffrail_probe::blackbox::Modules;
use taffrail_probe::{Context, run};

/// Probes of each kind.
const RUNS: u32 = 2000;

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Starts the servers on a thread of their own and returns their addresses.
fn servers(pki: pki::Pki) -> (String, String, String) {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let plain = server::serve(server::site).await;
            let wish = pki::Wish { between: true, ..pki::GOOD };
            let tls = server::serve_tls(pki.issue(&wish).server(&["http/1.1"]), server::site).await;
            let h2 = server::serve_tls(pki.issue(&wish).server(&["h2"]), server::site_h2).await;
            sender.send((plain.at.to_string(), tls.at.to_string(), h2.at.to_string())).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().unwrap()
}

fn main() {
    let pki = pki::Pki::new();
    let ca = std::env::temp_dir().join(format!("taffrail-probe-cost-{}.pem", std::process::id()));
    std::fs::write(&ca, pki.pem()).unwrap();
    let text = format!(
        "modules:\n  http: {{prober: http}}\n  https: {{prober: http, http: {{tls_config: {{ca_file: {0}}}}}}}\n  \
         tcp: {{prober: tcp}}\n  tcp_tls: {{prober: tcp, tcp: {{tls: true, tls_config: {{ca_file: {0}}}}}}}\n",
        ca.display()
    );
    let modules = Modules::parse(&text, Path::new("/x")).unwrap();
    std::fs::remove_file(&ca).unwrap();
    let (plain, tls, h2) = servers(pki);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cx = Context::new(Clock::system());
    for (module, target) in [
        ("tcp", plain.clone()),
        ("http", format!("http://{plain}/")),
        ("tcp_tls", tls.clone()),
        ("https", format!("https://{tls}/")),
        ("https", format!("https://{h2}/")),
    ] {
        let settings = modules.get(module).unwrap();
        let mut out = Out::default();
        let mut round = |runs: u32| {
            for _ in 0..runs {
                out.begin(0);
                let verdict = runtime.block_on(run(settings, &target, &cx, &mut out));
                assert!(verdict.success(), "{}", verdict.trail.text());
                out.finish();
            }
        };
        round(RUNS / 10);
        let start = cpu();
        round(RUNS);
        let one = (cpu() - start) / RUNS;
        // 500 targets, every 15 seconds.
        let core = one.as_secs_f64() * 500.0 / 15.0 * 100.0;
        println!("{module:8} {target:32} {one:>10.1?} a probe, {core:.2} % of a core for 500 at 15 s");
    }
}
