//! One journal file: its entries in their order, while somebody may be writing it.
//!
//! It is read and not mapped: a file that is cut short while it is mapped would end the process. What is read is bounded,
//! whatever the file says of itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use taffrail_wire::journal::{
    Array, Compression, DATA, ENTRY, Entry, FileError, Head, Header, MAX_ITEMS, ObjectError, payload_at,
};

use super::datum::{Data, Packed};

/// As many places of entries are read at a time.
const PLACES: u64 = 512;
/// What is read of an object at first: most are shorter.
const GUESS: usize = 512;
/// The longest entry: all its items, in the wider form.
const LONGEST: u64 = (Entry::LEAST + MAX_ITEMS * 16) as u64;
/// The most bytes of a packed field that are read: it unpacks to more.
const MAX_PACKED: u64 = 1 << 20;

/// Why something in a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The system says why.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file as a whole.
    #[error("{0}")]
    File(#[from] FileError),
    /// Something in it.
    #[error("{0}")]
    Object(#[from] ObjectError),
    /// It says that something is where nothing can be.
    #[error("it names a place where nothing can be")]
    Place,
}

/// A file that is open.
#[derive(Debug)]
pub(super) struct JournalFile {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    pub(super) data: Data,
    file: File,
    /// Its length when the header was read last.
    len: u64,
    /// The list of entries that is being read: its place, and what it says.
    array: Option<(u64, Array)>,
    /// How many places of it were passed.
    passed: u64,
    /// Entries that were passed in all.
    done: u64,
    /// Places that were read ahead, the next one last.
    ahead: Vec<u64>,
    /// The entry that is next, once it was looked at.
    next: Option<Entry>,
    buffer: Vec<u8>,
}

impl JournalFile {
    /// Opens a file before its first entry.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path)?;
        let (header, len) = header(&file)?;
        Ok(JournalFile {
            path: path.to_owned(),
            header,
            data: Data::default(),
            file,
            len,
            array: None,
            passed: 0,
            done: 0,
            ahead: Vec::new(),
            next: None,
            buffer: Vec::new(),
        })
    }

    /// Reads the header again: there may be more entries.
    ///
    /// # Errors
    /// When it cannot be read; what was known stays.
    pub(super) fn refresh(&mut self) -> Result<(), ReadError> {
        (self.header, self.len) = header(&self.file)?;
        Ok(())
    }

    /// Entries that were not passed.
    pub(super) fn left(&self) -> u64 {
        self.header.n_entries.saturating_sub(self.done)
    }

    /// Bytes of the file behind the next entry, about.
    pub(super) fn left_bytes(&self) -> u64 {
        match (self.left(), self.header.n_entries) {
            (0, _) | (_, 0) => 0,
            // Entries and what they hold are spread over the file evenly enough.
            (left, all) => (u128::from(self.header.tail_object_offset) * u128::from(left) / u128::from(all))
                .try_into()
                .unwrap_or(u64::MAX),
        }
    }

    /// The next entry, which stays the next one until [`JournalFile::pass`]. `None`: there is none yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<&Entry>, ReadError> {
        if self.next.is_none() {
            let Some(place) = self.place()? else { return Ok(None) };
            let entry = self.entry(place)?;
            if !(self.header.head_seqnum..=self.header.tail_seqnum).contains(&entry.seqnum) {
                return Err(ReadError::Place);
            }
            self.next = Some(entry);
        }
        Ok(self.next.as_ref())
    }

    /// Goes on behind the next entry, whether it could be read or not, and gives it.
    pub(super) fn pass(&mut self) -> Option<Entry> {
        // Without a place nothing stands there that could be passed.
        if self.ahead.pop().is_some() {
            (self.passed, self.done) = (self.passed + 1, self.done + 1);
        }
        self.next.take()
    }

    /// Gives up what is left of it, and says how many entries that is.
    pub(super) fn give_up(&mut self) -> u64 {
        let left = self.left();
        self.done = self.header.n_entries;
        (self.next, self.ahead) = (None, Vec::new());
        left
    }

    /// Whether the next entry's place is known, so that it can be passed.
    pub(super) fn has_place(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Goes to the first entry that `is_before` does not say of that it is too early. Entries are in their order.
    ///
    /// # Errors
    /// When the lists of entries cannot be read.
    pub(super) fn seek(&mut self, is_before: impl Fn(&Entry) -> bool) -> Result<(), ReadError> {
        let all = self.header.n_entries;
        let mut at = self.header.entry_array_offset;
        let mut before = 0;
        while before < all {
            let array = self.array_at(at)?;
            let count = array.places.min(all - before);
            // What cannot be read is not known to be too early.
            let early = |file: &mut Self, index| {
                let entry = file.place_in(at, index).and_then(|place| file.entry(place));
                entry.is_ok_and(|entry| is_before(&entry))
            };
            if count > 0 && early(self, count - 1) {
                before += count;
                if before >= all || array.next == 0 {
                    (self.array, self.passed) = (Some((at, array)), count);
                    break;
                }
                at = self.later(at, array.next)?;
                continue;
            }
            let (mut low, mut high) = (0, count);
            while low < high {
                let middle = low + (high - low) / 2;
                if early(self, middle) { low = middle + 1 } else { high = middle }
            }
            (self.array, self.passed, before) = (Some((at, array)), low, before + low);
            break;
        }
        self.done = before;
        (self.next, self.ahead) = (None, Vec::new());
        Ok(())
    }

    /// How many of its entries have these numbers.
    ///
    /// # Errors
    /// When the lists of entries cannot be read.
    pub(super) fn count(&mut self, first: u64, last: u64) -> Result<u64, ReadError> {
        self.seek(|entry| entry.seqnum < first)?;
        let before = self.done;
        self.seek(|entry| entry.seqnum <= last)?;
        Ok(self.done.saturating_sub(before))
    }

    /// The place of the next entry.
    fn place(&mut self) -> Result<Option<u64>, ReadError> {
        if let Some(place) = self.ahead.last() {
            return Ok(Some(*place));
        }
        let left = self.left();
        if left == 0 {
            return Ok(None);
        }
        let (mut at, mut array) = match self.array {
            Some(known) => known,
            None => {
                let at = self.header.entry_array_offset;
                (at, self.array_at(at)?)
            }
        };
        while self.passed >= array.places {
            // The list was full, and had no successor when it was looked at.
            if array.next == 0 {
                array = self.array_at(at)?;
            }
            if array.next == 0 {
                return Err(ReadError::Place);
            }
            at = self.later(at, array.next)?;
            array = self.array_at(at)?;
            self.passed = 0;
        }
        self.array = Some((at, array));
        let count = PLACES.min(array.places - self.passed).min(left);
        let compact = self.header.compact;
        let width = Array::width(compact);
        let bytes = self.read(at + Array::LEN as u64 + self.passed * width, (count * width) as usize)?;
        let mut places: Vec<u64> = Array::places(bytes, compact).collect();
        places.reverse();
        self.ahead = places;
        Ok(self.ahead.last().copied())
    }

    /// Lists come one behind the other, so that no circle is followed for ever.
    fn later(&self, at: u64, next: u64) -> Result<u64, ReadError> {
        if next > at { Ok(next) } else { Err(ReadError::Place) }
    }

    fn array_at(&mut self, at: u64) -> Result<Array, ReadError> {
        let compact = self.header.compact;
        self.check(at)?;
        Ok(Array::parse(self.read(at, Array::LEN)?, compact)?)
    }

    fn place_in(&mut self, array: u64, index: u64) -> Result<u64, ReadError> {
        let width = Array::width(self.header.compact);
        let compact = self.header.compact;
        let bytes = self.read(array + Array::LEN as u64 + index * width, width as usize)?;
        Array::places(bytes, compact).next().ok_or(ReadError::Place)
    }

    fn entry(&mut self, place: u64) -> Result<Entry, ReadError> {
        self.check(place)?;
        let compact = self.header.compact;
        let bytes = self.read_some(place, GUESS)?;
        let size = Head::parse(bytes, ENTRY)?.size.min(LONGEST);
        if size <= bytes.len() as u64 {
            return Ok(Entry::parse(bytes, compact)?);
        }
        Ok(Entry::parse(self.read(place, size as usize)?, compact)?)
    }

    /// The field at a place, as it stands there: at most its first bytes, where it is not packed.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn packed(&mut self, place: u64, most: usize) -> Result<Packed<'_>, ReadError> {
        self.check(place)?;
        let from = payload_at(self.header.compact);
        let seen = self.read_some(place, GUESS)?.len() as u64;
        let head = Head::parse(&self.buffer, DATA)?;
        let payload = head.size.checked_sub(from).ok_or(ObjectError::Size(head.size))?;
        let most = match head.compression {
            Compression::None => most as u64,
            _ => MAX_PACKED,
        };
        let wanted = from + payload.min(most);
        if wanted > seen {
            self.read(place, wanted as usize)?;
        }
        let bytes = self.buffer.get(from as usize..wanted as usize).ok_or(ObjectError::Short)?;
        Ok(Packed { compression: head.compression, bytes, len: payload })
    }

    /// Objects lie behind the header, at multiples of eight.
    fn check(&self, place: u64) -> Result<(), ReadError> {
        let good = place >= self.header.header_size && place.is_multiple_of(8) && place < self.len;
        if good { Ok(()) } else { Err(ReadError::Place) }
    }

    fn read(&mut self, at: u64, len: usize) -> Result<&[u8], ReadError> {
        self.buffer.resize(len, 0);
        self.file.read_exact_at(&mut self.buffer, at)?;
        Ok(&self.buffer)
    }

    /// As much of `len` bytes as there is.
    fn read_some(&mut self, at: u64, len: usize) -> Result<&[u8], ReadError> {
        self.buffer.resize(len, 0);
        let mut filled = 0;
        while filled < len {
            match self.file.read_at(&mut self.buffer[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.buffer.truncate(filled);
        Ok(&self.buffer)
    }
}

fn header(file: &File) -> Result<(Header, u64), ReadError> {
    let mut bytes = [0; Header::LEN];
    match file.read_exact_at(&mut bytes, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(FileError::NoJournal.into()),
        Err(error) => Err(error.into()),
        Ok(()) => {
            let (mut header, len) = (Header::parse(&bytes)?, file.metadata()?.len());
            header.n_entries = header.n_entries.min(len / Entry::LEAST as u64);
            Ok((header, len))
        }
    }
}
