//! Logs that trickle: a thousand files nobody writes to, then beside them one that grows by 10 MB a second.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use taffrail_core::Clock;

use crate::log_sink::Counts;
use crate::logs::{BAR_RESIDENT_MIB, taffrail, word};
use crate::measure::Account;
use crate::program::{Program, free_address};
use crate::{Programs, say};

const FILES: usize = 1000;
/// Length of a line, its end included.
const LINE: usize = 512;
const BYTES_A_SECOND: usize = 10_000_000;
/// The writer writes so often, each time what is due by then.
const TICK: Duration = Duration::from_millis(20);
/// What does not count, before each measurement: files are found, connections made.
const WARM_UP: Duration = Duration::from_secs(5);
const COUNTED: Duration = Duration::from_secs(20);

/// The bar, in parts of a core.
const BAR: f64 = 0.04;

pub fn run(programs: &Programs, folder: &Path) -> Result<()> {
    let folder = folder.join("idle");
    let logs = folder.join("logs");
    fs::create_dir_all(&logs)?;
    for n in 0..FILES {
        fs::write(logs.join(format!("idle-{n}.log")), "started\n")?;
    }
    let sink = free_address()?;
    let mut receiver = Program::role("log-sink", &["log-sink", &sink.to_string()])?;
    receiver.wait_until_serving(sink, "/counts")?;
    let files = format!("{{include: [{}/*.log], start: beginning}}", logs.display());
    let program = taffrail(programs, &files, "", &sink.to_string(), &folder)?;
    let account = Account::open(program.pid())?;
    sleep(WARM_UP);
    ensure!(Counts::of(sink)?.entries == FILES as u64, "the files' first lines did not come");

    let before = account.cpu()?;
    sleep(COUNTED);
    let idle = (account.cpu()? - before).as_secs_f64() / COUNTED.as_secs_f64();
    say(&format!("logs, {FILES} idle files: {:.3} % of a core", idle * 100.0));

    let mut file = File::create(logs.join("busy.log"))?;
    let mut written = write_for(&mut file, WARM_UP, 0)?;
    let before = account.cpu()?;
    let clock = Clock::system();
    let start = clock.monotonic();
    written += write_for(&mut file, COUNTED, written)?;
    let busy = (account.cpu()? - before).as_secs_f64() / (clock.monotonic() - start).as_secs_f64();
    let resident = account.largest_resident_mib()?;
    sleep(WARM_UP);
    let came = Counts::of(sink)?.entries - FILES as u64;
    ensure!(came == written, "{came} lines came of {written}");
    say(&format!(
        "bar: 10 MB a second of {LINE} B lines beside them: at most 4 % of a core: {:.2} %, {}; at most 40 MB resident: \
         {resident:.1} MiB, {}\n",
        busy * 100.0,
        word(busy <= BAR),
        word(resident <= BAR_RESIDENT_MIB)
    ));
    Ok(())
}

/// Writes at the rate for so long; says how many lines. They are numbered from `first`.
fn write_for(file: &mut File, time: Duration, first: u64) -> Result<u64> {
    let clock = Clock::system();
    let start = clock.monotonic();
    let mut written = 0;
    let mut text = String::new();
    loop {
        let since = clock.monotonic() - start;
        let due = (since.min(time).as_secs_f64() * BYTES_A_SECOND as f64) as u64 / LINE as u64;
        text.clear();
        while written < due {
            let from = text.len();
            text.push_str(&format!("INFO request {} handled path=/api/v1/orders ", first + written));
            while text.len() - from < LINE - 1 {
                text.push_str(["upstream=10.0.3.17 ", "cache=miss "][text.len() % 2]);
            }
            text.truncate(from + LINE - 1);
            text.push('\n');
            written += 1;
        }
        file.write_all(text.as_bytes())?;
        if since >= time {
            return Ok(written);
        }
        sleep(TICK);
    }
}
