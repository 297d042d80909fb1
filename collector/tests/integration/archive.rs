//! Archives: in a folder, and in an S3 that somebody else wrote; refusals, kills, uploads that break off.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use taffrail_tests::{Answer, Bucket, Fate, Request, Taffrail, wait_for};

use crate::support::{SOON, own, status, wait_for_peace, wait_for_problem};

/// Two services, each in a file of its own.
fn config(archive: &str) -> String {
    let source = |name: &str| {
        format!(
            "  - {{name: {name}, files: {{include: [DIR/{name}.txt], start: beginning}}, \
             labels: {{job: app, service_name: {name}}}}}\n"
        )
    };
    let archive = format!("outputs: {{archive: [{{{archive}}}]}}\n");
    format!("hostname: ship\nself: false\nlogs:\n{}{}{archive}", source("shop"), source("db"))
}

fn append(taffrail: &Taffrail, service: &str, lines: impl Iterator<Item = String>) {
    let path = taffrail.dir().join(format!("{service}.txt"));
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let text: String = lines.map(|line| line + "\n").collect();
    file.write_all(text.as_bytes()).unwrap();
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("line {number}"))
}

/// The entries of objects, in the order of their keys.
fn entries(objects: &BTreeMap<String, Vec<u8>>) -> Vec<Value> {
    let mut all = Vec::new();
    for (key, bytes) in objects {
        let mut text = String::new();
        zstd::Decoder::new(bytes.as_slice()).unwrap().read_to_string(&mut text).unwrap();
        for line in text.lines() {
            let entry: Value = serde_json::from_str(line).with_context(|| format!("{key}: {line}")).unwrap();
            let service = entry["labels"]["service_name"].as_str().unwrap();
            assert!(key.contains(&format!("/service={service}/ship-")), "{key}: {line}");
            let (date, hour) = (&entry["ts"].as_str().unwrap()[..10], &entry["ts"].as_str().unwrap()[11..13]);
            assert!(key.contains(&format!("date={date}/hour={hour}/")), "{key}: {line}");
            all.push(entry);
        }
    }
    all
}

/// The lines of a service, in their order.
fn lines(objects: &BTreeMap<String, Vec<u8>>, service: &str) -> Vec<String> {
    let mut of: Vec<_> =
        entries(objects).into_iter().filter(|entry| entry["labels"]["service_name"] == service).collect();
    of.sort_by_key(|entry| entry["ts"].as_str().unwrap().to_owned());
    of.iter().map(|entry| entry["line"].as_str().unwrap().to_owned()).collect()
}

fn in_folder(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn files(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => files(&entry.path(), found),
                false => found.push(entry.path()),
            }
        }
    }
    let mut found = Vec::new();
    files(folder, &mut found);
    found.retain(|path| path.extension().is_some_and(|end| end == "zst"));
    let key = |path: &Path| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    found.iter().map(|path| (key(path), fs::read(path).unwrap())).collect()
}

fn in_bucket(bucket: &Bucket) -> Result<BTreeMap<String, Vec<u8>>> {
    bucket.keys()?.into_iter().map(|key| Ok((key.clone(), bucket.get(&key)?))).collect()
}

fn wait_for_lines(
    service: &str,
    count: usize,
    objects: impl Fn() -> Result<BTreeMap<String, Vec<u8>>>,
) -> BTreeMap<String, Vec<u8>> {
    wait_for(&format!("{count} lines of {service} in the archive"), SOON, || {
        let objects = objects()?;
        let found = lines(&objects, service).len();
        ensure!(found >= count, "there are {found} in {:?}", objects.keys());
        Ok(objects)
    })
    .unwrap()
}

/// Whether a request is about an object of a service; `=` is written as `%3D` in a path, or as it is.
fn is_of(request: &Request, service: &str) -> bool {
    request.path.replace("%3D", "=").contains(&format!("/service={service}/"))
}

/// Waits until all that was read stands in the log on disk, so that no source reads it again after a kill.
fn wait_for_settled(taffrail: &Taffrail, count: u64) {
    wait_for("lines that are safe on disk", SOON, || {
        let status = status(taffrail)?;
        let sources = status["sources"].as_array().context("no sources")?;
        let sum = |key: &str| sources.iter().filter_map(|source| source[key].as_u64()).sum::<u64>();
        ensure!(sum("lines") >= count && sum("unsettled_bytes") == 0, "{status}");
        Ok(())
    })
    .unwrap();
    // The places of sources are saved every second.
    std::thread::sleep(Duration::from_secs(2));
}

fn all(count: usize) -> Vec<String> {
    numbered(count).collect()
}

