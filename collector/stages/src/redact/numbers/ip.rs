//! IP addresses. Loopback and unspecified ones are nobody's and stay.

use std::net::Ipv6Addr;

use super::super::{Found, Kind};
use super::word_at;

/// The longest text of an IPv6 address, with an IPv4 one at its end.
const MAX_V6: usize = 45;

/// The IPv4 address whose first digits are the `length` at `start`.
pub(in super::super) fn v4(text: &[u8], start: usize, length: usize) -> Option<Found> {
    if length > 3 || text.get(start + length) != Some(&b'.') {
        return None;
    }
    let before = start.checked_sub(1);
    if word_at(text, before) || before.is_some_and(|at| text[at] == b'.') {
        return None;
    }
    let (mut at, mut parts) = (start, [0; 4]);
    for (number, part) in parts.iter_mut().enumerate() {
        if number > 0 {
            (text.get(at) == Some(&b'.')).then_some(())?;
            at += 1;
        }
        let digits = text[at..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=3).contains(&digits) {
            return None;
        }
        *part =
            text[at..at + digits].iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
        at += digits;
    }
    let goes_on = word_at(text, Some(at)) || (text.get(at) == Some(&b'.') && word_at(text, Some(at + 1)));
    let nobody = parts[0] == 127 || parts == [0; 4];
    (parts.iter().all(|part| *part <= 255) && !goes_on && !nobody).then(|| Found::of(Kind::Ip, start, at))
}

/// Whether there are the colons of an IPv6 address: two side by side, or six with hexadecimal digits on both sides.
pub(in super::super) fn may_hold_v6(text: &[u8]) -> bool {
    let mut between = 0;
    memchr::memchr_iter(b':', text).any(|at| {
        let after = text.get(at + 1);
        let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
        between += u32::from(hex(after) && hex(text[..at].last()));
        between == 6 || after == Some(&b':')
    })
}

/// The IPv6 address that holds the digits `start..end`; `seen` moves behind what was looked at.
pub(in super::super) fn v6(text: &[u8], start: usize, end: usize, seen: &mut usize) -> Option<Found> {
    let part = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let behind = text[end..].iter().take(MAX_V6).take_while(part).count();
    let before = text[*seen..start].iter().rev().take(MAX_V6).take_while(part).count();
    let (from, mut to) = (start - before, end + behind);
    *seen = to;
    while to > end && matches!(text[to - 1], b'.' | b':') && !text[..to].ends_with(b"::") {
        to -= 1;
    }
    let run = &text[from..to];
    let colons = run.iter().filter(|byte| **byte == b':').count();
    if colons < 2 || (colons < 6 && memchr::memmem::find(run, b"::").is_none()) {
        return None;
    }
    if run.len() > MAX_V6 || word_at(text, from.checked_sub(1)) || word_at(text, Some(to)) {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(run).ok()?.parse().ok()?;
    (!address.is_loopback() && !address.is_unspecified()).then(|| Found::of(Kind::Ip, from, to))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_without_an_address_are_told_by_their_colons() {
        for (text, may) in [
            ("at 10:15:30.123", false),
            (r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8}"#, false),
            ("1:2:3:4:5:6:7:8", true),
            ("x ::1", true),
            ("std::fmt", true),
            ("", false),
            (":", false),
        ] {
            assert_eq!(may_hold_v6(text.as_bytes()), may, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_address_is_passed_over(groups in any::<[u16; 8]>(), v4 in any::<bool>(), before in "[ -~]{0,8}", after in "[ -~]{0,8}") {
            let all: Vec<String> = groups.iter().map(|group| format!("{group:x}")).collect();
            let tail = Ipv6Addr::from(groups).octets()[12..].iter().map(u8::to_string).collect::<Vec<_>>().join(".");
            let whole = if v4 { format!("{}:{tail}", all[..6].join(":")) } else { all.join(":") };
            for address in [whole, Ipv6Addr::from(groups).to_string()] {
                prop_assert!(address.parse::<Ipv6Addr>().is_ok());
                let text = format!("{before}{address}{after}");
                prop_assert!(may_hold_v6(text.as_bytes()), "{}", text);
            }
        }
    }
}
