//! The stage `redact`: what is taken out, and how.

use taffrail_stages::redact::{Action, Error, Key, Kind, Pattern, Settings};
use taffrail_stages::stage::{ErrorsStage, RedactStage, Stage};

use super::Checker;
use crate::config::field::Field;
use crate::config::source::Span;
use crate::config::written::stages::{Redact, RedactAction};

impl Checker<'_> {
    /// The stage `errors`. What it shows of an error goes to another stream than its log, and is redacted for itself.
    pub(super) fn errors(&mut self, at: Span, version: Option<String>) -> Option<Stage> {
        let made = ErrorsStage::new(version, Settings::default()).map_err(|error| explained(&error));
        self.made(at, made).map(Stage::Errors)
    }

    pub(super) fn redact(&mut self, at: Span, written: &Redact) -> Option<Stage> {
        let mut settings = Settings::default();
        for kind in Kind::ALL {
            let field = match kind {
                Kind::Email => &written.email,
                Kind::Card => &written.card,
                Kind::Iban => &written.iban,
                Kind::Phone => &written.phone,
                Kind::Ip => &written.ip,
                Kind::Jwt => &written.jwt,
                Kind::Authorization => &written.authorization,
                Kind::CloudKey => &written.cloud_key,
                Kind::PrivateKey => &written.private_key,
                Kind::Password => &written.password,
            };
            if let Some(written) = field.get() {
                settings.kinds.retain(|(known, _)| *known != kind);
                settings.kinds.extend(action(*written).map(|action| (kind, action)));
            }
        }
        if let Some((at, path)) = written.key_file.good() {
            settings.key = Key::new(self.secret(at, path).expose());
        }
        for (at, pattern) in written.patterns.get().into_iter().flatten().filter_map(Field::good) {
            let name = self.needed(at, &pattern.name, "name: order");
            let expression = self.needed(at, &pattern.expression, "expression: REGEX");
            let action = match pattern.action.get() {
                None => Some(Action::Replace),
                Some(written) => action(*written),
            };
            let (Some((_, name)), Some((expression_at, expression)), Some(action)) =
                (name, expression, action)
            else {
                continue;
            };
            let pattern = Pattern { name: name.0.clone(), regex: expression.0.clone(), action };
            // By itself, so that what is wrong with it is shown at its place.
            let alone =
                Settings { kinds: Vec::new(), patterns: vec![pattern.clone()], key: Key::new(*b"any") };
            if self.made(expression_at, RedactStage::new(alone).map_err(|error| explained(&error))).is_some()
            {
                settings.patterns.push(pattern);
            }
        }
        self.made(at, RedactStage::new(settings).map_err(|error| explained(&error))).map(Stage::Redact)
    }
}

fn action(written: RedactAction) -> Option<Action> {
    match written {
        RedactAction::Replace => Some(Action::Replace),
        RedactAction::Hash => Some(Action::Hash),
        RedactAction::Drop => Some(Action::Drop),
        RedactAction::Off => None,
    }
}

/// What is wrong, and behind a line feed what would be right.
fn explained(error: &Error) -> String {
    let help = match error {
        Error::Pattern { .. } => "a dot that is meant as a dot is written \\.",
        Error::Empty { .. } => "x+ matches at least one, x* none as well",
        Error::NoKey => "add key_file: FILE, with 16 random bytes or more in it",
    };
    // The library draws the pattern over several lines; what is wrong stands in the last.
    let text = error.to_string();
    let (first, last) = (text.lines().next().unwrap_or_default(), text.lines().last().unwrap_or_default());
    let what =
        if first == last { text.clone() } else { format!("{first} {}", last.trim_start_matches("error: ")) };
    format!("{what}\n{help}")
}
