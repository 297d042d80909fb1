//! Numbers in lines, and durations.

/// A number or, with units as Go writes them, a duration in seconds: `12.5`, `3ms`, `1m2.5s`.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    let (sign, mut rest) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    if rest.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (value, behind) = rest.split_at(digits);
        let behind = behind.trim_start();
        let end = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        seconds += value.parse::<f64>().ok()?
            * match unit.trim_end() {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = behind;
    }
    Some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations() {
        for (text, value) in [
            ("12.5", Some(12.5)),
            (" -1e3 ", Some(-1000.0)),
            ("3ms", Some(0.003)),
            ("1m2.5s", Some(62.5)),
            ("1h", Some(3600.0)),
            ("250 ms", Some(0.25)),
            ("5µs", Some(0.000005)),
            ("", None),
            ("-", None),
            ("ms", None),
            ("3 apples", None),
            ("NaN", None),
            ("inf", None),
            ("1.2.3s", None),
        ] {
            let near = |other: f64| value.is_some_and(|value: f64| (value - other).abs() < 1e-12);
            assert!(number(text).map_or(value.is_none(), near), "{text}: {:?}", number(text));
        }
    }
}
