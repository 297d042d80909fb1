//! Scraping: the same page in each program, sent on by remote write, one program after the other. The target and the
//! receiver are processes of their own, whose cost counts for nobody.

use std::fs;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::agents::{Agent, Running, Work};
use crate::measure::Account;
use crate::program::{Program, free_address, get};
use crate::sink::Counts;
use crate::{Programs, say};

/// What the page does from scrape to scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// All values change, one series in a hundred is new.
    Changing,
    /// Nothing changes.
    Same,
}

/// One size of page, and how it is measured.
#[derive(Clone, Copy, Debug)]
struct Size {
    series: u64,
    interval: Duration,
    /// Scrapes that do not count, and scrapes that do.
    warm_up: u64,
    counted: u64,
}

/// The sizes, small to large: at each interval the slowest of the programs measured is not saturated by a machine of
/// two cores that has other work.
const SIZES: [Size; 3] = [
    Size { series: 10_000, interval: Duration::from_secs(1), warm_up: 4, counted: 15 },
    Size { series: 100_000, interval: Duration::from_secs(2), warm_up: 4, counted: 12 },
    Size { series: 1_000_000, interval: Duration::from_secs(10), warm_up: 2, counted: 4 },
];

/// The part of an interval after which all that was scraped in it has been sent.
const SENT_AFTER: f64 = 0.85;

/// A sample may be missing at the edges of what is counted; a program that delivers less than this is saturated.
const DELIVERED: f64 = 0.97;

/// What one program needed for one page.
#[derive(Clone, Copy, Debug)]
struct Cost {
    agent: Agent,
    /// Samples delivered for each second of CPU.
    samples: f64,
    resident_mib: f64,
    /// What each series adds to the resident size, in bytes.
    series_bytes: f64,
    wire_bytes: f64,
    /// Samples delivered against samples on the page.
    delivered: f64,
}

pub fn run(programs: &Programs) -> Result<()> {
    let [small, usual, large] = SIZES;
    let ours = [Agent::Taffrail("2.0"), Agent::Taffrail("1.0")];
    let peers = [Agent::Vmagent, Agent::Prometheus("1.0"), Agent::Prometheus("2.0")];
    let all: Vec<Agent> = [Agent::Floor].into_iter().chain(ours).chain(peers).collect();
    let changing = table(programs, usual, Values::Changing, &all)?;
    let same = table(programs, usual, Values::Same, &all[..4])?;
    let few = table(programs, small, Values::Changing, &all[..2])?;
    let many = table(programs, large, Values::Changing, &all[..2])?;
    verdicts(&changing, &same, [&few, &changing, &many]);
    Ok(())
}

/// Measures one program alone, for who works on it: `AGENT SERIES VALUES`, each of which may be left out.
pub fn one(programs: &Programs, arguments: &[String]) -> Result<()> {
    let agent = match arguments.first().map_or("taffrail", String::as_str) {
        "floor" => Agent::Floor,
        "taffrail" => Agent::Taffrail("2.0"),
        "taffrail-1.0" => Agent::Taffrail("1.0"),
        "vmagent" => Agent::Vmagent,
        "prometheus" => Agent::Prometheus("1.0"),
        "prometheus-2.0" => Agent::Prometheus("2.0"),
        other => bail!(
            "scrape: no program {other:?}; there are floor, taffrail, taffrail-1.0, vmagent, prometheus, prometheus-2.0"
        ),
    };
    let series: u64 =
        arguments.get(1).map_or(Ok(100_000), |series| series.parse()).context("scrape: series")?;
    let size = SIZES.into_iter().find(|size| size.series == series);
    let size =
        size.with_context(|| format!("scrape: {series} series; there are 10000, 100000 and 1000000"))?;
    let values = match arguments.get(2).map_or("changing", String::as_str) {
        "changing" => Values::Changing,
        "same" => Values::Same,
        other => bail!("scrape: values {other:?}; there are changing and same"),
    };
    table(programs, size, values, &[agent]).map(drop)
}

fn table(programs: &Programs, size: Size, values: Values, agents: &[Agent]) -> Result<Vec<Cost>> {
    let what = match values {
        Values::Changing => "all values change, 1 % churn",
        Values::Same => "nothing changes",
    };
    let encoding = if gzip() { ", gzip" } else { "" };
    let Size { series, interval, counted, .. } = size;
    say(&format!(
        "scrape, {series} series, {what}{encoding}: {counted} scrapes, one in {} s",
        interval.as_secs()
    ));
    say(
        "| program | samples per CPU second | against the floor | largest resident | a series | on the wire, a sample |",
    );
    say("|---|---|---|---|---|---|");
    let mut costs: Vec<Cost> = Vec::new();
    for agent in agents {
        let cost = measure(programs, size, values, *agent)?;
        costs.push(cost);
        let floor = costs.iter().find(|cost| cost.agent == Agent::Floor).map(|floor| floor.samples);
        let against = floor.map_or(String::new(), |floor| format!("{:.2}", floor / cost.samples));
        let word = if cost.delivered < DELIVERED { " (saturated)" } else { "" };
        let Cost { samples, resident_mib, series_bytes, wire_bytes, .. } = cost;
        say(&format!(
            "| {} | {:.2} M{word} | {against} | {resident_mib:.1} MiB | {series_bytes:.0} B | {wire_bytes:.1} B |",
            agent.name(),
            samples / 1e6
        ));
    }
    say("");
    Ok(costs)
}

fn gzip() -> bool {
    std::env::var_os("TAFFRAIL_BENCH_GZIP").is_some_and(|value| value == "1")
}

