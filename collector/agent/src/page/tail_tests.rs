use super::*;

const STREAM: &str = "{job=\"app\"}";

fn texts(tail: &Tail) -> Vec<String> {
    tail.read(0, LINES, |_| true).lines.iter().map(|e| e.text.to_string()).collect()
}

#[test]
fn lines_are_numbered_and_read_on_from_a_number() {
    let tail = Tail::default();
    for i in 0..5 {
        tail.push(i, STREAM, &format!("line {i}"));
    }
    let kept = tail.read(3, 10, |_| true);
    assert_eq!(kept.lines.iter().map(|e| e.seq).collect::<Vec<_>>(), [4, 5]);
    assert_eq!((kept.last, kept.missed), (5, 0));
    let newest = tail.read(0, 2, |_| true);
    assert_eq!(newest.lines.iter().map(|e| &*e.text).collect::<Vec<_>>(), ["line 3", "line 4"]);
    assert!(tail.read(5, 10, |_| true).lines.is_empty());
    assert!(tail.read(99, 10, |_| true).lines.is_empty(), "a number from another life of the collector");
}

#[test]
fn lines_are_bounded_and_what_fell_out_is_counted_for_whoever_was_reading() {
    let tail = Tail::default();
    for i in 0..LINES as i64 * 3 {
        tail.push(i, STREAM, "x");
    }
    assert_eq!(texts(&tail).len(), LINES);
    assert_eq!(tail.read(10, LINES, |_| true).missed, LINES as u64 * 2 - 10);
    assert_eq!(tail.read(0, LINES, |_| true).missed, 0);
}

#[test]
fn bytes_are_bounded_labels_and_all() {
    let tail = Tail::default();
    let labels = format!("{{job=\"{}\"}}", "j".repeat(LINE_BYTES));
    for i in 0..2_000 {
        tail.push(i, &format!("{labels}{i}"), &"é".repeat(4 * LINE_BYTES));
        assert!(tail.bytes() <= BYTES);
    }
    let kept = tail.read(0, LINES, |_| true).lines;
    assert!(kept.len() > 100 && kept.iter().all(|e| e.cut && e.text.len() <= LINE_BYTES));
    let held: usize = kept.iter().map(Entry::bytes).sum();
    assert_eq!(held, tail.bytes(), "the account is right");
}

#[test]
fn a_chunk_gives_its_last_lines_and_more_when_somebody_looks() {
    let clock = Clock::manual(0);
    let tail = Tail::new(clock.clone());
    let chunk: String = (0..1_000).map(|i| format!("line {i}\n")).collect();
    assert_eq!(tail.wants(), IDLE);
    tail.push_chunk(STREAM, chunk.as_bytes(), 5_000);
    let idle = tail.unseen();
    assert_eq!(
        (idle.len(), idle.first().unwrap().as_str(), idle.last().unwrap().as_str()),
        (IDLE, "line 984", "line 999")
    );

    tail.read(0, 1, |_| true);
    assert_eq!(tail.wants(), WATCHED);
    tail.push_chunk(STREAM, chunk.as_bytes(), 9_000);
    let kept = tail.read(IDLE as u64, LINES, |_| true);
    assert_eq!((kept.lines.len(), &*kept.lines[0].text), (WATCHED, "line 744"));
    assert_eq!((kept.lines[0].ts_ns, kept.lines[255].ts_ns), (9_000 - 255, 9_000));
    assert!(kept.skipped_bytes > 10_000);

    clock.advance(ATTENTION + Duration::from_millis(1));
    assert_eq!(tail.wants(), IDLE, "nobody looks any more");
}

#[test]
fn chunks_of_any_shape_give_their_lines() {
    for (chunk, lines) in [
        ("", vec![]),
        ("\n", vec![""]),
        ("a", vec!["a"]),
        ("a\n", vec!["a"]),
        ("a\nb", vec!["a", "b"]),
        ("\na\n\nb\n", vec!["", "a", "", "b"]),
    ] {
        let tail = Tail::default();
        tail.push_chunk(STREAM, chunk.as_bytes(), 0);
        assert_eq!(texts(&tail), lines, "{chunk:?}");
        assert_eq!(tail.read(0, 1, |_| true).skipped_bytes, 0, "{chunk:?}");
    }
    let tail = Tail::default();
    tail.push_chunk(STREAM, b"bad \xff byte\n", 0);
    tail.push_chunk(STREAM, b"GET /\r\n", 0);
    tail.push_entries([("{a=\"b\"}", 7, "of another stream")].into_iter(), 12);
    assert_eq!(texts(&tail), ["bad \u{fffd} byte", "GET /", "of another stream"]);
    let kept = tail.read(0, 1, |_| true);
    assert_eq!((&*kept.lines[0].stream, kept.lines[0].ts_ns, kept.skipped_bytes), ("{a=\"b\"}", 7, 12));
}

#[test]
fn colours_and_control_characters_are_taken_out() {
    let tail = Tail::default();
    tail.push(0, STREAM, "\x1b[1;31mred\x1b[0m\tback\x07 \r");
    tail.push(0, STREAM, "broken \x1b[");
    assert_eq!(texts(&tail), ["red\tback", "broken"]);
}

#[test]
fn streams_are_those_of_the_lines_that_are_kept() {
    let tail = Tail::default();
    tail.push(0, "{job=\"b\"}", "x");
    tail.push(0, "{job=\"a\"}", "x");
    tail.push(0, "{job=\"b\"}", "x");
    assert_eq!(tail.streams().iter().map(|s| &**s).collect::<Vec<_>>(), ["{job=\"a\"}", "{job=\"b\"}"]);
    assert_eq!(tail.read(0, 9, |e| &*e.stream == "{job=\"a\"}").lines.len(), 1);
}

impl Tail {
    /// One line.
    fn push(&self, ts_ns: i64, labels: &str, line: &str) {
        self.push_chunk(labels, format!("{line}\n").as_bytes(), ts_ns);
    }

    /// The lines, without being taken for somebody who looks.
    fn unseen(&self) -> Vec<String> {
        lock(&self.ring).entries.iter().map(|e| e.text.to_string()).collect()
    }
}
