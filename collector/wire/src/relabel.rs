//! Relabelling: rules that change, keep or drop a set of labels, as Prometheus has them.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config>. The same rules stand in
//! `relabel_configs`, `metric_relabel_configs` and `write_relabel_configs`.

mod labels;
mod names;
mod rule;
mod template;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use md5::{Digest, Md5};

pub use labels::Labels;
pub use names::Names;
pub use rule::{Action, Rule, RuleError, Written};

/// Applies `rules` in their order. `false`: the target or series is dropped, and the labels are of no use any more.
pub fn apply(rules: &[Rule], labels: &mut Labels) -> bool {
    rules.iter().all(|rule| apply_one(rule, labels))
}

fn apply_one(rule: &Rule, labels: &mut Labels) -> bool {
    match &rule.action {
        Action::Replace => replace(rule, labels),
        Action::Keep => return rule.regex.matches(source(rule, labels).as_bytes()),
        Action::Drop => return !rule.regex.matches(source(rule, labels).as_bytes()),
        Action::KeepEqual => return source(rule, labels) == labels.get(rule.target.text()),
        Action::DropEqual => return source(rule, labels) != labels.get(rule.target.text()),
        Action::HashMod => {
            let hash = hash(&source(rule, labels)) % rule.modulus.get();
            labels.set(rule.target.text(), &hash.to_string());
        }
        Action::Lowercase => set_case(rule, labels, lower),
        Action::Uppercase => set_case(rule, labels, upper),
        Action::LabelMap => {
            let mapped: Vec<(String, String)> = labels
                .iter()
                .filter_map(|(name, value)| {
                    let groups = rule.regex.captures(name.as_bytes())?;
                    Some((rule.replacement.expand(&groups), value.to_owned()))
                })
                .collect();
            mapped.iter().for_each(|(name, value)| labels.set(name, value));
        }
        Action::LabelDrop => labels.retain(|name| !rule.regex.matches(name.as_bytes())),
        Action::LabelKeep => labels.retain(|name| rule.regex.matches(name.as_bytes())),
    }
    true
}

/// The values of the source labels, joined. A label that is not there is empty.
fn source<'l>(rule: &Rule, labels: &'l Labels) -> Cow<'l, str> {
    match rule.source_labels.as_slice() {
        [] => Cow::Borrowed(""),
        [one] => Cow::Borrowed(labels.get(one)),
        several => {
            let values: Vec<&str> = several.iter().map(|name| labels.get(name)).collect();
            Cow::Owned(values.join(&rule.separator))
        }
    }
}

fn replace(rule: &Rule, labels: &mut Labels) {
    let value = source(rule, labels);
    let Some(groups) = rule.regex.captures(value.as_bytes()) else { return };
    let target = rule.target.expand(&groups);
    if rule.names.accept(&target) {
        let replacement = rule.replacement.expand(&groups);
        drop(groups);
        drop(value);
        labels.set(&target, &replacement);
    }
}

fn set_case(rule: &Rule, labels: &mut Labels, case: fn(char) -> char) {
    let value: String = source(rule, labels).chars().map(case).collect();
    labels.set(rule.target.text(), &value);
}

/// The last 8 bytes of the MD5 sum: what shards have been told apart by since the first Prometheus.
fn hash(value: &str) -> u64 {
    let sum: [u8; 16] = Md5::digest(value.as_bytes()).into();
    sum[8..].iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// Prometheus maps a character to one character; where the full mapping has more, the character stays.
fn lower(c: char) -> char {
    match c {
        'İ' => 'i',
        c => single(c, c.to_lowercase()),
    }
}

fn upper(c: char) -> char {
    match c {
        // Their capitals are those of titles; the full mapping writes the iota below as a letter of its own.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => ahead(c, 8),
        'ᾳ' | 'ῃ' | 'ῳ' => ahead(c, 9),
        c => single(c, c.to_uppercase()),
    }
}

fn ahead(c: char, by: u32) -> char {
    char::from_u32(c as u32 + by).unwrap_or(c)
}

fn single(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}
