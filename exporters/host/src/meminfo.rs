//! Memory from `/proc/meminfo` (proc_meminfo(5)): every field, in bytes where the kernel says `kB`, else as a number of
//! huge pages. Fields that newer kernels add appear by themselves.

use taffrail_core::file::KernelFile;
use taffrail_core::label;
use taffrail_core::{Out, Subject, metrics};

use crate::config::HostConfig;
use crate::scan::{self, Malformed};

metrics! {
    /// Memory information field {key}, in bytes.
    BYTES: Gauge = "node_memory_" {"fields of /proc/meminfo with a unit"} "_bytes" [] irregular;
    /// Memory information field {key}, a number of pages.
    COUNT: Gauge = "node_memory_" {"fields of /proc/meminfo without a unit"} "" [] irregular;
}

/// The subject `meminfo`.
pub fn subject(config: &HostConfig) -> Subject {
    let mut file = KernelFile::new(config.proc("meminfo"));
    let mut key = String::new();
    Subject::blocking("meminfo", METRICS, move |out| {
        let written = write(file.read()?, &mut key, out);
        written.map_err(|e| file.malformed(e))
    })
}

fn write(bytes: &[u8], key: &mut String, out: &mut Out) -> Result<(), Malformed> {
    for line in scan::lines(bytes) {
        let Some(field) = parse(line)? else { continue };
        key.clear();
        append_key(key, field.name);
        if field.bytes {
            out.put_keyed(&BYTES, key, [], field.value);
        } else {
            out.put_keyed(&COUNT, key, [], field.value);
        }
    }
    Ok(())
}

/// One line of the file.
#[derive(Debug, PartialEq)]
pub struct Field<'a> {
    /// As the kernel writes it: `Active(anon)`.
    pub name: &'a [u8],
    /// Whether the value is in bytes; else it is a number.
    pub bytes: bool,
    /// The value.
    pub value: f64,
}

/// Parses one line; `None` for an empty one.
pub fn parse(line: &[u8]) -> Result<Option<Field<'_>>, Malformed> {
    let wrong = || Malformed::new("`Name: number kB`", line);
    if line.is_empty() {
        return Ok(None);
    }
    let colon = memchr::memchr(b':', line).filter(|at| *at > 0).ok_or_else(wrong)?;
    let mut fields = scan::fields(&line[colon + 1..]);
    let value = fields.next().and_then(scan::number).ok_or_else(wrong)?;
    let bytes = match fields.next() {
        None => false,
        Some(b"kB") => true,
        Some(_) => return Err(wrong()),
    };
    Ok(Some(Field { name: &line[..colon], bytes, value: if bytes { value * 1024.0 } else { value } }))
}

/// `Active(anon)` is published as `Active_anon`.
pub(crate) fn append_key(key: &mut String, name: &[u8]) {
    match (memchr::memchr(b'(', name), name.strip_suffix(b")")) {
        (Some(open), Some(inner)) if open < inner.len() => {
            key.push_str(&label::value(&name[..open]));
            key.push('_');
            key.push_str(&label::value(&inner[open + 1..]));
        }
        _ => key.push_str(&label::value(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_a_unit() {
        let field = parse(b"MemTotal:       24684084 kB").unwrap().unwrap();
        assert_eq!(
            (field.name, field.bytes, field.value),
            (b"MemTotal".as_slice(), true, 24684084.0 * 1024.0)
        );
        let field = parse(b"HugePages_Total:       3").unwrap().unwrap();
        assert_eq!((field.bytes, field.value), (false, 3.0));
        assert_eq!(parse(b"").unwrap(), None);
        assert_eq!(parse(b"Balloon: -4 kB").unwrap().unwrap().value, -4096.0);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for bad in
            [b"MemTotal 1 kB".as_slice(), b": 1 kB", b"MemTotal:", b"MemTotal: x kB", b"MemTotal: 1 MB"]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_are_named_as_ever() {
        let key = |name: &[u8]| {
            let mut key = String::new();
            append_key(&mut key, name);
            key
        };
        assert_eq!(key(b"Active(anon)"), "Active_anon");
        assert_eq!(key(b"Committed_AS"), "Committed_AS");
        assert_eq!(key(b"A)("), "A)(");
        assert_eq!(key(b"()"), "_");
    }
}
