//! Distinguished names as text (RFC 2253), just as blackbox_exporter writes them, so that labels stay the same.
//!
//! The parts stand in an order of their own, whatever the certificate's: serial number, common name, postal code,
//! street, state, locality, units, organisations, countries, then what has no short name.

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Encode, Tag, Tagged};
use x509_cert::name::Name;

use super::certificate::hex;

/// The attributes with a short name, in the order written (X.520).
const KNOWN: [(&str, ObjectIdentifier); 9] = [
    ("SERIALNUMBER", ObjectIdentifier::new_unwrap("2.5.4.5")),
    ("CN", ObjectIdentifier::new_unwrap("2.5.4.3")),
    ("POSTALCODE", ObjectIdentifier::new_unwrap("2.5.4.17")),
    ("STREET", ObjectIdentifier::new_unwrap("2.5.4.9")),
    ("ST", ObjectIdentifier::new_unwrap("2.5.4.8")),
    ("L", ObjectIdentifier::new_unwrap("2.5.4.7")),
    ("OU", ObjectIdentifier::new_unwrap("2.5.4.11")),
    ("O", ObjectIdentifier::new_unwrap("2.5.4.10")),
    ("C", ObjectIdentifier::new_unwrap("2.5.4.6")),
];

/// Of these a name has one; of several the last counts.
const SINGLE: [&str; 2] = ["SERIALNUMBER", "CN"];

/// The name as text.
pub(super) fn text(name: &Name) -> String {
    let all = || name.0.iter().flat_map(|part| part.0.iter());
    let mut parts = Vec::new();
    for (short, oid) in KNOWN {
        let mut values: Vec<String> =
            all().filter(|a| a.oid == oid).map(|a| format!("{short}={}", escape(&value(a)))).collect();
        if SINGLE.contains(&short) {
            values.drain(..values.len().saturating_sub(1));
        }
        if !values.is_empty() {
            parts.push(values.join("+"));
        }
    }
    let unknown: Vec<_> = all().filter(|a| KNOWN.iter().all(|(_, oid)| a.oid != *oid)).collect();
    parts.extend(unknown.into_iter().rev().map(|a| format!("{}=#{}", a.oid, hex(&encoded(a)))));
    parts.join(",")
}

/// The value as text, for the string types that names use.
fn value(attribute: &AttributeTypeAndValue) -> String {
    let bytes = attribute.value.value();
    match attribute.value.tag() {
        Tag::BmpString => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        Tag::TeletexString => bytes.iter().map(|byte| char::from(*byte)).collect(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn escape(value: &str) -> String {
    let last = value.len().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        let escaped = match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            ' ' => at == 0 || at == last,
            '#' => at == 0,
            _ => false,
        };
        if escaped {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// DER of the value as the plainest string type that holds it; what is no string goes over as it is.
fn encoded(attribute: &AttributeTypeAndValue) -> Vec<u8> {
    let strings = [Tag::Utf8String, Tag::PrintableString, Tag::Ia5String, Tag::TeletexString, Tag::BmpString];
    if !strings.contains(&attribute.value.tag()) {
        return attribute.value.to_der().unwrap_or_default();
    }
    let value = value(attribute);
    let printable = value.bytes().all(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&b));
    let mut der = vec![if printable { 0x13 } else { 0x0c }];
    match value.len() {
        short @ 0..=127 => der.push(short as u8),
        long => {
            let bytes = long.to_be_bytes();
            let bytes = &bytes[bytes.iter().take_while(|b| **b == 0).count()..];
            der.push(0x80 | bytes.len() as u8);
            der.extend_from_slice(bytes);
        }
    }
    der.extend_from_slice(value.as_bytes());
    der
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn parts_stand_in_their_own_order() {
        let name = Name::from_str("C=DE,CN=first,O=b\\,c,CN=shop,OU=one,OU=two,SERIALNUMBER=7").unwrap();
        let text = text(&name);
        assert!(text.starts_with("SERIALNUMBER=7,CN="), "{text}");
        assert!(text.ends_with(",O=b\\,c,C=DE") && text.contains('+'), "{text}");
    }

    #[test]
    fn what_could_be_misread_is_escaped() {
        assert_eq!(escape(" a,b+c "), "\\ a\\,b\\+c\\ ");
        assert_eq!(escape("#1 # 2"), "\\#1 # 2");
    }
}
