//! What happens to names: creation, rotation, truncation, deletion, links; while we look and while we do not.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::Duration;

use taffrail_collector::config::valid::Start;

use super::rig::{Rig, body};

#[test]
fn lines_come_with_sorted_labels_and_rising_times() {
    let mut rig = Rig::new();
    rig.config.labels.insert("team".to_owned(), "shop".to_owned());
    rig.restart();
    rig.append("a.log", "one\ntwo\n");
    let chunks = rig.take();
    let filename = rig.path("a.log").display().to_string();
    let labels = [
        ("filename", filename.as_str()),
        ("instance", "host-1"),
        ("job", "test"),
        ("service_name", "test"),
        ("team", "shop"),
    ];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(*chunks[0].labels, labels);
    assert_eq!(body(&chunks[0]).0, b"one\ntwo\n");
    let status = rig.status();
    assert_eq!((status.inputs, status.lines, status.bytes, status.unsettled_bytes), (1, 2, 8, 8));
}

#[test]
fn a_rotated_file_is_read_to_its_end_before_the_new_one() {
    let mut rig = Rig::new();
    rig.append("app.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.append("app.log", "2\n");
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "4\n");
    rig.append("app.log.1", "3\n");
    let lines = rig.read();
    let seen: Vec<_> = lines.iter().map(|line| (line.file.as_str(), line.text.as_str())).collect();
    assert_eq!(seen, [("app.log", "2"), ("app.log", "3"), ("app.log", "4")]);
    assert!(lines.windows(2).all(|pair| pair[0].ns < pair[1].ns), "{lines:?}");
    // Many programs write to the old file until they are told to open the new one.
    rig.append("app.log.1", "late\n");
    rig.append("app.log", "5\n");
    assert_eq!(rig.texts(), ["late", "5"]);
    assert_eq!(rig.status().lost_bytes, 0);
}

#[test]
fn rotations_while_nobody_looks_are_found_again() {
    let mut rig = Rig::new();
    rig.append("app.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.append("app.log", "2\n");
    rig.rename("app.log", "app.log.1");
    rig.rename("app.log.1", "app-old");
    rig.append("app.log", "3\n");
    rig.restart();
    let lines = rig.read();
    let seen: Vec<_> = lines.iter().map(|line| (line.file.as_str(), line.text.as_str())).collect();
    assert_eq!(seen, [("app.log", "2"), ("app.log", "3")]);
    rig.restart();
    assert!(rig.texts().is_empty());
}

#[test]
fn files_that_came_and_went_between_two_looks_are_read_in_order() {
    let mut rig = Rig::with(Start::Beginning, &["*.log"], |logs| {
        fs::write(logs.join("app.log.0"), "from before\n").unwrap();
        pause_for_the_kernels_clock();
    });
    rig.step();
    for generation in 1..4 {
        rig.append("app.log", format!("{generation}\n"));
        rig.rename("app.log", &format!("app.log.{generation}"));
        pause_for_the_kernels_clock();
    }
    rig.append("app.log", "4\n");
    assert_eq!(rig.texts(), ["1", "2", "3", "4"]);
    rig.source = None;
    rig.append("app.log", "still 4\n");
    for generation in 4..7 {
        rig.rename("app.log", &format!("app.log.{generation}"));
        pause_for_the_kernels_clock();
        rig.append("app.log", format!("{}\n", generation + 1));
    }
    rig.append("app.log.gz", "packed\n");
    rig.restart();
    assert_eq!(rig.texts(), ["still 4", "5", "6", "7"]);
    rig.restart();
    assert!(rig.texts().is_empty());
}

/// Times of birth come from a clock that ticks every few milliseconds.
fn pause_for_the_kernels_clock() {
    std::thread::sleep(Duration::from_millis(20));
}

#[test]
fn a_rotated_name_that_matches_too_is_not_read_again() {
    let mut rig = Rig::with(Start::Beginning, &["app.log*"], |_| ());
    rig.append("app.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.append("app.log", "2\n");
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "3\n");
    rig.restart();
    let lines = rig.read();
    assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["2", "3"]);
    assert!(lines.iter().all(|line| line.file == "app.log"), "{lines:?}");
}

