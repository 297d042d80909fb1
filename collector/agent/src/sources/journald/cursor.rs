//! How far a journal was read: as journalctl writes and takes it (`--after-cursor`).

use std::fmt::{self, Write};

use taffrail_wire::journal::{Entry, Id};

/// The place behind an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Who counts the entries.
    pub(super) seqnum_id: Id,
    /// The entry's number.
    pub(super) seqnum: u64,
    /// Which start of the machine it is of.
    pub(super) boot_id: Id,
    pub(super) monotonic: u64,
    /// When it was written, in microseconds since 1970.
    pub(super) realtime: u64,
}

impl Cursor {
    /// Behind `entry`.
    pub(super) fn behind(seqnum_id: Id, entry: &Entry) -> Self {
        let Entry { seqnum, boot_id, monotonic, realtime, .. } = *entry;
        Cursor { seqnum_id, seqnum, boot_id, monotonic, realtime }
    }

    /// Reads what [`Cursor::fmt`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut cursor = Cursor::default();
        let mut seen = 0;
        for part in text.split(';') {
            let (key, value) = part.split_once('=')?;
            let number = || u64::from_str_radix(value, 16).ok();
            match key {
                "s" => cursor.seqnum_id = id(value)?,
                "i" => cursor.seqnum = number()?,
                "b" => cursor.boot_id = id(value)?,
                "m" => cursor.monotonic = number()?,
                "t" => cursor.realtime = number()?,
                _ => continue,
            }
            seen += 1;
        }
        (seen == 5).then_some(cursor)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cursor { seqnum_id, seqnum, boot_id, monotonic, realtime } = self;
        let (seqnum_id, boot_id) = (hex(seqnum_id), hex(boot_id));
        write!(f, "s={seqnum_id};i={seqnum:x};b={boot_id};m={monotonic:x};t={realtime:x}")
    }
}

/// As systemd writes identifiers.
pub(super) fn hex(id: &Id) -> String {
    id.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn id(text: &str) -> Option<Id> {
    let number = (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok())?;
    number.map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let entry =
            Entry { seqnum: 0x1f, realtime: 0x63ff, monotonic: 7, boot_id: [0xab; 16], items: vec![8] };
        let cursor = Cursor::behind([1; 16], &entry);
        let text = format!("s={};i=1f;b={};m=7;t=63ff", "01".repeat(16), "ab".repeat(16));
        assert_eq!(cursor.to_string(), text);
        assert_eq!(Cursor::parse(&text), Some(cursor));
        // journalctl adds a hash of the entry.
        assert_eq!(Cursor::parse(&format!("{text};x=99")), Some(cursor));
        for bad in ["", "s=1", "s=;i=;b=;m=;t=", &text.replace(";i=1f", ""), &text.replace("=1f", "=g")] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
