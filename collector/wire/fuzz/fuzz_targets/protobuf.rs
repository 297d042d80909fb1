//! Any protobuf page is read or refused, whatever is wanted of it, and its histograms can be validated and made coarser.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taffrail_wire::page::{Entry, Format, Options, Parser};

fuzz_target!(|page: &[u8]| {
    for wanted in 0..8 {
        let options = Options {
            native: wanted & 1 > 0,
            classic_too: wanted & 2 > 0,
            convert_classic: wanted & 4 > 0,
            created: true,
        };
        for entry in Parser::new(page, Format::Protobuf, options) {
            match entry {
                Ok(Entry::Sample(sample)) => {
                    assert!(sample.value.to_bits() != taffrail_wire::remote_write::STALE_NAN);
                    assert!(sample.series.labels().any(|(name, _)| name == "__name__"));
                }
                Ok(Entry::Histogram(sample)) => {
                    let mut histogram = sample.histogram;
                    let valid = histogram.validate().is_ok();
                    if histogram.limit(0, 4).is_ok() && valid {
                        assert_eq!(histogram.validate(), Ok(()));
                    }
                }
                _ => {}
            }
        }
    }
});
