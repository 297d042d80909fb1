//! Any bytes are a push request or an error; halves and a copy of a good one have all its entries.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taffrail_wire::loki::{Batch, count_entries, filter, same_stream, split, streams};

fuzz_target!(|request: &[u8]| {
    for stream in streams(request).flatten() {
        let _ = same_stream(stream.labels, "{a=\"b\"}");
        for entry in stream.entries().flatten() {
            entry.metadata().for_each(drop);
        }
    }
    let (mut first, mut second, mut copy) = (Batch::new(), Batch::new(), Batch::new());
    if let Ok(true) = split(request, &mut first, &mut second) {
        let halves = count_entries(first.finish()).unwrap() + count_entries(second.finish()).unwrap();
        assert_eq!(halves, count_entries(request).unwrap());
    }
    if filter(request, &mut copy, |_, _, _| true).is_ok() {
        assert_eq!(count_entries(copy.finish()).unwrap(), count_entries(request).unwrap());
    }
});
