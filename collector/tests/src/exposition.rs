//! A page in the Prometheus text format, as families and series that can be compared.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

/// The labels of a series, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// A page that was read.
#[derive(Debug, Clone, Default)]
pub struct Exposition {
    /// The type of each family, by name: `counter`, `gauge`, `untyped`, …
    pub kinds: BTreeMap<String, String>,
    /// The help text of each family, as it stands on the page.
    pub help: BTreeMap<String, String>,
    /// The values, by name and labels.
    pub series: BTreeMap<(String, Labels), f64>,
}

impl Exposition {
    /// Reads a page.
    ///
    /// # Errors
    /// With the line that is none of the format, or that names a series for the second time.
    pub fn parse(page: &str) -> Result<Self> {
        let mut read = Exposition::default();
        for line in page.lines().filter(|line| !line.is_empty()) {
            read.line(line).with_context(|| format!("not a line of a metrics page: {line}"))?;
        }
        Ok(read)
    }

    fn line(&mut self, line: &str) -> Result<()> {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (Some(what), Some(name)) = (words.next(), words.next()) else { return Ok(()) };
            let text = words.next().unwrap_or_default().to_owned();
            let before = match what {
                "TYPE" => self.kinds.insert(name.to_owned(), text),
                "HELP" => self.help.insert(name.to_owned(), text),
                _ => None,
            };
            ensure!(before.is_none(), "the second {what} of {name}");
            return Ok(());
        }
        let (name, labels, rest) = match line.split_once('{') {
            Some((name, rest)) => {
                let (labels, rest) = labels(rest)?;
                (name, labels, rest)
            }
            None => {
                let (name, rest) = line.split_once(' ').context("no value")?;
                (name, Labels::new(), rest)
            }
        };
        let value = rest.split_whitespace().next().context("no value")?;
        let value = value.parse().with_context(|| format!("{value:?} is no number"))?;
        let before = self.series.insert((name.to_owned(), labels), value);
        ensure!(before.is_none(), "a series for the second time");
        Ok(())
    }

    /// The type of the family that a series is of: that of its own name, or of a histogram's or summary's.
    pub fn kind(&self, name: &str) -> &str {
        let ends = ["", "_bucket", "_sum", "_count"];
        let of = ends.iter().find_map(|end| self.kinds.get(name.strip_suffix(end)?));
        of.map_or("untyped", String::as_str)
    }
}

/// `name{a="b"}` as the format writes it, with sorted labels.
pub fn series_text(name: &str, labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    match pairs.is_empty() {
        true => name.to_owned(),
        false => format!("{name}{{{}}}", pairs.join(",")),
    }
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Result<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        let (name, quoted) = rest.split_once("=\"").context("a label without a value")?;
        let (mut value, mut chars) = (String::new(), quoted.char_indices());
        rest = loop {
            match chars.next().context("a label's value without an end")? {
                (at, '"') => break &quoted[at + 1..],
                (_, '\\') => match chars.next().context("a label's value without an end")?.1 {
                    'n' => value.push('\n'),
                    c @ ('\\' | '"') => value.push(c),
                    c => bail!("\\{c} in a label's value"),
                },
                (_, c) => value.push(c),
            }
        };
        ensure!(labels.insert(name.to_owned(), value).is_none(), "the label {name} for the second time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let page = "# HELP a_total It counts.\n# TYPE a_total counter\na_total{x=\"1,\\\"}\\n\",y=\"\"} 1e+3\na_total 2 17\nb NaN\n";
        let read = Exposition::parse(page).unwrap();
        let labels = Labels::from([("x".into(), "1,\"}\n".into()), ("y".into(), String::new())]);
        assert_eq!(read.series[&("a_total".into(), labels)], 1000.0);
        assert_eq!(read.series[&("a_total".into(), Labels::new())], 2.0);
        assert_eq!((read.kind("a_total"), read.kind("b")), ("counter", "untyped"));
        assert_eq!(read.help["a_total"], "It counts.");
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for bad in
            ["a", "a{", "a{x=1} 1", "a{x=\"1\",x=\"2\"} 1", "a 1\na 2", "a x", "# TYPE a b\n# TYPE a b"]
        {
            assert!(Exposition::parse(bad).is_err(), "{bad}");
        }
    }
}
