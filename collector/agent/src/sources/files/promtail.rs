//! Positions that promtail left: a file that is not known yet goes on where promtail stopped.
//!
//! <https://grafana.com/docs/loki/latest/send-data/promtail/configuration/#positions>

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::beside::called_after;
use super::file::{self, LogFile};
use super::source::Source;

/// The longest positions file: of 10,000 files it has two megabytes at the most.
const MAX_BYTES: u64 = 16 << 20;

/// Positions by path.
#[derive(Debug, Default)]
pub(super) struct Promtail(BTreeMap<PathBuf, u64>);

/// The file as promtail writes it. It holds cursors of journals too, which are words.
#[derive(Deserialize)]
struct Written {
    positions: BTreeMap<String, Position>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Position {
    Number(u64),
    Text(String),
}

impl Promtail {
    /// Reads the positions in `path`; where there is no file there are none.
    ///
    /// # Errors
    /// In words, with what to do, when the file cannot be read or understood.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let held = |problem: String| {
            format!(
                "promtail's positions in {} cannot be read: {problem}. Nothing is read, so that no line is skipped or sent \
                 twice. Repair the file, or take `positions_from` out of the configuration to begin as `start` says",
                path.display()
            )
        };
        let text = match std::fs::metadata(path).and_then(|meta| Ok((meta.len(), std::fs::read(path)?))) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Promtail::default()),
            Err(e) => return Err(held(e.to_string())),
            Ok((len, _)) if len > MAX_BYTES => return Err(held(format!("it has {len} bytes"))),
            Ok((_, text)) => text,
        };
        parse(&text).map_err(held)
    }
}

fn parse(text: &[u8]) -> Result<Promtail, String> {
    let text = std::str::from_utf8(text).map_err(|e| e.to_string())?;
    let written: Written = serde_saphyr::from_str(text).map_err(|e| {
        // Its first line says what is wrong and where; the lines of the file that follow are for a terminal.
        let said = e.to_string();
        let first = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
        format!("it is not what promtail writes, a map `positions`: {first}")
    })?;
    let files = written.positions.into_iter().filter(|(path, _)| path.starts_with('/'));
    let positions = files.map(|(path, position)| match position {
        Position::Number(position) => Ok((path.into(), position)),
        Position::Text(text) => match text.parse() {
            Ok(position) => Ok((path.into(), position)),
            Err(_) => Err(format!("`{text}` is no position (of {path})")),
        },
    });
    positions.collect::<Result<_, _>>().map(Promtail)
}

/// Whether a line may begin at `position`.
fn at_line(file: &File, meta: &Metadata, position: u64) -> io::Result<bool> {
    let mut before = [b'\n'];
    if let Some(at) = position.checked_sub(1) {
        before[0] = 0;
        let _ = file.read_at(&mut before, at)?;
    }
    Ok(position <= meta.size() && before[0] == b'\n')
}

impl Source {
    /// Where promtail stopped in a file that is not known yet; `None` when it did not know it either. When what stands
    /// there now is not what promtail read, the file was rotated since: that one is followed from where promtail
    /// stopped, if it is found, and this one is to be read whole.
    pub(super) fn promtails(
        &mut self,
        path: &Path,
        (handle, meta): (&File, &Metadata),
        now: Duration,
    ) -> io::Result<Option<u64>> {
        let Some(position) = self.promtail.0.get(path).copied() else { return Ok(None) };
        if at_line(handle, meta, position)? {
            return Ok(Some(position));
        }
        let open = |entry: std::fs::DirEntry| {
            let path = entry.path();
            let (handle, meta) = file::open(&path).ok()?;
            let fits = meta.size() >= position && at_line(&handle, &meta, position).is_ok_and(|at| at);
            fits.then_some((handle, meta, path))
        };
        let rotated = called_after(path).filter_map(open);
        let newest = rotated.max_by_key(|(_, meta, _)| (meta.mtime(), meta.mtime_nsec()));
        let Some((handle, meta, found)) = newest else {
            self.complain(format!(
                "{}: promtail stopped at {position}, where no line begins now: it was rotated since, and what it was is \
                 not beside it. It is read from its beginning",
                path.display()
            ));
            return Ok(Some(0));
        };
        if !self.by_inode.contains_key(&(meta.dev(), meta.ino())) {
            let (id, name): (u64, Arc<Path>) = (self.new_id(), path.into());
            let mut file = LogFile::new(id, (handle, &meta), name, found.into(), position, now);
            // If it cannot be read now, the next reading says so.
            let _ = file.verify();
            self.follow(file);
        }
        Ok(Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_promtail_writes_is_read() {
        let text =
            b"positions:\n  /var/log/a.log: \"123\"\n  /var/log/b.log: 7\n  cursor-journal: \"s=1;i=2\"\n";
        let read = parse(text).unwrap().0;
        assert_eq!(read, BTreeMap::from([("/var/log/a.log".into(), 123), ("/var/log/b.log".into(), 7)]));
        assert_eq!(parse(b"positions: {}\n").unwrap().0.len(), 0);
    }

    #[test]
    fn what_is_garbled_is_never_taken_for_none() {
        for text in [&b""[..], b"positions:\n  /a: \"12", b"\xff", b"a: b\n", b"positions:\n  /a: \"12x\"\n"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
        let said = parse(b"positions:\n  /var/log/a.log: \"12x\"\n").unwrap_err();
        assert_eq!(said, "`12x` is no position (of /var/log/a.log)");
    }
}
