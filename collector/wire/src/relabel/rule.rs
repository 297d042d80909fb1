//! One rule: as written, checked, and ready to be applied.

use std::num::NonZeroU64;

use taffrail_core::{Pattern, PatternError};

use super::names::Names;
use super::template::Template;

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sets the target label to the replacement where the expression matches the source.
    Replace,
    /// Drops what the expression does not match.
    Keep,
    /// Drops what the expression matches.
    Drop,
    /// Drops where the source is not equal to the target label.
    KeepEqual,
    /// Drops where the source is equal to the target label.
    DropEqual,
    /// Sets the target label to a hash of the source, modulo `modulus`.
    HashMod,
    /// Copies the labels whose names match to names made of the replacement.
    LabelMap,
    /// Takes away the labels whose names match.
    LabelDrop,
    /// Takes away the labels whose names do not match.
    LabelKeep,
    /// Sets the target label to the source in lower case.
    Lowercase,
    /// Sets the target label to the source in upper case.
    Uppercase,
}

impl Action {
    /// Every action and its name.
    pub const ALL: [(&'static str, Action); 11] = [
        ("replace", Action::Replace),
        ("keep", Action::Keep),
        ("drop", Action::Drop),
        ("keepequal", Action::KeepEqual),
        ("dropequal", Action::DropEqual),
        ("hashmod", Action::HashMod),
        ("labelmap", Action::LabelMap),
        ("labeldrop", Action::LabelDrop),
        ("labelkeep", Action::LabelKeep),
        ("lowercase", Action::Lowercase),
        ("uppercase", Action::Uppercase),
    ];

    /// The action called `name`, in any case of letters.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, action)| action)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }
}

/// A rule as written: what is not written is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The labels whose values are joined to the source.
    pub source_labels: Option<Vec<String>>,
    /// Stands between them, `;` by default.
    pub separator: Option<String>,
    /// Must match all of the source (or of a name), `(.*)` by default.
    pub regex: Option<String>,
    /// Of `hashmod`.
    pub modulus: Option<u64>,
    /// What is set, or compared with.
    pub target_label: Option<String>,
    /// `$1` by default.
    pub replacement: Option<String>,
    /// `replace` by default.
    pub action: Option<String>,
}

/// A rule that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// No action of this name.
    #[error(
        "unknown action `{0}`: there are replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase and uppercase"
    )]
    Action(String),
    /// The expression does not compile.
    #[error(transparent)]
    Regex(#[from] PatternError),
    /// Something that the action needs is missing.
    #[error("`{0}` needs `{1}`")]
    Missing(&'static str, &'static str),
    /// Something that the action has no use for.
    #[error("`{0}` has no use for `{1}`: remove it")]
    Useless(&'static str, &'static str),
    /// A target or replacement that cannot be a label's name.
    #[error("`{value}` cannot be the name of a label, and `{action}` makes one of its `{field}`")]
    Name {
        /// The action.
        action: &'static str,
        /// `target_label` or `replacement`.
        field: &'static str,
        /// What was written.
        value: String,
    },
}

impl RuleError {
    /// The key that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            RuleError::Action(_) | RuleError::Missing(..) => "action",
            RuleError::Regex(_) => "regex",
            RuleError::Useless(_, field) | RuleError::Name { field, .. } => field,
        }
    }
}

/// A rule that can be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub(super) source_labels: Vec<String>,
    pub(super) separator: String,
    pub(super) regex: Pattern,
    pub(super) modulus: NonZeroU64,
    pub(super) target: Template,
    pub(super) replacement: Template,
    pub(super) action: Action,
    pub(super) names: Names,
}

const REGEX: &str = "(.*)";
const SEPARATOR: &str = ";";
const REPLACEMENT: &str = "$1";

impl Rule {
    /// Checks what was written as Prometheus does, and fills in the defaults.
    pub fn new(written: &Written, names: Names) -> Result<Self, RuleError> {
        let action = match &written.action {
            None => Action::Replace,
            Some(name) => Action::from_name(name).ok_or_else(|| RuleError::Action(name.clone()))?,
        };
        check_fields(action, written)?;
        check_names(action, written, names)?;
        let regex = Pattern::whole(written.regex.as_deref().unwrap_or(REGEX))?;
        let target = Template::new(written.target_label.as_deref().unwrap_or_default(), &regex);
        let replacement = Template::new(written.replacement.as_deref().unwrap_or(REPLACEMENT), &regex);
        Ok(Rule {
            source_labels: written.source_labels.clone().unwrap_or_default(),
            separator: written.separator.as_deref().unwrap_or(SEPARATOR).to_owned(),
            modulus: written.modulus.and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MIN),
            regex,
            target,
            replacement,
            action,
            names,
        })
    }
}

fn check_fields(action: Action, written: &Written) -> Result<(), RuleError> {
    use Action::{DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, Lowercase, Replace, Uppercase};
    let name = action.name();
    if action == HashMod && written.modulus.unwrap_or(0) == 0 {
        return Err(RuleError::Missing(name, "modulus"));
    }
    let needs_target = matches!(action, Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual);
    if needs_target && written.target_label.as_deref().unwrap_or_default().is_empty() {
        return Err(RuleError::Missing(name, "target_label"));
    }
    let other = |value: &Option<String>, default| value.as_deref().is_some_and(|value| value != default);
    let given = [
        ("regex", other(&written.regex, REGEX)),
        ("modulus", written.modulus.is_some_and(|modulus| modulus != 0)),
        ("separator", other(&written.separator, SEPARATOR)),
        ("replacement", other(&written.replacement, REPLACEMENT)),
        ("source_labels", written.source_labels.is_some()),
        ("target_label", other(&written.target_label, "")),
    ];
    let useless: &[&str] = match action {
        KeepEqual | DropEqual => &["regex", "modulus", "separator", "replacement"],
        LabelDrop | LabelKeep => &["source_labels", "target_label", "modulus", "separator", "replacement"],
        Lowercase | Uppercase => &["replacement"],
        _ => &[],
    };
    match given.into_iter().find(|(field, given)| *given && useless.contains(field)) {
        Some((field, _)) => Err(RuleError::Useless(name, field)),
        None => Ok(()),
    }
}

fn check_names(action: Action, written: &Written, names: Names) -> Result<(), RuleError> {
    use Action::{DropEqual, HashMod, KeepEqual, LabelMap, Lowercase, Replace, Uppercase};
    let (field, value) = match action {
        LabelMap => ("replacement", written.replacement.as_deref().unwrap_or(REPLACEMENT)),
        Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual => {
            ("target_label", written.target_label.as_deref().unwrap_or_default())
        }
        _ => return Ok(()),
    };
    let template = action == LabelMap || action == Replace && value.contains('$');
    let good = if template { names.accept_template(value) } else { names.accept(value) };
    let name = action.name();
    if good { Ok(()) } else { Err(RuleError::Name { action: name, field, value: value.to_owned() }) }
}
