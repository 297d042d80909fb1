//! Probes: the same servers probed as often, by taffrail on its own clock, and by blackbox_exporter when it is asked for
//! each of them.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use taffrail_core::Clock;

use crate::measure::Account;
use crate::program::{Client, Program, free_address};
use crate::sink::Counts;
use crate::{Programs, say};

/// Probes of each kind.
const OF_A_KIND: usize = 125;
const INTERVAL: Duration = Duration::from_secs(15);
/// Intervals that are measured, after one that is not.
const COUNTED: u32 = 3;

/// The bar, in parts of a core.
const BAR: f64 = 0.02;

/// What each kind is probed with, as both programs read it: the certificate is nobody's.
const MODULES: &str = "modules:
  tcp: {prober: tcp}
  http: {prober: http}
  https: {prober: http, http: {enable_http2: false, tls_config: {insecure_skip_verify: true}}}
  h2: {prober: http, http: {enable_http2: true, valid_http_versions: [HTTP/2.0], tls_config: {insecure_skip_verify: true}}}
";
const KINDS: [(&str, &str, &str); 4] = [
    ("tcp", "tcp", ""),
    ("http", "http", "http://"),
    ("https", "http", "https://"),
    ("h2", "http", "https://"),
];

struct Cost {
    name: &'static str,
    core: f64,
    resident_mib: f64,
}

pub fn run(programs: &Programs) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("taffrail-bench-probe-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let modules = folder.join("modules.yml");
    fs::write(&modules, MODULES)?;
    let addresses = [free_address()?, free_address()?, free_address()?, free_address()?];
    let arguments = addresses.map(|address| address.to_string());
    let mut command = vec!["webs"];
    command.extend(arguments.iter().map(String::as_str));
    let mut webs = Program::role("webs", &command)?;
    webs.wait_until_serving(addresses[1], "/")?;
    let ours = taffrail(programs, &folder, &modules, addresses)?;
    let peer = blackbox(&programs.blackbox_exporter()?, &modules, addresses)?;
    fs::remove_dir_all(&folder)?;
    let count = OF_A_KIND * KINDS.len();
    say(&format!(
        "probe, {count} probes (TCP, HTTP, HTTPS, HTTP/2, a quarter each), each once in {} s",
        INTERVAL.as_secs()
    ));
    say("| program | of a core | CPU a probe | against blackbox_exporter | largest resident |");
    say("|---|---|---|---|---|");
    for Cost { name, core, resident_mib } in [&ours, &peer] {
        say(&format!(
            "| {name} | {:.2} % | {:.2} ms | {:.2} | {resident_mib:.1} MiB |",
            core * 100.0,
            core * INTERVAL.as_secs_f64() * 1e3 / count as f64,
            core / peer.core
        ));
    }
    let word = if ours.core <= BAR { "met" } else { "NOT met" };
    say(&format!("bar: at most {:.0} % of a core: {:.2} %, {word}\n", BAR * 100.0, ours.core * 100.0));
    Ok(())
}

/// The part of a core that is used from now on, for as long as `work` takes.
fn during(account: &Account, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let clock = Clock::system();
    let (cpu, wall) = (account.cpu()?, clock.monotonic());
    work()?;
    Ok((account.cpu()? - cpu).as_secs_f64() / (clock.monotonic() - wall).as_secs_f64())
}

fn taffrail(programs: &Programs, folder: &Path, modules: &Path, webs: [SocketAddr; 4]) -> Result<Cost> {
    let (address, sink) = (free_address()?, free_address()?);
    let mut receiver = Program::role("sink", &["sink", &sink.to_string()])?;
    receiver.wait_until_serving(sink, "/counts")?;
    let mut text = format!(
        "listen: {address}\ndata_dir: {}\nself: false\nprobe: {{modules_file: {}}}\n\
         outputs:\n  prometheus: [{{url: \"http://{sink}/api/v1/write\"}}]\nprobes:\n",
        folder.join("data").display(),
        modules.display()
    );
    for (web, (module, kind, scheme)) in webs.into_iter().zip(KINDS) {
        for n in 0..OF_A_KIND {
            writeln!(
                text,
                "  - {{name: {module}-{n}, {kind}: \"{scheme}{web}\", module: {module}, interval: {}s, labels: {{n: \"{module}-{n}\"}}}}",
                INTERVAL.as_secs()
            )?;
        }
    }
    let config = folder.join("taffrail.yml");
    fs::write(&config, text)?;
    let arguments = ["run", "--config", &config.to_string_lossy()];
    let mut program = Program::start("taffrail", &programs.taffrail, &arguments)?;
    let account = Account::open(program.pid())?;
    program.wait_until_serving(address, "/-/healthy")?;
    sleep(INTERVAL);
    let before = Counts::of(sink)?;
    let core = during(&account, || {
        sleep(INTERVAL * COUNTED);
        Ok(())
    })?;
    let page = crate::program::get(address, "/metrics/probe")?;
    let page = String::from_utf8_lossy(&page);
    let lines = || page.lines().filter(|line| line.starts_with("probe_success{"));
    let right = lines().filter(|line| line.ends_with(" 1")).count();
    ensure!(
        right == OF_A_KIND * KINDS.len(),
        "taffrail: {right} probes succeeded; the first that did not: {:?}",
        lines().find(|line| !line.ends_with(" 1"))
    );
    let got = Counts::of(sink)?.since(&before);
    ensure!(
        got.samples as usize >= OF_A_KIND * KINDS.len() * (COUNTED as usize - 1),
        "taffrail sent only {} samples",
        got.samples
    );
    Ok(Cost { name: "taffrail", core, resident_mib: account.largest_resident_mib()? })
}

fn blackbox(path: &Path, modules: &Path, webs: [SocketAddr; 4]) -> Result<Cost> {
    let address = free_address()?;
    let arguments =
        [format!("--config.file={}", modules.display()), format!("--web.listen-address={address}")];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut program = Program::start("blackbox_exporter", path, &arguments)?;
    let account = Account::open(program.pid())?;
    program.wait_until_serving(address, "/-/healthy")?;
    let mut client = Client { address, connection: None };
    ask(&mut client, webs)?;
    let core = during(&account, || (0..COUNTED).try_for_each(|_| ask(&mut client, webs)))?;
    Ok(Cost { name: "blackbox_exporter", core, resident_mib: account.largest_resident_mib()? })
}

/// Asks for every probe once, evenly over one interval.
fn ask(client: &mut Client, webs: [SocketAddr; 4]) -> Result<()> {
    let clock = Clock::system();
    let mut next = clock.monotonic();
    for _ in 0..OF_A_KIND {
        for (web, (module, _, scheme)) in webs.into_iter().zip(KINDS) {
            next += INTERVAL / (OF_A_KIND * KINDS.len()) as u32;
            sleep(next.saturating_sub(clock.monotonic()));
            let page = client.get(&format!("/probe?target={scheme}{web}&module={module}"))?;
            let page = String::from_utf8_lossy(&page);
            ensure!(page.contains("\nprobe_success 1\n"), "blackbox_exporter: {module} failed: {page}");
        }
    }
    Ok(())
}
