//! A small state that survives a crash at any moment: two generations, each with its own checksum.
//!
//! A save overwrites the older one in place, so whatever happens meanwhile the newer one stays. A file is 24 bytes of
//! header (magic, generation, payload length, CRC-32 of generation, length and payload; little-endian) and the payload.
//!
//! The very first save writes an empty marker of generation 0 to `<name>.1`, then the state to `<name>.0`, then the
//! state to `<name>.1`. So damage where no state was ever saved is told apart from a state that was lost, and from its
//! first save on a state is there twice.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::FileError;

const MAGIC: &[u8; 8] = b"TFSTATE1";
const HEADER: usize = 24;
/// No state is larger; a file that is cannot be one of ours.
const MAX_BYTES: u64 = 256 << 20;

/// What [`StateFile::load`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// No state was ever saved here.
    Empty,
    /// The newest state that is whole.
    Found {
        /// What was saved.
        bytes: Vec<u8>,
        /// Grows with each save.
        generation: u64,
        /// What is wrong with the other generation. After a kill in the middle of a save this is to be expected.
        problem: Option<String>,
    },
    /// A state was saved, but nothing of it can be read: do not act as if there had been none.
    Unreadable {
        /// What is wrong with each file.
        problem: String,
    },
}

/// What a save survives, once it has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The sudden end of the machine: it waits for the disk.
    PowerCut,
    /// The sudden end of the process only: it does not wait.
    Kill,
}

/// A state in two generations, `<path>.0` and `<path>.1`.
#[derive(Debug)]
pub struct StateFile {
    slots: [PathBuf; 2],
    /// Where the next save goes, and its generation; `None` until the files were looked at.
    next: Option<Next>,
}

#[derive(Clone, Copy, Debug)]
struct Next {
    slot: usize,
    generation: u64,
    /// The marker has to be written first.
    first: bool,
}

/// One of the two files.
enum Slot {
    Missing,
    Valid {
        generation: u64,
        bytes: Vec<u8>,
    },
    /// The marker of the first save, cut short.
    TornMarker,
    Bad(String),
}

impl StateFile {
    /// The state at `path`, to which `.0` and `.1` are appended. Touches no file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let slot = |end: &str| {
            let mut name = path.clone().into_os_string();
            name.push(end);
            PathBuf::from(name)
        };
        StateFile { slots: [slot(".0"), slot(".1")], next: None }
    }

    /// The newest whole generation.
    pub fn load(&mut self) -> Loaded {
        let [zero, one] = [read_slot(&self.slots[0]), read_slot(&self.slots[1])];
        let (next, loaded) = judge(zero, one);
        self.next = Some(next);
        loaded
    }

    /// Saves a new generation. On an error the one before is still there, and the next save tries again.
    ///
    /// Where [`StateFile::load`] would say [`Loaded::Unreadable`], this overwrites what is left: load first.
    pub fn save(&mut self, bytes: &[u8], durable: Durability) -> Result<(), FileError> {
        let next = match self.next {
            Some(next) => next,
            None => {
                self.load();
                self.next.unwrap_or(FIRST)
            }
        };
        if next.first {
            write_slot(&self.slots[1], 0, &[], durable)?;
        }
        write_slot(&self.slots[next.slot], next.generation, bytes, durable)?;
        let then = Next { slot: 1 - next.slot, generation: next.generation + 1, first: false };
        self.next = Some(then);
        if next.first { self.save(bytes, durable) } else { Ok(()) }
    }
}

const FIRST: Next = Next { slot: 0, generation: 1, first: true };

/// What the two files say together, and where the next save goes: never over the newest that is whole.
fn judge(zero: Slot, one: Slot) -> (Next, Loaded) {
    let after =
        |slot: usize, generation: u64| Next { slot: 1 - slot, generation: generation + 1, first: false };
    let found = |generation: u64, bytes: Vec<u8>, problem: Option<String>| match generation {
        0 => Loaded::Empty,
        _ => Loaded::Found { bytes, generation, problem },
    };
    match (zero, one) {
        (Slot::Valid { generation, bytes }, Slot::Valid { generation: other, .. }) if generation > other => {
            (after(0, generation), found(generation, bytes, None))
        }
        (Slot::Valid { .. }, Slot::Valid { generation, bytes }) => {
            (after(1, generation), found(generation, bytes, None))
        }
        (Slot::Valid { generation, bytes }, other) => {
            (after(0, generation), found(generation, bytes, Some(other.problem())))
        }
        (other, Slot::Valid { generation, bytes }) => {
            (after(1, generation), found(generation, bytes, Some(other.problem())))
        }
        (Slot::Missing, Slot::Missing | Slot::TornMarker) => (FIRST, Loaded::Empty),
        (zero, one) => {
            let problem = format!("{}; {}", zero.problem(), one.problem());
            (FIRST, Loaded::Unreadable { problem })
        }
    }
}

impl Slot {
    fn problem(self) -> String {
        match self {
            Slot::Missing => "the other generation is missing".to_owned(),
            Slot::TornMarker => "the other generation is cut short".to_owned(),
            Slot::Valid { .. } => String::new(),
            Slot::Bad(problem) => problem,
        }
    }
}

fn read_slot(path: &Path) -> Slot {
    let mut data = Vec::new();
    match File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut data)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Slot::Missing,
        Err(error) => return Slot::Bad(FileError::new("read", path, error).to_string()),
    }
    match parse(&data) {
        Ok((generation, bytes)) => Slot::Valid { generation, bytes: bytes.to_vec() },
        Err(_) if image(0, &[]).starts_with(&data) => Slot::TornMarker,
        Err(what) => Slot::Bad(format!("{} is damaged: {what}", path.display())),
    }
}

/// The generation and payload of a file's contents.
fn parse(data: &[u8]) -> Result<(u64, &[u8]), &'static str> {
    let (header, rest) = data.split_first_chunk::<HEADER>().ok_or("it is too short")?;
    if !header.starts_with(MAGIC) {
        return Err("it does not begin as a state file does");
    }
    let generation = u64::from_le_bytes(std::array::from_fn(|i| header[8 + i]));
    let length = u32::from_le_bytes(std::array::from_fn(|i| header[16 + i]));
    // Longer is right: the rest of a longer generation that was overwritten, where a kill came before the cut.
    let payload = rest.get(..length as usize).ok_or("its end is missing")?;
    let sum = u32::from_le_bytes(std::array::from_fn(|i| header[20 + i]));
    if checksum(&header[8..20], payload) != sum {
        return Err("its checksum is wrong");
    }
    Ok((generation, payload))
}

fn image(generation: u64, payload: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(HEADER + payload.len());
    data.extend_from_slice(MAGIC);
    data.extend_from_slice(&generation.to_le_bytes());
    data.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    let sum = checksum(&data[8..20], payload);
    data.extend_from_slice(&sum.to_le_bytes());
    data.extend_from_slice(payload);
    data
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(payload);
    hasher.finalize()
}

fn write_slot(path: &Path, generation: u64, payload: &[u8], durable: Durability) -> Result<(), FileError> {
    let data = image(generation, payload);
    let new = !path.exists();
    let write = || {
        // Not truncated on opening: a full disk must not take away the space that the file has already.
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.write_all_at(&data, 0)?;
        file.set_len(data.len() as u64)?;
        if durable == Durability::PowerCut {
            file.sync_data()?;
            if new && let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
                File::open(dir)?.sync_all()?;
            }
        }
        Ok(())
    };
    write().map_err(|cause| FileError::new("save state to", path, cause))
}
