//! What is settled is not read again; what is not comes again as it was.

use std::fs;
use std::time::Duration;

use taffrail_collector::logs::Chunk;
use taffrail_collector::sources::files::Step;
use taffrail_spool::Settled;

use super::rig::{Line, Rig, body};

fn numbered(range: std::ops::Range<u32>) -> String {
    range.map(|n| format!("line {n} {}\n", "x".repeat(200))).collect()
}

#[test]
fn unsettled_chunks_come_again_with_the_same_borders_and_times() {
    let mut rig = Rig::new();
    rig.append("a.log", numbered(0..5000));
    let first = rig.take();
    assert!(first.len() > 3);
    let before: Vec<Vec<Line>> = first.iter().map(|chunk| rig.lines(chunk)).collect();
    for (at, chunk) in first.into_iter().enumerate() {
        // The first is settled, the third is too but behind one that is not, the others die with the process.
        if at == 0 || at == 2 {
            chunk.ticket.settle(Settled::Delivered);
        }
    }
    rig.source.as_mut().unwrap().step();
    rig.append("a.log", numbered(5000..5001));
    rig.restart();
    let again: Vec<Vec<Line>> = rig.take().iter().map(|chunk| rig.lines(chunk)).collect();
    assert_eq!(again.len(), before.len());
    assert_eq!(again[..before.len() - 1], before[1..]);
    assert_eq!(again[before.len() - 1].len(), 1, "what is new comes after what is due");
    assert!(again[before.len() - 1][0].ns > again[before.len() - 2].last().unwrap().ns);
}