#[test]
fn a_truncated_file_is_read_from_its_beginning_and_the_loss_is_said() {
    let mut rig = Rig::new();
    rig.append("app.log", "1\n2\n");
    assert_eq!(rig.texts(), ["1", "2"]);
    rig.pause.send_replace(true);
    rig.append("app.log", "3\n4\n");
    rig.step();
    rig.truncate("app.log");
    rig.step();
    rig.append("app.log", "5\n");
    rig.pause.send_replace(false);
    let texts = rig.texts();
    assert_eq!(texts[1..], ["5"]);
    assert!(texts[0].starts_with("level=error event=log_gap msg="), "{texts:?}");
    assert_eq!((rig.status().lost_bytes, rig.status().lost["truncated"]), (4, 4));
    assert!(rig.last_error().contains("app.log: at least 4 bytes are lost: the file was truncated"));
    let notes = rig.notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    let file = rig.path("app.log").display().to_string();
    let facts = format!(" source=test file={file} bytes=4 reason=truncated from=");
    assert!(notes[0].starts_with("level=error event=log_lost msg="), "{notes:?}");
    assert!(notes[0].contains(&facts), "{notes:?}");
    assert!(
        notes[0].ends_with(" why=\"the file was truncated before they were read and settled\""),
        "{notes:?}"
    );
}

#[test]
fn chunks_that_come_back_after_a_truncation_are_one_loss() {
    let mut rig = Rig::new();
    rig.append("app.log", format!("{}\n", "x".repeat(999)).repeat(1000));
    let chunks = rig.take();
    assert!(chunks.len() > 3);
    rig.truncate("app.log");
    rig.step();
    assert!(rig.notes().is_empty(), "they may be delivered yet");
    drop(chunks);
    rig.steps(0..3);
    let notes = rig.notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains(" bytes=1000000 "), "{notes:?}");
    assert_eq!(rig.status().lost_bytes, 1_000_000);
}

#[test]
fn a_file_that_lost_only_its_end_is_read_from_its_beginning_too() {
    let mut rig = Rig::new();
    rig.append("app.log", format!("{}\n", "x".repeat(99)).repeat(30));
    assert_eq!(rig.texts().len(), 30);
    fs::OpenOptions::new().write(true).open(rig.path("app.log")).unwrap().set_len(2000).unwrap();
    assert_eq!(rig.texts().len(), 20);
    rig.append("app.log", "new\n");
    assert_eq!(rig.texts(), ["new"]);
}

#[test]
fn a_file_that_grew_beyond_its_position_after_truncation_is_read_whole() {
    let mut rig = Rig::new();
    rig.append("app.log", "old 1\n");
    assert_eq!(rig.texts(), ["old 1"]);
    rig.truncate("app.log");
    rig.append("app.log", "new 1\nnew 2\n");
    assert_eq!(rig.texts(), ["new 1", "new 2"]);
    assert_eq!(rig.status().lost_bytes, 0, "all of the old contents had been read");
}

#[test]
fn a_file_truncated_while_nobody_looks_is_read_from_its_beginning() {
    let mut rig = Rig::with(Start::End, &["*.log"], |_| ());
    rig.step();
    rig.append("app.log", "old 1\n");
    assert_eq!(rig.texts(), ["old 1"], "a file that comes later is read from its beginning");
    rig.append("app.log", "old 2\n");
    rig.pause.send_replace(true);
    rig.step();
    rig.step();
    rig.source.as_mut().unwrap().settle_and_save();
    rig.source = None;
    rig.truncate("app.log");
    rig.append("app.log", "new 1\nnew 2\nnew 3\n");
    rig.pause.send_replace(false);
    rig.restart();
    let mut texts = rig.texts();
    texts.retain(|text| !text.contains("event=log_gap"));
    assert_eq!(texts, ["new 1", "new 2", "new 3"]);
    // `old 2` was seen by nobody but the polling, which does not go into the journal.
    assert!(rig.status().lost_bytes <= 6);
}

