//! Any page is read or refused, in either text format; each series has one name and no label twice.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use taffrail_wire::page::{Entry, Format, Options, Parser};

fuzz_target!(|page: &[u8]| {
    for format in [Format::Text, Format::OpenMetrics] {
        let options = Options { created: true, ..Options::default() };
        let mut lines = 0;
        for entry in Parser::new(page, format, options) {
            lines += 1;
            let Ok(Entry::Sample(sample)) = entry else { continue };
            assert!(sample.value.to_bits() != taffrail_wire::remote_write::STALE_NAN);
            let (mut names, mut labels) = (HashSet::new(), 0);
            for (name, _) in sample.series.labels() {
                names.insert(name);
                labels += 1;
            }
            assert!(names.contains("__name__") && names.len() == labels, "{:?}", sample.series);
        }
        assert!(lines <= page.len() + 1);
    }
});
