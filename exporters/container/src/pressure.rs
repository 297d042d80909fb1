//! Pressure stall information (kernel document `accounting/psi`).

use crate::scan::{self, Malformed};

/// Seconds lost by some task and by all tasks: lines of `some` and `full`, whose `total=` is in microseconds.
pub fn parse(bytes: &[u8]) -> Result<[Option<f64>; 2], Malformed> {
    let mut totals = [None; 2];
    for line in scan::lines(bytes) {
        let mut fields = scan::fields(line);
        let place = match fields.next() {
            Some(b"some") => 0,
            Some(b"full") => 1,
            // A line of a later kernel's.
            _ => continue,
        };
        let total = fields.find_map(|field| scan::integer(field.strip_prefix(b"total=")?));
        let total = total.ok_or_else(|| Malformed::new("`some|full … total=microseconds`", line))?;
        totals[place] = Some(total as f64 / 1e6);
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines() {
        let both =
            b"some avg10=0.00 avg60=0.20 avg300=1.40 total=50093423\nfull avg10=0.00 total=7\nmost x\n";
        assert_eq!(parse(both), Ok([Some(50.093423), Some(7e-6)]));
        assert_eq!(parse(b""), Ok([None, None]));
        assert!(parse(b"some avg10=0.00\n").is_err() && parse(b"full total=-1\n").is_err());
    }
}
