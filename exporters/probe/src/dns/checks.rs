//! What the records of a section have to be, as blackbox_exporter's `validate_*_rrs` say it.

use taffrail_core::Pattern;

/// Expressions that records, shown as a zone file has them with tabs between, are searched for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checks {
    /// No record may match any of these.
    pub none_may: Vec<Pattern>,
    /// Every record has to match all of these: what `fail_if_all_match_regexp` does, whatever its name says.
    pub not_all: Vec<Pattern>,
    /// There has to be a record, and every one has to match all of these.
    pub all_must: Vec<Pattern>,
    /// There has to be a record that matches one of these.
    pub some_must: Vec<Pattern>,
}

impl Checks {
    /// What is wrong with the records of `section`, in words.
    pub fn judge(&self, section: &str, records: &[&str]) -> Result<(), String> {
        if records.is_empty() && !(self.all_must.is_empty() && self.some_must.is_empty()) {
            return Err(format!("the {section} section is empty, and a record has to match in it"));
        }
        let first = |records: &[&str], patterns: &[Pattern], matches: bool| {
            let found =
                records.iter().flat_map(|record| patterns.iter().map(move |pattern| (*record, pattern)));
            let mut found = found.filter(|(record, pattern)| pattern.matches(record.as_bytes()) == matches);
            found.next().map(|(record, pattern)| (record.replace('\t', " "), pattern.as_str().to_owned()))
        };
        if let Some((record, pattern)) = first(records, &self.none_may, true) {
            return Err(format!(
                "a record of the {section} section matches `{pattern}`, which none may: {record}"
            ));
        }
        if let Some((record, pattern)) = first(records, &self.all_must, false) {
            return Err(format!("a record of the {section} section does not match `{pattern}`: {record}"));
        }
        if let Some((record, pattern)) = first(records, &self.not_all, false) {
            return Err(format!("not every record of the {section} section matches `{pattern}`: {record}"));
        }
        if !self.some_must.is_empty() && first(records, &self.some_must, true).is_none() {
            return Err(format!("no record of the {section} section matches any of the expressions wanted"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::new(text).unwrap()).collect()
    }

    #[test]
    fn each_check_can_fail_and_pass() {
        let records = ["a.\t60\tIN\tA\t127.0.0.1", "a.\t60\tIN\tA\t127.0.0.2"];
        let with = |set: fn(&mut Checks, Vec<Pattern>), texts: &[&str], records: &[&str]| {
            let mut checks = Checks::default();
            set(&mut checks, patterns(texts));
            checks.judge("answer", records).is_ok()
        };
        let none_may = |c: &mut Checks, p| c.none_may = p;
        assert!(with(none_may, &["10\\."], &records));
        assert!(!with(none_may, &["127.0.0.2$"], &records));
        assert!(with(none_may, &["x"], &[]));
        let not_all = |c: &mut Checks, p| c.not_all = p;
        assert!(with(not_all, &["127"], &records));
        assert!(!with(not_all, &["127.0.0.2$"], &records));
        assert!(with(not_all, &["127"], &[]));
        let all_must = |c: &mut Checks, p| c.all_must = p;
        assert!(with(all_must, &["\\sA\\s", "127"], &records));
        assert!(!with(all_must, &["127.0.0.2$"], &records));
        assert!(!with(all_must, &["127"], &[]));
        let some_must = |c: &mut Checks, p| c.some_must = p;
        assert!(with(some_must, &["nothing", "127.0.0.2$"], &records));
        assert!(!with(some_must, &["10\\."], &records));
        assert!(!with(some_must, &["127"], &[]));
        assert!(Checks::default().judge("answer", &[]).is_ok());
    }
}
