//! Label values from outside: any bytes in, bounded UTF-8 out.

use std::borrow::Cow;

/// The longest label value that is kept, in bytes; Prometheus has no limit, Loki and Mimir take 2,048.
pub const MAX_VALUE: usize = 1024;

/// Text for a label from bytes of the kernel's or a file system's: invalid UTF-8 is replaced, the length bounded.
pub fn value(bytes: &[u8]) -> Cow<'_, str> {
    let cut = &bytes[..bytes.len().min(MAX_VALUE)];
    match std::str::from_utf8(cut) {
        Ok(text) => Cow::Borrowed(text),
        // A cut inside a character, and nothing else wrong: leave the character out.
        Err(e) if bytes.len() > MAX_VALUE && e.error_len().is_none() => {
            String::from_utf8_lossy(&cut[..e.valid_up_to()])
        }
        Err(_) => String::from_utf8_lossy(cut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_become_bounded_text() {
        assert_eq!(value(b"sda1"), "sda1");
        assert_eq!(value(b"a\xffb"), "a\u{fffd}b");
        let long = "é".repeat(MAX_VALUE);
        assert_eq!(value(&long.as_bytes()[1..]).chars().filter(|c| *c == 'é').count(), MAX_VALUE / 2 - 1);
        assert!(value(&[b'x'; 5000]).len() == MAX_VALUE);
    }
}
