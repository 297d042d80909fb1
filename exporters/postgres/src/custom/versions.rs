//! Ranges of versions, as postgres_exporter's `runonserver` writes them: `>=10.0.0 <14.0.0 || 15.x`.

use std::cmp::Ordering;

/// Versions of servers; any version where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions(Vec<Vec<Bound>>);

/// A comparison with as many parts of the version as are written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    operator: Operator,
    parts: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// The longer ones first, as the others begin them.
const OPERATORS: [(&str, Operator); 8] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("!=", Operator::Unequal),
    ("==", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("=", Operator::Equal),
    ("!", Operator::Unequal),
];

impl Versions {
    /// Reads a range: alternatives parted by `||`, comparisons in each parted by blanks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let help = "write `>=10.0.0`, `>=13 <16`, or `<14.0.0 || >=15.2.0`";
        // A blank may stand behind an operator.
        let mut joined = text.to_owned();
        for (operator, _) in OPERATORS {
            while joined.contains(&format!("{operator} ")) {
                joined = joined.replace(&format!("{operator} "), operator);
            }
        }
        let mut any = Vec::new();
        for alternative in joined.split("||") {
            let all: Option<Vec<Bound>> = alternative.split_whitespace().map(bound).collect();
            match all {
                Some(all) if !all.is_empty() => any.push(all),
                _ => return Err(format!("`{text}` is no range of versions\n{help}")),
            }
        }
        Ok(Versions(any))
    }

    /// Whether a server of `version` (`server_version_num`: 150018 is 15.18) is meant.
    pub fn contain(&self, version: u32) -> bool {
        let version = [version / 10_000, version % 10_000, 0];
        self.0.is_empty() || self.0.iter().any(|all| all.iter().all(|bound| bound.fits(version)))
    }
}

fn bound(text: &str) -> Option<Bound> {
    let known = OPERATORS.iter().find_map(|(sign, operator)| Some((text.strip_prefix(sign)?, *operator)));
    let (version, operator) = known.unwrap_or((text, Operator::Equal));
    let mut parts = Vec::new();
    let written = version.split('.').collect::<Vec<_>>();
    for (at, part) in written.iter().enumerate() {
        // What follows a wildcard can only be more of them.
        if matches!(*part, "x" | "X" | "*") {
            let rest = &written[at..];
            return rest
                .iter()
                .all(|part| matches!(*part, "x" | "X" | "*"))
                .then_some(Bound { operator, parts });
        }
        parts.push(part.parse().ok()?);
    }
    (parts.len() <= 3).then_some(Bound { operator, parts })
}

impl Bound {
    fn fits(&self, version: [u32; 3]) -> bool {
        let order = version[..self.parts.len().min(3)].cmp(self.parts.as_slice());
        match self.operator {
            Operator::Equal => order == Ordering::Equal,
            Operator::Unequal => order != Ordering::Equal,
            Operator::Less => order == Ordering::Less,
            Operator::AtMost => order != Ordering::Greater,
            Operator::Greater => order == Ordering::Greater,
            Operator::AtLeast => order != Ordering::Less,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_contain_what_they_say() {
        for (range, version, inside) in [
            (">=10.0.0", 150_018, true),
            (">=15.18.0", 150_018, true),
            (">15.18.0", 150_018, false),
            (">= 10.0.0 < 14.0.0", 130_001, true),
            (">=10.0.0 <14.0.0", 140_000, false),
            ("<14.0.0 || >=15.2.0", 150_001, false),
            ("<14.0.0 || >=15.2.0", 150_002, true),
            ("15.x", 150_018, true),
            ("!15.x", 150_018, false),
            ("16", 160_003, true),
            (">15", 150_003, false),
            ("<=15", 150_003, true),
        ] {
            assert_eq!(Versions::parse(range).unwrap().contain(version), inside, "{range}: {version}");
        }
        assert!(Versions::default().contain(180_000));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "ten", ">=", ">=10 ||", "1.2.3.4", "1.x.3", "-1"] {
            assert!(Versions::parse(text).unwrap_err().contains("write `>=10.0.0`"), "{text}");
        }
    }
}
