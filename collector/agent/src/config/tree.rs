//! YAML as a tree in which every value and key knows its place.
//!
//! YAML 1.2, less what a configuration has no use for: tags, merge keys, several documents. Scalars stay text: what
//! reads them says of what type they are, so that `version: 1.10` as a label is `1.10`.

use granit_parser::{Event, Options, Parser, ScalarStyle, StrInput};

use super::error::Fault;
use super::source::Span;

/// Nesting deeper than this is refused.
const MAX_DEPTH: usize = 32;

/// The most values in one text, aliases counted as often as they are used.
const MAX_NODES: usize = 400_000;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it is.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text, not yet of any type.
    Scalar {
        /// As written, without quotes, escapes resolved.
        text: String,
        /// Written without quotes.
        plain: bool,
    },
    /// `- a`, `[a]`
    List(Vec<Node>),
    /// `a: 1`, `{a: 1}`
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug)]
pub struct Key {
    /// Where it is.
    pub span: Span,
    /// As written, without quotes.
    pub text: String,
}

impl Node {
    /// An empty mapping at a place.
    pub fn empty(span: Span) -> Self {
        Node { span, value: Value::Map(Vec::new()) }
    }

    /// Nothing was written: `key:`, `key: ~`, `key: null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }
}

/// Reads the YAML `text`, which begins at byte `offset` of source number `source`. Duplicate keys go to `faults`, and
/// the rest is still read; what is no YAML at all is the error.
pub fn parse(text: &str, source: u32, offset: usize, faults: &mut Vec<Fault>) -> Result<Node, Fault> {
    let mut options = Options::default();
    options.block_nesting_limit = MAX_DEPTH;
    options.flow_nesting_limit = MAX_DEPTH;
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { parser, source, offset, nodes: 0, anchors: Vec::new(), faults };
    reader.document()
}

struct Reader<'a, 'f> {
    parser: Parser<'a, StrInput<'a>>,
    source: u32,
    offset: usize,
    nodes: usize,
    /// Values that have an anchor, with their size.
    anchors: Vec<(usize, Node, usize)>,
    faults: &'f mut Vec<Fault>,
}

impl<'a> Reader<'a, '_> {
    fn document(&mut self) -> Result<Node, Fault> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(root.unwrap_or_else(|| Node::empty(span))),
                _ if root.is_some() => {
                    return Err(Fault::at(span, "a second document begins here")
                        .help("write one document, without `---` in the middle"));
                }
                event => root = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let range = span.byte_range().unwrap_or_default();
                Ok((event, self.span(range.start, range.end)))
            }
            Some(Err(e)) => {
                let at = e.marker().byte_offset().unwrap_or_default();
                Err(Fault::at(self.span(at, at + 1), format!("not valid YAML: {}", e.info())))
            }
            None => Ok((Event::StreamEnd, self.span(0, 0))),
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        // A text is bounded to some mebibytes before it comes here.
        let place = |at: usize| u32::try_from(at + self.offset).unwrap_or(u32::MAX);
        Span { source: self.source, start: place(start), end: place(end) }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES || depth > MAX_DEPTH {
            return Err(Fault::at(span, "too large or too deep for a configuration")
                .help(format!("at most {MAX_NODES} values, nested at most {MAX_DEPTH} deep")));
        }
        let before = self.nodes;
        let (anchor, node) = match event {
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => {
                return Err(Fault::at(span, "tags (`!…`) are not supported").help("remove the tag"));
            }
            Event::Scalar(text, style, anchor, None) => {
                let value = Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                (anchor, Node { span, value })
            }
            Event::SequenceStart(_, anchor, None) => (anchor, self.list(span, depth)?),
            Event::MappingStart(_, anchor, None) => (anchor, self.map(span, depth)?),
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => return Err(Fault::at(span, "not valid YAML here")),
        };
        if anchor != 0 {
            self.anchors.push((anchor, node.clone(), 1 + self.nodes - before));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Fault> {
        let Some((_, node, size)) = self.anchors.iter().rev().find(|(id, _, _)| *id == anchor) else {
            return Err(Fault::at(span, "an alias to a value that is not finished yet"));
        };
        self.nodes += size;
        Ok(node.clone())
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Node, Fault> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    return Ok(Node { span: Span { end: end.end, ..start }, value: Value::List(items) });
                }
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Node, Fault> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, end) => {
                    return Ok(Node { span: Span { end: end.end, ..start }, value: Value::Map(entries) });
                }
                (Event::Scalar(text, _, _, None), span) => Key { span, text: text.into_owned() },
                (_, span) => return Err(Fault::at(span, "a key has to be plain text")),
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if key.text == "<<" {
                self.faults.push(
                    Fault::at(key.span, "merge keys (`<<`) are not supported").help("write the keys out"),
                );
            } else if entries.iter().any(|(other, _)| other.text == key.text) {
                let what = format!("the key `{}` is given twice", key.text);
                self.faults.push(Fault::at(key.span, what).help("keep one of the two"));
            } else {
                entries.push((key, value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Node, Vec<Fault>), Fault> {
        let mut faults = Vec::new();
        parse(text, 0, 0, &mut faults).map(|node| (node, faults))
    }

    #[test]
    fn places_are_bytes_of_the_text() {
        let text = "ä: ü\nlist: [a, \"b c\"]\n";
        let (node, _) = read(text).unwrap();
        let Value::Map(entries) = &node.value else { panic!() };
        assert_eq!(&text[entries[0].1.span.range()], "ü");
        let Value::List(items) = &entries[1].1.value else { panic!() };
        assert_eq!(&text[items[1].span.range()], "\"b c\"");
    }

    #[test]
    fn duplicates_are_reported_and_the_rest_is_read() {
        let (_, faults) = read("a: 1\nb: 2\na: 3\na: 4\n").unwrap();
        assert_eq!(faults.len(), 2);
        assert_eq!(faults[0].span.unwrap().range(), 10..11);
    }

    #[test]
    fn an_empty_text_is_an_empty_mapping() {
        for text in ["", "# nothing\n", "---\n", "~"] {
            let (node, _) = read(text).unwrap();
            assert!(matches!(&node.value, Value::Map(e) if e.is_empty()) || node.is_null(), "{text:?}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let deep = "[".repeat(5000);
        assert!(read(&deep).is_err());
        let mut laughs = String::from("a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");
        for i in 1..12 {
            let before = i - 1;
            laughs += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{before}"); 10].join(","));
        }
        let fault = read(&laughs).unwrap_err();
        assert!(fault.what.contains("too large"), "{fault:?}");
    }

    #[test]
    fn aliases_and_what_is_refused() {
        let (node, _) = read("a: &x {k: v}\nb: *x\n").unwrap();
        let Value::Map(entries) = &node.value else { panic!() };
        assert!(matches!(&entries[1].1.value, Value::Map(e) if e.len() == 1));
        assert!(read("a: !!str 1").is_err());
        assert!(read("a: 1\n---\nb: 2\n").is_err());
        assert!(read("a: &a [*a]").is_err());
        assert!(read("a: 'x").is_err());
        assert_eq!(read("a: {<<: {b: 1}}").unwrap().1.len(), 1);
    }
}
