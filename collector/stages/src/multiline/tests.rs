use proptest::prelude::*;

use super::*;

/// The entries of a text, a joiner's spans checked: nothing lost, nothing twice.
fn join(rule: Rule, bounds: Bounds, text: &str) -> Vec<Joined> {
    let mut joiner = Joiner::new(rule, bounds);
    let mut out = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len() as u64;
        out.extend(joiner.push(line.trim_end_matches('\n'), at..end));
        at = end;
    }
    out.extend(joiner.flush());
    let mut expected = 0;
    for entry in &out {
        assert_eq!(entry.span.start, expected);
        expected = entry.span.end;
    }
    assert_eq!(expected, text.len() as u64);
    let whole: Vec<&str> = out.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(whole.join("\n"), text.strip_suffix('\n').unwrap_or(text));
    out
}

/// A fixture holds entries, each with `>` before its first line and `|` before those that belong to it.
#[track_caller]
fn check(preset: Preset, fixture: &str) {
    let text: String = fixture.lines().map(|line| format!("{}\n", &line[1..])).collect();
    let mut marked = String::new();
    for entry in join(Rule::Preset(preset), Bounds::default(), &text) {
        for (number, line) in entry.text.split('\n').enumerate() {
            marked.push(if number == 0 { '>' } else { '|' });
            marked.push_str(line);
            marked.push('\n');
        }
    }
    assert_eq!(marked, fixture);
}

#[test]
fn java() {
    check(Preset::Java, include_str!("fixtures/java.txt"));
}

#[test]
fn python() {
    check(Preset::Python, include_str!("fixtures/python.txt"));
}

#[test]
fn go() {
    check(Preset::Go, include_str!("fixtures/go.txt"));
}

#[test]
fn rust() {
    check(Preset::Rust, include_str!("fixtures/rust.txt"));
}

#[test]
fn node() {
    check(Preset::Node, include_str!("fixtures/node.txt"));
}

#[test]
fn dotnet() {
    check(Preset::Dotnet, include_str!("fixtures/dotnet.txt"));
}

fn dated() -> Rule {
    Rule::FirstLine(Pattern::new(r"^\d{4}-\d\d-\d\d ").unwrap())
}

fn texts(entries: &[Joined]) -> Vec<&str> {
    entries.iter().map(|entry| entry.text.as_str()).collect()
}

#[test]
fn a_first_line() {
    let text = "lost head\n2026-11-21 a\n  b\nc\n2026-11-21 d\n";
    let entries = join(dated(), Bounds::default(), text);
    assert_eq!(texts(&entries), ["lost head", "2026-11-21 a\n  b\nc", "2026-11-21 d"]);
    assert_eq!(
        entries.iter().map(|entry| entry.end).collect::<Vec<_>>(),
        [End::Next, End::Next, End::Flushed]
    );
    assert_eq!(entries[1].lines, 3);
}

#[test]
fn the_bounds_hold() {
    let text = "2026-11-21 a\nb\nc\nd\ne\n";
    let entries = join(dated(), Bounds { lines: 2, bytes: 1000 }, text);
    assert_eq!(texts(&entries), ["2026-11-21 a\nb", "c\nd", "e"]);
    assert_eq!(entries[0].end, End::Full);
    let entries = join(dated(), Bounds { lines: 100, bytes: 15 }, text);
    assert_eq!(texts(&entries), ["2026-11-21 a\nb", "c\nd\ne"]);
    let long = format!("2026-11-21 {}\nb\n", "x".repeat(100));
    assert_eq!(join(dated(), Bounds { lines: 100, bytes: 15 }, &long).len(), 2);
}

#[test]
fn a_quiet_stream_is_flushed() {
    let mut joiner = Joiner::new(dated(), Bounds::default());
    assert_eq!(joiner.flush(), None);
    assert_eq!(joiner.push("2026-11-21 a", 10..23), None);
    assert_eq!(joiner.held_from(), Some(10));
    assert_eq!(joiner.flush().unwrap().span, 10..23);
    assert_eq!(joiner.held_from(), None);
    // What comes late begins an entry: nothing is lost.
    assert_eq!(joiner.push("  b", 23..27), None);
    assert_eq!(joiner.flush().unwrap().text, "  b");
}

proptest! {
    #[test]
    fn no_byte_is_lost(
        lines in prop::collection::vec("( |\t|at |Traceback \\(most recent call last\\):|panic: |goroutine 1 \\[x\\]:|Caused by: |\\PC{0,9}){0,3}", 0..40),
        preset in prop::sample::select(Preset::ALL.to_vec()),
        lines_bound in 1_usize..9,
    ) {
        let text: String = lines.iter().map(|line| format!("{}\n", line.replace('\n', ""))).collect();
        for entry in join(Rule::Preset(preset), Bounds { lines: lines_bound, bytes: 60 }, &text) {
            prop_assert!(entry.lines <= lines_bound);
        }
    }
}
