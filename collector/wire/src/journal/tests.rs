use proptest::prelude::*;

use super::*;

/// A block that liblz4 made of [`text`].
const BLOCK: &str = "f1014d4553534147453d6c696e6520302c200800133108001332080013330800133408001335080013360800133708001338080013390800153151000452001431530014315400143155001431560014315700143158001431590014315a0014325a0014325a0014325a0014325a0014325a0014325a0014325a0014325a0014325a005f32392c206101000f506161616161";

fn text() -> Vec<u8> {
    let numbers: String = (0..30).map(|n| format!("line {n}, ")).collect();
    format!("MESSAGE={numbers}{}", "a".repeat(40)).into_bytes()
}

fn block() -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&BLOCK[at..at + 2], 16).unwrap();
    (0..BLOCK.len()).step_by(2).map(byte).collect()
}

#[test]
fn a_block_of_the_real_library_is_unpacked_as_far_as_it_is_wanted_and_there() {
    let (block, text) = (block(), text());
    assert_eq!(lz4_prefix(&block, 1000).unwrap(), text);
    for most in 0..=text.len() {
        assert_eq!(lz4_prefix(&block, most).unwrap(), text[..most], "the first {most}");
    }
    for len in 0..block.len() {
        assert!(text.starts_with(&lz4_prefix(&block[..len], 1000).unwrap()), "cut at {len}");
    }
    // It repeats what is before its beginning.
    assert_eq!(lz4_prefix(&[0x10, b'x', 2, 0, 0], 100), None);
}

fn header(change: impl Fn(&mut [u8])) -> Result<Header, FileError> {
    let mut bytes = vec![0; Header::LEN];
    bytes[..8].copy_from_slice(b"LPKSHHRH");
    bytes[12] = 0b1_1100;
    bytes[16] = 1;
    for (at, value) in [(88, 272_u64), (136, 4096), (152, 3), (160, 12), (168, 10), (176, 3000)] {
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    change(&mut bytes);
    Header::parse(&bytes)
}

#[test]
fn headers_that_cannot_be_are_refused() {
    let good = header(|_| ()).unwrap();
    assert_eq!((good.compact, good.state, good.n_entries, good.tail_seqnum), (true, State::Online, 3, 12));
    assert_eq!(header(|bytes| bytes[157] = 1).unwrap().n_entries, 3, "as many as there are numbers");
    assert_eq!(header(|bytes| bytes[0] = 0), Err(FileError::NoJournal));
    assert_eq!(header(|bytes| bytes[12] |= 0x80), Err(FileError::Later(0x9c)));
    for (at, value) in [(88, 1_u64), (88, 275), (176, 8), (176, 3001), (168, 13)] {
        let changed = header(|bytes| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes()));
        assert_eq!(changed, Err(FileError::Damaged), "{value} at {at}");
    }
    assert_eq!(Header::parse(b"LPKSHHRH"), Err(FileError::NoJournal));
}

/// An object of the type with numbers behind its head.
fn object(kind: u8, size: u64, words: &[u64]) -> Vec<u8> {
    let head = [u64::from(kind), size];
    head.iter().chain(words).flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn entries_and_lists_in_both_widths() {
    let words = [7, 1000, 50, 1, 2, 99, 4096, 11, 8192, 12];
    let entry = object(ENTRY, 96, &words);
    let read = Entry::parse(&entry, false).unwrap();
    assert_eq!((read.seqnum, read.realtime, read.monotonic), (7, 1000, 50));
    assert_eq!(read.items, [4096, 8192]);
    assert_eq!(Entry::parse(&entry, true).unwrap().items, [4096, 0, 11, 0, 8192, 0, 12, 0]);
    assert_eq!(Entry::parse(&entry[..90], false), Err(ObjectError::Short));
    assert_eq!(Entry::parse(&object(ENTRY, 63, &words), false), Err(ObjectError::Size(63)));
    assert_eq!(
        Entry::parse(&object(DATA, 96, &words), false),
        Err(ObjectError::Type { found: DATA, wanted: ENTRY })
    );
    let list = object(ENTRY_ARRAY, 40, &[5000, 64, 72]);
    assert_eq!(Array::parse(&list, false), Ok(Array { next: 5000, places: 2 }));
    assert_eq!(Array::parse(&list, true), Ok(Array { next: 5000, places: 4 }));
    assert_eq!(Array::places(&list[Array::LEN..], false).collect::<Vec<_>>(), [64, 72]);
    assert_eq!(Array::places(&list[Array::LEN..], true).collect::<Vec<_>>(), [64, 0, 72, 0]);
}

proptest! {
    #[test]
    fn nothing_panics_nor_grows_beyond_its_bound(bytes in prop::collection::vec(any::<u8>(), 0..400), most in 0_usize..5000) {
        let _ = Header::parse(&bytes);
        for compact in [false, true] {
            let _ = Array::parse(&bytes, compact);
            if let Ok(entry) = Entry::parse(&bytes, compact) {
                prop_assert!(entry.items.len() <= bytes.len() / 4);
            }
        }
        if let Some(out) = lz4_prefix(&bytes, most) {
            prop_assert!(out.len() <= most);
        }
    }
}
