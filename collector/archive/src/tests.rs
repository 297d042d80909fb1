//! Windows, from records to objects in a folder.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use taffrail_spool::{Record, SegmentId};
use taffrail_wire::loki::Batch;

use crate::*;

/// 2026-11-21T18:59:59Z
const NS: i64 = 1_795_287_599_000_000_000;
const MS: i64 = NS / 1_000_000;

fn record(position: u64, fill: impl FnOnce(&mut Batch)) -> Record {
    let mut batch = Batch::new();
    fill(&mut batch);
    let bytes = Bytes::copy_from_slice(batch.finish());
    Record { position, segment: SegmentId(0), replay: false, appended_ms: MS + position as i64, bytes }
}

fn lines(compressed: &[u8]) -> Vec<serde_json::Value> {
    let mut text = String::new();
    zstd::Decoder::new(compressed).unwrap().read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Two services, the second over the turn of an hour.
fn example(position: u64) -> Record {
    record(position, |batch| {
        batch.stream(r#"{job="app", service_name="shop"}"#);
        batch.entry(NS, &format!("a {position}"), [("trace_id", "4b")]);
        batch.stream(r#"{job="db"}"#);
        batch.entry(NS, "before", []);
        batch.entry(NS + 1_000_000_000, "after", []);
    })
}

fn sealed(dir: &Path) -> Sealed {
    let mut window = Window::new(dir).unwrap();
    for position in [7, 9] {
        assert_eq!(window.add(&example(position)).unwrap(), Added { entries: 3, unreadable: None });
    }
    window.seal("web-1", MS).unwrap()
}

#[test]
fn entries_stand_by_hour_and_service_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let sealed = sealed(dir.path());
    assert_eq!((sealed.from, sealed.upto, sealed.upto_ms), (7, 10, MS + 9));
    let found: Vec<_> = sealed.objects.iter().map(|o| (o.key.as_str(), o.entries)).collect();
    assert_eq!(
        found,
        [
            ("date=2026-11-21/hour=18/service=db/web-1-20261121T185959000Z-7.ndjson.zst", 2),
            ("date=2026-11-21/hour=18/service=shop/web-1-20261121T185959000Z-7.ndjson.zst", 2),
            ("date=2026-11-21/hour=19/service=db/web-1-20261121T185959000Z-7.ndjson.zst", 2),
        ]
    );
    let shop = fs::read(dir.path().join(&sealed.objects[1].file)).unwrap();
    assert_eq!(shop.len() as u64, sealed.objects[1].bytes);
    let read = lines(&shop);
    assert_eq!((&read[0]["line"], &read[1]["line"]), (&"a 7".into(), &"a 9".into()));
    assert_eq!(read[0]["metadata"]["trace_id"], "4b");
    assert_eq!(read[0]["labels"]["service_name"], "shop");
}

#[test]
fn a_large_window_is_many_frames_and_reads_as_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = Window::new(dir.path()).unwrap();
    let line = "0123456789abcdef".repeat(64);
    for position in 0..20 {
        let record = record(position, |batch| {
            for of in 0..40 {
                batch.stream(&format!(r#"{{service_name="s{of}"}}"#));
                for at in 0..8 {
                    batch.entry(NS + position as i64 * 8 + at, &line, []);
                }
            }
        });
        window.add(&record).unwrap();
    }
    assert!(window.is_full(6 << 20) && !window.is_full(16 << 20));
    let sealed = window.seal("h", MS).unwrap();
    assert_eq!(sealed.objects.len(), 40);
    for object in &sealed.objects {
        let bytes = fs::read(dir.path().join(&object.file)).unwrap();
        let frames = bytes.windows(4).filter(|four| *four == [0x28, 0xb5, 0x2f, 0xfd]).count();
        assert!(frames > 1, "more than memory may hold was compressed on the way");
        let read = lines(&bytes);
        assert_eq!(read.len(), 160);
        assert!(read.is_sorted_by(|a, b| a["ts"].as_str() < b["ts"].as_str()));
    }
}

#[test]
fn many_services_fill_a_window() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = Window::new(dir.path()).unwrap();
    for of in 0..window::MOST_OBJECTS as u64 {
        assert!(!window.is_full(u64::MAX));
        window
            .add(&record(of, |batch| {
                batch.stream(&format!(r#"{{service_name="s{of}"}}"#));
                batch.entry(NS, "x", []);
            }))
            .unwrap();
    }
    assert!(window.is_full(u64::MAX));
}

#[test]
fn a_window_that_is_given_up_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let line = "0123456789abcdef".repeat(64);
    let mut window = Window::new(dir.path()).unwrap();
    let many = record(1, |batch| {
        batch.stream("{}");
        (0..1000).for_each(|at| batch.entry(NS + at, &line, []));
    });
    window.add(&many).unwrap();
    let files = || fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files(), 1);
    drop(window);
    assert_eq!(files(), 0);
    // The same where sealing fails: there is a folder in the way.
    let mut window = Window::new(dir.path()).unwrap();
    window.add(&many).unwrap();
    let written = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    window
        .add(&record(2, |batch| {
            batch.stream(r#"{job="z"}"#);
            batch.entry(NS, "x", []);
        }))
        .unwrap();
    fs::create_dir(
        written.with_file_name(written.file_name().unwrap().to_str().unwrap().replace("-0.", "-1.")),
    )
    .unwrap();
    assert!(window.seal("h", MS).is_err());
    assert!(!written.exists());
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = Window::new(dir.path()).unwrap();
    let mut broken = example(1);
    broken.bytes = broken.bytes.slice(..broken.bytes.len() - 3);
    let added = window.add(&broken).unwrap();
    assert_eq!(added.entries, 1);
    assert!(added.unreadable.is_some());
    assert_eq!(window.seal("h", MS).unwrap().objects.len(), 1);
}

#[test]
fn a_sealed_window_outlives_its_process_and_an_open_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().join("archive");
    let (mut staging, found) = Staging::open(dir).unwrap();
    assert_eq!(found, Found::Nothing);
    let mut sealed = sealed(dir);
    staging.save(&sealed).unwrap();
    // Another one had begun, and written already.
    fs::write(dir.join("99-0.part"), "x").unwrap();

    let (mut staging, found) = Staging::open(dir).unwrap();
    assert_eq!(found, Found::Window(sealed.clone()));
    assert!(!dir.join("99-0.part").exists() && dir.join(&sealed.objects[0].file).exists());

    sealed.stored = true;
    staging.save(&sealed).unwrap();
    staging.clear(&sealed);
    let (_, found) = Staging::open(dir).unwrap();
    assert_eq!(found, Found::Window(sealed.clone()));
    assert!(sealed.holds(&example(9)) && !sealed.holds(&example(10)));
    let later = Record { appended_ms: sealed.upto_ms + 1, ..example(3) };
    assert!(!sealed.holds(&later), "a log that was begun anew counts from the first again");
}

#[test]
fn a_window_whose_files_are_gone_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (mut staging, _) = Staging::open(dir.path()).unwrap();
    let sealed = sealed(dir.path());
    staging.save(&sealed).unwrap();
    fs::write(dir.path().join(&sealed.objects[1].file), "short").unwrap();
    let (_, found) = Staging::open(dir.path()).unwrap();
    assert!(matches!(found, Found::Lost(why) if why.contains("another size")));
}

#[tokio::test]
async fn a_folder_keeps_objects_whole_and_readable() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sealed = sealed(dir.path());
    let path = to.path().join("archive");
    // Left by a kill in the middle.
    let (slot, name) = sealed.objects[0].key.rsplit_once('/').unwrap();
    let left = path.join(slot).join(format!(".{name}.1-1.part"));
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    fs::write(&left, "half").unwrap();
    let store = Store::Folder(Folder { path: path.clone(), min_free: Some(0) });
    for _ in 0..2 {
        // The second time replaces the first.
        for object in &sealed.objects {
            let stored = store.put(&object.key, &dir.path().join(&object.file)).await.unwrap();
            assert_eq!(stored, object.bytes);
        }
    }
    assert_eq!(store.list("").await.unwrap(), sealed.objects.iter().map(|o| &*o.key).collect::<Vec<_>>());
    assert_eq!(store.list("date=2026-11-21/hour=19").await.unwrap().len(), 1);
    assert!(store.list("date=2026-11-22").await.unwrap().is_empty());
    let key = &sealed.objects[1].key;
    assert_eq!(lines(&store.read(key).await.unwrap()).len(), 2);
    assert!(!left.exists());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path.join(key)), 0o640);
    assert_eq!(mode(&path) & 0o027, 0);
}

