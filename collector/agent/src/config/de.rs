//! From the tree to types, by serde, with every error at its place and none hiding the next.
//!
//! Beside serde's own data model it knows two wrappers, [`Field`](super::field::Field) and
//! [`OneOf`](super::field::OneOf), by the names they ask with. Unknown keys are reported here, all of them, with the
//! keys that would be right.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::access::{Entries, FieldParts, Items, OneOfParts, Word};
use super::env::{self, Env};
use super::error::Fault;
use super::field::{FIELD, ONE_OF};
use super::tree::{Key, Node, Value};

/// The most entries of one list or mapping.
const MAX_ENTRIES: usize = 1000;

/// What reading shares: variables, a word for keys of other versions, and the faults found so far.
pub struct Context<'a> {
    /// Looks variables up.
    pub env: Env<'a>,
    /// For a path without indices, why a key is not there: this version does not have it yet, or it has another name.
    pub hint: &'a dyn Fn(&str) -> Option<String>,
    /// Whether a path, without indices, begins a part in which `$` has a meaning of its own.
    pub literal: &'a dyn Fn(&str) -> bool,
    /// Everything wrong so far.
    pub faults: RefCell<Vec<Fault>>,
}

/// A node about to be read.
#[derive(Clone, Copy)]
pub struct Reader<'de, 'p> {
    pub(super) node: &'de Node,
    pub(super) path: Path<'p>,
    /// Variables are not replaced.
    pub(super) literal: bool,
    pub(super) context: &'p Context<'p>,
}

/// Keys down to a node.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    pub(super) parent: Option<&'a Path<'a>>,
    /// Empty in a list and at the root.
    pub(super) key: &'a str,
}

impl Path<'_> {
    /// Whether its lists may be as long as the text has room for: machines write lists of jobs and targets.
    fn long(&self) -> bool {
        let parent = self.parent.filter(|parent| parent.parent.is_some());
        parent.map_or(self.key == "scrape_configs", Path::long)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keys = Vec::new();
        let mut at = Some(self);
        while let Some(path) = at {
            if !path.key.is_empty() {
                keys.push(path.key);
            }
            at = path.parent;
        }
        keys.reverse();
        f.write_str(&keys.join("."))
    }
}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        // A message may carry what would be right behind a line feed.
        let text = message.to_string();
        match text.split_once('\n') {
            Some((what, help)) => Fault { span: None, what: what.to_owned(), help: Some(help.to_owned()) },
            None => Fault { span: None, what: text, help: None },
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::custom(format!("expected {expected}, found {found}"))
    }
}

impl serde::de::StdError for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// The candidate that was probably meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + word.len().min(candidate.len()) / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

impl<'de, 'p> Reader<'de, 'p> {
    /// Reads the root of a tree.
    pub fn root(node: &'de Node, context: &'p Context<'p>) -> Self {
        Reader { node, path: Path { parent: None, key: "" }, literal: false, context }
    }

    fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::at(self.node.span, what)
    }

    /// `host.interval`, or `the configuration` at the root.
    fn name(&self) -> String {
        let path = self.path.to_string();
        if path.is_empty() { "the configuration".to_owned() } else { format!("`{path}`") }
    }

    fn expected(&self, what: &str) -> Fault {
        let found = match &self.node.value {
            _ if self.node.is_null() => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        };
        self.fault(format!("{} has to be {what}, and is {found}", self.name()))
    }

    /// A scalar's text with variables replaced, and whether it may be read as another type than text.
    fn scalar(&self, expected: &str) -> Result<(Cow<'de, str>, bool), Fault> {
        let Value::Scalar { text, plain } = &self.node.value else { return Err(self.expected(expected)) };
        if self.node.is_null() {
            return Err(self
                .fault(format!("{} has no value", self.name()))
                .help("give it one, or remove the key; an empty text is written \"\""));
        }
        if self.literal {
            return Ok((Cow::Borrowed(text), *plain));
        }
        match env::replace(text, self.context.env) {
            Ok(None) => Ok((Cow::Borrowed(text), *plain)),
            Ok(Some(replaced)) => Ok((Cow::Owned(replaced), true)),
            Err((what, help)) => Err(self.fault(what).help(help)),
        }
    }

    fn entries(&self) -> Result<&'de [(Key, Node)], Fault> {
        match &self.node.value {
            // `host:` with every key commented out is an empty section.
            _ if self.node.is_null() => Ok(&[]),
            Value::Map(entries) if entries.len() <= MAX_ENTRIES => Ok(entries),
            Value::Map(_) => Err(self.fault(format!("{} has more than {MAX_ENTRIES} keys", self.name()))),
            _ => Err(self.expected("a mapping (`key: value`)")),
        }
    }

    fn place<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| Fault { span: fault.span.or(Some(self.node.span)), ..fault })
    }

    pub(super) fn unknown_key(&self, key: &Key, fields: &[&'static str]) -> Fault {
        let path = Path { parent: Some(&self.path), key: &key.text }.to_string();
        if let Some(hint) = (self.context.hint)(&path) {
            return Fault::at(key.span, hint);
        }
        let place =
            if self.path.to_string().is_empty() { String::new() } else { format!(" in {}", self.name()) };
        let what = match nearest(&key.text, fields.iter().copied()) {
            Some(meant) => format!("unknown key `{}`{place}: did you mean `{meant}`?", key.text),
            None => format!("unknown key `{}`{place}", key.text),
        };
        let mut valid = fields.to_vec();
        valid.sort_unstable();
        Fault::at(key.span, what).help(format!("valid keys here: {}", valid.join(", ")))
    }
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Scalar { .. } => self.deserialize_str(visitor),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (text, typed) = self.scalar("true or false")?;
        match (&*text, typed) {
            ("true", true) => self.place(visitor.visit_bool(true)),
            ("false", true) => self.place(visitor.visit_bool(false)),
            ("true" | "false", false) => Err(self
                .fault(format!("{} is text here", self.name()))
                .help(format!("write {text} without quotes"))),
            _ => Err(self.fault(format!("{} has to be true or false, and is `{text}`", self.name()))),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (text, _) = self.scalar("a number")?;
        match text.parse() {
            Ok(number) => self.place(visitor.visit_u64(number)),
            Err(_) => Err(self
                .fault(format!("{} has to be a whole number, and is `{text}`", self.name()))
                .help("write digits only, such as 5000")),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (text, _) = self.scalar("a number")?;
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => self.place(visitor.visit_f64(number)),
            _ => Err(self
                .fault(format!("{} has to be a number, and is `{text}`", self.name()))
                .help("write digits, and a point where there has to be one, such as 1.1")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (text, _) = self.scalar("a single value")?;
        self.place(visitor.visit_str(&text))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        v: V,
    ) -> Result<V::Value, Fault> {
        match name {
            FIELD => v.visit_seq(FieldParts { reader: self, at: 0 }),
            ONE_OF => v.visit_seq(OneOfParts { reader: self, at: 0 }),
            _ => v.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            _ if self.node.is_null() => visitor.visit_seq(Items { reader: self, rest: &[] }),
            Value::List(items) if items.len() <= MAX_ENTRIES || self.path.long() => {
                self.place(visitor.visit_seq(Items { reader: self, rest: items }))
            }
            Value::List(_) => Err(self.fault(format!("{} has more than {MAX_ENTRIES} entries", self.name()))),
            _ => Err(self.expected("a list (`- …` or `[…]`)")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let entries = self.entries()?;
        self.place(visitor.visit_map(Entries { reader: self, rest: entries, fields: None, value: None }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let entries = self.entries()?;
        self.place(visitor.visit_map(Entries {
            reader: self,
            rest: entries,
            fields: Some(fields),
            value: None,
        }))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (text, _) = self.scalar("a single word")?;
        let Some(variant) = variants.iter().find(|variant| **variant == text) else {
            let meant = nearest(&text, variants.iter().copied());
            let guess = meant.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default();
            let what = format!("{} cannot be `{text}`{guess}", self.name());
            return Err(self.fault(what).help(format!("valid here: {}", variants.join(", "))));
        };
        visitor.visit_enum(Word(variant))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier
    }
}
