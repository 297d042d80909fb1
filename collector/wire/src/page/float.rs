//! Numbers as OpenMetrics writes them in the labels `le` and `quantile`.

use std::borrow::Cow;

/// The one way to write `value`, so that `le="5"` and `le="5.0"` are one series: the shortest decimal that reads back
/// the same, with a point or an exponent; the exponent from 10^6 on and below 10^-4, of two digits or more.
pub fn open_metrics_float(value: f64) -> Cow<'static, str> {
    if value.is_nan() {
        return "NaN".into();
    }
    if value == 0.0 {
        // Minus zero as well.
        return "0.0".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    // Rust has the shortest digits, and another rule for when the exponent is written.
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let mut plain = format!("{value}");
        if !plain.contains('.') {
            plain.push_str(".0");
        }
        return plain.into();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_prometheus_writes_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (1.0, "1.0"),
            (-1.0, "-1.0"),
            (5.0, "5.0"),
            (0.005, "0.005"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.000_012_5, "1.25e-05"),
            (123_456.0, "123456.0"),
            (100_000.0, "100000.0"),
            (1e6, "1e+06"),
            (1_048_576.0, "1.048576e+06"),
            (1e100, "1e+100"),
            (-2.5e-7, "-2.5e-07"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(open_metrics_float(value), text);
        }
    }
}
