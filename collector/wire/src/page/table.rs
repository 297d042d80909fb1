//! What is known of a target's series, found by the bytes that name them on its page.

use hashbrown::HashTable;

use super::hash::Hasher;
use super::series::Series;

/// No slot.
const NONE: u32 = u32::MAX;

/// The series of one target with a value each, say a reference. A series costs 28 bytes with a value of 4, and about 10
/// in the index.
///
/// Each page begins with [`begin`](Table::begin). Then every series is looked for, and those that were not on the page
/// are [`unseen`](Table::unseen) until [`sweep`](Table::sweep) takes them out.
#[derive(Clone, Debug)]
pub struct Table<V> {
    hasher: Hasher,
    slots: Vec<Slot<V>>,
    index: HashTable<u32>,
    free: Vec<u32>,
    /// The slot of the page's first series, last time.
    first: u32,
    /// The slot of the series before.
    last: u32,
    page: u16,
}

#[derive(Clone, Copy, Debug)]
struct Slot<V> {
    /// In pieces, so that it needs no alignment that would cost four bytes. Zero in a free slot.
    hash: [u32; 4],
    value: V,
    /// The slot of the series that followed on the page, last time.
    next: u32,
    /// The number of the page on which it was seen last.
    page: u16,
    /// How many bytes the series has; 0 if they are no text, or too many to be foretold.
    len: u16,
}

/// The hash of a series that is new, for [`Table::insert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    hash: [u64; 2],
    len: u16,
}

/// What [`Table::find`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<V> {
    /// It is not in the table.
    New(Key),
    /// It is.
    Known {
        /// Its value.
        of: V,
        /// It was on this page before.
        again: bool,
    },
}

/// The series that is expected to be next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    slot: u32,
    hash: [u32; 4],
    /// How many bytes it has.
    pub(crate) len: usize,
}

impl<V: Copy> Default for Table<V> {
    fn default() -> Self {
        Table::new()
    }
}

impl<V: Copy> Table<V> {
    /// An empty table, with a key of its own.
    pub fn new() -> Self {
        Table {
            hasher: Hasher::new(),
            slots: Vec::new(),
            index: HashTable::new(),
            free: Vec::new(),
            first: NONE,
            last: NONE,
            page: 1,
        }
    }

