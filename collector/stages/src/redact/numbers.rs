//! What is found at digits: card numbers, IBANs, telephone numbers, IP addresses.

use super::{Action, Found, Kind};

mod bank;
mod ip;
mod runs;

use runs::Runs;

/// Looks at every run of digits once; each check looks at a bounded number of bytes around it.
pub(super) fn find(text: &[u8], actions: &[Option<Action>], found: &mut Vec<Found>) {
    let on = |kind: Kind| actions[kind as usize].is_some();
    let (card, iban, phone, ip) = (on(Kind::Card), on(Kind::Iban), on(Kind::Phone), on(Kind::Ip));
    // Up to here the text was looked at for an IPv6 address, if there may be one.
    let (mut seen, mut v6) = (0, None);
    let mut upto = 0;
    for run in Runs::of(text) {
        let (start, at) = (run.start, run.end);
        if start < upto {
            continue;
        }
        let length = at - start;
        let before = if start > 0 { text[start - 1] } else { 0 };
        let after = text.get(at).copied().unwrap_or(0);
        // One look at the neighbours rules most kinds out for most numbers.
        let hit = (phone && (before == b'+' || (length == 3 && matches!(after, b'-' | b'.' | b')'))))
            .then(|| self::phone(text, start, length))
            .flatten()
            .or_else(|| {
                (iban && length > 1 && before.is_ascii_uppercase()).then(|| bank::iban(text, start)).flatten()
            })
            .or_else(|| {
                (ip && start >= seen
                    && (in_v6(before) || in_v6(after))
                    && *v6.get_or_insert_with(|| ip::may_hold_v6(text)))
                .then(|| ip::v6(text, start, at, &mut seen))
                .flatten()
            })
            .or_else(|| (ip && length < 4 && after == b'.').then(|| ip::v4(text, start, length)).flatten())
            .or_else(|| {
                (card && (length > 12 || (length == 4 && matches!(after, b' ' | b'-'))))
                    .then(|| bank::card(text, start, length))
                    .flatten()
            });
        if let Some(hit) = hit {
            upto = hit.end;
            found.push(hit);
        }
    }
}

/// What stands beside digits in an IPv6 address.
const fn in_v6(byte: u8) -> bool {
    matches!(byte, b':' | b'a'..=b'f' | b'A'..=b'F')
}

fn word_at(text: &[u8], at: Option<usize>) -> bool {
    at.and_then(|at| text.get(at)).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// A telephone number whose first digits are the run at `start`.
fn phone(text: &[u8], start: usize, length: usize) -> Option<Found> {
    match start.checked_sub(1).map(|at| text[at]) {
        Some(b'+') if text[start] != b'0' => international(text, start),
        Some(b'(') if length == 3 => national(text, start).map(|hit| Found { start: start - 1, ..hit }),
        _ if length == 3 => national(text, start),
        _ => None,
    }
}

/// `+49 30 1234567`: 8 to 15 digits in groups, with one or two signs between.
fn international(text: &[u8], start: usize) -> Option<Found> {
    if word_at(text, start.checked_sub(2)) {
        return None;
    }
    let (mut digits, mut at, mut end) = (0, start, start);
    while digits <= 15 {
        let group = text[at..].iter().take(16).take_while(|byte| byte.is_ascii_digit()).count();
        if group == 0 || digits + group > 15 {
            break;
        }
        digits += group;
        end = at + group;
        let signs = text[end..]
            .iter()
            .take(3)
            .take_while(|byte| matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/'))
            .count();
        if !(1..=2).contains(&signs) {
            break;
        }
        at = end + signs;
    }
    (digits >= 8 && !word_at(text, Some(end))).then(|| Found::of(Kind::Phone, start - 1, end))
}

/// North America's `(555) 123-4567` and `555-123-4567`: area and exchange begin with 2 to 9.
fn national(text: &[u8], start: usize) -> Option<Found> {
    let before = start.checked_sub(1).map(|at| text[at]);
    let number = text.get(start..)?;
    let open = before == Some(b'(');
    let (signs, sign) = match number.get(3..5)? {
        [b')', b' '] if open => (2, None),
        [b')', _] if open => (1, None),
        [sign @ (b'-' | b'.'), _] if !open => (1, Some(*sign)),
        _ => return None,
    };
    if !open
        && matches!(before, Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-' | b'.' | b'/' | b':'))
    {
        return None;
    }
    let rest = number.get(3 + signs..3 + signs + 8)?;
    let digits = rest[..3].iter().chain(&rest[4..]).all(u8::is_ascii_digit);
    let good = digits
        && matches!(number[0], b'2'..=b'9')
        && matches!(rest[0], b'2'..=b'9')
        && sign.map_or(matches!(rest[3], b'-' | b'.' | b' '), |sign| rest[3] == sign);
    let end = start + 3 + signs + 8;
    let goes_on = word_at(text, Some(end))
        || (matches!(text.get(end), Some(b'-' | b'.')) && word_at(text, Some(end + 1)));
    (good && !goes_on).then(|| Found::of(Kind::Phone, start, end))
}
