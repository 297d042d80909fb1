use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::format::{Format, Records};

fn lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.split_terminator('\n').map(Cow::Borrowed)
}

fn join(rule: Rule) -> Join {
    Join::new(rule)
}

/// The entries of a text, and how often one was too long.
fn entries(join: &Join, format: Format, text: &str) -> (Vec<String>, u64) {
    let mut entries = Entries::new(Some(join), Records::new(format, lines(text), 0));
    let texts = entries.by_ref().map(|record| record.line.into_owned()).collect();
    (texts, entries.split())
}

/// A fixture holds entries, each with `>` before its first line and `|` before those that belong to it.
#[track_caller]
fn check(preset: Preset, fixture: &str) {
    let text: String = fixture.lines().map(|line| format!("{}\n", &line[1..])).collect();
    let mut marked = String::new();
    for entry in entries(&join(Rule::Preset(preset)), Format::Plain, &text).0 {
        for (number, line) in entry.split('\n').enumerate() {
            marked.push(if number == 0 { '>' } else { '|' });
            marked.push_str(line);
            marked.push('\n');
        }
    }
    assert_eq!(marked, fixture);
}

#[test]
fn languages() {
    check(Preset::Java, include_str!("fixtures/java.txt"));
    check(Preset::Python, include_str!("fixtures/python.txt"));
    check(Preset::Go, include_str!("fixtures/go.txt"));
    check(Preset::Rust, include_str!("fixtures/rust.txt"));
    check(Preset::Node, include_str!("fixtures/node.txt"));
    check(Preset::Dotnet, include_str!("fixtures/dotnet.txt"));
}

fn dated() -> Join {
    join(Rule::FirstLine(Pattern::new(r"^\d{4}-\d\d-\d\d ").unwrap()))
}

#[test]
fn a_first_line() {
    let text = "lost head\n2026-11-21 a\n  b\nc\n2026-11-21 d\n";
    let expected = ["lost head", "2026-11-21 a\n  b\nc", "2026-11-21 d"].map(str::to_owned).to_vec();
    assert_eq!(entries(&dated(), Format::Plain, text), (expected, 0));
    let but = Rule::FirstLineBut(Pattern::new("^2026").unwrap(), Pattern::new("DETAIL:").unwrap());
    let text = "2026 a\n2026 DETAIL: b\n2026 c\n";
    assert_eq!(entries(&join(but), Format::Plain, text).0, ["2026 a\n2026 DETAIL: b", "2026 c"]);
}

#[test]
fn the_bounds_hold() {
    let text = "2026-11-21 a\nb\nc\nd\ne\n";
    let (texts, split) = entries(&Join { max_lines: 2, ..dated() }, Format::Plain, text);
    assert_eq!((texts, split), (["2026-11-21 a\nb", "c\nd", "e"].map(str::to_owned).to_vec(), 2));
    let (texts, _) = entries(&Join { max_bytes: 15, ..dated() }, Format::Plain, text);
    assert_eq!(texts, ["2026-11-21 a\nb", "c\nd\ne"]);
    let long = format!("2026-11-21 {}\nb\n", "x".repeat(100));
    assert_eq!(entries(&Join { max_bytes: 15, ..dated() }, Format::Plain, &long).0.len(), 2);
}

#[test]
fn without_a_rule_lines_stay_as_they_are() {
    let records = Records::new(Format::Plain, lines("a\n b\n"), 0);
    assert_eq!(Entries::new(None, records).count(), 2);
}

/// Records of the engine: seconds, stream, whether the line ends, text.
fn cri(records: &[(u32, &str, &str, &str)]) -> String {
    records
        .iter()
        .map(|(s, stream, tag, text)| format!("2026-11-21T10:00:{s:02}Z std{stream} {tag} {text}\n"))
        .collect()
}

