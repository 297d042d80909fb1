//! Replay: samples are collected while the receiver is away; then it comes back, and what they cost is measured until all
//! are there.

use std::fs;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::agents::{Agent, Work};
use crate::measure::Account;
use crate::program::{Program, free_address, get};
use crate::sink::Counts;
use crate::{Programs, say};

const SERIES: u64 = 100_000;
/// Pages that are scraped while the receiver is away.
const PAGES: u64 = 20;
/// Between scrapes, while the receiver is away. The page is made anew for each.
const INTERVAL: Duration = Duration::from_secs(2);

/// The bar, in samples for each second of CPU.
const BAR: f64 = 2e6;

pub fn run(programs: &Programs) -> Result<()> {
    say(&format!("replay, {SERIES} series, {PAGES} scrapes while the receiver was away"));
    say("| program | samples replayed | samples per CPU second | in wall time | largest resident |");
    say("|---|---|---|---|---|");
    let mut rates = Vec::new();
    for agent in [Agent::Taffrail("2.0"), Agent::Taffrail("1.0")] {
        rates.push(measure(programs, agent)?);
    }
    let worst = rates.into_iter().fold(f64::INFINITY, f64::min);
    let word = if worst >= BAR { "met" } else { "NOT met" };
    say(&format!(
        "bar: at least {:.0} M samples per CPU second in either version: {:.2} M, {word}\n",
        BAR / 1e6,
        worst / 1e6
    ));
    Ok(())
}

fn measure(programs: &Programs, agent: Agent) -> Result<f64> {
    let folder = std::env::temp_dir().join(format!("taffrail-bench-replay-{}", std::process::id()));
    // What a run that was killed has left.
    let _ = fs::remove_dir_all(&folder);
    let (target, sink) = (free_address()?, free_address()?);
    let arguments = [target.to_string(), SERIES.to_string()];
    let mut pages = Program::role("pages", &["pages", &arguments[0], &arguments[1], "changing", "plain"])?;
    pages.wait_until_serving(target, "/served")?;
    let mut receiver = Program::role("sink", &["sink", &sink.to_string()])?;
    receiver.wait_until_serving(sink, "/counts")?;
    get(sink, "/away")?;
    get(target, "/begin")?;
    let work = Work { targets: vec![target], sink, interval: INTERVAL, folder: folder.clone() };
    let running = agent.start(programs, &work)?;
    let account = Account::open(running.program.pid())?;
    let scraped = wait_for(PAGES, target)?;
    // Without its target it has nothing else to do than what is measured; a page that is on its way still counts.
    get(target, "/end")?;
    sleep(INTERVAL * 2);
    drop(pages);
    let before = account.cpu()?;
    get(sink, "/back")?;
    let (got, wall, cpu) = drained(sink, &account, scraped * SERIES)?;
    let cpu = cpu - before;
    let rate = got.samples as f64 / cpu.as_secs_f64();
    say(&format!(
        "| {} | {} | {:.2} M | {:.1} s | {:.1} MiB |",
        agent.name(),
        got.samples,
        rate / 1e6,
        wall.as_secs_f64(),
        account.largest_resident_mib()?
    ));
    drop(running);
    fs::remove_dir_all(&folder)?;
    Ok(rate)
}

/// Waits until so many pages were scraped; says how many there were at last.
fn wait_for(pages: u64, target: SocketAddr) -> Result<u64> {
    for _ in 0..pages * 40 {
        let served: u64 = String::from_utf8(get(target, "/served")?)?.parse()?;
        if served >= pages {
            return Ok(served);
        }
        sleep(INTERVAL / 10);
    }
    bail!("the program did not scrape {pages} pages")
}

/// Waits until no more samples come: what came, how long it took, and the CPU time until then. A busy machine may have
/// failed a scrape, so not all that were served need come.
fn drained(sink: SocketAddr, account: &Account, most: u64) -> Result<(Counts, Duration, Duration)> {
    const POLL: Duration = Duration::from_millis(100);
    // Longer than a sender waits after its last vain attempt.
    const QUIET: u32 = 150;
    let mut last = (Counts::of(sink)?, Duration::ZERO, account.cpu()?);
    let mut quiet = 0;
    for polls in 1..1200 {
        sleep(POLL);
        let now = Counts::of(sink)?;
        // Scrapes that fail now leave a few samples, which are no backlog.
        if now.samples > last.0.samples + SERIES / 100 {
            last = (now, POLL * polls, account.cpu()?);
            quiet = 0;
        } else if last.0.samples > 0 {
            quiet += 1;
        }
        if quiet == QUIET {
            break;
        }
    }
    ensure!(
        last.0.samples >= most / 2,
        "of {most} samples only {} came: is the disk nearly full? The log leaves some of it free; TMPDIR=/dev/shm puts it \
         into memory",
        last.0.samples
    );
    Ok(last)
}
