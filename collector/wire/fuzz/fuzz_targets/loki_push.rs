//! Any bytes are a push request of others, in both forms, or an error.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use taffrail_wire::loki::{BadLabels, Pairs, Sink, read_json, read_protobuf};

struct Count(usize);

impl Sink for Count {
    fn stream(&mut self, labels: Result<Pairs<'_>, BadLabels<'_>>) -> bool {
        labels.is_ok()
    }

    fn entry(&mut self, _: i64, line: &str, metadata: &[(Cow<'_, str>, Cow<'_, str>)]) {
        self.0 += line.len() + metadata.len();
    }
}

fuzz_target!(|request: &[u8]| {
    let _ = read_protobuf(request, &mut Count(0));
    let _ = read_json(request, &mut Count(0));
});
