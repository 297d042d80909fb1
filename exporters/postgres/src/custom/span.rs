//! Spans of time as text, as Go writes them (`time.ParseDuration`): `1h15m30.5s`, `300ms`, `-1.5h`.

/// Milliseconds in each unit; those that begin others come behind them.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-6),
    ("us", 1e-3),
    ("µs", 1e-3),
    ("μs", 1e-3),
    ("ms", 1.0),
    ("s", 1e3),
    ("m", 60e3),
    ("h", 3_600e3),
];

/// Milliseconds; none of what is no span.
pub fn milliseconds(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0.0);
    }
    let mut sum = None;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let (unit, factor) = UNITS.iter().find(|(unit, _)| rest[digits..].starts_with(unit))?;
        rest = &rest[digits + unit.len()..];
        sum = Some(sum.unwrap_or(0.0) + number * factor);
    }
    sum.map(|sum: f64| sign * sum)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn spans_are_read_as_go_reads_them() {
        assert_eq!(milliseconds("1m30s"), Some(90_000.0));
        assert_eq!(milliseconds("300ms"), Some(300.0));
        assert_eq!(milliseconds("-1.5h"), Some(-5_400_000.0));
        assert_eq!(milliseconds("0"), Some(0.0));
        assert_eq!(milliseconds("2µs"), Some(0.002));
        for text in ["", "-", "5", "1d", "s", "1..2s", "1m 2s", "abc"] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
