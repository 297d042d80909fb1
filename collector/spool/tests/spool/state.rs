//! State files through damage at every byte, and the lock on a directory.

use std::fs;
use std::path::Path;

use taffrail_spool::{DirLock, Durability, Loaded, LockError, StateFile};

fn save(dir: &Path, bytes: &[u8]) {
    let mut state = StateFile::new(dir.join("s"));
    state.save(bytes, Durability::Kill).unwrap();
}

fn load(dir: &Path) -> Loaded {
    StateFile::new(dir.join("s")).load()
}

fn found(dir: &Path) -> (Vec<u8>, u64, bool) {
    match load(dir) {
        Loaded::Found { bytes, generation, problem } => (bytes, generation, problem.is_some()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_newest_generation_is_found() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(load(dir.path()), Loaded::Empty);
    let mut state = StateFile::new(dir.path().join("s"));
    for generation in 1..=5_u64 {
        state.save(format!("state {generation}").as_bytes(), Durability::PowerCut).unwrap();
        assert_eq!(found(dir.path()), (format!("state {generation}").into_bytes(), generation + 1, false));
    }
    // By a new handle, too, and with a shorter one over a longer one.
    save(dir.path(), b"six");
    assert_eq!(found(dir.path()), (b"six".to_vec(), 7, false));
    save(dir.path(), b"");
    assert_eq!(found(dir.path()), (Vec::new(), 8, false));
}

/// Every way in which the newer file can be cut short or have one byte changed.
fn damages(whole: &[u8]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (0..whole.len()).map(|len| whole[..len].to_vec()).collect();
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = whole.to_vec();
            changed[at] ^= flip;
            all.push(changed);
        }
    }
    all
}

#[test]
fn damage_at_any_byte_of_the_newer_leaves_the_older() {
    let dir = tempfile::tempdir().unwrap();
    for text in ["zero", "one", "two, longer", "three"] {
        save(dir.path(), text.as_bytes());
    }
    // Generations 1, 3, 5 in .0 and 2, 4 in .1.
    let newer = dir.path().join("s.0");
    let whole = fs::read(&newer).unwrap();
    assert!(whole.ends_with(b"three"));
    let older = fs::read(dir.path().join("s.1")).unwrap();
    for damaged in damages(&whole) {
        fs::write(&newer, &damaged).unwrap();
        assert_eq!(found(dir.path()), (b"two, longer".to_vec(), 4, true));
        // A save repairs the damaged one and leaves the good one alone.
        save(dir.path(), b"four");
        assert_eq!(found(dir.path()), (b"four".to_vec(), 5, false));
        assert_eq!(fs::read(dir.path().join("s.1")).unwrap(), older);
    }
}

#[test]
fn a_kill_in_the_middle_of_an_overwrite_leaves_one_or_the_other() {
    let dir = tempfile::tempdir().unwrap();
    for text in ["the first", "a state that is long", "the second one, longer still", "short"] {
        save(dir.path(), text.as_bytes());
    }
    let (zero, one) = (dir.path().join("s.0"), dir.path().join("s.1"));
    let before = fs::read(&one).unwrap();
    save(dir.path(), b"number four");
    let after = fs::read(&one).unwrap();
    assert!(fs::read(&zero).unwrap().ends_with(b"short"));
    for written in 0..=after.len() {
        let mut mixed = before.clone();
        mixed[..written].copy_from_slice(&after[..written]);
        fs::write(&one, &mixed).unwrap();
        let (bytes, generation, _) = found(dir.path());
        assert!((&bytes[..], generation) == (b"short", 5) || (&bytes[..], generation) == (b"number four", 6));
        assert_eq!(generation == 6, written == after.len());
    }
}

#[test]
fn a_kill_in_the_very_first_save_is_no_lost_state() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), b"first");
    let (zero, one) = (dir.path().join("s.0"), dir.path().join("s.1"));
    let (first, again) = (fs::read(&zero).unwrap(), fs::read(&one).unwrap());
    // The marker: 24 bytes of generation 0, the CRC of 12 zero bytes.
    let mut marker = b"TFSTATE1".to_vec();
    marker.extend_from_slice(&[0; 12]);
    marker.extend_from_slice(&0x7bd5_c66f_u32.to_le_bytes());
    fs::remove_file(&zero).unwrap();
    for len in 0..=marker.len() {
        fs::write(&one, &marker[..len]).unwrap();
        assert_eq!(load(dir.path()), Loaded::Empty, "marker cut at {len}");
    }
    for len in 0..first.len() {
        fs::write(&zero, &first[..len]).unwrap();
        assert_eq!(load(dir.path()), Loaded::Empty, "first cut at {len}");
    }
    fs::write(&zero, &first).unwrap();
    for len in 0..again.len() {
        let mut mixed = marker.clone();
        mixed.resize(again.len().max(len), 0);
        mixed[..len].copy_from_slice(&again[..len]);
        fs::write(&one, &mixed).unwrap();
        assert_eq!(found(dir.path()).0, b"first");
    }
}

#[test]
fn damage_after_the_first_save_leaves_the_state() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), b"only");
    for name in ["s.0", "s.1"] {
        let whole = fs::read(dir.path().join(name)).unwrap();
        for damaged in damages(&whole) {
            fs::write(dir.path().join(name), damaged).unwrap();
            assert_eq!(found(dir.path()).0, b"only");
        }
        fs::write(dir.path().join(name), whole).unwrap();
    }
}

#[test]
fn both_damaged_is_not_the_same_as_none() {
    let dir = tempfile::tempdir().unwrap();
    for text in ["one", "two"] {
        save(dir.path(), text.as_bytes());
    }
    fs::write(dir.path().join("s.0"), b"").unwrap();
    fs::write(dir.path().join("s.1"), b"garbage").unwrap();
    match load(dir.path()) {
        Loaded::Unreadable { problem } => {
            assert!(problem.contains("s.1 is damaged: it is too short"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
    // Nor is one that is gone and one that is damaged.
    fs::remove_file(dir.path().join("s.0")).unwrap();
    assert!(matches!(load(dir.path()), Loaded::Unreadable { .. }));
    // Nor one that cannot be read at all.
    fs::remove_file(dir.path().join("s.1")).unwrap();
    fs::create_dir(dir.path().join("s.1")).unwrap();
    assert!(matches!(load(dir.path()), Loaded::Unreadable { .. }));
}

#[test]
fn a_second_process_learns_the_pid_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("deep/data");
    let first = DirLock::acquire(&data).unwrap();
    let error = DirLock::acquire(&data).unwrap_err();
    let pid = std::process::id();
    assert!(matches!(error, LockError::Held { pid: Some(held), .. } if held == pid));
    assert_eq!(
        error.to_string(),
        format!(
            "{} is in use by process {pid}: stop that first, or give this one a data_dir of its own",
            data.display()
        )
    );
    drop(first);
    DirLock::acquire(&data).unwrap();
}

#[test]
fn a_directory_that_cannot_be_used_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = DirLock::acquire(&file.join("data")).unwrap_err().to_string();
    assert!(error.starts_with("cannot create the directory"), "{error}");
    assert!(error.ends_with("; data_dir and what is above it must be directories"), "{error}");
    // Root may write anywhere but where the kernel forbids it to all.
    let error = DirLock::acquire(Path::new("/proc/taffrail")).unwrap_err().to_string();
    assert!(error.starts_with("cannot create the directory /proc/taffrail: "), "{error}");
}