#[tokio::test]
async fn a_folder_leaves_room_for_others() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sealed = sealed(dir.path());
    let object = &sealed.objects[0];
    let folder = Folder { path: to.path().to_owned(), min_free: Some(u64::MAX) };
    let store = Store::Folder(folder);
    let error = store.put(&object.key, &dir.path().join(&object.file)).await.unwrap_err();
    assert!(error.0.contains("are to stay free: make room"), "{error}");
    assert!(store.list("").await.unwrap().is_empty());
}

#[test]
fn only_what_is_old_and_ours_goes() {
    let to = tempfile::tempdir().unwrap();
    let folder = Folder { path: to.path().to_owned(), min_free: None };
    let put = |key: &str| {
        let path = to.path().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    };
    let key = |host: &str, sealed_ms: i64| {
        let slot = Slot { hour: sealed_ms / HOUR_MS, service: "shop".into() };
        Name { slot, host: host.into(), sealed_ms, from: 1 }.key()
    };
    let day = 24 * HOUR_MS;
    // Late entries of an old hour, stored today.
    let slot = Slot { hour: (MS - 200 * day) / HOUR_MS, service: "late".into() };
    let late = Name { slot, host: "a".into(), sealed_ms: MS, from: 1 }.key();
    let kept = [
        key("a", MS - 89 * day),
        key("b", MS - 91 * day),
        late,
        "date=2026-01-01/notes.txt".to_owned(),
        key("a", MS - 92 * day).replace(".ndjson.zst", ".bak"),
    ];
    let gone = [key("a", MS - 91 * day), key("a", MS - 400 * day)];
    kept.iter().chain(&gone).for_each(|key| put(key));
    assert_eq!(folder.expire("a", MS - 90 * day).unwrap(), Expired { objects: 2, bytes: 2 });
    for key in &kept {
        assert!(to.path().join(key).exists(), "{key} was not to go");
    }
    for key in &gone {
        assert!(!to.path().join(key).exists(), "{key} was to go");
    }
    assert!(!to.path().join(&gone[1][..15]).exists(), "a folder that is empty goes too");
    assert_eq!(folder.expire("a", MS - 90 * day).unwrap(), Expired::default());
    let nowhere = Folder { path: to.path().join("nowhere"), min_free: None };
    assert_eq!(nowhere.expire("a", MS).unwrap(), Expired::default());
}