#[test]
fn streams_of_a_container_are_joined_apart() {
    let text = cri(&[
        (1, "out", "F", "2026-11-21 a"),
        (1, "err", "F", "2026-11-21 x"),
        (1, "out", "F", "  b"),
        (2, "err", "P", "  y"),
        (2, "out", "F", "  c"),
        (2, "err", "F", " and z"),
        (3, "out", "F", "2026-11-21 d"),
    ]);
    let (texts, _) = entries(&dated(), Format::Cri, &text);
    assert_eq!(texts, ["2026-11-21 a\n  b\n  c", "2026-11-21 x\n  y and z", "2026-11-21 d"]);
    // The last of stderr began with the second line: only the first would stand before it, and it went on.
    let whole = |text: &str| whole(&dated(), Format::Cri, text.as_bytes(), lines(text));
    assert_eq!(whole(&text).entries, 0);
    // If there is no room, the one that is open may end: what began last stays whole.
    assert_eq!(whole(&text).most, text.len() - text.lines().last().unwrap().len() - 1);
    // Once it is quiet for long, by the records' own times, it is complete.
    let quiet = format!("{text}{}", cri(&[(9, "out", "F", "2026-11-21 e")]));
    let at = whole(&quiet).entries;
    assert!(quiet[at..].contains(" e\n") && !quiet[at..].contains(" d\n"), "{}", &quiet[at..]);
    assert_eq!(entries(&dated(), Format::Cri, &quiet).0.len(), 4);
}

#[test]
fn the_last_entry_is_waited_for() {
    let whole = |text: &str| whole(&dated(), Format::Plain, text.as_bytes(), lines(text));
    assert_eq!(whole("2026-11-21 a\n  b\n2026-11-21 c\n").entries, 17);
    assert_eq!(whole("2026-11-21 a\n  b\n"), Whole { entries: 0, most: 17 });
    assert_eq!(whole("").entries, 0);
}

/// The entries of a text that is read in pieces, as it grows.
fn in_pieces(join: &Join, format: Format, text: &str, most: usize) -> Vec<String> {
    let (mut all, mut start, mut end) = (Vec::new(), 0, 0);
    while start < text.len() {
        end = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
        let window = &text[start..end];
        let sure = crate::format::whole(format, window.as_bytes());
        let whole = whole(join, format, window.as_bytes()[..sure].as_ref(), lines(&window[..sure]));
        let take = match whole.entries {
            0 if end - start >= most && sure > 0 => whole.most,
            0 if end == text.len() => window.len(),
            some => some,
        };
        all.extend(entries(join, format, &window[..take]).0);
        start += take;
        end = end.max(start);
    }
    all
}

proptest! {
    #[test]
    fn pieces_give_the_same_entries(
        lines in prop::collection::vec(
            (0_u32..3, prop::sample::select(vec!["out", "err"]), prop::sample::select(vec!["F", "P"]), prop::sample::select(vec!["2026-11-21 a", " b", "c"])),
            0..40,
        ),
        cri_format in prop::bool::ANY,
    ) {
        let mut at = 0;
        let records: Vec<_> = lines.iter().map(|(passed, stream, tag, text)| {
            at = (at + passed).min(59);
            (at, *stream, *tag, *text)
        }).collect();
        let (format, text) = if cri_format {
            (Format::Cri, cri(&records))
        } else {
            (Format::Plain, lines.iter().map(|line| format!("{}\n", line.3)).collect())
        };
        let (mut together, mut pieces) = (entries(&dated(), format, &text).0, in_pieces(&dated(), format, &text, usize::MAX));
        // Of two streams the one may come before the other.
        together.sort();
        pieces.sort();
        prop_assert_eq!(together, pieces);
    }

    #[test]
    fn no_byte_is_lost(
        lines in prop::collection::vec("( |\t|at |Traceback \\(most recent call last\\):|panic: |goroutine 1 \\[x\\]:|Caused by: |[^\n]{0,9}){0,3}", 0..40),
        preset in prop::sample::select(Preset::ALL.to_vec()),
        max_lines in 1_usize..9,
        most in 1_usize..200,
    ) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let join = Join { max_lines, max_bytes: 60, ..join(Rule::Preset(preset)) };
        let (texts, _) = entries(&join, Format::Plain, &text);
        for entry in &texts {
            prop_assert!(entry.split('\n').count() <= max_lines);
        }
        let again: String = texts.iter().map(|entry| format!("{entry}\n")).collect();
        prop_assert_eq!(&again, &text);
        let pieces: String = in_pieces(&join, Format::Plain, &text, most).iter().map(|entry| format!("{entry}\n")).collect();
        prop_assert_eq!(&pieces, &text);
    }
}
