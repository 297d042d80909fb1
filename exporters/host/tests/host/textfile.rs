//! Files that other programs leave: good ones are published, bad ones are left out and told of, once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use taffrail_core::{Clock, Collected, Out, Subject};
use taffrail_host::{HostConfig, textfile};

use crate::run;

struct Folder {
    root: tempfile::TempDir,
    clock: Clock,
    subject: Subject,
    out: Out,
    known: BTreeMap<u32, String>,
}

impl Folder {
    fn new(patterns: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        // Files are made now; for the subject a day has passed since.
        let clock = Clock::manual(Clock::system().now_ns() + 86_400_000_000_000);
        let textfile =
            patterns.iter().map(|pattern| format!("{}/{pattern}", root.path().display())).collect();
        let config = HostConfig { textfile, ..HostConfig::default() };
        let subject = textfile::subject(&config, &clock);
        Folder { root, clock, subject, out: Out::default(), known: BTreeMap::new() }
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What is published: `name{label=value} value`, without the files' times, and the notes.
    fn run(&mut self) -> (Vec<String>, Vec<String>) {
        let collected: Collected = run(&mut self.subject, &mut self.out).unwrap();
        for gone in &collected.gone {
            self.known.remove(&gone.0);
        }
        for (series, def) in &collected.new {
            let labels: Vec<_> = def.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let text = format!("{} {}{{{}}}", def.family.kind.as_str(), def.name(), labels.join(","));
            self.known.insert(series.0, text);
        }
        let line = |s: &taffrail_core::Sample| format!("{} {}", self.known[&s.series.0], s.value.to_f64());
        let lines = collected.samples.iter().map(line).filter(|line| !line.contains("mtime"));
        (lines.collect(), collected.notes.into_iter().map(|note| note.text).collect())
    }
}

fn error(value: u8) -> String {
    format!("gauge node_textfile_scrape_error{{}} {value}")
}

#[test]
fn good_files_are_published_and_followed() {
    let mut folder = Folder::new(&["."]);
    folder.write("a.prom", "# TYPE done counter\n# HELP done Jobs.\ndone{job=\"x\"} 1\n");
    folder.write("b.prom", "# TYPE took histogram\ntook_bucket{le=\"+Inf\"} 2\ntook_sum 3\ntook_count 2\n");
    folder.write("c.txt", "not ours\n");
    let b = [
        "histogram took_bucket{le=+Inf} 2".to_owned(),
        "histogram took_sum{} 3".to_owned(),
        "histogram took_count{} 2".to_owned(),
    ];
    let with = |first: &str| [vec![first.to_owned()], b.to_vec(), vec![error(0)]].concat();
    assert_eq!(folder.run(), (with("counter done{exported_job=x} 1"), vec![]));
    folder.write("a.prom", "# TYPE done counter\n# HELP done Jobs.\ndone{job=\"x\"} 27\n");
    assert_eq!(folder.run(), (with("counter done{exported_job=x} 27"), vec![]));
    folder.clock.advance(Duration::from_secs(15));
    assert_eq!(folder.run().0, with("counter done{exported_job=x} 27"));
    fs::remove_file(folder.root.path().join("a.prom")).unwrap();
    assert_eq!(folder.run(), ([b.to_vec(), vec![error(0)]].concat(), vec![]));
}

#[test]
fn a_change_within_one_tick_of_the_clock_is_seen() {
    let mut folder = Folder::new(&["."]);
    // As far as the subject knows, files were changed just now.
    folder.clock = Clock::system();
    let config =
        HostConfig { textfile: vec![folder.root.path().display().to_string()], ..HostConfig::default() };
    folder.subject = textfile::subject(&config, &folder.clock);
    for value in 0..50 {
        folder.write("a.prom", format!("a {}\n", value % 10));
        assert_eq!(folder.run().0, [format!("untyped a{{}} {}", value % 10), error(0)]);
    }
}

#[test]
fn a_bad_file_is_left_out_and_told_of_once() {
    let mut folder = Folder::new(&["."]);
    folder.write("good.prom", "good 1\n");
    for (bad, what) in [
        ("a 1\nb oops\n", "bad.prom: line 2: a value was expected"),
        ("a 1\nb 2", "bad.prom: line 2: the file does not end in a line feed: it is half written"),
        ("a 1\na 1\n", "bad.prom: line 2: the series a{} stands twice"),
        ("a 1\nnode_load1 1\n", "bad.prom: line 2: this program publishes node_load1 itself"),
        ("up 1\n", "bad.prom: line 1: this program publishes up itself"),
    ] {
        // In the order of names: the good file comes behind the bad one, and must not suffer for it.
        folder.write("bad.prom", bad);
        let (lines, notes) = folder.run();
        assert_eq!(lines, ["untyped good{} 1".to_owned(), error(1)], "{bad:?}");
        assert!(notes.iter().any(|note| note.contains(what)), "{notes:?}");
        assert_eq!(folder.run(), (lines, vec![]), "told once");
    }
    folder.write("bad.prom", "b 2\n");
    let (lines, notes) = folder.run();
    assert_eq!(lines, ["untyped b{} 2".to_owned(), "untyped good{} 1".to_owned(), error(0)]);
    assert!(notes.len() == 1 && notes[0].ends_with("nothing is wrong any more"), "{notes:?}");
}

#[test]
fn of_files_that_contradict_each_other_the_first_counts() {
    let mut folder = Folder::new(&["."]);
    folder.write("1.prom", "# TYPE a gauge\na{x=\"1\"} 1\n");
    folder.write("2.prom", "# TYPE a counter\na{x=\"2\"} 2\n");
    folder.write("3.prom", "# HELP a Another help.\n# TYPE a gauge\na{x=\"3\"} 3\n");
    folder.write("4.prom", "b 4\n# TYPE a gauge\na{x=\"1\"} 4\n");
    let (lines, notes) = folder.run();
    assert_eq!(lines, ["gauge a{x=1} 1".to_owned(), "gauge a{x=3} 3".to_owned(), error(1)]);
    assert_eq!(notes.len(), 2);
    assert!(
        notes[0].contains("2.prom: line 1: a is counter here and gauge in ") && notes[0].ends_with("1.prom")
    );
    assert!(notes[1].contains("4.prom: line 3: the same series of a is in ") && notes[1].ends_with("1.prom"));
}

#[test]
fn what_is_no_file_or_too_large_holds_nothing_up() {
    let mut folder = Folder::new(&["."]);
    folder.write("good.prom", "good 1\n");
    fs::create_dir(folder.root.path().join("folder.prom")).unwrap();
    let fifo = folder.root.path().join("fifo.prom");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    std::os::unix::fs::symlink("/none", folder.root.path().join("gone.prom")).unwrap();
    folder.write("large.prom", "x 1\n".repeat(2 << 20));
    let many: String = (0..60_000).map(|n| format!("y{{n=\"{n}\"}} 1\n")).collect();
    folder.write("many.prom", many);
    let (lines, notes) = folder.run();
    assert_eq!(lines, ["untyped good{} 1".to_owned(), error(1)]);
    for what in
        ["fifo.prom: not a file", "folder.prom: ", "large.prom: more than 4 MiB", "many.prom: more than"]
    {
        assert!(notes.iter().any(|note| note.contains(what)), "{what}: {notes:?}");
    }
    assert_eq!(notes.len(), 4, "a file that is gone is none: {notes:?}");
}

#[test]
fn folders_are_found_by_patterns() {
    let mut folder = Folder::new(&["*/metrics", "none"]);
    folder.write("one/metrics/a.prom", "a 1\n");
    folder.write("two/metrics/b.prom", "b 2\n");
    folder.write("two/other/c.prom", "c 3\n");
    let (lines, notes) = folder.run();
    assert_eq!(lines, ["untyped a{} 1".to_owned(), "untyped b{} 2".to_owned(), error(1)]);
    assert!(notes.len() == 1 && notes[0].ends_with("/none: there is no such folder"), "{notes:?}");
    fs::create_dir(folder.root.path().join("none")).unwrap();
    assert_eq!(folder.run().0.last(), Some(&error(0)));
}

#[test]
fn times_are_of_published_files() {
    let mut folder = Folder::new(&["."]);
    folder.write("a.prom", "a 1\n");
    folder.write("b.prom", "b");
    let at = std::time::UNIX_EPOCH + Duration::from_millis(1_700_000_000_750);
    fs::File::options()
        .append(true)
        .open(folder.root.path().join("a.prom"))
        .unwrap()
        .set_modified(at)
        .unwrap();
    let collected = run(&mut folder.subject, &mut folder.out).unwrap();
    let times: Vec<_> = collected.new.iter().filter(|(_, def)| def.name().contains("mtime")).collect();
    assert_eq!(times.len(), 1);
    assert!(Path::new(&*times[0].1.labels[0].1).ends_with("a.prom"));
    let value = collected.samples.iter().find(|s| s.series == times[0].0).unwrap().value.to_f64();
    assert_eq!(value, 1_700_000_000.0);
}
