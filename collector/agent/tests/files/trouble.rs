//! Files that cannot be read: said once, counted, tried again, and in nobody's way.

use std::fs;
use std::os::unix::fs::symlink;

use taffrail_collector::config::valid::Start;

use super::rig::Rig;

#[test]
fn a_folder_in_place_of_a_log_is_said() {
    let mut rig = Rig::with(Start::Beginning, &["app.log", "*.log"], |logs| {
        fs::create_dir(logs.join("app.log")).unwrap();
        fs::create_dir(logs.join("other.log")).unwrap();
    });
    rig.append("b.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    let app = rig.path("app.log");
    assert_eq!(
        rig.last_error(),
        format!("cannot read {}: it is a folder: write /*.log behind it", app.display())
    );
    assert_eq!(rig.status().unreadable, 1);
    fs::remove_dir(&app).unwrap();
    rig.append("app.log", "2\n");
    rig.steps(0..10);
    assert_eq!((rig.status().unreadable, rig.texts()), (0, vec!["2".to_owned()]));
}

#[test]
fn a_file_that_cannot_be_opened_is_tried_again() {
    let mut rig = Rig::new();
    symlink("loop.log", rig.path("loop.log")).unwrap();
    rig.append("b.log", "1\n");
    assert_eq!(rig.texts(), ["1"]);
    assert!(rig.last_error().starts_with(&format!("cannot read {}: ", rig.path("loop.log").display())));
    assert_eq!((rig.status().unreadable, rig.status().inputs), (1, 1));
    let said = rig.status().last_error.unwrap().at_ms;
    rig.steps(0..10);
    assert_eq!(rig.status().last_error.unwrap().at_ms, said, "it is said once");
    fs::remove_file(rig.path("loop.log")).unwrap();
    rig.append("loop.log", "2\n");
    rig.steps(0..60);
    let texts: Vec<String> = rig.texts();
    assert_eq!((rig.status().unreadable, texts), (0, vec!["2".to_owned()]));
}

#[test]
fn a_link_to_nothing_waits_in_silence() {
    let mut rig = Rig::new();
    symlink("target", rig.path("a.log")).unwrap();
    assert!(rig.texts().is_empty());
    assert_eq!((rig.status().unreadable, rig.last_error()), (0, String::new()));
    rig.append("target", "1\n");
    assert_eq!(rig.texts(), ["1"]);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let mut rig = Rig::with(Start::Beginning, &["pipe.log"], |logs| {
        rustix::fs::mkfifoat(rustix::fs::CWD, logs.join("pipe.log"), rustix::fs::Mode::RWXU).unwrap();
    });
    assert!(rig.texts().is_empty());
    assert!(rig.last_error().ends_with("it is not a plain file"), "{}", rig.last_error());
}

#[test]
fn a_glob_that_cannot_be_used_is_refused() {
    let mut rig = Rig::new();
    rig.config.files.include = vec!["logs/*.log".to_owned()];
    let (chunks, _) = tokio::sync::mpsc::channel(1);
    let refused = taffrail_collector::sources::files::start(&rig.config, rig.context(chunks)).unwrap_err();
    assert_eq!(refused.to_string(), "the glob `logs/*.log` is not absolute: begin it with `/`");
}
