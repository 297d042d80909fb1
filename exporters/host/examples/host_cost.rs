//! CPU time that a collection takes, all subjects and one by one: user and system, of all threads.
//!
//! `cargo run --release -p taffrail-host --example host_cost [RUNS]`

use std::io::{self, Write};

use rustix::time::{ClockId, clock_gettime};
use taffrail_core::{CollectError, Out, subject::Run};
use taffrail_host::{HostConfig, subjects};

fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn main() -> io::Result<()> {
    let runs: u32 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(2000);
    let mut out = io::stdout().lock();
    let mut total = 0.0;
    let mut series = 0;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for mut subject in subjects(&HostConfig::default()) {
        let mut samples = Out::default();
        let mut count = 0;
        let mut once = |run: &mut Run| {
            samples.begin(0);
            // A subject that this machine does not have costs what finding that out costs.
            let result: Result<(), CollectError> = match run {
                Run::Blocking(run) => run(&mut samples),
                Run::Async(collect) => runtime.block_on(collect.collect(&mut samples)),
            };
            count = samples.finish().samples.len();
            result.err()
        };
        let first = cpu_ms();
        let error = once(&mut subject.run);
        let start = cpu_ms();
        for _ in 0..runs {
            once(&mut subject.run);
        }
        let each = (cpu_ms() - start) / f64::from(runs);
        total += each;
        series += count;
        write!(
            out,
            "{:12} {each:8.4} ms  {count:5} series  first run {:.3} ms",
            subject.name,
            start - first
        )?;
        match error {
            Some(error) => writeln!(out, "  {error}")?,
            None => writeln!(out)?,
        }
    }
    writeln!(out, "{:12} {total:8.4} ms  {series:5} series", "all")
}
