//! A program that writes numbered lines, and rotates its log while it does.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use taffrail_tests::loki::{append_line, number_of};

/// The length of a line.
pub const LINE: u64 = 100;
/// After so many rotations a rotated file is deleted.
const KEPT: u64 = 15;

/// How the log is rotated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// It is renamed, and a new one is made.
    Rename,
    /// The same, and old ones are deleted.
    Delete,
    /// It is copied and truncated, and written to in between.
    CopyTruncate,
    /// By somebody else, who renames it: it is opened anew for each block.
    Other,
}

#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    way: Way,
    /// The numbers below it are written.
    end: u64,
    written: AtomicU64,
    rotations: AtomicU64,
    /// What a truncation destroyed that nobody could have read.
    destroyed: Mutex<Vec<Range<u64>>>,
}

impl Writer {
    pub fn new(dir: &Path, way: Way, end: u64) -> Self {
        let (written, rotations) = (AtomicU64::new(0), AtomicU64::new(0));
        Writer { path: dir.join("app.log"), way, end, written, rotations, destroyed: Mutex::default() }
    }

    pub fn rotations(&self) -> u64 {
        self.rotations.load(Ordering::SeqCst)
    }

    pub fn written(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }

    pub fn done(&self) -> bool {
        self.written() == self.end
    }

    /// Numbers that may be missing.
    pub fn destroyed(&self) -> Vec<Range<u64>> {
        match self.way {
            Way::Other => self.in_no_file(),
            _ => self.destroyed.lock().unwrap().clone(),
        }
    }

    /// Numbers that somebody else destroyed: they are neither in the log nor in what it was rotated to.
    fn in_no_file(&self) -> Vec<Range<u64>> {
        let mut there = vec![false; self.end as usize];
        for file in fs::read_dir(self.path.parent().unwrap()).unwrap() {
            let file = file.unwrap();
            if !file.file_name().as_encoded_bytes().starts_with(b"app.log") {
                continue;
            }
            let text = if file.path().extension().is_some_and(|end| end == "gz") {
                std::io::read_to_string(MultiGzDecoder::new(File::open(file.path()).unwrap()))
            } else {
                fs::read_to_string(file.path())
            };
            text.unwrap().lines().filter_map(number_of).for_each(|number| there[number as usize] = true);
        }
        let gone = there.iter().enumerate().filter(|(_, there)| !**there);
        gone.map(|(number, _)| number as u64..number as u64 + 1).collect()
    }

    /// Writes everything, over some seconds if there is little of it, as fast as it can otherwise.
    pub fn run(&self) {
        let (block, pause) = match self.end {
            0..200_000 => (self.end / 300, Duration::from_millis(20)),
            _ => (2000, Duration::ZERO),
        };
        let mut file = self.open();
        while !self.done() {
            if self.way == Way::Other {
                file = self.open();
            }
            self.write(&mut file, block);
            let due = self.written() / (self.end / 30).max(1);
            if self.way != Way::Other && due > self.rotations() {
                self.rotate(&mut file);
            }
            sleep(pause);
        }
    }

    fn open(&self) -> File {
        OpenOptions::new().create(true).append(true).open(&self.path).unwrap()
    }

    fn write(&self, file: &mut File, count: u64) -> Range<u64> {
        let from = self.written();
        let to = (from + count).min(self.end);
        let mut block = Vec::with_capacity(((to - from) * (LINE + 1)) as usize);
        (from..to).for_each(|number| append_line(&mut block, number, LINE as usize));
        file.write_all(&block).unwrap();
        self.written.store(to, Ordering::SeqCst);
        from..to
    }

    fn rotate(&self, file: &mut File) {
        let generation = self.rotations.fetch_add(1, Ordering::SeqCst) + 1;
        let old = |generation: u64| self.path.with_extension(format!("log.{generation}"));
        match self.way {
            Way::CopyTruncate => {
                fs::copy(&self.path, old(generation)).unwrap();
                let destroyed = self.write(file, 5);
                file.set_len(0).unwrap();
                self.destroyed.lock().unwrap().push(destroyed);
            }
            _ => {
                fs::rename(&self.path, old(generation)).unwrap();
                // As most programs do, it writes on into the old file for a moment.
                self.write(file, 3);
                *file = self.open();
                if self.way == Way::Delete && generation > KEPT {
                    fs::remove_file(old(generation - KEPT)).unwrap();
                }
            }
        }
    }
}
