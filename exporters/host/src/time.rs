//! The machine's clock: seconds since 1970, the offset of its time zone (`<rootfs>/etc/localtime`, tzfile(5)) and the
//! kernel's clock sources (`/sys/devices/system/clocksource`).

use std::path::PathBuf;

use taffrail_core::file::KernelFile;
use taffrail_core::{Clock, CollectError, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::rootfs;
use crate::scan;
use crate::zone::Zone;

metrics! {
    /// Seconds since 1970 by the machine's clock.
    SECONDS: Gauge = "node_time_seconds" [];
    /// Seconds that the machine's time zone is ahead of UTC.
    ZONE_OFFSET: Gauge = "node_time_zone_offset_seconds" ["time_zone"];
    /// Clock sources that the kernel could use. Always 1.
    AVAILABLE: Gauge = "node_time_clocksource_available_info" ["device", "clocksource"];
    /// The clock source that the kernel uses. Always 1.
    CURRENT: Gauge = "node_time_clocksource_current_info" ["device", "clocksource"];
}

/// The subject `time`.
pub fn subject(config: &HostConfig, clock: &Clock) -> Subject {
    let (config, clock) = (config.clone(), clock.clone());
    let mut state: Option<(Zone, Vec<Source>)> = None;
    Subject::blocking("time", METRICS, move |out| {
        let (zone, sources) = state.get_or_insert_with(|| (zone(&config), sources(&config)));
        let now_ns = clock.now_ns();
        let (offset, name) = zone.at(now_ns.div_euclid(1_000_000_000));
        out.put(&SECONDS, [], now_ns as f64 / 1e9);
        out.put(&ZONE_OFFSET, [name], f64::from(offset));
        sources.iter_mut().try_for_each(|source| source.write(out))
    })
}

/// The machine's time zone; UTC where it has none. In a container it is the host's.
fn zone(config: &HostConfig) -> Zone {
    let bytes = rootfs::read(&config.rootfs, "etc/localtime").unwrap_or_default();
    Zone::parse(&bytes).unwrap_or_default()
}

/// One clock source device; there is only `clocksource0` on the machines of today.
struct Source {
    device: String,
    available: KernelFile,
    current: KernelFile,
}

fn sources(config: &HostConfig) -> Vec<Source> {
    let root = config.sys("devices/system/clocksource");
    let Ok(entries) = std::fs::read_dir(&root) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.join("current_clocksource").exists());
    paths.sort();
    let source = |(at, path): (usize, PathBuf)| Source {
        device: at.to_string(),
        available: KernelFile::new(path.join("available_clocksource")),
        current: KernelFile::new(path.join("current_clocksource")),
    };
    paths.into_iter().enumerate().map(source).collect()
}

impl Source {
    fn write(&mut self, out: &mut Out) -> Result<(), CollectError> {
        for name in scan::fields(scan::trim(self.available.read()?)) {
            out.put(&AVAILABLE, [&self.device, &label::value(name)], 1.0);
        }
        let current = scan::trim(self.current.read()?);
        out.put(&CURRENT, [&self.device, &label::value(current)], 1.0);
        Ok(())
    }
}
