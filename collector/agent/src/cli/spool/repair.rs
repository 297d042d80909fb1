//! `taffrail spool repair`: mends what is damaged, and says what is lost.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use taffrail_spool::{DirLock, Inspection, Repaired, inspect, repair};

use super::contents::Contents;
use super::{Place, logs, size, time};
use crate::cli::print;

/// `taffrail spool repair`
#[derive(Args, Debug)]
pub(super) struct Repair {
    #[command(flatten)]
    place: Place,
}

impl Repair {
    pub(super) fn answer(&self) -> anyhow::Result<ExitCode> {
        let data_dir = match self.place.data_dir() {
            Ok(dir) => dir,
            Err(code) => return Ok(code),
        };
        // Before the lock, which would make the folder.
        let logs = logs(&data_dir)?;
        let lock = DirLock::acquire(&data_dir)?;
        let mut well = true;
        for (name, dir) in logs {
            well &= mend(&lock, &name, &dir)?;
        }
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Mends one log; false where something stays damaged.
fn mend(lock: &DirLock, name: &str, dir: &Path) -> anyhow::Result<bool> {
    let found = inspect(dir, false, &mut Contents::new(name))?;
    let done = repair(lock, dir, &found)?;
    let mut well = true;
    if done.is_empty() && found.cursors_problem.is_none() {
        print::out(&format!("{name}: nothing to repair\n"))?;
    }
    for done in &done {
        well &= !matches!(done, Repaired::Left { .. });
        print::out(&format!("{name}: {}\n", words(done, &found)))?;
    }
    if let Some(problem) = &found.cursors_problem {
        well = false;
        print::out(&format!(
            "{name}: where the outputs are is lost and cannot be mended ({problem}); \
             the next start sends all that is here again, and saves them anew\n"
        ))?;
    }
    Ok(well)
}

fn words(done: &Repaired, found: &Inspection) -> String {
    match done {
        Repaired::Cut { path, from, bytes } => format!(
            "{}: cut off at byte {from}: {bytes} bytes of a write that never was complete",
            path.display()
        ),
        Repaired::Rewritten { path, aside, kept, lost, bytes } => format!(
            "{}: {kept} records are kept, {lost} or more are lost ({}{}); as it was, it is {}",
            path.display(),
            size(*bytes),
            span(path, found),
            aside.display()
        ),
        Repaired::SetAside { path, aside, bytes } => format!(
            "{}: nothing in its {} is a record; it is {} now",
            path.display(),
            size(*bytes),
            aside.display()
        ),
        Repaired::Left { error, .. } => format!("left as it is: {error}"),
    }
}

/// From when to when the records of a segment are.
fn span(path: &Path, found: &Inspection) -> String {
    let segment = found.segments.iter().find(|segment| segment.path == path);
    match segment.and_then(|segment| segment.times) {
        Some((first, last)) => format!(", of the time from {} to {}", time::show(first), time::show(last)),
        None => String::new(),
    }
}
