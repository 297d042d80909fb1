//! Rotated files that are compressed before all of them was read.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use taffrail_spool::Settled;

use super::rig::Rig;

fn numbered(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

fn text(range: std::ops::Range<u32>) -> String {
    numbered(range).iter().map(|line| format!("{line}\n")).collect()
}

/// Packs `from` into `to`, as gzip and zstd do: the times stay, and the file goes.
fn pack(rig: &Rig, from: &str, to: &str) {
    let bytes = fs::read(rig.path(from)).unwrap();
    let packed = if to.ends_with(".zst") {
        zstd::encode_all(&*bytes, 3).unwrap()
    } else {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&bytes).unwrap();
        packer.finish().unwrap()
    };
    fs::write(rig.path(to), packed).unwrap();
    fs::remove_file(rig.path(from)).unwrap();
}

#[test]
fn what_was_packed_while_nobody_looked_is_read_on() {
    for packed in ["app.log.1.gz", "app.log-20261121.zst"] {
        let mut rig = Rig::new();
        rig.append("app.log", text(0..1000));
        assert_eq!(rig.texts(), numbered(0..1000));
        rig.source = None;
        rig.append("app.log", text(1000..50_000));
        rig.rename("app.log", "app.log.1");
        rig.append("app.log", text(50_000..50_010));
        pack(&rig, "app.log.1", packed);
        rig.restart();
        // It is not settled, and a kill comes: it is read again, and nothing else is.
        assert!(rig.take().len() > 1);
        rig.restart();
        assert!(rig.texts() == numbered(1000..50_010), "{packed}: all, once, in order");
        assert_eq!(rig.status().lost_bytes, 0);
        rig.restart();
        assert_eq!(rig.texts(), Vec::<String>::new());
        // Its space is given back.
        rig.steps(0..15);
        assert_eq!(rig.status().inputs, 1);
        assert_eq!(
            fs::read_dir(rig.state()).unwrap().flatten().filter(|f| f.file_name() == "unpacked").count(),
            0
        );
    }
}

#[test]
fn what_was_sent_and_not_settled_is_read_again_from_what_was_packed() {
    let mut rig = Rig::new();
    rig.append("app.log", text(0..3000));
    let mut chunks = rig.take();
    assert_eq!(chunks.len(), 1);
    rig.append("app.log", text(3000..6000));
    let more = rig.take();
    chunks.remove(0).ticket.settle(Settled::Delivered);
    rig.step();
    drop(more);
    rig.source = None;
    rig.rename("app.log", "app.log.1");
    pack(&rig, "app.log.1", "app.log.1.gz");
    rig.restart();
    assert!(rig.texts() == numbered(3000..6000));
    assert_eq!(rig.status().lost_bytes, 0);
}

#[test]
fn a_copy_that_was_packed_before_the_truncation_was_seen_is_read_on() {
    let mut rig = Rig::new();
    rig.append("app.log", text(0..1000));
    assert_eq!(rig.texts().len(), 1000);
    rig.append("app.log", text(1000..2000));
    fs::copy(rig.path("app.log"), rig.path("app.log.1")).unwrap();
    rig.truncate("app.log");
    pack(&rig, "app.log.1", "app.log.1.gz");
    rig.append("app.log", text(2000..2010));
    assert!(rig.texts() == numbered(1000..2010));
    assert_eq!(rig.status().lost_bytes, 0);
}

#[test]
fn files_between_are_read_after_what_was_packed() {
    let mut rig = Rig::new();
    rig.append("app.log", text(0..100));
    assert_eq!(rig.texts().len(), 100);
    rig.source = None;
    rig.append("app.log", text(100..200));
    rig.rename("app.log", "app.log.1");
    rig.append("app.log", "between 200\n");
    std::thread::sleep(std::time::Duration::from_millis(30));
    rig.rename("app.log.1", "app.log.2");
    pack(&rig, "app.log.2", "app.log.2.gz");
    rig.rename("app.log", "app.log.1");
    std::thread::sleep(std::time::Duration::from_millis(30));
    rig.append("app.log", "now 201\n");
    rig.restart();
    let wanted = [numbered(100..200), vec!["between 200".to_owned(), "now 201".to_owned()]].concat();
    assert_eq!(rig.texts(), wanted);
}

#[test]
fn what_is_packed_and_was_never_followed_is_not_read() {
    let mut rig = Rig::new();
    rig.append("old.log.1", text(0..100));
    pack(&rig, "old.log.1", "old.log.1.gz");
    rig.append("old.log", text(100..110));
    assert_eq!(rig.texts(), numbered(100..110));
    // What was read to its end is not read again.
    rig.source = None;
    rig.rename("old.log", "old.log.1");
    pack(&rig, "old.log.1", "old.log.1.gz");
    rig.append("old.log", text(110..120));
    rig.restart();
    assert_eq!(rig.texts(), numbered(110..120));
    assert_eq!(rig.status().lost_bytes, 0);
}

#[test]
fn what_cannot_be_unpacked_is_counted() {
    let mut rig = Rig::new();
    rig.append("app.log", text(0..1000));
    assert_eq!(rig.texts().len(), 1000);
    rig.append("app.log", text(1000..90_000));
    // It was seen how long it is.
    rig.step();
    rig.source = None;
    rig.rename("app.log", "app.log.1");
    pack(&rig, "app.log.1", "app.log.1.gz");
    let whole = fs::read(rig.path("app.log.1.gz")).unwrap();
    fs::write(rig.path("app.log.1.gz"), &whole[..whole.len() / 2]).unwrap();
    rig.restart();
    rig.take();
    assert!(rig.status().lost_bytes > 0);
}
