//! Host metrics: the same subjects, collected once a second, and the page fetched once a second, on one connection, as
//! Prometheus does. All that are on by default here and that node_exporter has are on in both.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use taffrail_core::Clock;
use taffrail_host::SUBJECTS;

use crate::measure::Account;
use crate::program::{Client, Program, free_address, output};
use crate::{Programs, say};

/// Collections that are measured, after some that are not.
const RUNS: u32 = 60;
const WARM_UP: u32 = 5;

struct Cost {
    name: &'static str,
    ms: f64,
    wall_ms: f64,
    mib: f64,
    series: usize,
}

/// The subjects that run in both programs, and those that only we have.
struct Subjects {
    both: Vec<&'static str>,
    ours: Vec<&'static str>,
}

impl Subjects {
    fn new(node_exporter: &Path) -> Result<Self> {
        let help = output(node_exporter, &["--help"])?;
        let peers: Vec<&str> = help.lines().filter_map(collector).collect();
        let on = SUBJECTS.iter().filter(|subject| subject.on).map(|subject| subject.name);
        let (both, ours): (Vec<_>, Vec<_>) = on.partition(|name| peers.contains(name));
        ensure!(both.len() >= 14, "node_exporter has only {both:?} of our subjects; its help says {peers:?}");
        Ok(Subjects { both, ours })
    }
}

/// The collector that a line of `--help` is about: `--[no-]collector.NAME`, without the flags of its options.
fn collector(line: &str) -> Option<&str> {
    let flag = line.trim_start().strip_prefix("--")?;
    let name = flag.strip_prefix("[no-]").unwrap_or(flag).strip_prefix("collector.")?;
    let name = name.split_whitespace().next()?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(name)
}

pub fn run(programs: &Programs) -> Result<()> {
    let subjects = Subjects::new(&programs.node_exporter()?)?;
    let floor = floor()?;
    let peer = node_exporter(programs, &subjects.both)?;
    let ours = taffrail(programs, &subjects.ours)?;
    say(&format!("host, {} subjects, {RUNS} collections, one a second", subjects.both.len()));
    say(
        "| program | CPU a collection | against node_exporter | against the floor | wall | largest resident | series |",
    );
    say("|---|---|---|---|---|---|---|");
    for cost in [&floor, &ours, &peer] {
        let (against, floors) = (cost.ms / peer.ms, cost.ms / floor.ms);
        let Cost { name, ms, wall_ms, mib, series } = cost;
        say(&format!(
            "| {name} | {ms:.2} ms | {against:.2} | {floors:.1} | {wall_ms:.1} ms | {mib:.1} MiB | {series} |"
        ));
    }
    let word = |met| if met { "met" } else { "NOT met" };
    say(&format!(
        "bar: at most 1/4 of node_exporter's CPU: {:.2}, {}; at most 10 ms wall: {}\n",
        ours.ms / peer.ms,
        word(ours.ms * 4.0 <= peer.ms),
        word(ours.wall_ms <= 10.0)
    ));
    Ok(())
}

fn taffrail(programs: &Programs, off: &[&str]) -> Result<Cost> {
    let address = free_address()?;
    let folder = std::env::temp_dir().join(format!("taffrail-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let config = folder.join("taffrail.yml");
    let data = folder.join("data");
    let off: Vec<String> = off.iter().map(|name| format!("{name}: false")).collect();
    let host = format!("{{subjects: {{{}}}}}", off.join(", "));
    fs::write(
        &config,
        format!("listen: {address}\ndata_dir: {}\ninterval: 1s\nself: false\nhost: {host}\n", data.display()),
    )?;
    let program =
        Program::start("taffrail", &programs.taffrail, &["run", "--config", &config.to_string_lossy()])?;
    let cost = cost(program, address, "/metrics/host");
    fs::remove_dir_all(&folder)?;
    // Its page is there before it is asked for; what takes time are the subjects, one after the other.
    cost.map(|(cost, page)| Cost { wall_ms: durations(&page) * 1000.0, ..cost })
}

/// The seconds that all subjects took, by a page.
fn durations(page: &str) -> f64 {
    let lines = page.lines().filter(|line| line.starts_with("node_scrape_collector_duration_seconds{"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn node_exporter(programs: &Programs, collectors: &[&str]) -> Result<Cost> {
    let address = free_address()?;
    let mut arguments =
        vec!["--collector.disable-defaults".to_owned(), format!("--web.listen-address={address}")];
    arguments.extend(collectors.iter().map(|name| format!("--collector.{name}")));
    arguments.push("--web.disable-exporter-metrics".into());
    // As here: rows that never counted are left out.
    arguments.push("--no-collector.interrupts.include-zeros".into());
    // Upstream's default, which Debian's package changes.
    let exclude = "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
    arguments.push(format!("--collector.filesystem.mount-points-exclude={exclude}"));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let program = Program::start("node_exporter", &programs.node_exporter()?, &arguments)?;
    Ok(cost(program, address, "/metrics")?.0)
}

fn floor() -> Result<Cost> {
    let address = free_address()?;
    let path = std::env::current_exe()?;
    Ok(cost(Program::start("floor", &path, &["floor", &address.to_string()])?, address, "/metrics")?.0)
}

/// Fetches `path` once a second and says what it cost the program, and how long an answer took; with the last page.
fn cost(mut program: Program, address: SocketAddr, path: &str) -> Result<(Cost, String)> {
    let account = Account::open(program.pid())?;
    program.wait_until_serving(address, path)?;
    let mut client = Client { address, connection: None };
    for _ in 0..WARM_UP {
        sleep(Duration::from_secs(1));
        client.get(path)?;
    }
    let before = account.cpu()?;
    let (mut page, clock, mut waited) = (Vec::new(), Clock::system(), Duration::ZERO);
    for _ in 0..RUNS {
        sleep(Duration::from_secs(1));
        let asked = clock.monotonic();
        page = client.get(path)?;
        waited += clock.monotonic() - asked;
    }
    let used = account.cpu()? - before;
    let text = String::from_utf8_lossy(&page).into_owned();
    let series = text.lines().filter(|line| line.contains(' ') && !line.starts_with('#')).count();
    let ms = used.as_secs_f64() * 1000.0 / f64::from(RUNS);
    let wall_ms = waited.as_secs_f64() * 1000.0 / f64::from(RUNS);
    let mib = account.largest_resident_mib()?;
    Ok((Cost { name: program.name, ms, wall_ms, mib, series }, text))
}
