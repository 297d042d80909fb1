//! Values and times on a page.

use super::NAN;

/// Powers of ten that a double holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// A value, as Go's `strconv.ParseFloat` reads it without hexadecimal and `_`; `None` if it is none, or too large for a
/// double.
pub(super) fn value(text: &[u8]) -> Option<f64> {
    exact(text).or_else(|| any(text))
}

/// The quick way, for what nearly all values are: 16 digits, or 15 with a point among them. Whole numbers of 15 digits
/// are below 2^53, and such a one divided by a power of ten up to 10^22 is rounded once: the nearest double (Clinger).
#[inline]
fn exact(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let (mut whole, mut point, mut count) = (0u64, None, 0);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                whole = whole * 10 + u64::from(byte - b'0');
                count += 1;
            }
            b'.' if point.is_none() => point = Some(digits.len() - at - 1),
            _ => return None,
        }
    }
    if count == 0 {
        return None;
    }
    let value = whole as f64 / TENS[point.unwrap_or(0)];
    Some(if negative { -value } else { value })
}

fn any(text: &[u8]) -> Option<f64> {
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

/// A time in the text format: whole milliseconds.
pub(super) fn milliseconds(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A time in OpenMetrics: seconds, as a decimal number; returned in milliseconds.
pub(super) fn seconds(text: &[u8]) -> Option<i64> {
    let ms = value(text)? * 1000.0;
    (ms.abs() < 9.2e18).then_some(ms as i64)
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
            ("0.1", 0.1),
            ("123456789012345678901234567890", 1.234_567_890_123_456_8e29),
            ("9007199254740993", 9_007_199_254_740_992.0),
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
            "", "-", "+", ".", "-.", "e5", "1e", "1e400", "-1e400", "0x1p3", "0x10", "1_000", "1,5", "+NaN",
            "-nan", "Inff", "1 ", "--1", "1..2", "1.2.3", "٣",
        ] {
            assert_eq!(value(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(milliseconds(b"1700000000000"), Some(1_700_000_000_000));
        assert_eq!(milliseconds(b"-5"), Some(-5));
        for text in ["", "-", "1.5", "+5", "1e3", "99999999999999999999"] {
            assert_eq!(milliseconds(text.as_bytes()), None, "{text}");
        }
        assert_eq!(seconds(b"1700000000.123"), Some(1_700_000_000_123));
        assert_eq!(seconds(b"1.7e9"), Some(1_700_000_000_000));
        assert_eq!(seconds(b"NaN"), None);
        assert_eq!(seconds(b"1e300"), None);
    }

    proptest! {
        #[test]
        fn the_quick_way_is_right(whole in "-?[0-9]{0,16}", fraction in "(\\.[0-9]{0,16})?") {
            let text = format!("{whole}{fraction}");
            if let Some(got) = exact(text.as_bytes()) {
                prop_assert_eq!(got.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
            }
        }
    }
}
