//! Logs: a file of Docker's driver `json-file`, read from its beginning and pushed to a receiver of Loki's requests, by one
//! program after the other. The receiver is a process of its own, whose cost counts for nobody.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use taffrail_core::Clock;

use crate::log_lines::{Kind, Log};
use crate::log_sink::Counts;
use crate::measure::Account;
use crate::program::{Program, free_address};
use crate::{Programs, logs_idle, say};

/// Lines of a file.
const LINES: u64 = 2_000_000;
/// Each program reads the file so often, in turn; the run that took the least CPU counts, as noise only ever adds.
const ROUNDS: usize = 3;
/// All lines have to be there by then.
const DEADLINE: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(20);

/// The bars, in times the floor's CPU, and in megabytes of the file for each second of CPU.
const BAR_BARE: f64 = 1.6;
const BAR_USUAL: f64 = 2.2;
const BAR_PARSED: f64 = 100.0;
pub const BAR_RESIDENT_MIB: f64 = 40e6 / 1_048_576.0;

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// The least that must be done.
    Floor,
    /// This project's program without finding levels and redacting.
    Bare,
    /// As it is without a word in the configuration.
    Usual,
    /// Besides, each line is parsed as JSON.
    Parsed,
    /// And counted and measured by what it says.
    Metered,
}

impl Reader {
    fn name(self) -> &'static str {
        match self {
            Reader::Floor => "floor",
            Reader::Bare => "taffrail, level and redaction off",
            Reader::Usual => "taffrail, as by default",
            Reader::Parsed => "taffrail, with json besides",
            Reader::Metered => "taffrail, with json and meter besides",
        }
    }

    /// What stands beside `files` in its configuration.
    fn keys(self) -> &'static str {
        match self {
            Reader::Floor | Reader::Usual => "",
            Reader::Bare => "    level: false\n    redact: false\n",
            Reader::Parsed => {
                "    stages:\n      - json: {expressions: {method: \"\", status: \"\", duration_ms: \"\"}}\n"
            }
            Reader::Metered => {
                "    stages:\n      - json: {expressions: {method: \"\", status: \"\", duration_ms: \"\"}}\n      - meter:\n          \
                 bench_requests_total: {type: counter, labels: {method: null, status: null}}\n          \
                 bench_request_duration_seconds: {type: histogram, source: duration_ms, scale: 0.001}\n"
            }
        }
    }

    fn start(self, programs: &Programs, file: &Path, sink: &str, folder: &Path) -> Result<Program> {
        if self == Reader::Floor {
            return Program::role("floor", &["logs-floor", &file.display().to_string(), sink]);
        }
        let files = format!("{{include: [{}], format: docker, start: beginning}}", file.display());
        taffrail(programs, &files, self.keys(), sink, folder)
    }
}

/// Starts this project's program with one source and one output, its data in `folder`.
pub fn taffrail(programs: &Programs, files: &str, keys: &str, sink: &str, folder: &Path) -> Result<Program> {
    let config = folder.join("taffrail.yml");
    let text = format!(
        "listen: {}\ndata_dir: {}\nself: false\nlogs:\n  - name: bench\n    files: {files}\n{keys}\
         outputs:\n  loki: [{{url: \"http://{sink}\"}}]\n",
        free_address()?,
        folder.join("data").display(),
    );
    fs::write(&config, text)?;
    Program::start("taffrail", &programs.taffrail, &["run", "--config", &config.to_string_lossy()])
}

/// What one program needed for the whole file.
#[derive(Clone, Copy, Debug)]
struct Cost {
    cpu: Duration,
    resident_mib: f64,
    wire_bytes: u64,
}

pub fn run(programs: &Programs) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("taffrail-bench-logs-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let measured = all(programs, &folder);
    fs::remove_dir_all(&folder)?;
    measured
}

