//! The operating system's names from `<rootfs>/etc/os-release`, else `<rootfs>/usr/lib/os-release` (os-release(5)).

use std::io;
use std::path::Path;

use taffrail_core::{CollectError, Out, Subject, label, metrics};

use crate::config::HostConfig;
use crate::rootfs;
use crate::scan;

metrics! {
    /// What os-release says of the operating system. Always 1.
    INFO: Gauge = "node_os_info" [
        "build_id", "id", "id_like", "image_id", "image_version", "name", "pretty_name", "variant", "variant_id",
        "version", "version_codename", "version_id"
    ];
    /// The number that the operating system's VERSION_ID begins with, at most major.minor.
    VERSION: Gauge = "node_os_version" ["id", "id_like", "name"];
    /// When the operating system's support ends, in seconds since 1970.
    SUPPORT_END: Gauge = "node_os_support_end_timestamp_seconds" [];
}

/// Runs between two readings: a release changes with an upgrade, and a minute later is soon enough.
const EVERY: u32 = 4;

/// The subject `os`.
pub fn subject(config: &HostConfig) -> Subject {
    let root = config.rootfs.clone();
    let mut kept: Option<Release> = None;
    let mut age = 0;
    Subject::blocking("os", METRICS, move |out| {
        if kept.is_none() || age >= EVERY {
            age = 0;
            kept = Some(read(&root)?);
        }
        age += 1;
        if let Some(release) = &kept {
            write(release, out);
        }
        Ok(())
    })
}

fn read(root: &Path) -> Result<Release, CollectError> {
    for path in ["etc/os-release", "usr/lib/os-release"] {
        match rootfs::read(root, path) {
            Ok(bytes) => return Ok(parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(CollectError::Read { path: root.join(path), source }),
        }
    }
    Err(CollectError::Absent)
}

fn write(release: &Release, out: &mut Out) {
    let text: [_; 12] = std::array::from_fn(|at| label::value(&release.values[at]));
    let info = text.each_ref().map(|text| &**text);
    let [_, id, id_like, _, _, name, ..] = info;
    out.put(&INFO, info, 1.0);
    if let Some(version) = release.version {
        out.put(&VERSION, [id, id_like, name], version);
    }
    if let Some(seconds) = release.support_end {
        out.put(&SUPPORT_END, [], seconds);
    }
}

/// What the file says.
#[derive(Debug, Default, PartialEq)]
pub struct Release {
    /// In the order of the labels of `node_os_info`.
    pub values: [Vec<u8>; 12],
    /// The number `VERSION_ID` begins with.
    pub version: Option<f64>,
    /// `SUPPORT_END`, in seconds since 1970.
    pub support_end: Option<f64>,
}

/// Parses `NAME=value` lines with a shell's quotes. Lines that are none, and unknown names, are left out.
pub fn parse(bytes: &[u8]) -> Release {
    let mut release = Release::default();
    for line in scan::lines(bytes) {
        let line = scan::trim(line);
        let Some(at) = memchr::memchr(b'=', line) else { continue };
        let (name, value) = (&line[..at], unquote(&line[at + 1..]));
        if name == b"SUPPORT_END" {
            release.support_end = date(&value);
            continue;
        }
        // The labels are the variables' names in lower case.
        let label = INFO.metric().labels.iter().position(|label| label.as_bytes().eq_ignore_ascii_case(name));
        if let Some(label) = label
            && name.iter().all(|b| !b.is_ascii_lowercase())
        {
            if name == b"VERSION_ID" {
                release.version = leading_version(&value);
            }
            release.values[label] = value;
        }
    }
    release
}

/// A value as a shell would take it.
fn unquote(raw: &[u8]) -> Vec<u8> {
    let raw = scan::trim(raw);
    match raw {
        [b'\'', inner @ .., b'\''] => inner.to_vec(),
        [b'"', inner @ .., b'"'] => unescape(inner),
        _ => unescape(raw),
    }
}

fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&b) = bytes.next() {
        value.push(if b == b'\\' { *bytes.next().unwrap_or(&b) } else { b });
    }
    value
}

/// `24.04` of `24.04.1`, `12` of `12`; nothing of what does not begin with a digit.
fn leading_version(value: &[u8]) -> Option<f64> {
    let digits = |from: usize| value[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = digits(0);
    if end > 0 && value.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    let version: f64 = std::str::from_utf8(&value[..end]).ok()?.parse().ok()?;
    (version > 0.0).then_some(version)
}

/// Seconds since 1970 of `2030-12-31` (UTC), by the count of days of the civil calendar.
fn date(value: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<u32>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1970..=9999).contains(&year) {
        return None;
    }
    // Years are counted from March, so that the leap day is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    const DAYS_TO_1970: u32 = 719_468;
    Some(f64::from(days - DAYS_TO_1970) * 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_as_a_shell_reads_them() {
        assert_eq!(unquote(br#""Debian \"12\"""#), br#"Debian "12""#);
        assert_eq!(unquote(b"'a b\\'"), b"a b\\");
        assert_eq!(unquote(b"debian"), b"debian");
        assert_eq!(unquote(b"\""), b"\"");
        assert_eq!(unquote(b""), b"");
    }

    #[test]
    fn known_names_only() {
        let release =
            parse(b"# a comment\nID=debian\nVERSION_ID=\"12.5.1\"\nid=no\nHOME_URL=x\nbroken\nNAME=\n");
        assert_eq!(release.values[1], b"debian");
        assert_eq!(release.values[11], b"12.5.1");
        assert_eq!(release.version, Some(12.5));
        assert_eq!(parse(b""), Release::default());
    }

    #[test]
    fn versions_and_dates() {
        assert_eq!(leading_version(b"24.04"), Some(24.04));
        assert_eq!(leading_version(b"12"), Some(12.0));
        assert_eq!(leading_version(b"7."), Some(7.0));
        for none in [b"rolling".as_slice(), b"", b".5", b"0"] {
            assert_eq!(leading_version(none), None);
        }
        assert_eq!(date(b"1970-01-01"), Some(0.0));
        assert_eq!(date(b"2000-02-29"), Some(951_782_400.0));
        assert_eq!(date(b"2030-12-31"), Some(1_924_905_600.0));
        for none in [b"2030-13-01".as_slice(), b"2030-12", b"", b"x-y-z"] {
            assert_eq!(date(none), None);
        }
    }
}
