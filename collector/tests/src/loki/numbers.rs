//! Numbered lines: each says its number and a checksum, so that what is missing, came twice or came garbled can be told
//! of ten million of them without keeping any.

/// Lines of one job that a store has counted.
#[derive(Debug, Default)]
pub struct Numbers {
    /// The time of each number's line; 0 where there is none.
    times: Vec<i64>,
    /// Numbers that came.
    pub count: u64,
    /// Bytes of lines that came again with the time that they had: Loki keeps them once.
    pub again_bytes: u64,
    /// Lines that came again with another time: Loki keeps them twice.
    pub twice: u64,
}

/// Appends the line of a number: `#NUMBER CHECKSUM FILLER`, of about `len` bytes, with its end.
pub fn append_line(out: &mut Vec<u8>, number: u64, len: usize) {
    let start = out.len();
    let body = format!("{number} {:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    out.extend_from_slice(format!("#{:016x} {body} ", sum(body.as_bytes())).as_bytes());
    while out.len() < start + len {
        out.push(b'a' + (out.len() % 26) as u8);
    }
    out.push(b'\n');
}

/// The number that a line says, when its checksum fits.
pub fn number_of(line: &str) -> Option<u64> {
    let (checksum, body) = line.strip_prefix('#')?.split_once(' ')?;
    let (body, filler) = body.rsplit_once(' ')?;
    let whole = filler.bytes().all(|byte| byte.is_ascii_lowercase());
    let fits = u64::from_str_radix(checksum, 16).ok()? == sum(body.as_bytes());
    body.split(' ').next()?.parse().ok().filter(|_| fits && whole)
}

/// FNV-1a.
fn sum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

impl Numbers {
    /// Whether the number came with this time.
    pub(super) fn has(&self, number: u64, ns: i64) -> bool {
        ns != 0 && self.times.get(number as usize) == Some(&ns)
    }

    /// Takes a line that Loki keeps.
    pub(super) fn take(&mut self, number: u64, ns: i64) {
        let at = number as usize;
        if self.times.len() <= at {
            self.times.resize(at + 1, 0);
        }
        if std::mem::replace(&mut self.times[at], ns) == 0 {
            self.count += 1;
        } else {
            self.twice += 1;
        }
    }

    /// The numbers below `end` that did not come.
    pub fn missing(&self, end: u64) -> impl Iterator<Item = u64> {
        (0..end).filter(|number| self.times.get(*number as usize).is_none_or(|ns| *ns == 0))
    }

    /// The first number whose time is not after that of the number before it.
    pub fn unordered(&self) -> Option<u64> {
        let times = self.times.iter().copied().enumerate().filter(|(_, ns)| *ns != 0);
        let mut last = 0;
        for (number, ns) in times {
            if ns <= last {
                return Some(number as u64);
            }
            last = ns;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_its_number_and_a_garbled_one_none() {
        let mut bytes = Vec::new();
        append_line(&mut bytes, 1234, 100);
        let line = std::str::from_utf8(&bytes).unwrap();
        assert_eq!((line.len(), number_of(line.trim_end())), (101, Some(1234)));
        for at in [0, 3, 20, 30, 99] {
            let mut garbled = bytes.clone();
            garbled[at] = b'?';
            assert_eq!(number_of(std::str::from_utf8(&garbled).unwrap().trim_end()), None, "{at}");
        }
    }

    #[test]
    fn what_is_missing_twice_or_out_of_order_is_told() {
        let mut numbers = Numbers::default();
        [(0, 5), (1, 6), (3, 8)].into_iter().for_each(|(number, ns)| numbers.take(number, ns));
        assert_eq!((numbers.missing(5).collect::<Vec<_>>(), numbers.unordered()), (vec![2, 4], None));
        assert!(numbers.has(1, 6) && !numbers.has(1, 7) && !numbers.has(2, 0));
        numbers.take(2, 8);
        assert_eq!((numbers.count, numbers.twice, numbers.unordered()), (4, 0, Some(3)));
        numbers.take(1, 9);
        assert_eq!((numbers.count, numbers.twice), (4, 1));
    }
}
