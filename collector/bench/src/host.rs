//! Host metrics: the same subjects, collected once a second, and the page fetched once a second, on one connection, as
//! Prometheus does.

use std::fs;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use crate::measure::Account;
use crate::program::{Client, Program, free_address};
use crate::{Programs, say};

/// Collections that are measured, after some that are not.
const RUNS: u32 = 60;
const WARM_UP: u32 = 5;

/// The subjects that both programs have, by node_exporter's names of its collectors.
const COLLECTORS: [&str; 14] = [
    "cpu",
    "stat",
    "loadavg",
    "meminfo",
    "vmstat",
    "pressure",
    "diskstats",
    "filesystem",
    "netdev",
    "netclass",
    "uname",
    "time",
    "filefd",
    "os",
];

struct Cost {
    name: &'static str,
    ms: f64,
    mib: f64,
    series: usize,
}

pub fn run(programs: &Programs) -> Result<()> {
    let floor = floor()?;
    let peer = node_exporter(programs)?;
    let ours = taffrail(programs)?;
    say(&format!("host, {} subjects, {RUNS} collections, one a second", COLLECTORS.len()));
    say(
        "| program | CPU a collection | against node_exporter | against the floor | largest resident | series |",
    );
    say("|---|---|---|---|---|---|");
    for cost in [&floor, &ours, &peer] {
        let (against, floors) = (cost.ms / peer.ms, cost.ms / floor.ms);
        let Cost { name, ms, mib, series } = cost;
        say(&format!("| {name} | {ms:.2} ms | {against:.2} | {floors:.1} | {mib:.1} MiB | {series} |"));
    }
    let met = if ours.ms * 4.0 <= peer.ms { "met" } else { "NOT met" };
    say(&format!("bar: at most 1/4 of node_exporter's CPU: {:.2}, {met}\n", ours.ms / peer.ms));
    Ok(())
}

fn taffrail(programs: &Programs) -> Result<Cost> {
    let address = free_address()?;
    let folder = std::env::temp_dir().join(format!("taffrail-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let config = folder.join("taffrail.yml");
    let data = folder.join("data");
    fs::write(
        &config,
        format!("listen: {address}\ndata_dir: {}\ninterval: 1s\nself: false\nhost: {{}}\n", data.display()),
    )?;
    let program =
        Program::start("taffrail", &programs.taffrail, &["run", "--config", &config.to_string_lossy()])?;
    let cost = cost(program, address, "/metrics/host");
    fs::remove_dir_all(&folder)?;
    cost
}

fn node_exporter(programs: &Programs) -> Result<Cost> {
    let address = free_address()?;
    let mut arguments =
        vec!["--collector.disable-defaults".to_owned(), format!("--web.listen-address={address}")];
    arguments.extend(COLLECTORS.map(|name| format!("--collector.{name}")));
    arguments.push("--web.disable-exporter-metrics".into());
    // Upstream's default, which Debian's package changes.
    let exclude = "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
    arguments.push(format!("--collector.filesystem.mount-points-exclude={exclude}"));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    cost(Program::start("node_exporter", &programs.node_exporter, &arguments)?, address, "/metrics")
}

fn floor() -> Result<Cost> {
    let address = free_address()?;
    let path = std::env::current_exe()?;
    cost(Program::start("floor", &path, &["floor", &address.to_string()])?, address, "/metrics")
}

/// Fetches `path` once a second and says what it cost the program.
fn cost(mut program: Program, address: SocketAddr, path: &str) -> Result<Cost> {
    let account = Account::open(program.pid())?;
    program.wait_until_serving(address, path)?;
    let mut client = Client { address, connection: None };
    for _ in 0..WARM_UP {
        sleep(Duration::from_secs(1));
        client.get(path)?;
    }
    let before = account.cpu()?;
    let mut page = Vec::new();
    for _ in 0..RUNS {
        sleep(Duration::from_secs(1));
        page = client.get(path)?;
    }
    let used = account.cpu()? - before;
    let text = String::from_utf8_lossy(&page).into_owned();
    let series = text.lines().filter(|line| line.contains(' ') && !line.starts_with('#')).count();
    let ms = used.as_secs_f64() * 1000.0 / f64::from(RUNS);
    Ok(Cost { name: program.name, ms, mib: account.largest_resident_mib()?, series })
}
