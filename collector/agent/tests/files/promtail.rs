//! Positions that promtail left.

use std::fs;

use taffrail_collector::config::valid::Start;

use super::rig::Rig;

/// A source that is to go on where promtail stopped, according to `positions` of files below the logs' folder.
fn rig(positions: &[(&str, &str)]) -> Rig {
    let mut rig = Rig::with(Start::End, &["*.log"], |_| ());
    rig.source = None;
    let of = |(name, position): &(&str, &str)| format!("  {}: {position}\n", rig.path(name).display());
    let text = format!("positions:\n{}", positions.iter().map(of).collect::<String>());
    let path = rig.dir.path().join("positions.yaml");
    fs::write(&path, text).unwrap();
    rig.config.files.positions_from = Some(path);
    rig
}

#[test]
fn a_file_goes_on_where_promtail_stopped_once() {
    let mut rig = rig(&[("a.log", "\"4\"")]);
    rig.append("a.log", "1\n2\n3\n4\n");
    rig.append("b.log", "not known\n");
    rig.restart();
    assert_eq!(rig.texts(), ["3", "4"]);
    rig.append("a.log", "5\n");
    rig.rename("a.log", "a.log.1");
    rig.append("a.log", "6\n7\n8\n");
    rig.restart();
    assert_eq!(rig.texts(), ["5", "6", "7", "8"], "the file that has the name now is another one");
}

#[test]
fn a_file_that_was_rotated_since_is_found_beside_it() {
    let mut rig = rig(&[("a.log", "\"4\""), ("b.log", "\"400\"")]);
    rig.append("a.log.1", "1\n2\n3\n4\n");
    rig.append("a.log", "five\n");
    rig.append("b.log", "six\n");
    rig.restart();
    let lines = rig.read();
    let seen: Vec<_> = lines.iter().map(|line| (line.file.as_str(), line.text.as_str())).collect();
    assert_eq!(seen, [("a.log", "3"), ("a.log", "4"), ("a.log", "five"), ("b.log", "six")]);
    assert!(rig.last_error().contains("b.log: promtail stopped at 400"), "{}", rig.last_error());
}

#[test]
fn positions_that_are_garbled_are_waited_for() {
    let mut rig = rig(&[("a.log", "\"4")]);
    rig.append("a.log", "1\n2\n3\n");
    rig.restart();
    assert_eq!(rig.texts().len(), 0);
    let holding = rig.status().holding.unwrap();
    assert!(holding.contains("positions.yaml cannot be read: it is not what promtail writes"), "{holding}");
    assert!(holding.contains("take `positions_from` out of the configuration"), "{holding}");
    let text = format!("positions:\n  {}: \"4\"\n", rig.path("a.log").display());
    fs::write(rig.dir.path().join("positions.yaml"), text).unwrap();
    rig.steps(0..6);
    assert_eq!(rig.texts(), ["3"]);
    assert_eq!(rig.status().holding, None);
}

#[test]
fn where_promtail_never_was_it_begins_as_configured() {
    let mut rig = rig(&[]);
    fs::remove_file(rig.dir.path().join("positions.yaml")).unwrap();
    rig.append("a.log", "1\n");
    rig.restart();
    assert_eq!(rig.texts().len(), 0);
    rig.append("a.log", "2\n");
    assert_eq!(rig.texts(), ["2"]);
}
