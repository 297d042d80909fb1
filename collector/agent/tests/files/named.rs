//! Files that another part names: labels of their own, taken up before and after they are there, let go and refused.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use taffrail_collector::logs::Chunk;
use taffrail_collector::sources::files::{Feed, Given};
use taffrail_spool::Settled;

use super::rig::{Rig, body};

/// The label `container`, the image, and the lines.
fn told(chunks: Vec<Chunk>) -> Vec<String> {
    let told = |chunk: Chunk| {
        let text = String::from_utf8_lossy(body(&chunk).0).trim_end().replace('\n', " ");
        let told = format!("{:?} {:?} {text}", chunk.labels[0].1, chunk.metadata[0].1);
        chunk.ticket.settle(Settled::Delivered);
        told
    };
    chunks.into_iter().map(told).collect()
}

fn feed(name: &str) -> Feed {
    let pair = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
    Feed {
        labels: pair("container", name),
        metadata: pair("image", "shop:1"),
        stages: Arc::default(),
        keep: false,
    }
}

fn rig() -> (Rig, Arc<Given>) {
    let (mut rig, given) = (Rig::new(), Arc::new(Given::default()));
    rig.config.given = Some(given.clone());
    rig.restart();
    (rig, given)
}

#[test]
fn nothing_is_read_before_all_that_is_there_was_named() {
    let (mut rig, given) = rig();
    rig.append("a.log", "one\n");
    rig.append("not-named.log", "never\n");
    given.read(&rig.path("a.log"), feed("a"));
    assert!(rig.take().is_empty() && rig.status().holding.is_some());
    given.begin();
    assert_eq!(told(rig.take()), [r#""a" "shop:1" one"#]);
    assert_eq!(rig.status().holding, None);
}

#[test]
fn a_file_that_is_named_before_it_is_there_is_caught_though_it_is_gone_again() {
    let (mut rig, given) = rig();
    given.begin();
    rig.step();
    let path = rig.path("short.log");
    given.read(&path, feed("short"));
    rig.step();
    rig.append("short.log", "first\n");
    // A few milliseconds: far less than what lies between two looks at all files.
    rig.clock.advance(Duration::from_millis(20));
    rig.source.as_mut().unwrap().step();
    rig.append("short.log", "last words\n");
    fs::remove_file(&path).unwrap();
    given.forget(&path);
    let told = told(rig.take());
    let lines: String = told.iter().map(|line| line.replace(r#""short" "shop:1" "#, "") + " ").collect();
    assert_eq!(lines, "first last words ");
    assert_eq!(rig.status().lost_bytes, 0);
}

#[test]
fn what_is_told_later_of_a_file_counts_from_then_on() {
    let (mut rig, given) = rig();
    given.begin();
    rig.append("a.log", "one\n");
    given.read(&rig.path("a.log"), feed("before"));
    assert_eq!(told(rig.take()), [r#""before" "shop:1" one"#]);
    given.read(&rig.path("a.log"), feed("after"));
    rig.append("a.log", "two\n");
    assert_eq!(told(rig.take()), [r#""after" "shop:1" two"#]);
}

#[test]
fn a_position_is_kept_over_a_restart_and_given_up_when_the_file_is_refused() {
    let (mut rig, given) = rig();
    given.begin();
    for name in ["a.log", "b.log"] {
        rig.append(name, "one\n");
        given.read(&rig.path(name), feed(name));
    }
    assert_eq!(told(rig.take()).len(), 2);
    rig.step();
    rig.append("a.log", "two\n");
    rig.append("b.log", "two\n");
    given.refuse(&rig.path("b.log"));
    rig.restart();
    assert_eq!(told(rig.take()), [r#""a.log" "shop:1" two"#]);
    assert_eq!(rig.status().lost_bytes, 0);
}

#[test]
fn a_file_that_went_with_its_folder_while_nobody_read_is_counted_as_lost() {
    let (mut rig, given) = rig();
    given.begin();
    fs::create_dir(rig.path("c1")).unwrap();
    rig.append("c1/c1.log", "one\ntwo\n");
    given.read(&rig.path("c1/c1.log"), feed("c1"));
    // Read, and not settled.
    drop(rig.take());
    fs::remove_dir_all(rig.path("c1")).unwrap();
    given.forget(&rig.path("c1/c1.log"));
    rig.restart();
    rig.take();
    assert_eq!(rig.status().lost_bytes, 8);
}

#[test]
fn what_was_rotated_and_packed_is_not_taken_for_lines() {
    let (mut rig, given) = rig();
    given.begin();
    rig.append("c.log", "one\n");
    given.read(&rig.path("c.log"), feed("c"));
    assert_eq!(told(rig.take()), [r#""c" "shop:1" one"#]);
    rig.step();
    // While nobody looked: twice rotated, and the first of it packed. Times of birth have the kernel's ticks.
    fs::rename(rig.path("c.log"), rig.path("c.log.2")).unwrap();
    std::thread::sleep(Duration::from_millis(30));
    rig.append("c.log.1.gz", "\u{1f}\u{8b}\n");
    std::thread::sleep(Duration::from_millis(30));
    rig.append("c.log", "two\n");
    rig.restart();
    assert_eq!(told(rig.take()), [r#""c" "shop:1" two"#]);
}
