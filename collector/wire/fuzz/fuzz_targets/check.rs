//! Any page can be looked at for faults, in any format; the report is small, and its verdict is the parser's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taffrail_wire::page::{Format, MOST_WARNINGS, Options, Parser, check};

fuzz_target!(|page: &[u8]| {
    for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
        let report = check(page, format);
        assert!(report.warnings.len() <= MOST_WARNINGS);
        assert!(report.warnings.iter().all(|warning| warning.fault.to_string().len() < 1000));
        let options = Options { native: true, classic_too: true, ..Options::default() };
        let error = Parser::new(page, format, options).find_map(Result::err);
        assert_eq!(report.error, error);
    }
});
