//! Card numbers (ISO/IEC 7812) and IBANs (ISO 13616), told from other numbers by their check digits.

use super::super::{Found, Kind};
use super::word_at;

/// How cards are written in groups.
const GROUPS: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

/// The card number that begins with the run of `first` digits at `start`.
pub(in super::super) fn card(text: &[u8], start: usize, first: usize) -> Option<Found> {
    if !matches!(text[start], b'2'..=b'6') || word_at(text, start.checked_sub(1)) {
        return None;
    }
    if start > 1 && matches!(text[start - 1], b'.' | b'-') && text[start - 2].is_ascii_digit() {
        return None;
    }
    let mut digits = [0; 19];
    let (count, end) = if first == 4 {
        // All groups that may come second have four digits or more.
        if !text.get(start + 5..start + 9).is_some_and(|second| second.iter().all(u8::is_ascii_digit)) {
            return None;
        }
        GROUPS.iter().find_map(|groups| grouped(text, start, groups, &mut digits))?
    } else if (13..=19).contains(&first) {
        digits[..first].copy_from_slice(&text[start..start + first]);
        (first, start + first)
    } else {
        return None;
    };
    let fraction =
        matches!(text.get(end), Some(b'.' | b'-')) && text.get(end + 1).is_some_and(u8::is_ascii_digit);
    let good = !word_at(text, Some(end)) && !fraction && is_brand(&digits[..count]) && luhn(&digits[..count]);
    good.then(|| Found::of(Kind::Card, start, end))
}

/// The digits of a number in these groups, with the same sign between all; how many, and where it ends.
fn grouped(text: &[u8], start: usize, groups: &[usize], digits: &mut [u8; 19]) -> Option<(usize, usize)> {
    let sign = *text.get(start + 4).filter(|byte| matches!(byte, b' ' | b'-'))?;
    let (mut at, mut count) = (start, 0);
    for (number, length) in groups.iter().enumerate() {
        if number > 0 {
            if text.get(at) != Some(&sign) {
                return None;
            }
            at += 1;
        }
        let group = text.get(at..at + length)?;
        if !group.iter().all(u8::is_ascii_digit) {
            return None;
        }
        digits[count..count + length].copy_from_slice(group);
        count += length;
        at += length;
    }
    (!text.get(at).is_some_and(u8::is_ascii_digit)).then_some((count, at))
}

/// Whether the number has the prefix and the length of a brand.
fn is_brand(digits: &[u8]) -> bool {
    let first = |count: usize| {
        digits[..count].iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'))
    };
    let length = digits.len();
    match (first(2), first(4)) {
        // Visa.
        (40..=49, _) => matches!(length, 13 | 16 | 19),
        // Mastercard.
        (51..=55, _) | (_, 2221..=2720) => length == 16,
        // American Express.
        (34 | 37, _) => length == 15,
        // Diners Club.
        (36 | 38 | 39, _) | (30, 3000..=3059) => (14..=19).contains(&length),
        // Discover, JCB, UnionPay, Maestro.
        (65 | 62, _) | (_, 6011 | 6440..=6499 | 3528..=3589) => (16..=19).contains(&length),
        (50 | 56..=58 | 67, _) => (16..=19).contains(&length),
        _ => false,
    }
}

/// Luhn's sum: every second digit from the right doubled.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            let doubled = if place % 2 == 1 { digit * 2 } else { digit };
            doubled / 10 + doubled % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Countries and the lengths of their IBANs, as in the registry of ISO 13616.
const COUNTRIES: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 \
    DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 \
    KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 \
    PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 \
    YE30";

/// The IBAN whose check digits are the two at `start`, behind the country; in one, or in groups of four.
pub(in super::super) fn iban(text: &[u8], start: usize) -> Option<Found> {
    let from = start.checked_sub(2)?;
    let country = &text[from..start];
    if !country.iter().all(u8::is_ascii_uppercase)
        || !text.get(start + 1).is_some_and(u8::is_ascii_digit)
        || word_at(text, from.checked_sub(1))
    {
        return None;
    }
    let length = COUNTRIES.as_bytes().chunks(5).find(|entry| &entry[..2] == country)?;
    let length = usize::from(length[2] - b'0') * 10 + usize::from(length[3] - b'0');
    let mut number = [0; 34];
    let (mut count, mut at) = (0, from);
    while count < length {
        if count > 0 && count % 4 == 0 && text.get(at) == Some(&b' ') {
            at += 1;
        }
        number[count] = *text.get(at).filter(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())?;
        count += 1;
        at += 1;
    }
    // The country and the check digits go to the end; letters count from 10.
    let rest = number[4..length].iter().chain(&number[..4]).fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    (rest == 1 && !word_at(text, Some(at))).then(|| Found::of(Kind::Iban, from, at))
}
