//! One DNS record as a zone file has it, which is what a module's expressions are matched against.
//!
//! Types without a form of their own here, and data that does not read as its type says, are shown as RFC 3597 has it:
//! `\# length hex`.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;

use super::message::{MessageError, Reader, Record};
use super::numbers::{self, class_name, kind_name};

/// Shows a record; `data` reads its data, and nothing behind it.
pub fn show(owner: &str, kind: u16, class: u16, ttl: u32, data: Reader<'_>) -> Record {
    let (shown, serial) = match shown(kind, data.clone()) {
        Ok(shown) => shown,
        Err(_) => (unknown(data), None),
    };
    let text = format!("{owner}\t{ttl}\t{}\t{}\t{shown}", class_name(class), kind_name(kind));
    Record { kind, text, serial }
}

fn shown(kind: u16, mut data: Reader<'_>) -> Result<(String, Option<u32>), MessageError> {
    const WHAT: &str = "a record's data";
    let mut serial = None;
    let text = match kind {
        numbers::A => {
            let octets: [u8; 4] = data.take(4, WHAT)?.try_into().map_err(|_| MessageError::Short(WHAT))?;
            Ipv4Addr::from(octets).to_string()
        }
        numbers::AAAA => {
            let octets: [u8; 16] = data.take(16, WHAT)?.try_into().map_err(|_| MessageError::Short(WHAT))?;
            Ipv6Addr::from(octets).to_string()
        }
        numbers::NS | numbers::CNAME | numbers::PTR | numbers::DNAME => data.name()?,
        numbers::MX => format!("{} {}", data.u16(WHAT)?, data.name()?),
        numbers::SRV => {
            format!("{} {} {} {}", data.u16(WHAT)?, data.u16(WHAT)?, data.u16(WHAT)?, data.name()?)
        }
        numbers::SOA => {
            let (server, mailbox, number) = (data.name()?, data.name()?, data.u32(WHAT)?);
            serial = Some(number);
            let [refresh, retry] = [data.u32(WHAT)?, data.u32(WHAT)?];
            let [expire, minimum] = [data.u32(WHAT)?, data.u32(WHAT)?];
            format!("{server} {mailbox} {number} {refresh} {retry} {expire} {minimum}")
        }
        numbers::TXT | numbers::SPF | numbers::HINFO => {
            let mut strings = Vec::new();
            while !data.is_empty() {
                let len = data.u8(WHAT)?;
                strings.push(quoted(data.take(usize::from(len), WHAT)?));
            }
            strings.join(" ")
        }
        numbers::CAA => {
            let (flag, len) = (data.u8(WHAT)?, data.u8(WHAT)?);
            let tag = String::from_utf8_lossy(data.take(usize::from(len), WHAT)?).into_owned();
            format!("{flag} {tag} {}", quoted(data.rest()))
        }
        numbers::DS => {
            let (tag, algorithm, digest) = (data.u16(WHAT)?, data.u8(WHAT)?, data.u8(WHAT)?);
            format!("{tag} {algorithm} {digest} {}", hex(data.rest()).to_uppercase())
        }
        numbers::DNSKEY => {
            let (flags, protocol, algorithm) = (data.u16(WHAT)?, data.u8(WHAT)?, data.u8(WHAT)?);
            let key = base64::engine::general_purpose::STANDARD.encode(data.rest());
            format!("{flags} {protocol} {algorithm} {key}")
        }
        numbers::TLSA => {
            let [usage, selector, matching] = [data.u8(WHAT)?, data.u8(WHAT)?, data.u8(WHAT)?];
            format!("{usage} {selector} {matching} {}", hex(data.rest()))
        }
        numbers::SSHFP => {
            let (algorithm, kind) = (data.u8(WHAT)?, data.u8(WHAT)?);
            format!("{algorithm} {kind} {}", hex(data.rest()).to_uppercase())
        }
        _ => unknown(data.clone()),
    };
    Ok((text, serial))
}

fn unknown(mut data: Reader<'_>) -> String {
    let bytes = data.rest();
    format!("\\# {} {}", bytes.len(), hex(bytes))
}

fn hex(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(shown, "{byte:02x}");
    }
    shown
}

fn quoted(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len() + 2);
    shown.push('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => {
                shown.push('\\');
                shown.push(char::from(byte));
            }
            0x20..0x7f => shown.push(char::from(byte)),
            _ => drop(write!(shown, "\\{byte:03}")),
        }
    }
    shown.push('"');
    shown
}

#[cfg(test)]
mod tests {
    use crate::dns::message::{parse, query};

    fn shown(kind: u16, data: &[u8]) -> String {
        let mut bytes = query(1, "x", kind, 1, true).unwrap();
        bytes[7] = 1;
        bytes.extend(b"\xc0\x0c");
        bytes.extend(kind.to_be_bytes());
        bytes.extend(b"\0\x01\0\0\0\x3c");
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
        parse(&bytes).unwrap().answer[0].text.clone()
    }

    #[test]
    fn records_are_shown_as_zone_files_have_them() {
        for (kind, data, wanted) in [
            (28, &b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"[..], "AAAA\t::1"),
            (16, b"\x03a\"b\x02\x01 ", "TXT\t\"a\\\"b\" \"\\001 \""),
            (33, b"\0\x01\0\x02\0\x50\x01h\0", "SRV\t1 2 80 h."),
            (6, b"\x01n\0\x01m\0\0\0\0\x09\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04", "SOA\tn. m. 9 1 2 3 4"),
            (257, b"\0\x05issueca.test", "CAA\t0 issue \"ca.test\""),
            (43, b"\x01\x00\x08\x02\xab\xcd", "DS\t256 8 2 ABCD"),
            (48, b"\x01\x01\x03\x08abc", "DNSKEY\t257 3 8 YWJj"),
            (52, b"\x03\x01\x01\xab", "TLSA\t3 1 1 ab"),
            (44, b"\x01\x02\xab", "SSHFP\t1 2 AB"),
            (65280, b"\x01\x02", "TYPE65280\t\\# 2 0102"),
            // Data that ends too early for its type is shown, not refused.
            (1, b"\x01\x02", "A\t\\# 2 0102"),
        ] {
            assert_eq!(shown(kind, data), format!("x.\t60\tIN\t{wanted}"));
        }
    }
}
