//! Numbers of bytes: `262144`, `256KiB`, `1MiB`.

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

impl Size {
    /// Reads `256KiB`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let unit = match &text[digits..] {
            "" | "B" => Some(1usize),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            "kB" | "KB" => Some(1000),
            "MB" => Some(1_000_000),
            _ => None,
        };
        let number = text[..digits].parse::<usize>().ok();
        unit.and_then(|unit| number?.checked_mul(unit))
            .map(Size)
            .ok_or_else(|| format!("`{text}` is not a number of bytes\nwrite 262144, 256KiB or 1MiB"))
    }
}

super::from_text!(Size, {
    "type": ["integer", "string"],
    "format": "bytes"
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read() {
        assert_eq!(Size::parse("262144").unwrap(), Size(262_144));
        assert_eq!(Size::parse("256KiB").unwrap(), Size(262_144));
        assert_eq!(Size::parse("1MB").unwrap(), Size(1_000_000));
        for text in ["", "KiB", "-1", "1 KiB", "1.5MiB", "99999999999999999999", "99999999999999GiB"] {
            assert!(Size::parse(text).is_err(), "{text}");
        }
    }
}
