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

/// A number of bytes as Prometheus writes it: `64MB` and `64MiB` are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base2Size(pub usize);

impl Base2Size {
    /// Reads `64MB`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let binary =
            text.strip_suffix("iB").or_else(|| text.strip_suffix('B')).map(|text| format!("{text}iB"));
        let plain = text.trim_end_matches('B');
        let number = plain.bytes().all(|byte| byte.is_ascii_digit());
        let size = if number { Size::parse(plain) } else { Size::parse(binary.as_deref().unwrap_or(text)) };
        size.map(|size| Base2Size(size.0))
            .map_err(|_| format!("`{text}` is not a number of bytes\nwrite 67108864, 64MB or 64MiB"))
    }
}

super::from_text!(Base2Size, {
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
        for (text, size) in [("0", 0), ("5B", 5), ("1KB", 1024), ("1KiB", 1024), ("64MB", 64 << 20)] {
            assert_eq!(Base2Size::parse(text).unwrap(), Base2Size(size), "{text}");
        }
        assert!(Base2Size::parse("64 MB").is_err() && Base2Size::parse("B").is_err());
        for text in ["", "KiB", "-1", "1 KiB", "1.5MiB", "99999999999999999999", "99999999999999GiB"] {
            assert!(Size::parse(text).is_err(), "{text}");
        }
    }
}
