//! `taffrail spool check`: what is on disk, who lags, and what is damaged.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use taffrail_core::Clock;
use taffrail_spool::{Damage, Inspection, inspect};

use super::contents::Contents;
use super::{Place, in_use, logs, size, time};
use crate::cli::print;
use crate::config::show_duration;

/// `taffrail spool check`
#[derive(Args, Debug)]
pub(super) struct Check {
    #[command(flatten)]
    place: Place,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// One log, looked at.
struct Log {
    name: String,
    found: Inspection,
    contents: Contents,
}

impl Log {
    fn is_sound(&self) -> bool {
        self.found.is_sound() && self.contents.unreadable.0 == 0
    }
}

impl Check {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        let data_dir = match self.place.data_dir() {
            Ok(dir) => dir,
            Err(code) => return Ok(code),
        };
        let used = in_use(&data_dir);
        let mut looked = Vec::new();
        for (name, dir) in logs(&data_dir)? {
            let mut contents = Contents::new(&name);
            let found = inspect(&dir, used.is_some(), &mut contents)?;
            looked.push(Log { name, found, contents });
        }
        let sound = looked.iter().all(Log::is_sound);
        if self.json {
            let logs: Vec<Value> = looked.iter().map(as_json).collect();
            print::json(&json!({ "data_dir": data_dir, "in_use_by": used, "sound": sound, "logs": logs }))?;
        } else {
            let now_ms = Clock::system().now_ms();
            print::out(&text(&data_dir, used.as_deref(), &looked, now_ms))?;
        }
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn text(data_dir: &Path, used: Option<&str>, logs: &[Log], now_ms: i64) -> String {
    let mut text = match used {
        Some(by) => format!("{} is in use by {by}: what follows is up to a second old\n", data_dir.display()),
        None => format!("{} is not in use\n", data_dir.display()),
    };
    for log in logs {
        // Writing to a text cannot fail.
        let _ = one(&mut text, log, now_ms);
    }
    let (sound, files) = (logs.iter().all(Log::is_sound), logs.iter().all(|log| log.found.is_sound()));
    text.push_str(match (sound, files, used) {
        (true, ..) => "\nno damage\n",
        (_, true, _) => {
            "\nsome records cannot be decoded: outputs leave them out and count them as `unreadable`\n"
        }
        (_, _, None) => "\nthere is damage: `taffrail spool repair` mends it, a start of taffrail skips it\n",
        (_, _, Some(_)) => {
            "\nthere is damage: taffrail skips it; `taffrail spool repair`, once it is stopped, mends it\n"
        }
    });
    text
}

fn one(text: &mut String, log: &Log, now_ms: i64) -> std::fmt::Result {
    let Log { name, found, contents } = log;
    let held = found.held();
    let files: u64 = found.segments.iter().map(|segment| segment.bytes).sum();
    write!(text, "\n{name}: {} in {} segments, {} records", size(files), found.segments.len(), held.records)?;
    if let Some(what) = contents.what() {
        write!(text, ", {} {what}", contents.count)?;
    }
    writeln!(text)?;
    if let Some((first, last)) = found.times() {
        writeln!(text, "  from {} to {}", time::show(first), time::show(last))?;
    }
    for cursor in &found.cursors {
        write!(text, "  {}: ", cursor.name)?;
        match cursor.pending_ms {
            None => writeln!(text, "has all of it")?,
            Some(ms) => writeln!(
                text,
                "{} records ({}) to go, the oldest {} old; last here {}",
                cursor.lag.records,
                size(cursor.lag.bytes),
                age(now_ms, ms),
                time::show(cursor.seen_ms),
            )?,
        }
    }
    if found.cursors.is_empty() && found.cursors_problem.is_none() {
        writeln!(text, "  no output reads it")?;
    }
    if let Some(problem) = &found.cursors_problem {
        writeln!(text, "  DAMAGE: where the outputs are is lost, all that is here is sent again: {problem}")?;
    }
    for segment in &found.segments {
        let file = segment.path.display();
        if segment.header_damaged {
            writeln!(text, "  DAMAGE: {file}: its header is damaged; no record is lost by that")?;
        }
        for damage in &segment.damage {
            writeln!(text, "  DAMAGE: {file}: {}", words(damage))?;
        }
        if let Some(error) = &segment.error {
            writeln!(text, "  DAMAGE: {error}")?;
        }
    }
    let (count, named) = &contents.unreadable;
    for record in named {
        writeln!(text, "  DAMAGE: {}: at byte {}: {}", record.file.display(), record.at, record.error)?;
    }
    if *count > named.len() as u64 {
        writeln!(text, "  DAMAGE: and {} more records that cannot be decoded", count - named.len() as u64)?;
    }
    for (file, bytes) in &found.set_aside {
        writeln!(text, "  set aside earlier: {} ({})", file.display(), size(*bytes))?;
    }
    Ok(())
}

/// Damage in words.
pub(super) fn words(damage: &Damage) -> String {
    let Damage { from, to, records, torn } = *damage;
    let bytes = to - from;
    match (torn, records) {
        (true, _) => {
            format!("at byte {from}: the last write was cut short ({bytes} bytes, never acknowledged)")
        }
        (false, 1) => format!("at byte {from}: {bytes} bytes are damaged, a record or more is lost"),
        (false, n) => format!("at byte {from}: {bytes} bytes are damaged, {n} records are lost"),
    }
}

/// How long ago something was.
pub(super) fn age(now_ms: i64, ms: i64) -> String {
    // To the second: nobody needs more of an age.
    let seconds = now_ms.saturating_sub(ms).max(0) as u64 / 1000;
    show_duration(std::time::Duration::from_secs(seconds))
}

fn as_json(log: &Log) -> Value {
    let Log { name, found, contents } = log;
    let held = found.held();
    let segment = |segment: &taffrail_spool::SegmentFile| {
        let damage = segment
            .damage
            .iter()
            .map(|d| json!({ "from": d.from, "to": d.to, "records": d.records, "torn": d.torn }));
        json!({
            "file": segment.path,
            "bytes": segment.bytes,
            "records": segment.held.records,
            "first_ms": segment.times.map(|(first, _)| first),
            "last_ms": segment.times.map(|(_, last)| last),
            "complete": segment.complete,
            "header_damaged": segment.header_damaged,
            "damage": damage.collect::<Vec<_>>(),
            "error": segment.error,
        })
    };
    let cursor = |cursor: &taffrail_spool::CursorFile| {
        json!({
            "name": cursor.name,
            "committed": cursor.committed,
            "seen_ms": cursor.seen_ms,
            "lag_records": cursor.lag.records,
            "lag_bytes": cursor.lag.bytes,
            "pending_ms": cursor.pending_ms,
        })
    };
    let unreadable = contents.unreadable.1.iter();
    let unreadable = unreadable.map(|r| json!({ "file": r.file, "at": r.at, "error": r.error }));
    let aside = found.set_aside.iter().map(|(file, bytes)| json!({ "file": file, "bytes": bytes }));
    json!({
        "name": name,
        "sound": log.is_sound(),
        "records": held.records,
        "bytes": held.bytes,
        "items": contents.what().map(|_| contents.count),
        "first_ms": found.times().map(|(first, _)| first),
        "last_ms": found.times().map(|(_, last)| last),
        "segments": found.segments.iter().map(segment).collect::<Vec<_>>(),
        "cursors": found.cursors.iter().map(cursor).collect::<Vec<_>>(),
        "cursors_problem": found.cursors_problem,
        "undecodable_records": contents.unreadable.0,
        "undecodable": unreadable.collect::<Vec<_>>(),
        "set_aside": aside.collect::<Vec<_>>(),
    })
}
