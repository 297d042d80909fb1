//! Any body of a refusal is read; a label set that is read is written so that it is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taffrail_wire::loki::{parse_label_set, refusals, same_stream, write_label_set};

fuzz_target!(|body: &str| {
    let found = refusals(body);
    assert_eq!(found.is_empty(), body.trim().is_empty());
    for refusal in found {
        let Some(stream) = refusal.stream else { continue };
        let _ = refusal.means("{a=\"b\"}");
        if let Some(pairs) = parse_label_set(stream)
            && pairs.iter().all(|(_, value)| !value.is_empty())
            && pairs.iter().all(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        {
            let mut written = String::new();
            write_label_set(&mut written, pairs.iter().map(|(n, v)| (&**n, &**v)));
            assert!(same_stream(&written, stream), "{written} is not {stream}");
        }
    }
});
