//! The texts of series' labels, each kept once however many series have it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;

use super::record::{Slot, number, varint};

/// Texts and how many labels use each. A text that no label uses any more is forgotten, but the name of the metric's
/// label: its number is always [`NAME`].
pub struct Interner {
    texts: Vec<Text>,
    index: HashTable<u32>,
    free: Vec<u32>,
    hasher: RandomState,
}

struct Text {
    text: Box<str>,
    uses: u32,
    /// Its number in the present segment of the log.
    slot: Slot,
}

/// The labels of a series: names and values in turn, each the number of a text, as varints. Equal labels are equal keys,
/// as long as somebody holds one of them.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Key(Box<[u8]>);

/// The number of `__name__`.
pub const NAME: u32 = 0;

impl Default for Interner {
    fn default() -> Self {
        let mut interner = Interner {
            texts: Vec::new(),
            index: HashTable::new(),
            free: Vec::new(),
            hasher: RandomState::new(),
        };
        interner.take("__name__");
        interner
    }
}

impl Interner {
    /// The key of labels that are sorted by name. It is held until it is [released](Interner::release).
    pub fn key<'a>(&mut self, labels: impl Iterator<Item = (&'a str, &'a str)>) -> Key {
        let mut key = Vec::with_capacity(48);
        for (name, value) in labels {
            varint(&mut key, self.take(name).into());
            varint(&mut key, self.take(value).into());
        }
        Key(key.into())
    }

    fn take(&mut self, text: &str) -> u32 {
        let (texts, hasher) = (&self.texts, &self.hasher);
        let same = |at: &u32| *texts[*at as usize].text == *text;
        let rehash = |at: &u32| hasher.hash_one(&*texts[*at as usize].text);
        match self.index.entry(hasher.hash_one(text), same, rehash) {
            Place::Occupied(known) => {
                let at = *known.get();
                self.texts[at as usize].uses += 1;
                at
            }
            Place::Vacant(place) => {
                let new = Text { text: text.into(), uses: 1, slot: Slot::default() };
                let at = match self.free.pop() {
                    Some(at) => {
                        self.texts[at as usize] = new;
                        at
                    }
                    None => {
                        if self.texts.len() == self.texts.capacity() {
                            self.texts.reserve_exact((self.texts.len() / 4).max(64));
                        }
                        self.texts.push(new);
                        (self.texts.len() - 1) as u32
                    }
                };
                place.insert(at);
                at
            }
        }
    }

    /// Lets go of a key, which is of no use after that.
    pub fn release(&mut self, key: &Key) {
        for at in numbers(key) {
            let text = &mut self.texts[at as usize];
            text.uses -= 1;
            if text.uses > 0 {
                continue;
            }
            let hash = self.hasher.hash_one(&*text.text);
            if let Ok(entry) = self.index.find_entry(hash, |known| *known == at) {
                entry.remove();
            }
            self.texts[at as usize].text = Box::default();
            self.free.push(at);
        }
    }

    /// The labels of a key that is held.
    pub fn labels<'s>(&'s self, key: &'s Key) -> impl Iterator<Item = (&'s str, &'s str)> {
        let mut texts = numbers(key).map(|at| &*self.texts[at as usize].text);
        std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
    }

    /// The text of this number, which is that of a key that is held.
    pub fn text(&self, number: u32) -> &str {
        &self.texts[number as usize].text
    }

    /// Gives each text of a key to `each`, with its place in the segment, which `each` may set.
    pub(super) fn visit(&mut self, key: &Key, mut each: impl FnMut(&str, &mut Slot)) {
        for at in numbers(key) {
            let text = &mut self.texts[at as usize];
            each(&text.text, &mut text.slot);
        }
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none, which is never so.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }
}

impl Key {
    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    /// The numbers of its names and values.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut numbers = numbers(self);
        std::iter::from_fn(move || Some((numbers.next()?, numbers.next()?)))
    }
}

fn numbers(key: &Key) -> impl Iterator<Item = u32> {
    let mut rest = &*key.0;
    std::iter::from_fn(move || number(&mut rest).map(|at| at as u32))
}

impl fmt::Debug for Interner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interner").field("texts", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(interner: &mut Interner, labels: &[(&str, &str)]) -> Key {
        interner.key(labels.iter().copied())
    }

    #[test]
    fn equal_labels_are_equal_keys_and_come_back() {
        let mut interner = Interner::default();
        let pairs = [("__name__", "up"), ("job", "node")];
        let first = key(&mut interner, &pairs);
        assert_eq!(first, key(&mut interner, &pairs));
        assert_ne!(first, key(&mut interner, &[("__name__", "node"), ("job", "up")]));
        assert_eq!(interner.labels(&first).collect::<Vec<_>>(), pairs);
        assert_eq!(interner.len(), 4);
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let mut interner = Interner::default();
        let kept = key(&mut interner, &[("__name__", "up")]);
        for turn in 0..1000 {
            let passing = key(&mut interner, &[("__name__", "up"), ("id", &turn.to_string())]);
            interner.visit(&passing, |_, slot| slot.number += 1);
            interner.release(&passing);
        }
        assert_eq!((interner.len(), interner.texts.len()), (2, 4));
        let again = key(&mut interner, &[("id", "x")]);
        interner.visit(&again, |_, slot| assert_eq!(*slot, Slot::default(), "a new text is in no segment"));
        assert_eq!(interner.labels(&kept).collect::<Vec<_>>(), [("__name__", "up")]);
    }
}
