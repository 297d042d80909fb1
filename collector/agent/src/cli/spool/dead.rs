//! `taffrail spool dead`: what receivers refused for good, to be looked at, sent again, or given up.

mod resend;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use taffrail_core::Clock;

use super::selector::Selector;
use super::{Place, size};
use crate::cli::print;
use crate::outputs::dead::{FOLDER, FolderLock, Letter, files};

/// `taffrail spool dead`
#[derive(Args, Debug)]
pub(super) struct Dead {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say how many there are, of which output, and why
    List(List),
    /// Print them, as JSON lines
    Show(Show),
    /// Send them again; what is refused again stays
    Resend(resend::Resend),
    /// Remove them
    Drop(Drop),
}

#[derive(Args, Debug)]
struct List {
    #[command(flatten)]
    place: Place,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Show {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    which: Which,
}

#[derive(Args, Debug)]
struct Drop {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    which: Which,
}

/// Which letters are meant.
#[derive(Args, Debug, Default)]
struct Which {
    /// Only those of this output
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Only those that were refused for this reason: stream_limit, labels, out_of_order and the like
    #[arg(long, value_name = "WORD")]
    reason: Option<String>,
    /// Only those of these streams: '{job="app"}'
    #[arg(long = "match", value_name = "SELECTOR", value_parser = Selector::read)]
    selector: Option<Selector>,
}

impl Which {
    fn matches(&self, letter: &Letter) -> bool {
        let label = |name: &str| letter.stream.get(name).and_then(Value::as_str);
        self.reason.as_ref().is_none_or(|reason| *reason == letter.reason)
            && self.selector.as_ref().is_none_or(|selector| selector.matches(label))
    }

    /// The folders of the outputs that are meant, by name.
    fn folders(&self, data_dir: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
        let all = folders(data_dir)?;
        let Some(wanted) = &self.output else { return Ok(all) };
        let names: Vec<String> = all.iter().map(|(name, _)| name.clone()).collect();
        let found: Vec<_> = all.into_iter().filter(|(name, _)| name == wanted).collect();
        anyhow::ensure!(
            !found.is_empty(),
            "there are no dead letters of an output `{wanted}`; there are of: {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        );
        Ok(found)
    }
}

impl Dead {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        match &self.what {
            What::List(list) => list.answer(),
            What::Show(show) => show.answer(),
            What::Resend(resend) => resend.answer(),
            What::Drop(drop) => drop.answer(),
        }
    }
}

/// The folders of outputs that have dead letters, by name.
fn folders(data_dir: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let dead = data_dir.join(FOLDER);
    let listed = match fs::read_dir(&dead) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot list {}", dead.display())),
    };
    let mut folders = Vec::new();
    for entry in listed {
        let path = entry?.path();
        if path.is_dir() && !files(&path)?.is_empty() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            folders.push((name, path));
        }
    }
    folders.sort();
    Ok(folders)
}

/// Shows `visit` the letters of a file, with their lines; lines that are none are counted.
fn read(path: &Path, mut visit: impl FnMut(Letter, &str) -> anyhow::Result<()>) -> anyhow::Result<u64> {
    let file = fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let (mut lines, mut line, mut bad) = (BufReader::new(file), Vec::new(), 0);
    while lines.read_until(b'\n', &mut line).with_context(|| format!("cannot read {}", path.display()))? > 0 {
        match serde_json::from_slice(&line) {
            Ok(letter) => visit(letter, &String::from_utf8_lossy(&line))?,
            Err(_) => bad += 1,
        }
        line.clear();
    }
    Ok(bad)
}

/// What letters have in common.
type Group = (String, Option<String>, String);

/// How many they are.
#[derive(Debug, Default)]
struct Count {
    entries: u64,
    bytes: u64,
    first_ms: i64,
    last_ms: i64,
    message: String,
}

