//! A page that is read after another, with a table, says what it says without one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taffrail_wire::page::{Entry, Format, Found, Options, Parser, Table};

/// The samples: labels as text, bits of the value, time.
type Seen = Vec<(String, u64, Option<i64>)>;

fn plainly(page: &[u8], format: Format) -> Seen {
    let entries = Parser::new(page, format, Options::default());
    let samples = entries.flatten().filter_map(|entry| match entry {
        Entry::Sample(sample) => {
            let labels: Vec<_> = sample.series.labels().collect();
            Some((format!("{labels:?}"), sample.value.to_bits(), sample.ts_ms))
        }
        _ => None,
    });
    samples.collect()
}

fn with(table: &mut Table<u32>, names: &mut Vec<String>, page: &[u8], format: Format) -> Seen {
    let mut parser = Parser::new(page, format, Options::default());
    let mut seen = Seen::new();
    table.begin();
    loop {
        if let Some(known) = parser.known(table) {
            seen.push((names[known.of as usize].clone(), known.value.to_bits(), known.ts_ms));
            continue;
        }
        let Some(entry) = parser.next() else { break };
        let Ok(Entry::Sample(sample)) = entry else { continue };
        let name = match table.find(&sample.series) {
            Found::Known { of, .. } => of,
            Found::New(key) => {
                let labels: Vec<_> = sample.series.labels().collect();
                names.push(format!("{labels:?}"));
                table.insert(key, names.len() as u32 - 1);
                names.len() as u32 - 1
            }
        };
        seen.push((names[name as usize].clone(), sample.value.to_bits(), sample.ts_ms));
    }
    table.sweep(drop);
    seen
}

fuzz_target!(|input: (&[u8], &[u8], bool)| {
    let (one, other, openmetrics) = input;
    let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
    // The form of a number in a label depends on the type above it; the table keeps the form that was there first.
    if [one, other].iter().any(|page| page.windows(4).any(|word| word == b"TYPE")) {
        return;
    }
    let (mut table, mut names) = (Table::new(), Vec::new());
    for page in [one, other, one] {
        assert_eq!(with(&mut table, &mut names, page, format), plainly(page, format));
    }
});
