//! What the source costs. Measurements, not checks: `cargo test --release -p taffrail-collector --test agent cost --
//! --ignored --nocapture --test-threads 1`.

use std::fs;
use std::io::Write;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use taffrail_collector::sources::files::{Step, start};
use taffrail_core::Clock;
use taffrail_spool::Settled;
use tokio::sync::mpsc;

use super::rig::Rig;

/// CPU seconds of this process.
fn cpu() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

#[test]
#[ignore = "a measurement"]
fn reading_four_hundred_megabytes() {
    let mut rig = Rig::new();
    rig.clock = Clock::system();
    rig.room = 16;
    rig.restart();
    let line = format!("{}\n", "x".repeat(229));
    let mut file = fs::File::create(rig.path("a.log")).unwrap();
    let block = line.repeat(10_000);
    for _ in 0..(400 << 20) / block.len() {
        file.write_all(block.as_bytes()).unwrap();
    }
    let size = file.metadata().unwrap().len();
    for round in 0..3 {
        let (began, mut read, mut lines) = (cpu(), 0, 0);
        let began_at = rig.clock.monotonic();
        while read < size {
            assert_ne!(rig.source.as_mut().unwrap().step(), Step::Closed);
            while let Ok(chunk) = rig.chunks.try_recv() {
                read += chunk.body.len() as u64;
                lines += 1;
                chunk.ticket.settle(Settled::Delivered);
            }
        }
        let (spent, took) = (cpu() - began, (rig.clock.monotonic() - began_at).as_secs_f64());
        let mb = size as f64 / 1e6;
        eprintln!(
            "round {round}: {mb:.0} MB in {lines} chunks: {:.0} MB per CPU second, {took:.2} s",
            mb / spent
        );
        fs::remove_dir_all(rig.state()).unwrap();
        rig.restart();
    }
}

#[test]
#[ignore = "a measurement"]
fn following_idle_files_for_a_minute() {
    for count in [1000, 10_000] {
        let mut rig = Rig::new();
        rig.clock = Clock::system();
        (0..count).for_each(|n| rig.append(&format!("{n}.log"), "a line\n"));
        let (sender, mut chunks) = mpsc::channel(16);
        let running = start(&rig.config, rig.context(sender)).unwrap();
        for _ in 0..count {
            chunks.blocking_recv().unwrap().ticket.settle(Settled::Delivered);
        }
        std::thread::sleep(Duration::from_secs(15));
        let began = cpu();
        std::thread::sleep(Duration::from_secs(60));
        let spent = cpu() - began;
        eprintln!(
            "{count} idle files: {:.1} ms CPU a minute, {:.4} % of a core",
            spent * 1e3,
            spent / 60.0 * 100.0
        );
        drop(running);
    }
}
