//! Away: a real Prometheus goes away for some minutes while three collectors send to it, and comes back. Every sample has
//! to be there at last, the newest within one interval, and no collector may have grown.
//!
//! It takes longer than the rest together, so it runs only when asked for: `taffrail-bench away MINUTES`.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use taffrail_core::Clock;

use crate::agents::{Agent, Running, Work};
use crate::measure::Account;
use crate::program::{Program, free_address, get};
use crate::series::BLOCK;
use crate::{Programs, say};

const INTERVAL: Duration = Duration::from_secs(1);
/// Series of the collector that is watched, and of the two others; one sample of each a second.
const SERIES: [u64; 3] = [10_000, 1_000, 1_000];
/// Before the receiver goes, and after it is back, before the targets end.
const STEADY: Duration = Duration::from_secs(20);
/// So much the resident size may grow while the receiver is away.
const FLAT_MIB: f64 = 8.0;
/// The family that is counted: one series of it in each block.
const COUNTED: &str = "http_requests_in_flight";

/// A collector, its target, and the number of its target's series.
struct Lane {
    target: SocketAddr,
    /// Both run as long as this is there.
    _pages: Program,
    running: Running,
    series: u64,
}

impl Lane {
    fn start(programs: &Programs, series: u64, sink: SocketAddr, folder: PathBuf) -> Result<Self> {
        let target = free_address()?;
        let arguments = [target.to_string(), series.to_string()];
        let mut pages =
            Program::role("pages", &["pages", &arguments[0], &arguments[1], "changing", "plain"])?;
        pages.wait_until_serving(target, "/served")?;
        get(target, "/begin")?;
        let work = Work { targets: vec![target], sink, interval: INTERVAL, folder };
        Ok(Lane { target, _pages: pages, running: Agent::Taffrail("2.0").start(programs, &work)?, series })
    }

    /// Lets the target have no more samples, and says how many pages it gave.
    fn end(&self) -> Result<u64> {
        get(self.target, "/end")?;
        // A page that is on its way is counted when it is given.
        sleep(INTERVAL);
        Ok(String::from_utf8(get(self.target, "/served")?)?.parse()?)
    }
}

pub fn run(programs: &Programs, arguments: &[String]) -> Result<()> {
    let minutes: u32 = arguments.first().map_or(Ok(3), |minutes| minutes.parse()).context("away: minutes")?;
    let folder = std::env::temp_dir().join(format!("taffrail-bench-away-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let sink = free_address()?;
    let path = programs.prometheus()?;
    let receiver = prometheus(&path, sink, &folder)?;
    let mut lanes = Vec::new();
    for (n, series) in SERIES.into_iter().enumerate() {
        lanes.push(Lane::start(programs, series, sink, folder.join(n.to_string()))?);
    }
    let account = Account::open(lanes[0].running.program.pid())?;
    sleep(STEADY);
    let (before, cpu) = (account.resident_mib()?, account.cpu()?);
    drop(receiver);
    let away = Duration::from_secs(u64::from(minutes) * 60);
    sleep(away);
    let (after, cpu) = (account.resident_mib()?, account.cpu()? - cpu);
    let receiver = prometheus(&path, sink, &folder)?;
    let current = until_current(sink, lanes[0].target)?;
    sleep(STEADY);
    let largest = account.largest_resident_mib()?;
    say(&format!(
        "away, {} samples a second and two collectors more, Prometheus gone for {minutes} min",
        SERIES[0]
    ));
    say("| what | measured | bar |");
    say("|---|---|---|");
    let lost = lost(sink, lanes)?;
    let word = |met| if met { "met" } else { "NOT met" };
    let most = INTERVAL.as_secs_f64();
    say(&format!("| samples that never came | {lost} | 0, {} |", word(lost == 0)));
    say(&format!(
        "| until current samples were there | {:.2} s | {most} s, {} |",
        current.as_secs_f64(),
        word(current.as_secs_f64() <= most)
    ));
    say(&format!(
        "| resident size before, at the end of it | {before:.1} MiB, {after:.1} MiB | {FLAT_MIB} MiB more, {} |",
        word(after - before <= FLAT_MIB)
    ));
    say(&format!("| largest resident size, return included | {largest:.1} MiB | |"));
    say(&format!("| CPU while it was away | {:.2} % of a core | |\n", cpu.div_duration_f64(away) * 100.0));
    drop(receiver);
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// A Prometheus that takes remote write, on the data that it has.
fn prometheus(path: &Path, address: SocketAddr, folder: &Path) -> Result<Program> {
    let config = folder.join("prometheus.yml");
    fs::write(&config, "storage: {tsdb: {out_of_order_time_window: 3h}}\n")?;
    let arguments = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", folder.join("tsdb").display()),
        format!("--web.listen-address={address}"),
        "--web.enable-remote-write-receiver".to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut program = Program::start("Prometheus", path, &arguments)?;
    program.wait_until_serving(address, "/-/ready")?;
    Ok(program)
}

/// How long it takes until a sample of this target is there that is younger than this call.
fn until_current(sink: SocketAddr, target: SocketAddr) -> Result<Duration> {
    const POLL: Duration = Duration::from_millis(50);
    let clock = Clock::system();
    let (since, start) = (clock.now_ms() as f64 / 1e3, clock.monotonic());
    for _ in 0..1200 {
        let newest = ask(sink, &format!("max(timestamp({COUNTED}{{instance=\"{target}\"}}))"))?;
        if newest.is_some_and(|newest| newest >= since) {
            return Ok(clock.monotonic() - start);
        }
        sleep(POLL);
    }
    bail!("no current sample came within a minute of the receiver's return")
}

/// Ends the targets and says how many of their samples have not come when no more come.
fn lost(sink: SocketAddr, lanes: Vec<Lane>) -> Result<u64> {
    let (mut wanted, mut collectors) = (0, Vec::new());
    for lane in lanes {
        wanted += lane.end()? * lane.series / BLOCK as u64;
        collectors.push(lane);
    }
    let (mut last, mut quiet) = (0, 0);
    for _ in 0..600 {
        sleep(Duration::from_secs(1));
        let now = ask(sink, &format!("sum(count_over_time({COUNTED}[3h]))"))?.unwrap_or(0.0) as u64;
        ensure!(now <= wanted, "{now} samples came of {wanted}: more than were on the pages");
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        if now == wanted || quiet >= 30 {
            return Ok(wanted - now);
        }
    }
    bail!("samples still come after ten minutes")
}

/// The value of a query that has at most one.
fn ask(address: SocketAddr, query: &str) -> Result<Option<f64>> {
    let mut path = "/api/v1/query?query=".to_owned();
    for byte in query.bytes() {
        write!(path, "%{byte:02X}")?;
    }
    let answer = String::from_utf8(get(address, &path)?)?;
    let Some((_, value)) = answer.split_once("\"value\":[") else { return Ok(None) };
    let value = value.split('"').nth(1).context("Prometheus' answer has no value")?;
    Ok(Some(value.parse()?))
}
