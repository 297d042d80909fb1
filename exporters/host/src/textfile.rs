//! Metrics that other programs leave in files: `*.prom` in the folders of the settings, in the Prometheus text format.
//!
//! A file in which anything is wrong is left out as a whole, with a note that names file and line; the others are kept.
//! A file is parsed again only when it has changed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat, stat};
use rustix::io::Errno;
use taffrail_core::cost;
use taffrail_core::note::Level;
use taffrail_core::{Clock, CollectError, FamilyInfo, Kind, Note, Out, Subject, metrics};

use crate::config::HostConfig;
use crate::folder::list;
use crate::glob;
use crate::textfile_page::{Labels, Page, parse};

metrics! {
    /// When the file was written, in seconds since 1970; only of files that are published.
    MTIME: Gauge = "node_textfile_mtime_seconds" ["file"];
    /// Whether a file or folder was left out for an error (1) or not (0).
    SCRAPE_ERROR: Gauge = "node_textfile_scrape_error" [];
}

/// The largest file that is read.
const MAX_BYTES: u64 = 4 << 20;
/// The most series of all files together.
const MAX_SERIES: usize = 50_000;
/// A file changed this short a time ago may be changed again without its times showing it.
const SETTLED_NS: i128 = 2_000_000_000;

/// The subject `textfile`.
pub fn subject(config: &HostConfig, clock: &Clock) -> Subject {
    let mut files = Textfiles {
        folders: config.textfile.clone(),
        taken: taken(config),
        clock: clock.clone(),
        files: BTreeMap::new(),
        published: Vec::new(),
        problems: BTreeMap::new(),
    };
    Subject::blocking("textfile", METRICS, move |out| {
        files.write(out);
        Ok::<(), CollectError>(())
    })
}

/// Names that the subjects that are on publish, and those of every job.
fn taken(config: &HostConfig) -> HashSet<&'static str> {
    let on = crate::SUBJECTS.iter().filter(|about| config.schedule(about.name).on);
    let metrics = on.flat_map(|about| about.metrics).chain(crate::METRICS).chain(taffrail_core::METRICS);
    // Of keyed families the kernel makes the names: a file may have another that begins as they do.
    metrics.filter(|metric| metric.keys.is_none()).map(|metric| metric.name).collect()
}

struct Textfiles {
    folders: Vec<String>,
    taken: HashSet<&'static str>,
    clock: Clock,
    files: BTreeMap<PathBuf, Textfile>,
    published: Vec<Published>,
    /// What is wrong, by file or folder, as last told.
    problems: BTreeMap<PathBuf, String>,
}

/// A file as it was last read.
struct Textfile {
    stamp: Stamp,
    page: Result<Page, String>,
    /// Whether it is still in its folder.
    present: bool,
}

/// What changes with a file's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: i64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

/// A file that is published: its name as a label, its time, and where its series go.
struct Published {
    path: PathBuf,
    label: String,
    mtime: f64,
    families: Vec<Arc<FamilyInfo>>,
}

impl Textfiles {
    fn write(&mut self, out: &mut Out) {
        let mut problems = BTreeMap::new();
        if self.look(&mut problems) {
            self.published = self.choose(&mut problems);
        } else {
            // What was left out then is left out now, for the same reason.
            let kept = self.problems.iter().filter(|(path, _)| self.files.contains_key(*path));
            problems.extend(kept.map(|(path, text)| (path.clone(), text.clone())));
        }
        for file in &self.published {
            let Some(Textfile { page: Ok(page), .. }) = self.files.get(&file.path) else { continue };
            for (family, info) in page.families.iter().zip(&file.families) {
                for series in &family.series {
                    out.put_found(info, series.suffix, &series.labels, series.value);
                }
            }
        }
        for file in &self.published {
            out.put(&MTIME, [&file.label], file.mtime);
        }
        out.put(&SCRAPE_ERROR, [], f64::from(u8::from(!problems.is_empty())));
        tell(&self.problems, &problems, out);
        self.problems = problems;
    }

