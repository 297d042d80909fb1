//! Values and times on a page.

use crate::page::NAN;

/// Powers of ten that a double holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// A value, as Go's `strconv.ParseFloat` reads it without hexadecimal and `_`; `None` if it is none, or too large for a
/// double.
pub(crate) fn value(text: &[u8]) -> Option<f64> {
    match quick(text) {
        Some((value, len)) if len == text.len() => Some(value),
        _ => slow(text),
    }
}

/// The quick way, for what nearly all values are: how long the number is with which `text` begins, and its value. Whole
/// numbers up to 2^53 are doubles, powers of ten up to 10^22 are, and their product or quotient is rounded once: it is
/// the nearest double (Clinger). What is not so is left to [`slow`].
#[inline]
pub(super) fn quick(text: &[u8]) -> Option<(f64, usize)> {
    let negative = text.first() == Some(&b'-');
    let mut at = usize::from(negative);
    let (mut whole, mut digits, mut power) = (0u64, 0, 0);
    while let Some(digit) = digit(text, at) {
        whole = whole.wrapping_mul(10).wrapping_add(digit);
        (at, digits) = (at + 1, digits + 1);
    }
    if text.get(at) == Some(&b'.') {
        at += 1;
        let point = at;
        while let Some(digit) = digit(text, at) {
            whole = whole.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        power = point as i32 - at as i32;
        digits += at - point;
    }
    // 19 digits always fit; more may have wrapped around.
    if digits == 0 || digits > 19 || whole > 1 << 53 {
        return None;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let (exponent, len) = exponent(&text[at + 1..])?;
        power += exponent;
        at += 1 + len;
    }
    let value = match power {
        0 => whole as f64,
        -22..0 => whole as f64 / TENS[-power as usize],
        1..=22 => whole as f64 * TENS[power as usize],
        _ => return None,
    };
    Some((if negative { -value } else { value }, at))
}

#[inline]
fn digit(text: &[u8], at: usize) -> Option<u64> {
    let digit = text.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

/// Of three digits at most, which is enough for the quick way.
fn exponent(text: &[u8]) -> Option<(i32, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let (mut value, mut at) = (0, sign);
    while let Some(digit) = digit(text, at) {
        value = value * 10 + digit as i32;
        at += 1;
        if at > sign + 3 {
            return None;
        }
    }
    let value = if text.first() == Some(&b'-') { -value } else { value };
    (at > sign).then_some((value, at))
}

fn slow(text: &[u8]) -> Option<f64> {
    let unsigned = match text {
        [b'+' | b'-', rest @ ..] => rest,
        rest => rest,
    };
    if unsigned.eq_ignore_ascii_case(b"nan") {
        // Go knows no signed NaN.
        return (unsigned.len() == text.len()).then_some(NAN);
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let said_infinite = unsigned.first().is_some_and(|c| matches!(c, b'i' | b'I'));
    (value.is_finite() || said_infinite).then_some(value)
}

/// A time in the text format: whole milliseconds, without a sign.
pub(super) fn milliseconds(text: &[u8]) -> Option<i64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A time in OpenMetrics: seconds, as a decimal number; returned in milliseconds, cut and not rounded, the nearest there
/// is where it does not fit.
pub(super) fn seconds(text: &[u8]) -> Option<i64> {
    let seconds = value(text)?;
    seconds.is_finite().then_some((seconds * 1000.0) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_go_reads() {
        for (text, expected) in [
            ("0", 0.0),
            ("-0", -0.0),
            ("1", 1.0),
            ("+1", 1.0),
            ("-12.5", -12.5),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e3", 1000.0),
            ("1.5E-3", 0.0015),
            ("1.763690000123e+09", 1_763_690_000.123),
            ("0.1", 0.1),
            ("123456789012345678901234567890", 1.234_567_890_123_456_8e29),
            ("99999999999999999999", 1e20),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("0.30000000000000004", 0.1 + 0.2),
            ("1e-400", 0.0),
            ("1.7976931348623157e308", f64::MAX),
            ("4.9e-324", 5e-324),
            ("+Inf", f64::INFINITY),
            ("-Inf", f64::NEG_INFINITY),
            ("inf", f64::INFINITY),
            ("Infinity", f64::INFINITY),
            ("NaN", NAN),
            ("nan", NAN),
        ] {
            let got = value(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(got.to_bits(), expected.to_bits(), "{text}: {got}");
        }
    }

    #[test]
    fn what_go_does_not() {
        for text in [
            "", "-", "+", ".", "-.", "e5", "1e", "1e+", "1e400", "-1e400", "0x1p3", "0x10", "1_000", "1,5",
            "+NaN", "-nan", "Inff", "1 ", "--1", "1..2", "1.2.3", "٣",
        ] {
            assert_eq!(value(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(milliseconds(b"1700000000000"), Some(1_700_000_000_000));
        for text in ["", "-", "-5", "1.5", "+5", "1e3", "99999999999999999999"] {
            assert_eq!(milliseconds(text.as_bytes()), None, "{text}");
        }
        assert_eq!(seconds(b"1700000000.123"), Some(1_700_000_000_123));
        assert_eq!(seconds(b"1.7e9"), Some(1_700_000_000_000));
        assert_eq!(seconds(b"-1.5"), Some(-1500));
        assert_eq!((seconds(b"NaN"), seconds(b"+Inf"), seconds(b"1e300")), (None, None, Some(i64::MAX)));
    }

    proptest! {
        #[test]
        fn the_quick_way_is_right(
            text in "-?[0-9]{0,22}(\\.[0-9]{0,20})?([eE][+-]?[0-9]{0,4})?", behind in "[ \nx#]?"
        ) {
            if let Some((got, len)) = quick(format!("{text}{behind}").as_bytes()) {
                prop_assert_eq!(len, text.len());
                prop_assert_eq!(got.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
            }
        }

        #[test]
        fn every_double_comes_back(bits in any::<u64>()) {
            let given = f64::from_bits(bits);
            for text in [format!("{given:?}"), format!("{given:e}"), format!("{given}")] {
                let got = value(text.as_bytes()).unwrap();
                prop_assert!(got.to_bits() == bits || given.is_nan() && got.to_bits() == NAN.to_bits(), "{}", text);
            }
        }
    }
}
