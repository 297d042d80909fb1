//! Files with a position that cannot be opened at the next start: the position is kept until they can.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use taffrail_collector::config::valid::Start;

use super::rig::Rig;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Puts something in the way of `name` that cannot be opened, whoever tries.
fn hide(rig: &Rig, name: &str) {
    let away = rig.dir.path().join("away");
    fs::create_dir_all(&away).unwrap();
    fs::rename(rig.path(name), away.join(name)).unwrap();
    symlink(name, rig.path(name)).unwrap();
}

fn unhide(rig: &Rig, name: &str) {
    fs::remove_file(rig.path(name)).unwrap();
    fs::rename(rig.dir.path().join("away").join(name), rig.path(name)).unwrap();
}

#[test]
fn a_file_that_cannot_be_opened_at_the_start_keeps_its_position() {
    let mut rig = Rig::new();
    rig.append("a.log", "1\n2\n");
    assert_eq!(rig.texts(), ["1", "2"]);
    rig.append("a.log", "3\n");
    hide(&rig, "a.log");
    rig.restart();
    assert!(rig.texts().is_empty());
    assert_eq!((rig.status().unreadable, rig.status().lost_bytes), (1, 0));
    // Longer than a file system may be away; and over one more start.
    rig.clock.advance(2 * DAY);
    rig.steps(0..3);
    rig.restart();
    rig.steps(0..30);
    assert_eq!(rig.status().lost_bytes, 0);
    unhide(&rig, "a.log");
    rig.append("a.log", "4\n");
    rig.steps(0..70);
    assert_eq!(rig.texts(), ["3", "4"]);
    assert_eq!(rig.status().unreadable, 0);
}

#[test]
fn a_named_file_that_comes_back_between_two_searches_goes_on_too() {
    let mut rig = Rig::with(Start::Beginning, &["a.log"], |_| ());
    rig.append("a.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    hide(&rig, "a.log");
    rig.restart();
    rig.step();
    // It is seen by the look at its name, before files that are missed are searched for.
    unhide(&rig, "a.log");
    rig.append("a.log", "2\n");
    rig.steps(0..4);
    assert_eq!(rig.texts(), ["2"]);
    rig.steps(0..20);
    rig.restart();
    assert!(rig.texts().is_empty());
}

#[test]
fn a_folder_that_cannot_be_listed_deletes_nothing() {
    let mut rig = Rig::with(Start::Beginning, &["app/*.log"], |logs| {
        fs::create_dir(logs.join("app")).unwrap();
    });
    rig.append("app/a.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    rig.append("app/a.log", "2\n");
    hide(&rig, "app");
    rig.restart();
    rig.clock.advance(2 * DAY);
    rig.steps(0..20);
    assert_eq!(rig.status().lost_bytes, 0);
    unhide(&rig, "app");
    rig.append("app/a.log", "3\n");
    rig.steps(0..70);
    assert_eq!(rig.texts(), ["2", "3"]);
}
