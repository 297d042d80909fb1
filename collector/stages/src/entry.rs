//! A log entry on its way through the stages.

use std::borrow::Cow;

/// The most fields that one stage takes out of one text.
pub const MAX_FIELDS: usize = 256;

/// A log entry. What was taken out of its line borrows from there; `'c` is the life of the chunk of lines that it is in.
#[derive(Clone, Debug, Default)]
pub struct Entry<'c> {
    /// The line, without its end.
    pub line: Cow<'c, str>,
    /// When it was read, in nanoseconds since 1970-01-01 UTC. Unique within its stream, rising, and the same when it is
    /// read again: what is derived from it is so too.
    pub read_ns: i64,
    /// Stands for its stream: entries of one stream have the same.
    pub stream: u64,
    /// The time that it says itself.
    pub time: Time,
    /// What was taken out of it. Nothing of this leaves, unless a stage makes more of it.
    pub fields: Fields<'c>,
    /// Labels that it gives its stream, over those that the stream has.
    pub labels: Fields<'c>,
    /// Its structured metadata.
    pub metadata: Fields<'c>,
    /// Why stages did nothing, where somebody wants to know.
    pub(crate) remarks: Option<Vec<String>>,
}

/// The time that an entry says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Time {
    /// Nothing was looked for, so that it has the time at which it was read.
    #[default]
    Read,
    /// It was looked for and is not there: the entry belongs to the one before.
    LikeBefore,
    /// Nanoseconds since 1970-01-01 UTC, and how many of them the time may be off by: the length of its last digit.
    Said {
        /// The time.
        ns: i64,
        /// The length of its last digit.
        resolution_ns: i64,
    },
}

/// Names with values, few enough to be searched one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'c>(Vec<(Cow<'c, str>, Cow<'c, str>)>);

impl<'c> Fields<'c> {
    /// The value of the name.
    pub fn get(&self, name: &str) -> Option<&Cow<'c, str>> {
        // What was found last stands above what was found before.
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Gives the name a value, in place of the one that it has.
    pub fn set(&mut self, name: impl Into<Cow<'c, str>>, value: impl Into<Cow<'c, str>>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Takes the name away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// All of them, in the order in which they were found; of a name that is there twice the last one counts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// All of them, to change values.
    pub fn values_mut(&mut self) -> impl Iterator<Item = (&str, &mut Cow<'c, str>)> {
        self.0.iter_mut().map(|(name, value)| (&**name, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What was taken out of a text, and what was said about it: appended to by an [`Extract`].
pub type Found<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Takes fields out of a text.
pub(crate) trait Extract {
    /// Appends what it finds; the error says in a few words why there is nothing. It is not told then what was appended.
    fn extract<'a>(&'a self, text: &'a str, found: &mut Found<'a>) -> Result<(), Cow<'static, str>>;
}

impl<'c> Entry<'c> {
    /// Makes it the entry of another line, and keeps its memory.
    pub fn begin(&mut self, line: Cow<'c, str>, read_ns: i64, stream: u64) {
        self.line = line;
        self.read_ns = read_ns;
        self.stream = stream;
        self.time = Time::Read;
        self.fields.0.clear();
        self.labels.0.clear();
        self.metadata.0.clear();
    }

    /// From now on it keeps what stages say about why they did nothing.
    pub fn explain(&mut self) {
        self.remarks = Some(Vec::new());
    }

    /// What stages said since the last time.
    pub fn take_remarks(&mut self) -> Vec<String> {
        self.remarks.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Says why a stage did nothing, where somebody listens.
    pub(crate) fn remark(&mut self, remark: impl FnOnce() -> String) {
        if let Some(remarks) = &mut self.remarks {
            remarks.push(remark());
        }
    }

    /// The text of a field, or the line where no field is named.
    pub(crate) fn text(&self, source: Option<&str>) -> Option<&Cow<'c, str>> {
        match source {
            None => Some(&self.line),
            Some(name) => self.fields.get(name),
        }
    }

    /// Like [`Entry::text`], with a remark where the field is not there.
    pub(crate) fn text_or_remark(&mut self, source: Option<&str>) -> Option<Cow<'c, str>> {
        let text = self.text(source).map(|text| match text {
            // What borrows from the chunk is no copy.
            Cow::Borrowed(text) => Cow::Borrowed(*text),
            Cow::Owned(text) => Cow::Owned(text.clone()),
        });
        if text.is_none() {
            self.remark(|| format!("there is no field `{}`", source.unwrap_or_default()));
        }
        text
    }

    /// Takes fields out of a field, or out of the line. False where there is nothing to take.
    pub(crate) fn extract(&mut self, source: Option<&str>, by: &'c impl Extract) -> bool {
        let before = self.fields.0.len();
        let result = match self.text_or_remark(source) {
            None => return false,
            Some(Cow::Borrowed(text)) => by.extract(text, &mut self.fields.0),
            Some(Cow::Owned(text)) => {
                let mut found = Found::new();
                let result = by.extract(&text, &mut found);
                let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
                self.fields.0.extend(found.into_iter().map(|(name, value)| (owned(name), owned(value))));
                result
            }
        };
        if let Err(why) = result {
            self.fields.0.truncate(before);
            self.remark(|| why.into_owned());
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes the text's first word.
    struct First;

    impl Extract for First {
        fn extract<'a>(&'a self, text: &'a str, found: &mut Found<'a>) -> Result<(), Cow<'static, str>> {
            let word = text.split(' ').next().unwrap_or_default();
            found.push(("first".into(), word.into()));
            if word.is_empty() { Err("it is empty".into()) } else { Ok(()) }
        }
    }

    #[test]
    fn what_is_taken_out_borrows_where_the_line_does() {
        let mut entry = Entry { line: "a b".into(), ..Entry::default() };
        assert!(entry.extract(None, &First));
        assert!(matches!(entry.fields.get("first"), Some(Cow::Borrowed("a"))));
        entry.begin(Cow::Owned("c d".to_owned()), 1, 0);
        assert!(entry.extract(None, &First));
        assert_eq!(entry.fields.get("first").unwrap(), "c");
        assert!(!entry.extract(Some("none"), &First));
        entry.explain();
        entry.begin("".into(), 2, 0);
        assert!(!entry.extract(None, &First) && entry.fields.is_empty());
        assert_eq!(entry.take_remarks(), ["it is empty"]);
    }

    #[test]
    fn the_last_value_of_a_name_counts() {
        let mut fields = Fields::default();
        fields.set("a", "1");
        fields.set("b", "2");
        fields.set("a", "3");
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("a", "3"), ("b", "2")]);
        fields.remove("a");
        assert_eq!((fields.len(), fields.get("a")), (1, None));
    }
}
