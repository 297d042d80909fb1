//! PostgreSQL: taffrail and postgres_exporter on one server, with the same views on, once a second each, in turn. What it
//! costs the program is counted by the kernel, what it costs the server by the server (`pg_stat_statements`, by role).

use std::fs;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::measure::Account;
use crate::postgres_server::{Server, Size};
use crate::program::{Client, Program, free_address};
use crate::{Programs, say};

/// The servers.
const SIZES: [Size; 2] = [
    Size { name: "small", databases: 2, tables: 20 },
    Size { name: "large", databases: 500, tables: 20_000 },
];

/// Collections that are measured on the small server, after some that are not. The large one has a tenth.
const RUNS: u32 = 60;
const WARM_UP: u32 = 5;
/// How many seconds each of them may take.
const PATIENCE: u32 = 20;

/// Collectors that postgres_exporter has on beside those of its own accord: what is on by default here.
const COLLECTORS: [&str; 11] = [
    "database_wraparound",
    "long_running_transactions",
    "postmaster",
    "stat_activity_autovacuum",
    "stat_checkpointer",
    "stat_progress_vacuum",
    "stat_statements",
    "stat_user_tables",
    "stat_wal_receiver",
    "statio_user_indexes",
    "statio_user_tables",
];
/// Views that it does not have, or that are read once an hour.
const OFF: [&str; 5] = ["blocking", "stat_io", "stat_ssl", "bloat", "buffercache_summary"];

/// What the server spent on a role, planning and running, in milliseconds.
const SPENT: &str = "select coalesce(sum(total_exec_time + total_plan_time), 0)::float8 from pg_stat_statements s \
    join pg_roles r on r.oid = s.userid where rolname = ";

struct Cost {
    name: &'static str,
    ms: f64,
    server_ms: f64,
    mib: f64,
    series: usize,
}

pub fn run(programs: &Programs) -> Result<()> {
    SIZES.iter().try_for_each(|size| on(programs, *size))
}

/// One server only, `small` or `large`.
pub fn one(programs: &Programs, name: &str) -> Result<()> {
    let size = SIZES.iter().find(|size| size.name == name);
    let Some(size) = size else { anyhow::bail!("there is no server {name:?}; there are small, large") };
    on(programs, *size)
}

fn on(programs: &Programs, size: Size) -> Result<()> {
    let server = Server::start(&programs.postgres()?, size)?;
    let runs = if size.databases > 100 { RUNS / 10 } else { RUNS };
    let peer = postgres_exporter(programs, &server, runs)?;
    let ours = taffrail(programs, &server, runs, "taffrail", 200)?;
    let all = taffrail(programs, &server, runs, "taffrail, `max_tables: all`", u32::MAX)?;
    say(&format!(
        "PostgreSQL, {} server: {} databases and {} tables more than a new one, {runs} collections, at most one a second",
        size.name, size.databases, size.tables
    ));
    say(
        "| program | CPU a collection | against postgres_exporter | in the server | against it | largest resident | series |",
    );
    say("|---|---|---|---|---|---|---|");
    for cost in [&ours, &all, &peer] {
        let Cost { name, ms, server_ms, mib, series } = cost;
        say(&format!(
            "| {name} | {ms:.2} ms | {:.2} | {server_ms:.2} ms | {:.2} | {mib:.1} MiB | {series} |",
            ms / peer.ms,
            server_ms / peer.server_ms
        ));
    }
    let word = |met| if met { "met" } else { "NOT met" };
    say(&format!(
        "bar: at most 1/4 of postgres_exporter's CPU: {}; at most 1/2 of its time in the server: {}\n",
        word(ours.ms * 4.0 <= peer.ms),
        word(ours.server_ms * 2.0 <= peer.server_ms)
    ));
    Ok(())
}

fn taffrail(
    programs: &Programs,
    server: &Server,
    runs: u32,
    name: &'static str,
    tables: u32,
) -> Result<Cost> {
    let address = free_address()?;
    let folder = std::env::temp_dir().join(format!("taffrail-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let (config, data) = (folder.join("taffrail.yml"), folder.join("data"));
    let off: String = OFF.iter().map(|view| format!("{view}: false, ")).collect();
    let tables = if tables == u32::MAX { "all".to_owned() } else { tables.to_string() };
    // The peer looks into one database, so both do.
    let written = format!(
        "listen: {address}\ndata_dir: {}\ninterval: 1s\nself: false\npostgres:\n  - url: \
         postgres://taffrail@127.0.0.1:{}/postgres?sslmode=disable\n    database_interval: 1s\n    \
         databases: [postgres]\n    max_tables: {tables}\n    views: {{{off}statio_user_tables: true}}\n",
        data.display(),
        server.port
    );
    fs::write(&config, written)?;
    let arguments = ["run", "--config", &config.to_string_lossy()];
    let program = Program::start(name, &programs.taffrail, &arguments)?;
    let cost = cost(program, server, "taffrail", address, "/metrics/postgres", runs);
    fs::remove_dir_all(&folder)?;
    cost
}

fn postgres_exporter(programs: &Programs, server: &Server, runs: u32) -> Result<Cost> {
    let address = free_address()?;
    let mut arguments = vec![format!("--web.listen-address={address}")];
    arguments.extend(COLLECTORS.iter().map(|name| format!("--collector.{name}")));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let url = format!("postgresql://postgres_exporter@127.0.0.1:{}/postgres?sslmode=disable", server.port);
    let path = programs.postgres_exporter()?;
    let program = Program::start_with("postgres_exporter", &path, &arguments, &[("DATA_SOURCE_NAME", &url)])?;
    cost(program, server, "postgres_exporter", address, "/metrics", runs)
}

/// Fetches `path` once a second and says what it cost the program and the server.
fn cost(
    mut program: Program,
    server: &Server,
    role: &str,
    address: SocketAddr,
    path: &str,
    runs: u32,
) -> Result<Cost> {
    let account = Account::open(program.pid())?;
    program.wait_until_serving(address, path)?;
    let mut client = Client { address, connection: None };
    for _ in 0..WARM_UP {
        sleep(Duration::from_secs(1));
        client.get(path)?;
    }
    server.run("select pg_stat_statements_reset()")?;
    let (before, scrapes) = (account.cpu()?, collections(server, role)?);
    // What takes long is collected more seldom than once a second.
    let (mut page, mut done, wanted) = (Vec::new(), 0.0, f64::from(runs));
    for _ in 0..runs * PATIENCE {
        sleep(Duration::from_secs(1));
        page = client.get(path)?;
        done = collections(server, role)? - scrapes;
        if done >= wanted {
            break;
        }
    }
    let used = account.cpu()? - before;
    ensure!(done >= wanted, "{role} collected only {done} times in {} s", runs * PATIENCE);
    let spent = server.number(&format!("{SPENT}'{role}'"))?;
    let text = String::from_utf8_lossy(&page).into_owned();
    let series = text.lines().filter(|line| line.starts_with("pg_")).count();
    Ok(Cost {
        name: program.name,
        ms: used.as_secs_f64() * 1000.0 / done,
        server_ms: spent / done,
        mib: account.largest_resident_mib()?,
        series,
    })
}

/// How often a program has collected: both ask for all settings once a time.
fn collections(server: &Server, role: &str) -> Result<f64> {
    let text = format!(
        "select coalesce(max(calls), 0)::float8 from pg_stat_statements s join pg_roles r on r.oid = s.userid \
         where rolname = '{role}' and query ~* 'from pg_settings'"
    );
    server.number(&text)
}