impl List {
    fn answer(&self) -> anyhow::Result<ExitCode> {
        let data_dir = match self.place.data_dir() {
            Ok(dir) => dir,
            Err(code) => return Ok(code),
        };
        let (mut groups, mut bad) = (BTreeMap::<Group, Count>::new(), 0);
        for (output, folder) in folders(&data_dir)? {
            for file in files(&folder)? {
                bad += read(&file.path, |letter, line| {
                    let group = (output.clone(), letter.tenant, letter.reason);
                    let count = groups.entry(group).or_insert_with(|| Count {
                        first_ms: letter.at_ms,
                        message: letter.message.clone(),
                        ..Count::default()
                    });
                    count.entries += letter.values.len() as u64;
                    count.bytes += line.len() as u64;
                    count.last_ms = letter.at_ms;
                    Ok(())
                })?;
            }
        }
        if self.json {
            let groups: Vec<Value> = groups.iter().map(as_json).collect();
            print::json(&json!({ "data_dir": data_dir, "unreadable": bad, "dead_letters": groups }))?;
        } else {
            print::out(&text(&groups, bad, Clock::system().now_ms()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn as_json(((output, tenant, reason), count): (&Group, &Count)) -> Value {
    json!({
        "output": output, "tenant": tenant, "reason": reason, "entries": count.entries, "bytes": count.bytes,
        "first_ms": count.first_ms, "last_ms": count.last_ms, "message": count.message,
    })
}

fn text(groups: &BTreeMap<Group, Count>, bad: u64, now_ms: i64) -> String {
    let mut text = String::new();
    for ((output, tenant, reason), count) in groups {
        let tenant = tenant.as_ref().map_or(String::new(), |tenant| format!(", tenant {tenant}"));
        let since = super::check::age(now_ms, count.first_ms);
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "{output}{tenant}: {} entries ({}) refused for {reason}, the first {since} ago\n  {}",
            count.entries,
            size(count.bytes),
            count.message
        );
    }
    if groups.is_empty() {
        text.push_str("there are no dead letters\n");
    }
    if bad > 0 {
        let _ = writeln!(text, "{bad} lines are no letters, and are left alone");
    }
    text
}

impl Show {
    fn answer(&self) -> anyhow::Result<ExitCode> {
        let data_dir = match self.place.data_dir() {
            Ok(dir) => dir,
            Err(code) => return Ok(code),
        };
        for (_, folder) in self.which.folders(&data_dir)? {
            for file in files(&folder)? {
                read(&file.path, |letter, line| match self.which.matches(&letter) {
                    true => Ok(print::out(line)?),
                    false => Ok(()),
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Drop {
    fn answer(&self) -> anyhow::Result<ExitCode> {
        let data_dir = match self.place.data_dir() {
            Ok(dir) => dir,
            Err(code) => return Ok(code),
        };
        let mut gone = 0;
        for (_, folder) in self.which.folders(&data_dir)? {
            for taken in take(&folder)? {
                rewrite(&taken, |letter| {
                    let meant = self.which.matches(&letter);
                    gone += if meant { letter.values.len() as u64 } else { 0 };
                    Ok(if meant { Vec::new() } else { vec![letter] })
                })?;
            }
        }
        print::out(&format!("{gone} entries are gone\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Takes the files of a folder away from who writes to them: their names after that.
fn take(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let _lock = FolderLock::take(folder).with_context(|| format!("cannot lock {}", folder.display()))?;
    let mut taken = Vec::new();
    for file in files(folder)? {
        // A name of its own, in the same order: a writer goes on with a new file.
        let names = (1i64..).map(|less| format!("{:013}.ndjson", file.since_ms - less));
        let mut places = names.map(|name| file.path.with_file_name(name));
        let Some(at) = places.find(|place| !place.exists()) else { continue };
        fs::rename(&file.path, &at).with_context(|| format!("cannot rename {}", file.path.display()))?;
        taken.push(at);
    }
    Ok(taken)
}

/// Keeps what `keep` gives back of each letter of a file.
fn rewrite(path: &Path, mut keep: impl FnMut(Letter) -> anyhow::Result<Vec<Letter>>) -> anyhow::Result<u64> {
    let mut left = Vec::new();
    let bad = read(path, |letter, _| {
        for letter in keep(letter)? {
            serde_json::to_writer(&mut left, &letter)?;
            left.push(b'\n');
        }
        Ok(())
    })?;
    let with = || format!("cannot write {}", path.display());
    if left.is_empty() {
        fs::remove_file(path).with_context(with)?;
    } else {
        let new = path.with_extension("new");
        fs::write(&new, &left).with_context(with)?;
        fs::rename(&new, path).with_context(with)?;
    }
    Ok(bad)
}
