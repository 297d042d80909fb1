//! How fast a log takes records and gives them again: `cargo run --release -p taffrail-spool --example spool_throughput DIR`.
//!
//! Prints, for records of 200 bytes and of 64 KiB, appends with one reader that keeps up, then a reader that begins
//! when all is written.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use taffrail_core::Clock;
use taffrail_spool::{DiskLog, DiskOptions, Log, Start, Ticket};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: throughput DIR (an empty directory)")?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for (size, count) in [(200, 1_000_000_u64), (64 << 10, 12_000)] {
        runtime.block_on(measure(&dir.join(size.to_string()), size, count))?;
    }
    Ok(())
}

async fn measure(dir: &Path, size: usize, count: u64) -> Result<(), Box<dyn std::error::Error>> {
    let clock = Clock::system();
    let log = DiskLog::open(dir, DiskOptions { min_free: 0.0, ..DiskOptions::default() }, clock.clone())?;
    let mut live = log.cursor("live", Start::Newest)?;
    let mut late = log.cursor("late", Start::Newest)?;
    let record = Bytes::from(vec![7; size]);
    let start = (clock.monotonic(), cpu());
    let mut keeping_up = Duration::ZERO;
    for number in 1..=count {
        log.append(record.clone(), Ticket::none())?;
        if number % 64 == 0 {
            let before = clock.monotonic();
            let peeked = live.peek(16 << 20).await.ok_or("the log ended")?;
            live.commit(peeked.upto);
            keeping_up += clock.monotonic() - before;
        }
    }
    let wall = clock.monotonic() - start.0;
    report("append", size, count, wall - keeping_up, cpu() - start.1);
    log.sync();
    let start = (clock.monotonic(), cpu());
    let mut seen = 0;
    while seen < count {
        let peeked = late.peek(256 << 10).await.ok_or("the log ended")?;
        seen += peeked.records.len() as u64;
        late.commit(peeked.upto);
    }
    report("read late", size, count, clock.monotonic() - start.0, cpu() - start.1);
    Ok(())
}

/// CPU time of this process, all its threads.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn report(what: &str, size: usize, count: u64, wall: Duration, cpu: Duration) {
    let mib = (size as u64 * count) as f64 / f64::from(1 << 20);
    let per = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
    println!(
        "{what:9} {size:6} B x {count:8}: {:7.0} MiB/s, {:9.0} records/s, {:6.2} us wall and {:6.2} us CPU a record",
        mib / wall.as_secs_f64(),
        count as f64 / wall.as_secs_f64(),
        per(wall),
        per(cpu),
    );
}
