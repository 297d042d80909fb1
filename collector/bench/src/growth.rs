//! How the cost of a collection grows with the machine: one thing at a time, at three sizes, in this process.

use std::io;
use std::path::Path;

use anyhow::{Result, bail};
use rustix::time::{ClockId, clock_gettime};
use taffrail_core::subject::Run;
use taffrail_core::{Clock, Out, Subject};
use taffrail_host::statfs::{Usage, ask_kernel};
use taffrail_host::{HostConfig, filesystem, subjects};

use crate::fixture::{Fixture, Size};
use crate::say;

/// Collections that are measured at each size.
const RUNS: u32 = 50;

/// What grows, how much of it there is at most, and a machine with so many.
type Thing = (&'static str, usize, fn(usize) -> Size);

const THINGS: [Thing; 4] = [
    ("mounts", 1000, |mounts| Size { mounts, ..Size::default() }),
    ("interfaces", 500, |interfaces| Size { interfaces, ..Size::default() }),
    ("disks", 1000, |disks| Size { disks, ..Size::default() }),
    ("CPUs", 256, |cpus| Size { cpus, ..Size::default() }),
];

/// A thing may cost this much more on a machine with twice as many of them: caches have an end.
const LINEAR: f64 = 1.5;

struct Cost {
    cpu_ms: f64,
    wall_ms: f64,
    series: usize,
}

pub fn run() -> Result<()> {
    say(&format!("growth: one collection of all subjects on a fixture, {RUNS} in a row"));
    say("| machine | CPU | wall | series | CPU for each |");
    say("|---|---|---|---|---|");
    let nothing = cost(Size::default())?;
    row("nothing", &nothing, "");
    let mut steep = Vec::new();
    for (name, most, size) in THINGS {
        let mut each = [0.0; 3];
        for (each, part) in each.iter_mut().zip([4, 2, 1]) {
            let count = most / part;
            let cost = cost(size(count))?;
            *each = (cost.cpu_ms - nothing.cpu_ms).max(0.0) * 1000.0 / count as f64;
            row(&format!("{count} {name}"), &cost, &format!("{each:.2} µs"));
        }
        if each[2] > each[1] * LINEAR {
            steep.push(name);
        }
    }
    match steep.is_empty() {
        true => say("bar: grows linearly: met\n"),
        false => say(&format!("bar: grows linearly: NOT met by {}\n", steep.join(", "))),
    }
    Ok(())
}

fn row(machine: &str, cost: &Cost, each: &str) {
    let Cost { cpu_ms, wall_ms, series } = cost;
    say(&format!("| {machine} | {cpu_ms:.2} ms | {wall_ms:.2} ms | {series} | {each} |"));
}

/// Mounts of a fixture do not exist; the real root directory is asked in their place.
fn ask(_: &Path) -> io::Result<Usage> {
    ask_kernel(Path::new("/"))
}

fn cost(size: Size) -> Result<Cost> {
    let fixture = Fixture::new(size)?;
    let config = HostConfig { procfs: fixture.procfs(), sysfs: fixture.sysfs(), ..HostConfig::default() };
    let mut subjects = subjects(&config);
    for subject in &mut subjects {
        if subject.name == "filesystem" {
            *subject = filesystem::asking(&config, ask);
        }
    }
    let mut outs: Vec<Out> = subjects.iter().map(|_| Out::default()).collect();
    // The first run opens files.
    let mut series = collect(&mut subjects, &mut outs);
    let clock = Clock::system();
    let (cpu, wall) = (cpu_ms(), clock.monotonic());
    for _ in 0..RUNS {
        series = collect(&mut subjects, &mut outs);
    }
    let wall_ms = (clock.monotonic() - wall).as_secs_f64() * 1000.0 / f64::from(RUNS);
    let cpu_ms = (cpu_ms() - cpu) / f64::from(RUNS);
    let things = size.mounts + size.interfaces + size.disks + size.cpus;
    if series < things {
        bail!("{size:?} has only {series} series: the fixture is not understood");
    }
    Ok(Cost { cpu_ms, wall_ms, series })
}

/// One run of every subject; how many samples there were.
fn collect(subjects: &mut [Subject], outs: &mut [Out]) -> usize {
    let mut samples = 0;
    for (subject, out) in subjects.iter_mut().zip(outs) {
        let Run::Blocking(run) = &mut subject.run else { continue };
        out.begin(0);
        // What a fixture does not have costs what finding that out costs.
        let _ = run(out);
        samples += out.finish().samples.len();
    }
    samples
}

/// CPU time of this process, in user and system mode, all threads.
pub fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}
