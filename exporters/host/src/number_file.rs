//! Files that hold one number: `/proc/sys`, attributes of sysfs.

use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use taffrail_core::{CollectError, Family, Out};

use crate::attribute::{self, Attribute, Buffer};

/// One such file, kept open.
#[derive(Debug)]
pub(crate) struct NumberFile {
    path: PathBuf,
    attribute: Attribute,
    /// It could be read before: a device that went may come back under its name.
    was_there: bool,
}

impl NumberFile {
    /// A file that is opened at its first reading.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        NumberFile { path: path.into(), attribute: Attribute::Closed, was_there: false }
    }

    /// Its number. `None`: there is no such file, or no number in it.
    pub(crate) fn read(&mut self, buffer: &mut Buffer) -> Option<f64> {
        self.read_text(buffer).and_then(attribute::number)
    }

    /// Its text, without white space at both ends. A file that never was there is not looked for again.
    pub(crate) fn read_text<'b>(&mut self, buffer: &'b mut Buffer) -> Option<&'b [u8]> {
        if self.was_there && matches!(self.attribute, Attribute::Missing) {
            self.attribute = Attribute::Closed;
        }
        match self.attribute.read(CWD, &self.path, true, buffer) {
            Ok(text) => {
                self.was_there |= text.is_some();
                text
            }
            Err(_) => {
                // The device is gone; another may come under its name.
                self.attribute = Attribute::Closed;
                None
            }
        }
    }
}

/// Files of one number each that become one series each, as they are or in another unit.
pub(crate) struct Numbers {
    files: Vec<(NumberFile, &'static Family<0>, f64)>,
    buffer: Box<Buffer>,
}

impl Numbers {
    /// `files` are names in `folder`, what becomes of them, and what their unit is in the metric's.
    pub(crate) fn new(folder: &Path, files: &[(&str, &'static Family<0>, f64)]) -> Self {
        let file = |(name, family, unit): &(&str, _, _)| (NumberFile::new(folder.join(name)), *family, *unit);
        Numbers { files: files.iter().map(file).collect(), buffer: Box::new([0; 4096]) }
    }

    /// Writes what there is. Nothing at all is [`CollectError::Absent`].
    pub(crate) fn write(&mut self, out: &mut Out) -> Result<(), CollectError> {
        let mut found = false;
        for (file, family, unit) in &mut self.files {
            let Some(text) = file.read_text(&mut self.buffer) else { continue };
            found = true;
            if let Some(number) = attribute::number(text) {
                out.put(family, [], number * *unit);
            }
        }
        if found { Ok(()) } else { Err(CollectError::Absent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    taffrail_core::metrics! {
        /// Seconds.
        SECONDS: Gauge = "test_seconds" [];
        /// Missing.
        MISSING: Gauge = "test_missing" [];
    }

    #[test]
    fn what_comes_back_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("label");
        let mut buffer = [0; 4096];
        let mut file = NumberFile::new(&path);
        std::fs::write(&path, "1").unwrap();
        assert_eq!(file.read(&mut buffer), Some(1.0));
        // As a file of sysfs whose device went says: it is closed, and not found the next time.
        file.attribute = Attribute::Closed;
        std::fs::remove_file(&path).unwrap();
        assert_eq!((file.read(&mut buffer), file.read(&mut buffer)), (None, None));
        std::fs::write(&path, "2").unwrap();
        assert_eq!(file.read(&mut buffer), Some(2.0));
    }

    #[test]
    fn what_is_there_is_written_in_the_metric_s_unit() {
        let dir = tempfile::tempdir().unwrap();
        let files = [("ms", &SECONDS, 1e-3), ("none", &MISSING, 1.0)];
        let mut out = Out::default();
        assert!(matches!(Numbers::new(dir.path(), &files).write(&mut out), Err(CollectError::Absent)));
        let mut numbers = Numbers::new(dir.path(), &files);
        for (text, expected) in [("20\n", Some(0.02)), ("-30\n", Some(-0.03)), ("x\n", None)] {
            std::fs::write(dir.path().join("ms"), text).unwrap();
            out.begin(0);
            numbers.write(&mut out).unwrap();
            assert_eq!(out.finish().samples.first().map(|s| s.value.to_f64()), expected);
        }
    }
}
