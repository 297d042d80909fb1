//! What a collection of many containers costs: CPU time, files held open, series and memory, at three sizes.
//!
//! `cargo run --release -p taffrail-container --example container_cost -- 200 1000 2000`
//!
//! The containers are copies of a captured cgroup, with files of the kernel's contents but on a disk's file system: so
//! what the kernel itself takes to answer is not in it, and reading costs what it costs in user space.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]

use std::fs;
use std::path::Path;

use taffrail_container::{ContainerConfig, inventory, subjects};
use taffrail_core::{Clock, Out, Run, cost};

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    println!("containers  CPU ms a run  us a container  series  held files  resident KiB");
    for size in sizes {
        measure(size);
    }
}

fn measure(size: usize) {
    let temp = tempfile::tempdir().unwrap();
    let config = fill(temp.path(), size);
    let (inventory, _keeper) = inventory::new(&config, &Clock::system(), |_| {});
    let mut usage = subjects(&config, &inventory, &Clock::system()).remove(0);
    let Run::Blocking(run) = &mut usage.run else { return };
    let (mut out, held) = (Out::default(), cost::tally().held_files);
    let mut series = 0;
    const RUNS: u32 = 20;
    let mut spent = 0.0;
    for round in 0..RUNS + 3 {
        let before = cpu_seconds();
        out.begin(i64::from(round));
        run(&mut out).unwrap();
        series = out.finish().samples.len();
        // The first runs open the files.
        if round >= 3 {
            spent += cpu_seconds() - before;
        }
    }
    let ms = spent * 1e3 / f64::from(RUNS);
    let files = cost::tally().held_files - held;
    println!(
        "{size:10}  {ms:12.2}  {:14.1}  {series:6}  {files:10}  {:12}",
        ms * 1e3 / size as f64,
        resident()
    );
}

/// A tree of `size` containers, each with the files of a captured one and a process.
fn fill(root: &Path, size: usize) -> ContainerConfig {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v2");
    let captured = fs::read_dir(fixture.join("sys/fs/cgroup/system.slice")).unwrap().flatten();
    let captured =
        captured.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("docker-a1")).unwrap();
    let slice = root.join("sys/fs/cgroup/system.slice");
    fs::create_dir_all(&slice).unwrap();
    fs::write(root.join("sys/fs/cgroup/cgroup.controllers"), "cpu memory io pids\n").unwrap();
    for number in 1..=size {
        let cgroup = slice.join(format!("docker-{number:064x}.scope"));
        fs::create_dir(&cgroup).unwrap();
        for file in fs::read_dir(&captured).unwrap().flatten() {
            fs::copy(file.path(), cgroup.join(file.file_name())).unwrap();
        }
        let pid = 10_000 + number;
        fs::write(cgroup.join("cgroup.procs"), format!("{pid}\n")).unwrap();
        let process = root.join(format!("proc/{pid}"));
        fs::create_dir_all(process.join("net")).unwrap();
        fs::copy(fixture.join("proc/4242/net/dev"), process.join("net/dev")).unwrap();
        fs::copy(fixture.join("proc/4242/stat"), process.join("stat")).unwrap();
    }
    fs::copy(fixture.join("proc/stat"), root.join("proc/stat")).unwrap();
    let engine = Some(inventory::Address::Unix(root.join("none")));
    ContainerConfig {
        procfs: root.join("proc"),
        sysfs: root.join("sys"),
        rootfs: root.to_path_buf(),
        engine,
        ..ContainerConfig::default()
    }
}

/// CPU time of this process, user and kernel.
fn cpu_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
