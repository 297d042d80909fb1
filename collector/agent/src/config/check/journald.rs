//! `logs`, of the journal: where it is, and what of it is read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::logs::start;
use super::{Checker, bounds};
use crate::config::defaults;
use crate::config::field::Field;
use crate::config::scalar::Text;
use crate::config::source::Span;
use crate::config::valid::{Host, Journald, WhichEntries};
use crate::config::written;

/// Labels that the journal sets.
pub(super) const RESERVED: [(&str, &str); 2] = [
    ("instance", "use the top-level `hostname` to change it"),
    ("unit", "it is the unit that an entry is about"),
];

/// Where journald writes: what stays, and what is gone after a restart.
const FOLDERS: [&str; 2] = ["var/log/journal", "run/log/journal"];
/// The most `FIELD=value` of a source.
const MAX_TERMS: usize = 64;
/// The most further fields.
const MAX_FIELDS: usize = 32;

impl Checker<'_> {
    pub(super) fn journald(&mut self, written: &written::Journald, host: Option<&Host>) -> Journald {
        let paths = match written.path.good() {
            Some((at, path)) => {
                if !path.0.is_absolute() {
                    let what = format!("`{}` is a relative path", path.0.display());
                    self.fault(at, what, "write the whole path");
                }
                vec![path.0.clone()]
            }
            None => {
                let root = host.map_or(Path::new("/"), |host| &host.config.rootfs);
                FOLDERS.iter().map(|folder| root.join(folder)).collect::<Vec<PathBuf>>()
            }
        };
        let limits = bounds(Duration::from_secs(1), Duration::from_secs(365 * 86_400));
        let max_age = self.duration(&written.max_age, defaults::JOURNAL_AGE, &limits);
        let start_at = start(&written.start);
        if let Some(at) = written.max_age.span().filter(|_| start_at != crate::config::valid::Start::Backfill)
        {
            self.fault(at, "`max_age` is for `start: backfill`", "remove it, or `start`");
        }
        let mut terms = 0;
        let include = self.which_entries(&written.include, &mut terms);
        let exclude = self.which_entries(&written.exclude, &mut terms);
        let fields: Vec<(Span, &Text)> =
            written.fields.get().into_iter().flatten().filter_map(Field::good).collect();
        for (at, field) in &fields {
            self.field_name(*at, &field.0);
        }
        if let Some((at, _)) = fields.get(MAX_FIELDS) {
            let what = format!("there are {} fields", fields.len());
            self.fault(*at, what, format!("name the {MAX_FIELDS} that are looked for most"));
        }
        Journald {
            paths,
            start: start_at,
            max_age,
            include,
            exclude,
            priority: written.priority.get().map(|priority| *priority as u8),
            fields: fields.into_iter().map(|(_, field)| field.0.clone()).collect(),
            max_line_bytes: self.max_line(&written.max_line_bytes),
        }
    }

    fn which_entries(&mut self, field: &Field<written::WhichEntries>, terms: &mut usize) -> WhichEntries {
        let Some((at, which)) = field.good() else { return WhichEntries::default() };
        if which.units.span().is_none() && which.matches.span().is_none() && !self.said(at) {
            let help = "write units: [nginx], or matches: [_TRANSPORT=kernel]";
            self.fault(at, "it does not say which entries", help);
        }
        let units = which.units.get().into_iter().flatten().filter_map(Field::get).map(|unit| {
            let has_suffix = unit.0.contains('.') || unit.0.ends_with('*');
            if has_suffix { unit.0.clone() } else { format!("{}.service", unit.0) }
        });
        let mut matches = Vec::new();
        for (at, text) in which.matches.get().into_iter().flatten().filter_map(Field::good) {
            matches.extend(self.terms(at, &text.0, terms));
        }
        WhichEntries { units: units.collect(), matches }
    }

    /// `FIELD=value FIELD=value`
    fn terms(&mut self, at: Span, text: &str, count: &mut usize) -> Option<Vec<(String, String)>> {
        let mut terms: Vec<(String, String)> = Vec::new();
        for word in text.split_whitespace() {
            let Some((field, value)) = word.split_once('=') else {
                let help = "write FIELD=value, such as _SYSTEMD_UNIT=nginx.service; `journalctl -o verbose` shows them";
                self.fault(at, format!("`{word}` is no match"), help);
                return None;
            };
            if !self.field_name(at, field) {
                return None;
            }
            if terms.iter().any(|(known, _)| known == field) {
                let what = format!("`{field}` cannot have two values at once");
                self.fault(at, what, "make it two items of the list: one of them has to fit");
                return None;
            }
            terms.push((field.to_owned(), value.to_owned()));
        }
        if terms.is_empty() {
            self.fault(at, "the match is empty", "write FIELD=value, or remove it");
            return None;
        }
        let before = *count;
        *count += terms.len();
        if before <= MAX_TERMS && *count > MAX_TERMS {
            self.fault(at, format!("there are more than {MAX_TERMS} matches"), "drop the rest with a stage");
            return None;
        }
        Some(terms)
    }

    /// Whether a field can have this name: capital letters, digits and underscores, as journald takes them.
    fn field_name(&mut self, at: Span, name: &str) -> bool {
        let good = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let fits = (1..=64).contains(&name.len()) && name.bytes().all(good);
        if !fits {
            let help =
                "fields have capital letters, digits and underscores: SYSLOG_IDENTIFIER, _SYSTEMD_UNIT";
            self.fault(at, format!("no field is called `{name}`"), help);
        }
        fits
    }
}