    /// Reads what has changed. True if anything has.
    fn look(&mut self, problems: &mut BTreeMap<PathBuf, String>) -> bool {
        let mut changed = false;
        self.files.values_mut().for_each(|file| file.present = false);
        let folders: Vec<_> = self.folders.iter().flat_map(|folder| glob::paths(folder)).collect();
        for folder in folders {
            match list(&folder) {
                Ok(names) => {
                    for name in names.iter().filter(|name| name.ends_with(b".prom")) {
                        changed |= self.look_at(folder.join(OsStr::from_bytes(name)));
                    }
                }
                Err(CollectError::Absent) => {
                    problems.insert(folder, "there is no such folder".into());
                }
                Err(error) => {
                    problems.insert(folder, error.to_string());
                }
            }
        }
        let before = self.files.len();
        self.files.retain(|_, file| file.present);
        changed || self.files.len() != before
    }

    /// Reads one file if it is another than before. True if it is.
    fn look_at(&mut self, path: PathBuf) -> bool {
        let now_ns = i128::from(self.clock.now_ns());
        let settled = |stamp: &Stamp| {
            let changed_ns = i128::from(stamp.ctime.0) * 1_000_000_000 + i128::from(stamp.ctime.1);
            now_ns - changed_ns > SETTLED_NS
        };
        let seen = match stat(&path) {
            Ok(seen) => Some(Stamp::of(&seen)),
            // It was removed or replaced since its folder was listed.
            Err(Errno::NOENT) => return false,
            Err(_) => None,
        };
        if let Some(file) = self.files.get_mut(&path)
            && seen.is_some_and(|seen| seen == file.stamp && settled(&seen))
        {
            file.present = true;
            return false;
        }
        let (stamp, page) = match read(&path) {
            Ok((stamp, bytes)) => (stamp, parse(&bytes).map_err(|wrong| wrong.to_string())),
            Err(Refused::Gone) => return false,
            Err(Refused::Because(stamp, text)) => (stamp, Err(text)),
        };
        let file = Textfile { stamp, page, present: true };
        let same = self.files.get(&path).is_some_and(|known| known.stamp == stamp && known.page == file.page);
        self.files.insert(path, file);
        !same
    }

    /// Which files go together: in the order of their names, each that does not contradict those before it.
    fn choose(&self, problems: &mut BTreeMap<PathBuf, String>) -> Vec<Published> {
        let mut chosen = Chosen::default();
        let mut published = Vec::new();
        for (path, file) in &self.files {
            let added = file.page.as_ref().map_err(String::clone).and_then(|page| {
                self.check_taken(page)?;
                chosen.add(path, page)
            });
            match added {
                Ok(()) => published.push((path, file)),
                Err(problem) => {
                    problems.insert(path.clone(), problem);
                }
            }
        }
        let infos = chosen.infos();
        let published = published.into_iter().map(|(path, file)| Published {
            path: path.clone(),
            label: path.to_string_lossy().into_owned(),
            mtime: file.stamp.mtime.0 as f64,
            families: file
                .page
                .iter()
                .flat_map(|page| &page.families)
                .map(|f| infos[&*f.name].clone())
                .collect(),
        });
        published.collect()
    }

    fn check_taken(&self, page: &Page) -> Result<(), String> {
        match page.families.iter().find(|family| self.taken.contains(&*family.name)) {
            Some(family) => Err(format!(
                "line {}: this program publishes {} itself: the file must give it another name",
                family.line, family.name
            )),
            None => Ok(()),
        }
    }
}

/// The families of the files chosen so far.
#[derive(Default)]
struct Chosen<'a> {
    families: HashMap<&'a str, Known<'a>>,
    series: HashSet<(&'a str, &'static str, &'a Labels)>,
}

struct Known<'a> {
    kind: Kind,
    help: Option<&'a str>,
    /// The first file that has it, and the others.
    files: Vec<&'a Path>,
}

