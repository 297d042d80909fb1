//! Any page is read or refused, in either format; what is yielded lies within the page.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taffrail_wire::text::{Format, Item, parse};

fuzz_target!(|page: &[u8]| {
    for format in [Format::Prometheus, Format::OpenMetrics] {
        let mut lines = 0;
        for item in parse(page, format) {
            lines += 1;
            let Ok(Item::Sample(sample)) = item else { continue };
            assert!(sample.value.to_bits() != taffrail_wire::remote_write::STALE_NAN);
            let labels: Result<Vec<_>, _> = sample.series.labels().collect();
            let named = labels.as_ref().is_ok_and(|labels| labels.iter().filter(|(n, _)| n == "__name__").count() >= 1);
            assert!(labels.is_err() || named, "a series without a name: {:?}", sample.series);
        }
        assert!(lines <= page.len() + 1);
    }
});