fn measure(programs: &Programs, size: Size, values: Values, agent: Agent) -> Result<Cost> {
    let folder = std::env::temp_dir().join(format!("taffrail-bench-scrape-{}", std::process::id()));
    // What a run that was killed has left.
    let _ = fs::remove_dir_all(&folder);
    let (target, sink) = (free_address()?, free_address()?);
    let mode = if values == Values::Changing { "changing" } else { "same" };
    let encoding = if gzip() { "gzip" } else { "plain" };
    let arguments = [target.to_string(), size.series.to_string()];
    let mut pages = Program::role("pages", &["pages", &arguments[0], &arguments[1], mode, encoding])?;
    pages.wait_until_serving(target, "/served")?;
    let mut receiver = Program::role("sink", &["sink", &sink.to_string()])?;
    receiver.wait_until_serving(sink, "/counts")?;
    let work = Work { targets: vec![target], sink, interval: size.interval, folder: folder.clone() };
    let Running { mut program, ready } = agent.start(programs, &work)?;
    let account = Account::open(program.pid())?;
    if let Some((address, path)) = ready {
        program.wait_until_serving(address, path)?;
    }
    // Until it has scraped the empty page, some memory is not yet in use that it takes without series too.
    sleep(size.interval.min(Duration::from_secs(2)) * 2);
    let empty = account.resident_mib()?;
    get(target, "/begin")?;
    let before = at_scrape(target, sink, &account, size, size.warm_up)?;
    let after = at_scrape(target, sink, &account, size, size.warm_up + size.counted)?;
    let largest = account.largest_resident_mib()?;
    drop(program);
    fs::remove_dir_all(&folder)?;
    let got = after.1.since(&before.1);
    let cpu = (after.0 - before.0).as_secs_f64();
    Ok(Cost {
        agent,
        samples: got.samples as f64 / cpu,
        resident_mib: largest,
        series_bytes: (largest - empty).max(0.0) * f64::from(1 << 20) / size.series as f64,
        wire_bytes: got.wire_bytes as f64 / got.samples.max(1) as f64,
        delivered: got.samples as f64 / (size.series * size.counted) as f64,
    })
}

/// Waits until so many pages were served, and the last one has been sent; says what was used and delivered until then.
fn at_scrape(
    target: SocketAddr,
    sink: SocketAddr,
    account: &Account,
    size: Size,
    scrapes: u64,
) -> Result<(Duration, Counts)> {
    const POLL: Duration = Duration::from_millis(20);
    let most = (scrapes as u32 + 10) * size.interval.as_millis() as u32 / POLL.as_millis() as u32;
    for _ in 0..most {
        let served: u64 = String::from_utf8(get(target, "/served")?)?.parse()?;
        if served >= scrapes {
            sleep(size.interval.mul_f64(SENT_AFTER));
            return Ok((account.cpu()?, Counts::of(sink)?));
        }
        sleep(POLL);
    }
    bail!("the program did not scrape {scrapes} pages in {} intervals", scrapes + 10)
}

fn verdicts(changing: &[Cost], same: &[Cost], sizes: [&[Cost]; 3]) {
    let of = |costs: &[Cost], agent: Agent| costs.iter().find(|cost| cost.agent == agent).copied();
    let word = |met| if met { "met" } else { "NOT met" };
    let (v2, v1) = (Agent::Taffrail("2.0"), Agent::Taffrail("1.0"));
    let peers = changing.iter().filter(|cost| !matches!(cost.agent, Agent::Floor | Agent::Taffrail(_)));
    let better = peers.map(|cost| cost.samples).fold(0.0, f64::max);
    for ours in [v2, v1] {
        let Some(cost) = of(changing, ours) else { continue };
        let name = ours.name();
        let times = cost.samples / better;
        say(&format!(
            "bar: {name}: at least 4 times the better peer where values change: {times:.2}, {}",
            word(times >= 4.0)
        ));
        if let Some(floor) = of(changing, Agent::Floor) {
            let times = floor.samples / cost.samples;
            say(&format!(
                "bar: {name}: at most 1.6 times the floor's CPU: {times:.2}, {}",
                word(times <= 1.6)
            ));
        }
        say(&format!(
            "bar: {name}: at most 500 B a series: {:.0}, {}",
            cost.series_bytes,
            word(cost.series_bytes <= 500.0)
        ));
        if let (Some(cost), Some(peer)) = (of(same, ours), of(same, Agent::Vmagent)) {
            let times = cost.samples / peer.samples;
            say(&format!(
                "bar: {name}: at least 1.6 times vmagent where nothing changes: {times:.2}, {}",
                word(times >= 1.6)
            ));
        }
    }
    if let (Some(second), Some(first)) = (of(changing, v2), of(changing, v1)) {
        let part = second.wire_bytes / first.wire_bytes;
        say(&format!("bar: bytes of 2.0 at most 1/2 of those of 1.0: {part:.2}, {}", word(part <= 0.5)));
    }
    let rates: Vec<f64> =
        sizes.iter().filter_map(|costs| Some(of(costs, v2)?.samples)).map(|samples| 1e9 / samples).collect();
    if let [small, usual, large] = rates[..] {
        say(&format!(
            "bar: grows linearly: {small:.0}, {usual:.0}, {large:.0} ns of CPU a sample at 10k, 100k, 1M series, {}\n",
            word(large <= usual * LINEAR && usual <= small * LINEAR)
        ));
    }
}

/// A sample may cost this much more on a page with ten times as many: caches have an end.
const LINEAR: f64 = 1.5;