impl<'a> Chosen<'a> {
    /// Adds a file, all of it or nothing. Of two help texts the first counts.
    fn add(&mut self, path: &'a Path, page: &'a Page) -> Result<(), String> {
        let series: usize = page.families.iter().map(|family| family.series.len()).sum();
        if self.series.len() + series > MAX_SERIES {
            return Err(format!(
                "more than {MAX_SERIES} series in all files together: this one is one too many"
            ));
        }
        for family in &page.families {
            let Some(known) = self.families.get(&*family.name) else { continue };
            let other = known.files.first().map(|file| file.display().to_string()).unwrap_or_default();
            if known.kind != family.kind {
                let (here, there) = (family.kind.as_str(), known.kind.as_str());
                let (line, name) = (family.line, &family.name);
                return Err(format!("line {line}: {name} is {here} here and {there} in {other}"));
            }
            let twice = |series: &&crate::textfile_page::Series| {
                self.series.contains(&(&*family.name, series.suffix, &series.labels))
            };
            if let Some(series) = family.series.iter().find(twice) {
                return Err(format!(
                    "line {}: the same series of {} is in {other}",
                    series.line, family.name
                ));
            }
        }
        for family in &page.families {
            let known = self.families.entry(&family.name);
            let known = known.or_insert(Known { kind: family.kind, help: None, files: Vec::new() });
            known.help = known.help.or(family.help.as_deref());
            known.files.push(path);
            self.series.extend(family.series.iter().map(|s| (&*family.name, s.suffix, &s.labels)));
        }
        Ok(())
    }

    fn infos(self) -> HashMap<&'a str, Arc<FamilyInfo>> {
        let info = |(name, known): (&'a str, Known<'a>)| {
            let help = known.help.map_or_else(
                || {
                    let files: Vec<_> = known.files.iter().map(|file| file.display().to_string()).collect();
                    format!("Read from {}.", files.join(", "))
                },
                str::to_owned,
            );
            (name, Arc::new(FamilyInfo { name: name.to_owned(), kind: known.kind, help: help.into() }))
        };
        self.families.into_iter().map(info).collect()
    }
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        Stamp {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            mtime: (stat.st_mtime, stat.st_mtime_nsec as i64),
            ctime: (stat.st_ctime, stat.st_ctime_nsec as i64),
        }
    }

    const NONE: Stamp = Stamp { device: 0, inode: 0, size: 0, mtime: (0, 0), ctime: (i64::MAX, 0) };
}

/// Why a file was not read.
enum Refused {
    /// It is not there any more.
    Gone,
    /// An error, for people.
    Because(Stamp, String),
}

/// Reads a file that is one, and not too large. A pipe with that name does not make it wait.
fn read(path: &Path) -> Result<(Stamp, Vec<u8>), Refused> {
    let because = |stamp, text: String| Refused::Because(stamp, text);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOENT => Refused::Gone,
        error => because(Stamp::NONE, std::io::Error::from(error).to_string()),
    })?;
    let stat = fstat(&file).map_err(|e| because(Stamp::NONE, std::io::Error::from(e).to_string()))?;
    let stamp = Stamp::of(&stat);
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(because(stamp, "not a file: the name is kept for files".into()));
    }
    let mut bytes = Vec::new();
    let read = File::from(file).take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| because(stamp, error.to_string()))?;
    cost::read(bytes.len());
    if bytes.len() as u64 > MAX_BYTES {
        return Err(because(stamp, format!("more than {} MiB: it is too large", MAX_BYTES >> 20)));
    }
    Ok((stamp, bytes))
}

/// Notes for what has begun to be wrong, and for what is right again or gone.
fn tell(before: &BTreeMap<PathBuf, String>, now: &BTreeMap<PathBuf, String>, out: &mut Out) {
    let mut note = |level, event, path: &Path, text: &str| {
        let file = path.display().to_string();
        out.note(Note { level, event, text: format!("{file}: {text}"), facts: vec![("file", file)] });
    };
    for (path, text) in now.iter().filter(|(path, text)| before.get(*path) != Some(*text)) {
        note(Level::Warn, "textfile_left_out", path, text);
    }
    for path in before.keys().filter(|path| !now.contains_key(*path)) {
        note(Level::Info, "textfile_left_out_no_more", path, "nothing is wrong any more");
    }
}
