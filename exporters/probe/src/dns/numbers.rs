//! Names of DNS' numbers: types, classes and response codes (IANA's registry "Domain Name System Parameters").

use std::borrow::Cow;

/// An IPv4 address.
pub const A: u16 = 1;
/// A name server.
pub const NS: u16 = 2;
/// Another name.
pub const CNAME: u16 = 5;
/// The start of a zone.
pub const SOA: u16 = 6;
/// A name for an address.
pub const PTR: u16 = 12;
/// A machine's kind.
pub const HINFO: u16 = 13;
/// A mail server.
pub const MX: u16 = 15;
/// Text.
pub const TXT: u16 = 16;
/// An IPv6 address.
pub const AAAA: u16 = 28;
/// A service.
pub const SRV: u16 = 33;
/// Another name for a whole tree.
pub const DNAME: u16 = 39;
/// A digest of a key of a zone below.
pub const DS: u16 = 43;
/// The fingerprint of an SSH key.
pub const SSHFP: u16 = 44;
/// A key of the zone.
pub const DNSKEY: u16 = 48;
/// A certificate to expect.
pub const TLSA: u16 = 52;
/// Who may send mail.
pub const SPF: u16 = 99;
/// Any type.
pub const ANY: u16 = 255;
/// Who may issue certificates.
pub const CAA: u16 = 257;

/// The class of the Internet.
pub const IN: u16 = 1;

const KINDS: [(&str, u16); 39] = [
    ("A", A),
    ("NS", NS),
    ("CNAME", CNAME),
    ("SOA", SOA),
    ("PTR", PTR),
    ("HINFO", HINFO),
    ("MX", MX),
    ("TXT", TXT),
    ("RP", 17),
    ("AFSDB", 18),
    ("SIG", 24),
    ("KEY", 25),
    ("AAAA", AAAA),
    ("LOC", 29),
    ("SRV", SRV),
    ("NAPTR", 35),
    ("KX", 36),
    ("CERT", 37),
    ("DNAME", DNAME),
    ("OPT", 41),
    ("APL", 42),
    ("DS", DS),
    ("SSHFP", SSHFP),
    ("IPSECKEY", 45),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", DNSKEY),
    ("DHCID", 49),
    ("NSEC3", 50),
    ("NSEC3PARAM", 51),
    ("TLSA", TLSA),
    ("SMIMEA", 53),
    ("CDS", 59),
    ("CDNSKEY", 60),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("SPF", SPF),
    ("ANY", ANY),
    ("CAA", CAA),
];

const CLASSES: [(&str, u16); 5] = [("IN", IN), ("CS", 2), ("CH", 3), ("HS", 4), ("ANY", 255)];

/// Response codes that fit a header; a place is its number.
const RCODES: [&str; 11] = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
    "NOTAUTH", "NOTZONE",
];

/// The number of a type, by its name or as `TYPE65`.
pub fn kind(name: &str) -> Option<u16> {
    number(&KINDS, "TYPE", name)
}

/// The number of a class, by its name or as `CLASS3`.
pub fn class(name: &str) -> Option<u16> {
    number(&CLASSES, "CLASS", name)
}

/// The number of a response code.
pub fn rcode(name: &str) -> Option<u8> {
    RCODES.iter().position(|known| *known == name).map(|at| at as u8)
}

/// Every response code's name, for messages.
pub fn rcodes() -> String {
    RCODES.join(", ")
}

/// A type's name.
pub fn kind_name(kind: u16) -> Cow<'static, str> {
    name(&KINDS, "TYPE", kind)
}

/// A class' name.
pub fn class_name(class: u16) -> Cow<'static, str> {
    name(&CLASSES, "CLASS", class)
}

/// A response code's name.
pub fn rcode_name(rcode: u8) -> Cow<'static, str> {
    match RCODES.get(usize::from(rcode)) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(format!("RCODE{rcode}")),
    }
}

fn number(table: &[(&str, u16)], prefix: &str, name: &str) -> Option<u16> {
    let known = table.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    known.or_else(|| name.strip_prefix(prefix)?.parse().ok())
}

fn name(table: &[(&'static str, u16)], prefix: &str, number: u16) -> Cow<'static, str> {
    match table.iter().find(|(_, known)| *known == number) {
        Some((known, _)) => Cow::Borrowed(known),
        None => Cow::Owned(format!("{prefix}{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() {
        assert_eq!(kind("AAAA"), Some(28));
        assert_eq!(kind("TYPE64000"), Some(64000));
        assert_eq!(kind_name(64000), "TYPE64000");
        assert_eq!(kind("aaaa"), None);
        assert_eq!(class("CH"), Some(3));
        assert_eq!(class_name(9), "CLASS9");
        assert_eq!(rcode("NXDOMAIN"), Some(3));
        assert_eq!(rcode_name(3), "NXDOMAIN");
        assert_eq!(rcode_name(14), "RCODE14");
    }
}
