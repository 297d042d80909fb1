//! `/proc/stat` (proc_stat(5)), read once for the two subjects that need it: with many CPUs and interrupts the kernel
//! takes milliseconds to write it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taffrail_core::file::KernelFile;
use taffrail_core::{Clock, CollectError};

use crate::config::HostConfig;
use crate::scan::{self, Malformed};

/// How old a reading may be that another subject made; well below the resolution of any interval.
const FRESH: Duration = Duration::from_millis(100);

/// Times of a CPU, in the order of the file: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice.
pub type Ticks = [u64; 10];

/// What the file says.
#[derive(Debug, Default, PartialEq)]
pub struct Stat {
    /// The CPUs that are online: number and times, in clock ticks.
    pub cpus: Vec<(u32, Ticks)>,
    /// Interrupts since boot.
    pub interrupts: Option<f64>,
    /// Context switches since boot.
    pub context_switches: Option<f64>,
    /// When the machine started, in seconds since 1970.
    pub boot_time: Option<f64>,
    /// Processes and threads started since boot.
    pub forks: Option<f64>,
    /// Processes that run or could.
    pub running: Option<f64>,
    /// Processes that wait for a disk or the like.
    pub blocked: Option<f64>,
    /// Soft interrupts since boot by vector, in the kernel's order.
    pub softirqs: Vec<f64>,
}

/// Parses the whole file into `stat`, whose memory is used again. Unknown lines are left out.
pub fn parse(bytes: &[u8], stat: &mut Stat) -> Result<(), Malformed> {
    let (mut cpus, mut softirqs) = (std::mem::take(&mut stat.cpus), std::mem::take(&mut stat.softirqs));
    cpus.clear();
    softirqs.clear();
    *stat = Stat { cpus, softirqs, ..Stat::default() };
    for line in scan::lines(bytes) {
        let Some(at) = memchr::memchr(b' ', line) else { continue };
        let (name, rest) = (&line[..at], &line[at + 1..]);
        // Only the first number counts: the line of interrupts has thousands more.
        let first = || scan::expect_number(scan::fields(rest).next(), line).map(Some);
        match name {
            b"intr" => stat.interrupts = first()?,
            b"ctxt" => stat.context_switches = first()?,
            b"btime" => stat.boot_time = first()?,
            b"processes" => stat.forks = first()?,
            b"procs_running" => stat.running = first()?,
            b"procs_blocked" => stat.blocked = first()?,
            b"softirq" => {
                // The first is the sum of the others.
                for field in scan::fields(rest).skip(1) {
                    stat.softirqs.push(scan::expect_number(Some(field), line)?);
                }
            }
            b"cpu" => {}
            _ => {
                if let Some(number) = name.strip_prefix(b"cpu") {
                    stat.cpus.push(
                        cpu(number, rest)
                            .ok_or_else(|| Malformed::new("`cpuN` and at least four numbers", line))?,
                    );
                }
            }
        }
    }
    if stat.cpus.is_empty() {
        return Err(Malformed::new("lines that begin with `cpu0`", bytes));
    }
    Ok(())
}

fn cpu(number: &[u8], rest: &[u8]) -> Option<(u32, Ticks)> {
    let number = u32::try_from(scan::integer(number)?).ok()?;
    let mut ticks = Ticks::default();
    let mut count = 0;
    // Older kernels have fewer columns, later ones may have more.
    for (ticks, field) in ticks.iter_mut().zip(scan::fields(rest)) {
        *ticks = scan::integer(field)?;
        count += 1;
    }
    (count >= 4).then_some((number, ticks))
}

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reader {
    Cpu = 0,
    Stat = 1,
}

/// The file, shared by its readers.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Mutex<Inner>>);

#[derive(Debug)]
pub(crate) struct Inner {
    file: KernelFile,
    clock: Clock,
    stat: Stat,
    read_at: Duration,
    /// Who has not had this reading yet: nobody gets the same values twice.
    unseen: [bool; 2],
}