#[test]
fn a_folder_has_every_line_once_and_in_order() {
    let taffrail = Taffrail::prepare(&config("folder: DIR/archive, keep: 90d, every: 1s")).unwrap();
    let archive = taffrail.dir().join("archive");
    // Stored by this host a year ago, and what somebody else keeps there.
    let old = archive.join("date=2025-11-21/hour=18/service=shop");
    fs::create_dir_all(&old).unwrap();
    let (ours, theirs) = (
        old.join("ship-20251121T180512123Z-42.ndjson.zst"),
        old.join("raft-20251121T180512123Z-42.ndjson.zst"),
    );
    fs::write(&ours, "").unwrap();
    fs::write(&theirs, "").unwrap();
    let mut taffrail = taffrail;
    taffrail.restart().unwrap();
    append(&taffrail, "shop", numbered(1000));
    append(&taffrail, "db", numbered(10));
    let of_shop = wait_for_lines("shop", 1000, || Ok(in_folder_but(&archive, &theirs)));
    let of_db = wait_for_lines("db", 10, || Ok(in_folder_but(&archive, &theirs)));
    assert_eq!((lines(&of_shop, "shop"), lines(&of_db, "db")), (all(1000), all(10)));
    let object = archive.join(of_db.keys().next().unwrap());
    assert_eq!(fs::metadata(object).unwrap().permissions().mode() & 0o777, 0o640);
    wait_for("old objects that go", SOON, || {
        ensure!(!ours.exists());
        Ok(())
    })
    .unwrap();
    assert!(theirs.exists());
    wait_for("what is told of it", SOON, || {
        let name =
            |name: &str| own(&taffrail, &format!("taffrail_{name}{{kind=\"archive\",output=\"archive\"}}"));
        ensure!(name("output_delivered_total") == 1010.0 && name("archive_expired_objects_total") == 1.0);
        ensure!(name("archive_objects_total") >= 2.0 && name("archive_every_seconds") == 1.0);
        Ok(())
    })
    .unwrap();
    wait_for_peace(&taffrail).unwrap();

    // What is open when it ends is stored then.
    taffrail.configure(&config("folder: DIR/archive, every: 1h")).unwrap();
    taffrail.restart().unwrap();
    append(&taffrail, "shop", std::iter::once("the last".to_owned()));
    wait_for("the last line", SOON, || {
        ensure!(own(&taffrail, "taffrail_archive_open_bytes{kind=\"archive\",output=\"archive\"}") > 0.0);
        Ok(())
    })
    .unwrap();
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    let config = taffrail.config_path().display().to_string();
    let ask = |what: &str, more: &[&str]| {
        let (code, said) =
            Taffrail::command(&[&["archive", what, "--config", &config, "--service", "shop"], more].concat())
                .unwrap();
        assert_eq!(code, Some(0), "{said}");
        said
    };
    let said = ask("cat", &["--match", r#"{job="app"}"#, "--contains", "line 7", "--format", "text"]);
    assert_eq!(said.lines().count(), 111, "{said}");
    assert!(said.lines().all(|line| line.contains("Z line 7")), "{said}");
    assert_eq!(ask("cat", &[]).lines().filter(|line| line.starts_with("{\"ts\":")).count(), 1001);
    assert!(ask("list", &[]).lines().all(|key| key.contains("/service=shop/ship-")));
    let found = lines(&in_folder_but(&archive, &theirs), "shop");
    assert_eq!((found.len(), found.last().map(String::as_str)), (1001, Some("the last")));
}

fn in_folder_but(folder: &Path, but: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = in_folder(folder);
    found.retain(|key, bytes| folder.join(key) != but && !bytes.is_empty());
    found
}

#[test]
fn a_full_disk_stores_nothing_and_loses_nothing() {
    let full = config("folder: DIR/archive, min_free: 8000000GiB, every: 1s");
    let mut taffrail = Taffrail::start(&full).unwrap();
    append(&taffrail, "shop", numbered(10));
    wait_for_problem(&taffrail, &["archive", "are to stay free"]).unwrap();
    let archive = taffrail.dir().join("archive");
    assert!(in_folder(&archive).is_empty());
    taffrail.configure(&config("folder: DIR/archive, min_free: 1MiB, every: 1s")).unwrap();
    taffrail.hang_up().unwrap();
    let found = wait_for_lines("shop", 10, || Ok(in_folder(&archive)));
    assert_eq!(lines(&found, "shop"), all(10));
    wait_for_peace(&taffrail).unwrap();
}

#[test]
fn a_store_that_refuses_is_asked_until_it_does_not() {
    let bucket = Bucket::start().unwrap();
    let mut taffrail = Taffrail::prepare("").unwrap();
    let access = bucket.access(taffrail.dir()).unwrap();
    taffrail.configure(&config(&format!("{access}, prefix: prod/, every: 1s, timeout: 2s"))).unwrap();
    // Wrong credentials, a fault, no answer in time, an answer that is lost, and nothing at all.
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let denied = "<Error><Code>AccessDenied</Code><Message>not for you</Message></Error>";
    bucket.judge(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0..=2 => Fate::Answer(Answer::text(403, denied)),
        3..=4 => Fate::Answer(Answer::status(500)),
        5 => Fate::Answer(Answer::Hang(Duration::from_secs(3))),
        6 => Fate::LoseAnswer,
        7 => Fate::Answer(Answer::Close),
        _ => Fate::Pass,
    });
    taffrail.restart().unwrap();
    append(&taffrail, "shop", numbered(100));
    append(&taffrail, "db", numbered(100));
    let told = wait_for_problem(&taffrail, &["archive", "does not let these credentials"]).unwrap();
    assert!(!told.contains("hunter2"), "{told}");
    let found = wait_for_lines("db", 100, || in_bucket(&bucket));
    assert_eq!(lines(&found, "db"), all(100));
    let found = wait_for_lines("shop", 100, || in_bucket(&bucket));
    assert_eq!(lines(&found, "shop"), all(100));
    assert!(found.keys().all(|key| key.starts_with("prod/date=")), "{:?}", found.keys());
    assert!(asked.load(Ordering::SeqCst) > 8);
    wait_for_peace(&taffrail).unwrap();
    assert!(own(&taffrail, "taffrail_output_retries_total{kind=\"archive\",output=\"archive\"}") >= 3.0);
    assert!(!taffrail.log().unwrap().contains("hunter2"));
}

#[test]
fn a_kill_between_two_objects_makes_none_twice() {
    let bucket = Bucket::start().unwrap();
    let mut taffrail = Taffrail::prepare("").unwrap();
    let access = bucket.access(taffrail.dir()).unwrap();
    taffrail.configure(&config(&format!("{access}, every: 3s"))).unwrap();
    let fail = |bucket: &Bucket| {
        // Objects are stored in the order of their names.
        bucket.judge(|request| match is_of(request, "shop") {
            true => Fate::Answer(Answer::status(500)),
            false => Fate::LoseAnswer,
        });
    };
    let half = |bucket: &Bucket| {
        bucket.judge(|request| match is_of(request, "shop") {
            true => Fate::Answer(Answer::status(500)),
            false => Fate::Pass,
        });
    };
    half(&bucket);
    taffrail.restart().unwrap();
    append(&taffrail, "shop", numbered(2000));
    append(&taffrail, "db", numbered(2000));
    wait_for_settled(&taffrail, 4000);
    let before = wait_for_lines("db", 2000, || in_bucket(&bucket));
    for round in 0..4 {
        taffrail.kill();
        match round % 2 {
            0 => fail(&bucket),
            _ => half(&bucket),
        }
        taffrail.restart().unwrap();
        wait_for_problem(&taffrail, &["archive", "tried again"]).unwrap();
        assert_eq!(
            bucket.keys().unwrap(),
            before.keys().cloned().collect::<Vec<_>>(),
            "other objects than before"
        );
    }
    taffrail.kill();
    bucket.judge(|_| Fate::Pass);
    taffrail.restart().unwrap();
    wait_for_lines("shop", 2000, || in_bucket(&bucket));
    // At once after it is stored: the place in the log may not be saved yet.
    taffrail.kill();
    taffrail.restart().unwrap();
    append(&taffrail, "shop", std::iter::once("after".to_owned()));
    let after = wait_for_lines("shop", 2001, || in_bucket(&bucket));
    assert_eq!(lines(&after, "db"), all(2000));
    let of_shop = lines(&after, "shop");
    assert_eq!(of_shop[..2000], all(2000));
    assert_eq!(of_shop[2000..], ["after"]);
}

#[test]
fn a_large_object_is_there_whole_or_not_at_all() {
    let bucket = Bucket::start().unwrap();
    let mut taffrail = Taffrail::prepare("").unwrap();
    let access = bucket.access(taffrail.dir()).unwrap();
    taffrail.configure(&config(&format!("{access}, every: 1h, size: 20MiB"))).unwrap();
    let parts = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&parts);
    bucket.judge(move |request| match request.path.contains("partNumber=2") {
        true if count.fetch_add(1, Ordering::SeqCst) < 2 => Fate::Answer(Answer::Close),
        _ => Fate::Pass,
    });
    taffrail.restart().unwrap();
    // Lines that nothing makes small.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let noise: Vec<String> = (0..24_000)
        .map(|_| {
            let mut word = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state
            };
            (0..64).map(|_| format!("{:016x}", word())).collect()
        })
        .collect();
    append(&taffrail, "shop", noise.iter().cloned());
    wait_for("the first window", SOON, || {
        ensure!(parts.load(Ordering::SeqCst) >= 3, "the second part was not asked for again");
        ensure!(!bucket.keys()?.is_empty(), "nothing is stored");
        Ok(())
    })
    .unwrap();
    assert_eq!(taffrail.terminate(SOON).unwrap(), Some(0));
    assert_eq!(lines(&in_bucket(&bucket).unwrap(), "shop"), noise);
    assert_eq!(bucket.unfinished().unwrap(), 0, "what broke off was not taken back");
}
