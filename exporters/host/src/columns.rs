//! Attributes of a device that are numbers, and the metrics they become, as tables.

use std::os::fd::AsFd;
use std::path::Path;

use taffrail_core::{Family, Out};

use crate::attribute::{Attribute, Buffer, number};

/// What one of an attribute is in its metric's unit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    One,
    /// A thousand in the file.
    Kilo,
    /// Groups of four octets, as InfiniBand counts data.
    FourOctets,
    /// Tenths.
    Tenth,
    Milli,
    /// As [`Unit::Milli`], divided.
    Thousandth,
    Micro,
    Nano,
}

impl Unit {
    /// The value in the metric's unit. It is multiplied or divided as node_exporter does, so that the last digit is
    /// the same.
    pub(crate) fn scale(self, value: f64) -> f64 {
        match self {
            Unit::One => value,
            Unit::Kilo => value * 1000.0,
            Unit::FourOctets => value * 4.0,
            Unit::Tenth => value / 10.0,
            Unit::Milli => value * 0.001,
            Unit::Thousandth => value / 1000.0,
            Unit::Micro => value / 1e6,
            Unit::Nano => value * 1e-9,
        }
    }
}

/// An attribute that is a number: its file below the device's folder, its metric and its unit.
pub(crate) type Column<const N: usize> = (&'static str, &'static Family<N>, Unit);

/// The attributes of one device that stand in a table of columns.
#[derive(Debug)]
pub(crate) struct Numbers<const N: usize> {
    columns: &'static [Column<N>],
    attributes: Vec<Attribute>,
}

impl<const N: usize> Numbers<N> {
    pub(crate) fn new(columns: &'static [Column<N>]) -> Self {
        Numbers { columns, attributes: columns.iter().map(|_| Attribute::default()).collect() }
    }

    /// Reads all and writes those that the device has; what is no number now (`N/A`) is left out.
    pub(crate) fn write(&mut self, dir: impl AsFd, labels: [&str; N], buffer: &mut Buffer, out: &mut Out) {
        self.write_if(dir, labels, buffer, out, |_| true);
    }

    /// As [`Numbers::write`], without the values that do not please `wanted`.
    pub(crate) fn write_if(
        &mut self,
        dir: impl AsFd,
        labels: [&str; N],
        buffer: &mut Buffer,
        out: &mut Out,
        wanted: impl Fn(f64) -> bool,
    ) {
        for ((file, family, unit), attribute) in self.columns.iter().zip(&mut self.attributes) {
            // A device that is gone says so at each attribute, and is not listed at the next run.
            let value = attribute.read(dir.as_fd(), Path::new(file), true, buffer).ok().flatten();
            if let Some(value) = value.and_then(number).filter(|value| wanted(*value)) {
                out.put(family, labels, unit.scale(value));
            }
        }
    }
}

/// Attributes of one device that are texts, for labels.
#[derive(Debug)]
pub(crate) struct Texts<const N: usize> {
    files: [&'static str; N],
    attributes: [Attribute; N],
    values: [String; N],
}

impl<const N: usize> Texts<N> {
    pub(crate) fn new(files: [&'static str; N]) -> Self {
        Texts {
            files,
            attributes: [(); N].map(|()| Attribute::default()),
            values: [(); N].map(|()| String::new()),
        }
    }

    /// Reads all; one that the device does not have is empty.
    pub(crate) fn read(&mut self, dir: impl AsFd, buffer: &mut Buffer) -> [&str; N] {
        for ((file, attribute), value) in self.files.iter().zip(&mut self.attributes).zip(&mut self.values) {
            let read = attribute.read(dir.as_fd(), Path::new(file), true, buffer).ok().flatten();
            value.clear();
            value.push_str(&taffrail_core::label::value(read.unwrap_or_default()));
        }
        self.values.each_ref().map(String::as_str)
    }
}

/// An attribute that is read once: what it holds, without white space at both ends. `None`: there is none.
pub(crate) fn text(dir: impl AsFd, file: &str) -> Option<String> {
    let mut buffer: Buffer = [0; 4096];
    let value = Attribute::default().read(dir, Path::new(file), false, &mut buffer).ok().flatten()?;
    Some(taffrail_core::label::value(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    taffrail_core::metrics! {
        /// A.
        A: Gauge = "a_watts" ["x"];
        /// B.
        B: Gauge = "b" ["x"];
    }

    static COLUMNS: [Column<1>; 3] =
        [("power", &A, Unit::Micro), ("n", &B, Unit::One), ("none", &B, Unit::One)];

    #[test]
    fn what_is_a_number_is_written() {
        let root = tempfile::tempdir().unwrap();
        let dir = fs::File::open(root.path()).unwrap();
        let mut buffer: Buffer = [0; 4096];
        let mut numbers = Numbers::new(&COLUMNS);
        fs::write(root.path().join("n"), "N/A\n").unwrap();
        fs::write(root.path().join("power"), "1500000\n").unwrap();
        let mut out = Out::default();
        out.begin(0);
        numbers.write(&dir, ["y"], &mut buffer, &mut out);
        let values =
            |out: &mut Out| out.finish().samples.iter().map(|s| s.value.to_f64()).collect::<Vec<_>>();
        assert_eq!(values(&mut out), [1.5]);
        fs::write(root.path().join("n"), "0x10\n").unwrap();
        out.begin(0);
        numbers.write_if(&dir, ["y"], &mut buffer, &mut out, |value| value < 100.0);
        assert_eq!(values(&mut out), [16.0]);
        let mut texts = Texts::new(["n", "none"]);
        assert_eq!(texts.read(&dir, &mut buffer), ["0x10", ""]);
        assert_eq!(text(&dir, "n").as_deref(), Some("0x10"));
        assert_eq!(text(&dir, "none"), None);
    }
}