#[test]
fn a_chunk_is_noted_on_disk_before_it_is_released() {
    let mut rig = Rig::new();
    rig.append("a.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.append("a.log", "2\n");
    // Soon after a save, so that there is none after the release.
    rig.step();
    rig.append("a.log", "3\n");
    rig.clock.advance(Duration::from_millis(200));
    rig.source.as_mut().unwrap().step();
    let released: Vec<Chunk> = std::iter::from_fn(|| rig.chunks.try_recv().ok()).collect();
    let before: Vec<Line> = released.iter().flat_map(|chunk| rig.lines(chunk)).collect();
    assert_eq!(before.len(), 2);
    rig.restart();
    assert_eq!(rig.read(), before);
}

#[test]
fn a_ticket_thrown_away_sends_the_lines_again() {
    let mut rig = Rig::new();
    rig.append("a.log", "1\n");
    let chunks = rig.take();
    let before: Vec<Line> = chunks.iter().flat_map(|chunk| rig.lines(chunk)).collect();
    drop(chunks);
    rig.step();
    rig.append("a.log", "2\n");
    let after = rig.read();
    assert_eq!((&after[..1], after[1].text.as_str()), (&before[..], "2"));
    assert_eq!(rig.status().unsettled_bytes, 0);
}

#[test]
fn times_never_go_back_in_a_stream() {
    let mut rig = Rig::new();
    rig.append("a.log", "x\n".repeat(100_000));
    let lines = rig.read();
    // The clock stood still while a hundred thousand lines, one a nanosecond, were read.
    rig.append("a.log", "y\n");
    rig.rename("a.log", "a.log.1");
    rig.append("a.log", "z\n");
    let source = rig.source.as_mut().unwrap();
    source.step();
    let more = rig.read();
    let all: Vec<i64> = lines.iter().chain(&more).map(|line| line.ns).collect();
    assert_eq!(all.len(), 100_002);
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn times_do_not_go_back_although_the_clock_does_a_little() {
    let mut rig = Rig::new();
    rig.append("a.log", "1\n");
    let before = rig.read()[0].ns;
    rig.clock = taffrail_core::Clock::manual(before - 290_000_000_000);
    rig.restart();
    rig.append("a.log", "2\n");
    assert_eq!(rig.read()[0].ns, before + 1);
    assert!(rig.notes().is_empty());
}

#[test]
fn times_return_to_now_after_the_clock_was_far_ahead() {
    let mut rig = Rig::new();
    ["a.log", "b.log"].iter().for_each(|name| rig.append(name, "1\n"));
    let ahead = rig.read()[0].ns;
    let now = ahead - 3_600_000_000_000;
    rig.clock = taffrail_core::Clock::manual(now);
    rig.restart();
    for text in ["2", "3"] {
        ["a.log", "b.log"].iter().for_each(|name| rig.append(name, format!("{text}\n")));
        for line in rig.read() {
            assert_eq!(line.text, text);
            assert!(line.ns >= now && line.ns < now + 60_000_000_000, "{line:?}");
        }
    }
    let notes = rig.notes();
    assert_eq!(notes.len(), 1, "one change of the clock is said once: {notes:?}");
    assert!(notes[0].starts_with("level=warn event=log_time_reset msg="), "{notes:?}");
    assert!(notes[0].contains(" source=test file="), "{notes:?}");
    assert!(rig.last_error().contains("ahead of the clock"), "{}", rig.last_error());
    // A save has forgotten the time that was ahead.
    rig.restart();
    rig.append("a.log", "4\n");
    assert_eq!((rig.read().len(), rig.notes()), (1, vec![]));
}

#[test]
fn a_full_queue_is_waited_for_and_rotations_are_followed_meanwhile() {
    let mut rig = Rig::new();
    rig.room = 2;
    rig.restart();
    rig.append("a.log", numbered(0..5000));
    assert_eq!(rig.step(), Step::Full);
    for generation in 0..5 {
        rig.append("a.log", format!("end of {generation}\n"));
        fs::remove_file(rig.path("a.log")).unwrap();
        rig.append("a.log", format!("begin of {}\n", generation + 1));
        assert_eq!(rig.step(), Step::Full);
    }
    assert_eq!(rig.status().inputs, 6, "deleted files are held");
    let texts = rig.texts();
    assert_eq!(texts.len(), 5000 + 10);
    let ends = (0..5)
        .flat_map(|generation| [format!("end of {generation}"), format!("begin of {}", generation + 1)]);
    assert_eq!(texts[5000..], ends.collect::<Vec<_>>());
    assert_eq!(rig.status().lost_bytes, 0);
}

#[test]
fn a_busy_file_does_not_keep_others_waiting() {
    for room in [2, 1000] {
        let mut rig = Rig::new();
        rig.room = room;
        rig.restart();
        rig.append("a.log", numbered(0..100_000));
        rig.append("b.log", "here\n");
        let chunks = rig.take();
        let at = chunks.iter().position(|chunk| body(chunk).0 == b"here\n").unwrap();
        assert!(at <= 5 && chunks.len() > 50, "it came {at}th of {}", chunks.len());
    }
}

#[test]
fn a_paused_source_reads_nothing_and_loses_nothing() {
    let mut rig = Rig::new();
    rig.append("a.log", "1\n");
    rig.pause.send_replace(true);
    assert!(rig.texts().is_empty());
    rig.rename("a.log", "a.log.1");
    rig.append("a.log", "2\n");
    assert!(rig.texts().is_empty());
    fs::remove_file(rig.path("a.log.1")).unwrap();
    rig.step();
    assert_eq!(rig.status().behind_bytes, 4);
    let status = rig.status();
    let a = (&status.streams[0].name, status.streams[0].seen_bytes, status.streams[0].settled_bytes);
    assert_eq!(a, (&rig.path("a.log").display().to_string(), 4, 0));
    rig.pause.send_replace(false);
    assert_eq!(rig.texts(), ["1", "2"]);
    assert!(rig.status().streams.is_empty(), "{:?}", rig.status());
}

#[test]
fn positions_that_cannot_be_saved_do_not_stop_reading() {
    let mut rig = Rig::new();
    rig.append("a.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    fs::remove_dir_all(rig.state()).unwrap();
    fs::write(rig.state(), "in the way").unwrap();
    rig.append("a.log", "2\n");
    assert_eq!(rig.texts(), ["2"]);
    assert!(rig.last_error().contains("cannot save positions"), "{}", rig.last_error());
    fs::remove_file(rig.state()).unwrap();
    fs::create_dir(rig.state()).unwrap();
    rig.append("a.log", "3\n");
    assert_eq!(rig.texts(), ["3"]);
    rig.step();
    rig.restart();
    assert!(rig.texts().is_empty(), "they were saved as soon as they could be");
}

#[test]
fn a_source_over_garbled_positions_holds_and_says_how_to_go_on() {
    let mut rig = Rig::new();
    rig.append("a.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.source = None;
    let saved: Vec<_> = [0, 1].map(|slot| rig.state().join(format!("positions.{slot}"))).into();
    let good: Vec<_> = saved.iter().map(|path| fs::read(path).unwrap()).collect();
    saved.iter().for_each(|path| fs::write(path, "garbled").unwrap());
    rig.restart();
    rig.append("a.log", "2\n");
    assert!(rig.texts().is_empty());
    let holding = rig.status().holding.unwrap();
    assert!(holding.contains("cannot be read") && holding.contains("move the folder away"), "{holding}");
    rig.steps(0..12);
    let notes = rig.notes();
    assert_eq!(notes.len(), 1, "however often it is tried: {notes:?}");
    assert!(notes[0].starts_with("level=warn event=source_holding msg="), "{notes:?}");
    assert!(notes[0].contains(" source=test why=\"the positions in "), "{notes:?}");
    saved.iter().zip(good).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    rig.steps(0..6);
    assert_eq!(rig.texts(), ["2"]);
    assert_eq!(rig.status().holding, None);
}
