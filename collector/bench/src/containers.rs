//! Containers: what one collection of their usage costs with 20, 200 and 2,000 of them, on trees of files and on the
//! kernel's own cgroups, and what is left in memory after 10,000 that lived for one collection.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use taffrail_container::{ContainerConfig, inventory, subjects};
use taffrail_core::subject::Run;
use taffrail_core::{Clock, Out, Subject, cost};

use crate::cgroups::{Real, Tree};
use crate::growth::cpu_ms;
use crate::say;

/// Collections that are measured at each size, after some that open files and learn what is not there.
const RUNS: u32 = 40;
const WARM_UP: u32 = 5;
/// What is between two collections as far as the collector knows: settings are read once a minute.
const INTERVAL: Duration = Duration::from_secs(15);
const SIZES: [usize; 3] = [20, 200, 2000];
/// The bar, for 200.
const MOST_MS: f64 = 15.0;
/// Each of 2,000 may cost this much more than each of 200.
const LINEAR: f64 = 1.2;

/// How many come and go at a time, beside others that stay, and how often.
const AT_A_TIME: usize = 100;
const ROUNDS: usize = 100;
const STAY: usize = 100;
/// How much more may be resident at the end, in KiB.
const FLAT_KIB: u64 = 512;

struct Cost {
    cpu_ms: f64,
    series: usize,
    held: i64,
}

/// What collects the usage of containers, as it does in the collector.
struct Collector {
    subject: Subject,
    clock: Clock,
    out: Out,
}

impl Collector {
    fn new(config: &ContainerConfig) -> Result<Self> {
        // Nobody keeps this inventory: all of it is about numbers, which need no engine.
        let clock = Clock::manual(Clock::system().now_ns());
        let (inventory, _keeper) = inventory::new(config, &clock, |_| {});
        let subject = subjects(config, &inventory, &clock).into_iter().find(|s| s.name == "usage");
        let subject = subject.context("there is no subject `usage`")?;
        Ok(Collector { subject, clock, out: Out::default() })
    }

    /// One collection; how many samples there were.
    fn collect(&mut self) -> Result<usize> {
        let Run::Blocking(run) = &mut self.subject.run else { bail!("the subject does not block") };
        self.out.begin(0);
        run(&mut self.out)?;
        self.clock.advance(INTERVAL);
        Ok(self.out.finish().samples.len())
    }
}

pub fn run() -> Result<()> {
    say(&format!(
        "containers: one collection of `usage`, {RUNS} in a row; cAdvisor is in no package registry"
    ));
    say("| containers | CPU a collection | for each | series | files held |");
    say("|---|---|---|---|---|");
    let mut on_files = Vec::new();
    for count in SIZES {
        let tree = Tree::new()?;
        (0..count).try_for_each(|number| tree.start(number))?;
        on_files.push(row("files in memory", count, &cost(&tree.config(), count)?));
    }
    let mut real = Vec::new();
    for count in SIZES {
        let _real = Real::new(count)?;
        real.push(row("the kernel's own cgroups", count, &cost(&ContainerConfig::default(), count)?));
    }
    for (what, costs) in [("files", on_files), ("the kernel's", real)] {
        let [_, some, many] = costs[..] else { bail!("there are three sizes") };
        let growth = many / (some * 10.0);
        let word = |met| if met { "met" } else { "NOT met" };
        say(&format!(
            "bar, {what}: at most {MOST_MS} ms for 200: {some:.2} ms, {}; at most {LINEAR} times as much for each of 2,000: \
             {growth:.2}, {}",
            word(some <= MOST_MS),
            word(growth <= LINEAR)
        ));
    }
    churn()
}

/// One size of the kernel's own cgroups, for a profiler: `containers 200`.
pub fn one(arguments: &[String]) -> Result<()> {
    let [count] = arguments else { bail!("containers takes one number, or nothing") };
    let count = count.parse().context("containers takes a number of containers")?;
    let _real = Real::new(count)?;
    row("the kernel's own cgroups", count, &cost(&ContainerConfig::default(), count)?);
    Ok(())
}

fn row(what: &str, count: usize, cost: &Cost) -> f64 {
    let Cost { cpu_ms, series, held } = cost;
    let each = cpu_ms * 1000.0 / count as f64;
    say(&format!("| {count}, {what} | {cpu_ms:.2} ms | {each:.1} µs | {series} | {held} |"));
    *cpu_ms
}

fn cost(config: &ContainerConfig, count: usize) -> Result<Cost> {
    let held = cost::tally().held_files;
    let mut collector = Collector::new(config)?;
    let mut series = 0;
    for _ in 0..WARM_UP {
        series = collector.collect()?;
    }
    let before = cpu_ms();
    for _ in 0..RUNS {
        series = collector.collect()?;
    }
    let cpu_ms = (cpu_ms() - before) / f64::from(RUNS);
    if series < count * 20 {
        bail!("{count} containers have only {series} series: the tree is not understood");
    }
    Ok(Cost { cpu_ms, series, held: cost::tally().held_files - held })
}

/// Containers that live for one collection.
fn churn() -> Result<()> {
    let tree = Tree::new()?;
    (0..STAY).try_for_each(|number| tree.start(number))?;
    let mut collector = Collector::new(&tree.config())?;
    let (mut next, mut early, mut late) = (STAY, (0, 0), (0, 0));
    for round in 0..=ROUNDS {
        (next..next + AT_A_TIME).try_for_each(|number| tree.start(number))?;
        collector.collect()?;
        (next..next + AT_A_TIME).try_for_each(|number| tree.end(number))?;
        next += AT_A_TIME;
        collector.collect()?;
        late = (resident_kib()?, cost::tally().held_files);
        // By then every buffer has had its largest size.
        if round == ROUNDS / 10 {
            early = late;
        }
    }
    let more = late.0.saturating_sub(early.0);
    let word = if more <= FLAT_KIB && late.1 == early.1 { "met" } else { "NOT met" };
    say(&format!(
        "bar: flat after {} short-lived ones beside {STAY}: {more} KiB more resident than after a tenth of them, {} files held, \
         before {}: {word}\n",
        next - STAY,
        late.1,
        early.1
    ));
    Ok(())
}

fn resident_kib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