    /// How many series it holds.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// How many bytes it takes.
    pub fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<V>>() + self.index.allocation_size() + self.free.capacity() * 4
    }

    /// Begins a page: no series has been seen on it.
    pub fn begin(&mut self) {
        self.last = NONE;
        self.page = self.page.wrapping_add(1);
        if self.page == 0 {
            // Numbers begin anew: what was seen under an old one must not count as seen under a new one.
            self.slots.iter_mut().for_each(|slot| slot.page = 0);
            self.page = 1;
        }
    }

    /// Looks a series up, and notes that it is on this page.
    #[inline]
    pub fn find(&mut self, series: &Series<'_>) -> Found<V> {
        let (hash, len) = series.hash(&self.hasher);
        self.find_hash(hash, len)
    }

    #[inline]
    fn find_hash(&mut self, hash: [u64; 2], len: usize) -> Found<V> {
        let expected = self.expected_slot();
        let words = words(hash);
        let slot = match self.slots.get(expected as usize) {
            Some(slot) if slot.hash == words => Some(expected),
            _ => self.index.find(hash[0], |slot| self.slots[*slot as usize].hash == words).copied(),
        };
        match slot {
            Some(slot) => {
                let again = self.saw(slot);
                Found::Known { of: self.slots[slot as usize].value, again }
            }
            None => Found::New(Key { hash, len: u16::try_from(len).unwrap_or(0) }),
        }
    }

    /// The same for a series without labels that is known by its name alone, and stands on no page.
    pub fn find_name(&mut self, name: &str) -> Found<V> {
        self.find_hash(self.hasher.one(name.as_bytes()), name.len())
    }

    /// Adds a series that [`find`](Table::find) did not find, as seen on this page. A key that is in the table gets the
    /// new value.
    pub fn insert(&mut self, key: Key, value: V) {
        let hash = words(key.hash);
        let known = self.index.find(key.hash[0], |slot| self.slots[*slot as usize].hash == hash).copied();
        let slot = known.unwrap_or_else(|| self.take_slot(value));
        let place = &mut self.slots[slot as usize];
        place.value = value;
        if known.is_none() {
            *place = Slot { hash, value, next: NONE, page: 0, len: key.len };
            let slots = &self.slots;
            self.index.insert_unique(key.hash[0], slot, |slot| low(slots[*slot as usize].hash));
        }
        self.saw(slot);
    }

    /// The values of the series that were not on this page, so far.
    pub fn unseen(&self) -> impl Iterator<Item = V> {
        self.index
            .iter()
            .map(|slot| &self.slots[*slot as usize])
            .filter(|s| s.page != self.page)
            .map(|s| s.value)
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = V> {
        self.index.iter().map(|slot| self.slots[*slot as usize].value)
    }

    /// Changes the values of all series.
    pub fn change(&mut self, mut change: impl FnMut(&mut V)) {
        self.index.iter().for_each(|slot| change(&mut self.slots[*slot as usize].value));
    }

    /// Takes out all series.
    pub fn clear(&mut self) {
        *self = Table { hasher: self.hasher.clone(), page: self.page, ..Table::new() };
    }

    /// Takes out the series that were not on this page.
    pub fn sweep(&mut self, mut gone: impl FnMut(V)) {
        let (slots, free) = (&mut self.slots, &mut self.free);
        self.index.retain(|at| {
            let slot = &mut slots[*at as usize];
            let stays = slot.page == self.page;
            if !stays {
                gone(slot.value);
                (slot.hash, slot.len) = ([0; 4], 0);
                free.push(*at);
            }
            stays
        });
        if self.is_empty() {
            // Nothing is there that a later page could be like.
            (self.slots, self.free, self.index) = (Vec::new(), Vec::new(), HashTable::new());
            (self.first, self.last) = (NONE, NONE);
        }
    }

    #[inline]
    fn expected_slot(&self) -> u32 {
        match self.slots.get(self.last as usize) {
            Some(last) => last.next,
            None => self.first,
        }
    }

    /// The series that followed the last one on the page before, if its bytes can be compared.
    #[inline]
    pub(crate) fn expected(&self) -> Option<Expected> {
        let slot = self.expected_slot();
        let Slot { hash, len, .. } = self.slots.get(slot as usize)?;
        (*len > 0).then_some(Expected { slot, hash: *hash, len: usize::from(*len) })
    }

    /// Whether these are the expected series' bytes.
    #[inline]
    pub(crate) fn is(&self, expected: &Expected, bytes: &[u8]) -> bool {
        words(self.hasher.one(bytes)) == expected.hash
    }

    /// Notes that the expected series is on this page; its value, and whether it was on this page before.
    #[inline]
    pub(crate) fn take(&mut self, expected: &Expected) -> (V, bool) {
        let slot = &mut self.slots[expected.slot as usize];
        let again = slot.page == self.page;
        slot.page = self.page;
        self.last = expected.slot;
        (slot.value, again)
    }

    /// Notes that a series is on this page, behind the last one; whether it was on it before.
    #[inline]
    fn saw(&mut self, slot: u32) -> bool {
        match self.slots.get_mut(self.last as usize) {
            Some(last) => last.next = slot,
            None => self.first = slot,
        }
        self.last = slot;
        let again = self.slots[slot as usize].page == self.page;
        self.slots[slot as usize].page = self.page;
        again
    }

    fn take_slot(&mut self, value: V) -> u32 {
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        if self.slots.len() == self.slots.capacity() {
            // A quarter more, not twice as much: the table is most of what a target costs.
            self.slots.reserve_exact((self.slots.len() / 4).max(16));
        }
        self.slots.push(Slot { hash: [0; 4], value, next: NONE, page: 0, len: 0 });
        (self.slots.len() - 1) as u32
    }
}

#[inline]
fn words([a, b]: [u64; 2]) -> [u32; 4] {
    [a as u32, (a >> 32) as u32, b as u32, (b >> 32) as u32]
}

/// The half of the hash by which the index finds.
fn low(words: [u32; 4]) -> u64 {
    u64::from(words[0]) | u64::from(words[1]) << 32
}