fn all(programs: &Programs, folder: &Path) -> Result<()> {
    let text = table(programs, folder, Kind::Text, &[Reader::Floor, Reader::Bare, Reader::Usual])?;
    let readers = [Reader::Floor, Reader::Bare, Reader::Usual, Reader::Parsed, Reader::Metered];
    let json = table(programs, folder, Kind::Json, &readers)?;
    say("promtail, Fluent Bit: NOT measured: Debian has no package of either");
    for (what, costs) in [("text", &text), ("json", &json)] {
        let floor = costs[0].0;
        for (at, most, how) in [(1, BAR_BARE, "level and redaction off"), (2, BAR_USUAL, "as by default")] {
            let times = costs[at].0.cpu.as_secs_f64() / floor.cpu.as_secs_f64();
            say(&format!(
                "bar: {what}, {how}: at most {most} times the floor's CPU: {times:.2}, {}",
                word(times <= most)
            ));
        }
    }
    if let [.., (metered, mb)] = json[..] {
        let rate = mb / metered.cpu.as_secs_f64();
        say(&format!(
            "bar: json parsed and measured besides: at least {BAR_PARSED} MB for each second of CPU: {rate:.0}, {}",
            word(rate >= BAR_PARSED)
        ));
    }
    let ours = text[1..].iter().chain(&json[1..]).map(|(cost, _)| cost.resident_mib);
    let largest = ours.fold(0.0, f64::max);
    say(&format!("bar: at most 40 MB resident: {largest:.1} MiB, {}\n", word(largest <= BAR_RESIDENT_MIB)));
    logs_idle::run(programs, folder)
}

/// What to say of a bar.
pub fn word(met: bool) -> &'static str {
    if met { "met" } else { "NOT met" }
}

/// Measures all of `readers`; gives the cost of each, and the megabytes of the file.
fn table(programs: &Programs, folder: &Path, kind: Kind, readers: &[Reader]) -> Result<Vec<(Cost, f64)>> {
    let file = folder.join("bench-json.log");
    write(&file, kind)?;
    let mb = fs::metadata(&file)?.len() as f64 / 1e6;
    let what = if kind == Kind::Text { "of text" } else { "of JSON" };
    say(&format!(
        "logs, Docker's json-file, {LINES} lines {what}, {mb:.0} MB, the best of {ROUNDS} runs each"
    ));
    say(
        "| program | MB for each second of CPU | against the floor | largest resident | on the wire, a line |",
    );
    say("|---|---|---|---|---|");
    let mut best: Vec<Option<Cost>> = vec![None; readers.len()];
    for _ in 0..ROUNDS {
        for (reader, best) in readers.iter().zip(&mut best) {
            let cost = measure(programs, *reader, &file, folder)?;
            if best.is_none_or(|best| cost.cpu < best.cpu) {
                *best = Some(cost);
            }
        }
    }
    let costs: Vec<(Cost, f64)> = best.into_iter().flatten().map(|cost| (cost, mb)).collect();
    for (reader, (cost, _)) in readers.iter().zip(&costs) {
        say(&format!(
            "| {} | {:.0} | {:.2} | {:.1} MiB | {:.1} B |",
            reader.name(),
            mb / cost.cpu.as_secs_f64(),
            cost.cpu.as_secs_f64() / costs[0].0.cpu.as_secs_f64(),
            cost.resident_mib,
            cost.wire_bytes as f64 / LINES as f64
        ));
    }
    fs::remove_file(&file)?;
    say("");
    Ok(costs)
}

fn write(path: &Path, kind: Kind) -> Result<()> {
    let mut log = Log::new(kind, LINES, Clock::system().now_ns());
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut record = String::new();
    for _ in 0..LINES {
        record.clear();
        log.record(&mut record);
        file.write_all(record.as_bytes())?;
    }
    Ok(file.into_inner()?.sync_all()?)
}

fn measure(programs: &Programs, reader: Reader, file: &Path, folder: &Path) -> Result<Cost> {
    let folder = folder.join("run");
    // What the run before has left.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let sink = free_address()?;
    let mut receiver = Program::role("log-sink", &["log-sink", &sink.to_string()])?;
    receiver.wait_until_serving(sink, "/counts")?;
    let program = reader.start(programs, file, &sink.to_string(), &folder)?;
    let account = Account::open(program.pid())?;
    let mut waited = Duration::ZERO;
    let counts = loop {
        let counts = Counts::of(sink)?;
        if counts.entries >= LINES {
            break counts;
        }
        if waited >= DEADLINE {
            bail!("{}: {} of {LINES} lines came in {DEADLINE:?}", reader.name(), counts.entries);
        }
        sleep(POLL);
        waited += POLL;
    };
    let cpu = account.cpu()?;
    ensure!(counts.entries == LINES, "{}: {} lines came of {LINES}", reader.name(), counts.entries);
    Ok(Cost { cpu, resident_mib: account.largest_resident_mib()?, wire_bytes: counts.wire_bytes })
}
