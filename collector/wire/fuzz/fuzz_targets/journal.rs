//! Any bytes are parts of a journal file or an error, and nothing grows beyond its bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taffrail_wire::journal::{Array, Entry, Header, MAX_ITEMS, lz4_prefix};

fuzz_target!(|input: (u16, bool, &[u8])| {
    let (most, compact, bytes) = input;
    let _ = Header::parse(bytes);
    let _ = Array::parse(bytes, compact);
    assert!(Array::places(bytes, compact).count() <= bytes.len() / 4);
    if let Ok(entry) = Entry::parse(bytes, compact) {
        assert!(entry.items.len() <= MAX_ITEMS);
    }
    if let Some(out) = lz4_prefix(bytes, usize::from(most)) {
        assert!(out.len() <= usize::from(most));
        // Wanting less gives the beginning of the same.
        let half = usize::from(most) / 2;
        let less = lz4_prefix(bytes, half);
        assert!(less.is_some_and(|less| out.starts_with(&less)));
    }
});