impl Shared {
    pub(crate) fn new(config: &HostConfig, clock: &Clock) -> Self {
        Shared(Arc::new(Mutex::new(Inner {
            file: KernelFile::new(config.proc("stat")),
            clock: clock.clone(),
            stat: Stat::default(),
            read_at: Duration::ZERO,
            unseen: [false; 2],
        })))
    }

    /// The present contents.
    pub(crate) fn read(&self, reader: Reader) -> Result<StatGuard<'_>, CollectError> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = inner.clock.monotonic();
        let seen = !std::mem::take(&mut inner.unseen[reader as usize]);
        if seen || now.saturating_sub(inner.read_at) > FRESH {
            inner.refresh(reader, now)?;
        }
        Ok(StatGuard(inner))
    }
}

impl Inner {
    fn refresh(&mut self, reader: Reader, now: Duration) -> Result<(), CollectError> {
        self.unseen = [false; 2];
        let parsed = parse(self.file.read()?, &mut self.stat);
        parsed.map_err(|e| self.file.malformed(e))?;
        self.read_at = now;
        self.unseen = [true; 2];
        self.unseen[reader as usize] = false;
        Ok(())
    }
}

/// The contents, while they are looked at.
pub(crate) struct StatGuard<'a>(MutexGuard<'a, Inner>);

impl std::ops::Deref for StatGuard<'_> {
    type Target = Stat;

    fn deref(&self) -> &Stat {
        &self.0.stat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Stat, Malformed> {
        let mut stat = Stat::default();
        parse(text.as_bytes(), &mut stat).map(|()| stat)
    }

    #[test]
    fn the_whole_file() {
        let text = "cpu  3 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10 11\ncpu17 1 2 3 4\nintr 99 1 2 3\nctxt 5\nbtime 7\n\
                    processes 8\nprocs_running 1\nprocs_blocked 2\nsoftirq 10 1 2\nlater 1 2\n";
        let stat = parsed(text).unwrap();
        assert_eq!(stat.cpus, [(0, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), (17, [1, 2, 3, 4, 0, 0, 0, 0, 0, 0])]);
        assert_eq!(
            (stat.interrupts, stat.context_switches, stat.boot_time),
            (Some(99.0), Some(5.0), Some(7.0))
        );
        assert_eq!((stat.forks, stat.running, stat.blocked), (Some(8.0), Some(1.0), Some(2.0)));
        assert_eq!(stat.softirqs, [1.0, 2.0]);
    }

    #[test]
    fn nothing_is_left_of_an_earlier_reading() {
        let mut stat = parsed("cpu0 1 2 3 4\nintr 99\nsoftirq 10 1 2\n").unwrap();
        parse(b"cpu0 1 2 3 4\n", &mut stat).unwrap();
        assert_eq!(stat, parsed("cpu0 1 2 3 4\n").unwrap());
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in ["", "cpu0 1 2 3\n", "cpu0 1 2 3 x\n", "cpux 1 2 3 4\n", "cpu0 1 2 3 4\nintr\nctxt x\n"] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn two_readers_share_a_reading_and_see_none_twice() {
        let root = tempfile::tempdir().unwrap();
        let config = HostConfig { procfs: root.path().into(), ..HostConfig::default() };
        let clock = Clock::manual(0);
        let file = Shared::new(&config, &clock);
        let write = |n: u32| {
            let text = format!("cpu0 {n} 0 0 0\n");
            std::fs::write(root.path().join("stat"), text).unwrap();
        };
        let user = |reader| file.read(reader).map(|stat| stat.cpus[0].1[0]).unwrap();
        assert!(matches!(file.read(Reader::Cpu).map(|_| ()), Err(CollectError::Absent)));
        write(1);
        assert_eq!(user(Reader::Cpu), 1);
        write(2);
        assert_eq!(user(Reader::Stat), 1, "the reading is shared");
        assert_eq!(user(Reader::Stat), 2, "but not given twice");
        write(3);
        clock.advance(FRESH + Duration::from_millis(1));
        assert_eq!(user(Reader::Cpu), 3, "nor when it is old");
    }
}
