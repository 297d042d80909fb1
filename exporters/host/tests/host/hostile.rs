//! Files that are empty, cut, garbage or huge: a subject says so, or leaves them out, and goes on when they are right.

use std::fs;
use std::path::{Path, PathBuf};

use taffrail_core::{CollectError, Out};

use crate::golden::subjects;
use crate::run;

/// All files of a tree that subjects read, each once: folders have several names in sysfs.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if let Ok(link) = fs::read_link(&from) {
            std::os::unix::fs::symlink(link, to).unwrap();
        } else if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

fn damaged(good: &[u8]) -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        b"\n".to_vec(),
        good[..good.len() / 2].to_vec(),
        good[..good.len().saturating_sub(3)].to_vec(),
        good.iter().map(|b| b ^ 0x80).collect(),
        good.iter().map(|b| if b.is_ascii_digit() { b'-' } else { *b }).collect(),
        good.iter().map(|b| if b.is_ascii_digit() { b'9' } else { *b }).collect(),
        good.iter().map(|b| if *b == b' ' { b'\n' } else { *b }).collect(),
        vec![b'9'; 1 << 18],
        vec![0xff; 1000],
        [good, good].concat(),
        good.repeat(64),
    ]
}

#[test]
fn no_damage_stops_a_subject_for_good() {
    damage("typical");
}

#[test]
fn no_damage_stops_a_subject_of_hardware_for_good() {
    damage("hardware");
}

fn damage(name: &str) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let case = tempfile::tempdir().unwrap();
    let case = case.path().join(name);
    copy(&fixture, &case);
    let mut targets = Vec::new();
    files(&case, &mut targets);
    let mut subjects = subjects(&case);
    // What the tree does not have cannot be damaged.
    subjects.retain_mut(|subject| run(subject, &mut Out::default()).is_ok());
    let mut outs: Vec<Out> = subjects.iter().map(|_| Out::default()).collect();
    let counts: Vec<usize> =
        subjects.iter_mut().zip(&mut outs).map(|(s, out)| run(s, out).unwrap().samples.len()).collect();

    for target in &targets {
        let good = fs::read(target).unwrap();
        for bad in damaged(&good) {
            fs::write(target, &bad).unwrap();
            for (subject, out) in subjects.iter_mut().zip(&mut outs) {
                match run(subject, out) {
                    Ok(collected) => {
                        assert!(collected.samples.iter().all(|s| s.value.to_f64().is_finite()), "{target:?}");
                    }
                    Err(CollectError::Absent) => panic!("{target:?} is there"),
                    Err(error) => assert!(error.to_string().len() < 400, "{error}"),
                }
            }
        }
        fs::write(target, &good).unwrap();
    }
    for ((subject, out), count) in subjects.iter_mut().zip(&mut outs).zip(counts) {
        // What is looked up rarely may take some runs to come back.
        let again = (0..25).map(|_| run(subject, out).unwrap().samples.len()).last();
        assert_eq!(again, Some(count), "{}", subject.name);
    }
}
