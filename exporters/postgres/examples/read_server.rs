//! Reads a server once and writes its page: `read_server HOST PORT USER [ROUNDS]`. With rounds, each is a whole collection, and
//! what it cost this process is written instead.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "a tool for the developer"
)]

use taffrail_core::subject::Run;
use taffrail_core::text::{Format, page};
use taffrail_core::{Clock, Out};
use taffrail_postgres::Server;
use taffrail_postgres::config::Address;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let port = args[2].parse().expect("a port");
    let mut server = Server::new("main", Address::Host(args[1].clone(), port), &args[3]);
    server.database = "postgres".to_owned();
    server.views.insert("statio_user_tables".to_owned(), true);
    server.activity_detail = std::env::var_os("DETAIL").is_some();
    let clock = Clock::system();
    let mut exporter = taffrail_postgres::exporter(&[server], "postgres", &clock);
    let rounds: u32 = args.get(4).map_or(0, |rounds| rounds.parse().expect("rounds"));
    let mut outs: Vec<Out> = exporter.subjects.iter().map(|_| Out::default()).collect();
    let before = cpu();
    for _ in 0..rounds.max(1) {
        for (subject, out) in exporter.subjects.iter_mut().zip(&mut outs) {
            out.begin(0);
            let Run::Async(collect) = &mut subject.run else { continue };
            if let Err(error) = collect.collect(out).await {
                eprintln!("{}: {error}", subject.name);
            }
            let collected = out.finish();
            if rounds == 0 {
                println!("{}", String::from_utf8_lossy(&page(&collected, Format::Prometheus)));
            }
        }
    }
    if rounds > 0 {
        println!("{:.3} ms CPU a round", (cpu() - before) * 1000.0 / f64::from(rounds));
    }
}

/// Seconds of CPU that this process has used.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").expect("the kernel counts");
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).expect("a number") / 1e9
}
