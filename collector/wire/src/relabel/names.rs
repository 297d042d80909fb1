//! Which label names are valid.

/// Which label names are valid: `metric_name_validation_scheme`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Names {
    /// Everything but the empty name, as Prometheus 3 has it.
    #[default]
    Utf8,
    /// `[a-zA-Z_][a-zA-Z0-9_]*`, as Prometheus 2 had it.
    Legacy,
}

impl Names {
    /// Whether `name` is a valid name of a label.
    pub fn accept(self, name: &str) -> bool {
        match self {
            Names::Utf8 => !name.is_empty(),
            Names::Legacy => is_legacy(name),
        }
    }

    /// Whether `name` is a valid name of a metric.
    pub fn accept_metric(self, name: &str) -> bool {
        match self {
            Names::Utf8 => !name.is_empty(),
            // A colon is what the names of recording rules have, and those of labels have not.
            Names::Legacy => is_legacy(&name.replace(':', "_")),
        }
    }

    /// Whether `template` may become a valid name once `$1` and the like are replaced.
    pub(super) fn accept_template(self, template: &str) -> bool {
        match self {
            Names::Utf8 => !template.is_empty(),
            Names::Legacy => is_legacy_template(template.as_bytes()),
        }
    }
}

fn is_legacy(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Letters, digits and `_`, with `$name` and `${name}` anywhere; a digit does not come first.
fn is_legacy_template(mut rest: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut first = true;
    while let Some((byte, tail)) = rest.split_first() {
        rest = match byte {
            b'$' => {
                let (braced, tail) = match tail.strip_prefix(b"{") {
                    Some(tail) => (true, tail),
                    None => (false, tail),
                };
                let len = tail.iter().take_while(|byte| word(byte)).count();
                match (len, braced, tail.get(len)) {
                    (0, ..) => return false,
                    (_, true, Some(b'}')) => &tail[len + 1..],
                    (_, true, _) => return false,
                    (_, false, _) => &tail[len..],
                }
            }
            byte if word(byte) && !(first && byte.is_ascii_digit()) => tail,
            _ => return false,
        };
        first = false;
    }
    !first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_names() {
        for (name, legacy) in [("a", true), ("_1", true), ("1a", false), ("a.b", false), ("é", false)] {
            assert!(Names::Utf8.accept(name));
            assert_eq!(Names::Legacy.accept(name), legacy, "{name}");
        }
        assert!(!Names::Utf8.accept("") && !Names::Legacy.accept(""));
        assert!(Names::Legacy.accept_metric(":a:b") && !Names::Legacy.accept_metric("a.b"));
        assert!(!Names::Utf8.accept_metric("") && Names::Utf8.accept_metric("a.b"));
    }

    #[test]
    fn templates_of_old_names() {
        for good in ["a", "$1", "${1}", "a_${x}_b", "$1$2", "${a}1"] {
            assert!(Names::Legacy.accept_template(good), "{good}");
        }
        for bad in ["", "1", "$", "${}", "${1", "a-$1", "$1-", "${a b}"] {
            assert!(!Names::Legacy.accept_template(bad), "{bad}");
        }
    }
}