#[test]
fn a_deleted_file_is_read_to_its_end_then_let_go() {
    let mut rig = Rig::new();
    rig.append("app.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.append("app.log", "2\n");
    fs::remove_file(rig.path("app.log")).unwrap();
    assert_eq!(rig.texts(), ["2"]);
    assert_eq!(rig.status().inputs, 1);
    for _ in 0..12 {
        rig.step();
    }
    assert_eq!((rig.status().inputs, rig.status().lost_bytes), (0, 0));
}

#[test]
fn an_inode_that_is_used_again_is_another_file() {
    for down in [false, true] {
        let mut rig = Rig::new();
        let mut reused = false;
        // Whoever makes a file meanwhile may get the inode.
        for _ in 0..500 {
            rig.append("app.log", "the same\n");
            assert_eq!(rig.texts(), ["the same"]);
            let before = fs::metadata(rig.path("app.log")).unwrap();
            if down {
                rig.source = None;
            }
            fs::remove_file(rig.path("app.log")).unwrap();
            if !down {
                rig.steps(0..12);
            }
            pause_for_the_kernels_clock();
            rig.append("app.log", "the same\nmore\n");
            reused |= fs::metadata(rig.path("app.log")).unwrap().ino() == before.ino();
            if down {
                rig.restart();
            }
            assert_eq!(rig.texts(), ["the same", "more"]);
            assert_eq!(rig.status().lost_bytes, 0);
            fs::remove_file(rig.path("app.log")).unwrap();
            rig.steps(0..12);
            if reused {
                break;
            }
        }
        assert!(reused || cfg!(not(target_os = "linux")), "no inode was used again: nothing was tested");
    }
}

#[test]
fn what_was_deleted_while_nobody_looked_is_counted() {
    let mut rig = Rig::new();
    rig.append("app.log", "1\n2\n");
    drop(rig.take());
    rig.source = None;
    fs::remove_file(rig.path("app.log")).unwrap();
    rig.restart();
    assert_eq!(rig.texts().len(), 1, "the gap");
    assert_eq!((rig.status().lost_bytes, rig.status().lost["deleted"]), (4, 4));
    assert!(rig.last_error().contains("it was deleted while nobody read it"), "{}", rig.last_error());
    let notes = rig.notes();
    assert!(notes.len() == 1 && notes[0].contains(" bytes=4 reason=deleted from="), "{notes:?}");
    assert!(notes[0].ends_with(" why=\"it was deleted while nobody read it\""), "{notes:?}");
}

#[test]
fn deleted_files_may_not_fill_the_disk() {
    let mut rig = Rig::new();
    rig.pause.send_replace(true);
    for name in ["a.log", "b.log"] {
        fs::File::create(rig.path(name)).unwrap().set_len(600 << 20).unwrap();
        rig.step();
        fs::remove_file(rig.path(name)).unwrap();
    }
    rig.steps(0..3);
    assert_eq!((rig.status().lost_bytes, rig.status().inputs), (600 << 20, 1));
    let notes = rig.notes();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("a.log bytes=629145600 reason=bound "), "{notes:?}");
}

#[test]
fn a_link_that_is_turned_to_the_next_file_keeps_its_name() {
    let mut rig = Rig::with(Start::Beginning, &["web.log"], |logs| {
        fs::create_dir(logs.join("pods")).unwrap();
        fs::write(logs.join("pods/0.log"), "1\n").unwrap();
        symlink("pods/0.log", logs.join("web.log")).unwrap();
    });
    assert_eq!(rig.texts(), ["1"]);
    rig.append("pods/0.log", "2\n");
    rig.append("pods/1.log", "3\n");
    rig.rename("pods/0.log", "pods/0.log.20250101");
    fs::remove_file(rig.path("web.log")).unwrap();
    symlink("pods/1.log", rig.path("web.log")).unwrap();
    rig.restart();
    let lines = rig.read();
    assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["2", "3"]);
    assert!(lines.iter().all(|line| line.file == "web.log"));
}

#[test]
fn one_file_under_two_names_is_read_once() {
    let mut rig = Rig::new();
    rig.append("a.log", "1\n");
    fs::hard_link(rig.path("a.log"), rig.path("b.log")).unwrap();
    symlink("a.log", rig.path("c.log")).unwrap();
    let lines = rig.read();
    assert_eq!((lines.len(), lines[0].file.as_str()), (1, "a.log"));
    fs::remove_file(rig.path("a.log")).unwrap();
    rig.append("b.log", "2\n");
    assert_eq!(rig.texts(), ["2"]);
}

#[test]
fn a_file_moved_over_another_is_new() {
    let mut rig = Rig::new();
    rig.append("app.log", "old\n");
    assert_eq!(rig.texts(), ["old"]);
    rig.append("next", "new 1\nnew 2\n");
    rig.rename("next", "app.log");
    assert_eq!(rig.texts(), ["new 1", "new 2"]);
}

#[test]
fn files_no_longer_wanted_are_left_at_the_next_start() {
    let mut rig = Rig::new();
    rig.append("a.log", "1\n");
    rig.append("b.log", "1\n");
    assert_eq!(rig.texts().len(), 2);
    rig.config.files.exclude = vec![rig.path("b*").display().to_string()];
    rig.restart();
    rig.append("a.log", "2\n");
    rig.append("b.log", "2\n");
    assert_eq!(rig.texts(), ["2"]);
    assert_eq!((rig.status().inputs, rig.status().lost_bytes), (1, 0));
}

#[test]
fn a_rotated_file_is_let_go_after_an_hour_of_quiet() {
    let mut rig = Rig::new();
    rig.append("app.log", "1\n");
    rig.texts();
    rig.rename("app.log", "app.log.1");
    rig.step();
    rig.clock.advance(Duration::from_secs(3500));
    rig.step();
    assert_eq!(rig.status().inputs, 1);
    rig.clock.advance(Duration::from_secs(100));
    rig.step();
    assert_eq!(rig.status().inputs, 0);
}
