//! Far: a receiver whose every byte, both ways, takes its time. 100,000 samples a second have to get there as fast as they
//! are scraped.
//!
//! It depends on the way more than on the machine, so it runs only when asked for: `taffrail-bench far [MILLISECONDS]`.

use std::fs;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use taffrail_core::Clock;

use crate::agents::{Agent, Work};
use crate::measure::Account;
use crate::program::{Program, free_address, get};
use crate::sink::Counts;
use crate::{Programs, relay, say};

const INTERVAL: Duration = Duration::from_secs(1);
const SERIES: u64 = 100_000;
/// Until it runs evenly, and how long is measured then.
const STEADY: Duration = Duration::from_secs(15);
const MEASURED: Duration = Duration::from_secs(30);

pub fn run(programs: &Programs, arguments: &[String]) -> Result<()> {
    let ms: u64 =
        arguments.first().map_or(Ok(100), |ms| ms.parse()).context("far: milliseconds there and back")?;
    say(&format!("far, {SERIES} samples a second to a receiver {ms} ms away, there and back"));
    say(
        "| remote write | scraped a second | delivered a second | on the way at the end | CPU | largest resident size |",
    );
    say("|---|---|---|---|---|---|");
    for version in ["1.0", "2.0"] {
        measure(programs, version, Duration::from_millis(ms))?;
    }
    say("");
    Ok(())
}

fn measure(programs: &Programs, version: &'static str, away: Duration) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("taffrail-bench-far-{}", std::process::id()));
    let (target, sink) = (free_address()?, free_address()?);
    let arguments = [target.to_string(), SERIES.to_string()];
    let mut pages = Program::role("pages", &["pages", &arguments[0], &arguments[1], "changing", "plain"])?;
    pages.wait_until_serving(target, "/served")?;
    let mut receiver = Program::role("sink", &["sink", &sink.to_string()])?;
    receiver.wait_until_serving(sink, "/counts")?;
    let work = Work {
        targets: vec![target],
        sink: relay::start(sink, away / 2)?,
        interval: INTERVAL,
        folder: folder.clone(),
    };
    let running = Agent::Taffrail(version).start(programs, &work)?;
    let account = Account::open(running.program.pid())?;
    get(target, "/begin")?;
    sleep(STEADY);
    let clock = Clock::system();
    let (from, cpu, before) = (clock.monotonic(), account.cpu()?, now(target, sink)?);
    sleep(MEASURED);
    let (took, cpu, after) = (clock.monotonic() - from, account.cpu()? - cpu, now(target, sink)?);
    let a_second = |count: u64| count as f64 / took.as_secs_f64();
    let (scraped, delivered) = (a_second(after.0 - before.0), a_second(after.1 - before.1));
    let behind = after.0.saturating_sub(after.1);
    let word = |met| if met { "met" } else { "NOT met" };
    // One page is on its way at any time, and another may have just come. Who scrapes less keeps up with less.
    let kept_up = behind <= 2 * SERIES && scraped >= 0.97 * SERIES as f64;
    say(&format!(
        "| {version} | {scraped:.0} | {delivered:.0} | {behind} samples, {} | {:.1} % of a core | {:.1} MiB |",
        word(kept_up),
        cpu.div_duration_f64(took) * 100.0,
        account.largest_resident_mib()?
    ));
    drop((running, receiver, pages));
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Samples that were scraped, and those that were delivered.
fn now(target: SocketAddr, sink: SocketAddr) -> Result<(u64, u64)> {
    let served: u64 = String::from_utf8(get(target, "/served")?)?.parse()?;
    Ok((served * SERIES, Counts::of(sink)?.samples))
}
