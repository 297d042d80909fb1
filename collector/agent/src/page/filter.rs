//! The filter of the log tail: words that a line must have, and words that it must not.

/// `timeout -health "connection reset"`: every term is looked for anywhere in the line, upper and lower case alike; a
/// term behind `-` must not be there; quotes keep a phrase together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    with: Vec<String>,
    without: Vec<String>,
}

impl Filter {
    /// Reads what a person typed; there is nothing that would be wrong.
    pub fn parse(text: &str) -> Self {
        let mut filter = Filter::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let negated = rest.len() > 1 && rest.starts_with('-');
            let body = if negated { &rest[1..] } else { rest };
            let (term, tail) = match body.strip_prefix('"') {
                // An open quote is one that is still being typed.
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => body.split_once(char::is_whitespace).unwrap_or((body, "")),
            };
            if !term.is_empty() {
                let terms = if negated { &mut filter.without } else { &mut filter.with };
                terms.push(term.to_lowercase());
            }
            rest = tail.trim_start();
        }
        filter
    }

    /// Whether `line` passes.
    pub fn passes(&self, line: &str) -> bool {
        if self.with.is_empty() && self.without.is_empty() {
            return true;
        }
        let line = line.to_lowercase();
        self.with.iter().all(|term| line.contains(term))
            && !self.without.iter().any(|term| line.contains(term))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(filter: &str, line: &str) -> bool {
        Filter::parse(filter).passes(line)
    }

    #[test]
    fn every_word_must_be_there_in_any_case_and_order() {
        assert!(passes("", "anything"));
        assert!(passes("TimeOut db", "DB: timeout after 3 s"));
        assert!(!passes("timeout db", "timeout after 3 s"));
        assert!(passes("größe", "Die GRÖSSE? Nein: GRÖßE"));
    }

    #[test]
    fn a_word_behind_a_minus_must_not_be_there() {
        assert!(passes("get -health", "GET /cart"));
        assert!(!passes("get -health", "GET /Health"));
        assert!(passes("-", "a - b"));
        assert!(!passes("-", "ab"));
        assert!(!passes("-\"b c\"", "a b c"));
    }

    #[test]
    fn quotes_keep_a_phrase_together() {
        assert!(passes("\"connection reset\"", "Connection reset by peer"));
        assert!(!passes("\"connection reset\"", "reset the connection"));
        assert!(passes("\"connection re", "connection reset"));
        assert!(passes("\"\" a", "a"));
    }
}
