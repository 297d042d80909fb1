//! What stands in the place of what was found.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Found, Kind};

/// How every mark begins.
pub(super) const OPEN: &str = "[redacted:";

/// Writes marks.
pub(super) struct Marker {
    mac: Option<Hmac<Sha256>>,
}

impl std::fmt::Debug for Marker {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Marker")
    }
}

impl Marker {
    pub fn new(key: &[u8]) -> Self {
        Self { mac: (!key.is_empty()).then(|| Hmac::new_from_slice(key).ok()).flatten() }
    }

    pub fn write(&self, out: &mut String, rule: usize, name: &str, what: &str, hash: bool) {
        out.push_str(OPEN);
        out.push_str(name);
        if let Some(mac) = self.mac.as_ref().filter(|_| hash) {
            let mut mac = mac.clone();
            mac.update(plain_form(rule, what).as_bytes());
            out.push('#');
            // Letters only: no digits that another kind could take for its own.
            for byte in mac.finalize().into_bytes().iter().take(8) {
                out.extend([char::from(b'a' + (byte >> 4)), char::from(b'a' + (byte & 15))]);
            }
        }
        out.push(']');
    }
}

/// The same for all ways to write the same: an address in small letters, a number without its separators.
fn plain_form(rule: usize, what: &str) -> String {
    match Kind::ALL.get(rule) {
        Some(Kind::Email) => what.to_ascii_lowercase(),
        Some(Kind::Card | Kind::Iban) => what.chars().filter(char::is_ascii_alphanumeric).collect(),
        Some(Kind::Phone) => what.chars().filter(char::is_ascii_digit).collect(),
        _ => what.to_owned(),
    }
}

/// Orders what was found; joins what overlaps, under the name of the first; leaves out what is in a mark already; moves
/// ends to borders of characters.
pub(super) fn tidy(text: &str, found: &mut Vec<Found>) {
    let marks: Vec<(usize, usize)> = memchr::memmem::find_iter(text.as_bytes(), OPEN)
        .map(|start| (start, text[start..].find(']').map_or(text.len(), |length| start + length + 1)))
        .collect();
    found.retain(|hit| {
        let next = marks.partition_point(|(_, end)| *end <= hit.start);
        marks.get(next).is_none_or(|(start, _)| *start >= hit.end)
    });
    found.sort_unstable_by_key(|hit| (hit.start, usize::MAX - hit.end, hit.rule));
    for hit in found.iter_mut() {
        hit.start = text.floor_char_boundary(hit.start);
        hit.end = text.ceil_char_boundary(hit.end);
    }
    found.dedup_by(|next, kept| {
        let overlaps = next.start < kept.end;
        if overlaps {
            kept.end = kept.end.max(next.end);
        }
        overlaps
    });
}
