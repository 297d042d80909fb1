//! DNS messages (RFC 1035): a query is written, a response is read, and names are read and shown.

use std::fmt::Write as _;

use super::record;

/// Bytes of a header.
const HEADER: usize = 12;
/// The longest label, and the longest name as it travels.
const LABEL: usize = 63;
const NAME: usize = 255;
/// The most records of one response that are read; a message of 64 KiB cannot hold many more that say anything.
const RECORDS: usize = 4096;

/// Why bytes are no message, or a text no name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The message ends in the middle of something.
    #[error("the message ends too early, in {0}")]
    Short(&'static str),
    /// A name that points forward or at itself, is too long, or has a label of an unknown kind.
    #[error("the message holds a name that cannot be read: {0}")]
    Name(&'static str),
    /// More records than can be meant.
    #[error("the message claims {0} records")]
    Records(usize),
    /// A text that is no domain name.
    #[error("`{name}` is not a domain name: {why}")]
    Text {
        /// The text.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// A response, as far as a probe looks at it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The number that ties it to its query.
    pub id: u16,
    /// Whether it is a response at all.
    pub response: bool,
    /// Whether it was cut to fit a datagram.
    pub truncated: bool,
    /// The response code, 0 is NOERROR.
    pub rcode: u8,
    /// The records that answer the question.
    pub answer: Vec<Record>,
    /// Who is responsible.
    pub authority: Vec<Record>,
    /// What may be of use.
    pub additional: Vec<Record>,
}

/// One record: shown as a zone file has it, owner, TTL, class, type and data with tabs between.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// The type's number.
    pub kind: u16,
    /// The whole line.
    pub text: String,
    /// The serial number, of a SOA record.
    pub serial: Option<u32>,
}

/// Writes a query with one question.
pub fn query(id: u16, name: &str, kind: u16, class: u16, recursion: bool) -> Result<Vec<u8>, MessageError> {
    let mut bytes = Vec::with_capacity(HEADER + name.len() + 6);
    bytes.extend(id.to_be_bytes());
    bytes.extend([u8::from(recursion), 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    write_name(&mut bytes, name)?;
    bytes.extend(kind.to_be_bytes());
    bytes.extend(class.to_be_bytes());
    Ok(bytes)
}

/// Reads a response.
pub fn parse(bytes: &[u8]) -> Result<Response, MessageError> {
    let mut reader = Reader { bytes, at: 0 };
    let id = reader.u16("its header")?;
    let flags = reader.u16("its header")?;
    let mut counts = [0; 4];
    for count in &mut counts {
        *count = usize::from(reader.u16("its header")?);
    }
    let [questions, answers, authorities, additionals] = counts;
    let records = answers + authorities + additionals;
    if records > RECORDS || questions > RECORDS {
        return Err(MessageError::Records(records.max(questions)));
    }
    for _ in 0..questions {
        reader.name()?;
        reader.take(4, "a question")?;
    }
    Ok(Response {
        id,
        response: flags & 0x8000 != 0,
        truncated: flags & 0x0200 != 0,
        rcode: (flags & 0x000f) as u8,
        answer: reader.records(answers)?,
        authority: reader.records(authorities)?,
        additional: reader.records(additionals)?,
    })
}

/// Writes a name as it travels. A dot at its end makes no difference.
fn write_name(bytes: &mut Vec<u8>, name: &str) -> Result<(), MessageError> {
    let wrong = |why| MessageError::Text { name: name.to_owned(), why };
    let start = bytes.len();
    let mut label = Vec::new();
    let mut rest = name.bytes().peekable();
    if name == "." {
        rest.next();
    }
    while let Some(byte) = rest.next() {
        match byte {
            b'.' if label.is_empty() => return Err(wrong("two dots without a label between them")),
            b'.' => finish_label(bytes, &mut label).map_err(wrong)?,
            b'\\' => label.push(escaped(&mut rest).ok_or_else(|| wrong("a backslash escapes nothing"))?),
            byte => label.push(byte),
        }
    }
    if !label.is_empty() {
        finish_label(bytes, &mut label).map_err(wrong)?;
    }
    bytes.push(0);
    if bytes.len() - start > NAME {
        return Err(wrong("it is longer than 255 bytes"));
    }
    Ok(())
}

fn finish_label(bytes: &mut Vec<u8>, label: &mut Vec<u8>) -> Result<(), &'static str> {
    if label.len() > LABEL {
        return Err("a label is longer than 63 bytes");
    }
    bytes.push(label.len() as u8);
    bytes.append(label);
    Ok(())
}

/// What stands behind a backslash: three digits are a byte's value, anything else is itself.
fn escaped(rest: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> Option<u8> {
    let first = rest.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        value = value * 10 + u16::from(rest.next().filter(u8::is_ascii_digit)? - b'0');
    }
    u8::try_from(value).ok()
}

/// Reads a message from its beginning; names may point back into what was read.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], MessageError> {
        let taken = self.bytes.get(self.at..self.at + len).ok_or(MessageError::Short(what))?;
        self.at += len;
        Ok(taken)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, MessageError> {
        Ok(self.take(1, what)?[0])
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, MessageError> {
        self.take(2, what).map(|b| u16::from_be_bytes([b[0], b[1]]))
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, MessageError> {
        self.take(4, what).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// What is left of the data of a record.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// A name, followed through its pointers and shown with a dot at its end.
    pub(super) fn name(&mut self) -> Result<String, MessageError> {
        let mut shown = String::new();
        let (mut at, mut end, mut length) = (self.at, None, 1);
        // Each pointer has to lead further back than where its piece began, so that this ends.
        let mut piece = at;
        loop {
            let size = *self.bytes.get(at).ok_or(MessageError::Short("a name"))?;
            match size >> 6 {
                0 if size == 0 => break,
                0 => {
                    let label = at + 1..at + 1 + usize::from(size);
                    let label = self.bytes.get(label).ok_or(MessageError::Short("a name"))?;
                    length += label.len() + 1;
                    if length > NAME {
                        return Err(MessageError::Name("it is longer than 255 bytes"));
                    }
                    show_label(&mut shown, label);
                    at += 1 + label.len();
                }
                3 => {
                    let low = *self.bytes.get(at + 1).ok_or(MessageError::Short("a name"))?;
                    end.get_or_insert(at + 2);
                    at = usize::from(size & 0x3f) << 8 | usize::from(low);
                    if at >= piece {
                        return Err(MessageError::Name("it points at itself, or forward"));
                    }
                    piece = at;
                }
                _ => return Err(MessageError::Name("a label of an unknown kind")),
            }
        }
        self.at = end.unwrap_or(at + 1);
        if shown.is_empty() {
            shown.push('.');
        }
        Ok(shown)
    }

    fn records(&mut self, count: usize) -> Result<Vec<Record>, MessageError> {
        (0..count).map(|_| self.record()).collect()
    }

    fn record(&mut self) -> Result<Record, MessageError> {
        let owner = self.name()?;
        let kind = self.u16("a record")?;
        let class = self.u16("a record")?;
        let ttl = self.u32("a record")?;
        let len = usize::from(self.u16("a record")?);
        let start = self.at;
        self.take(len, "a record's data")?;
        // Names in the data may point at anything before it, but it ends where it ends.
        let data = Reader { bytes: &self.bytes[..self.at], at: start };
        Ok(record::show(&owner, kind, class, ttl, data))
    }
}

/// A label as a zone file has it: what has a meaning there is escaped.
fn show_label(shown: &mut String, label: &[u8]) {
    for &byte in label {
        match byte {
            b'.' | b' ' | b'\'' | b'@' | b';' | b'(' | b')' | b'"' | b'\\' => {
                shown.push('\\');
                shown.push(char::from(byte));
            }
            0x21..0x7f => shown.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(shown, "\\{byte:03}")),
        }
    }
    shown.push('.');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A response to `example.com. A`, with `records` as the answer.
    fn response(records: &[&[u8]]) -> Vec<u8> {
        let mut bytes = query(7, "example.com", 1, 1, true).unwrap();
        bytes[2] |= 0x80;
        bytes[7] = records.len() as u8;
        records.iter().for_each(|record| bytes.extend(*record));
        bytes
    }

    #[test]
    fn a_query_is_written_as_the_document_says() {
        let bytes = query(0x1234, "a.bc.", 28, 1, true).unwrap();
        assert_eq!(bytes, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x02bc\0\0\x1c\0\x01");
        assert_eq!(&query(1, ".", 2, 1, false).unwrap()[12..], b"\0\0\x02\0\x01");
        assert_eq!(&query(1, r"a\.b\065", 2, 1, false).unwrap()[12..18], b"\x04a.bA\0");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["a..b", ".a", "a\\", "a\\25", "a\\999", &"x".repeat(64), &"abcdefg.".repeat(32)] {
            assert!(query(1, name, 1, 1, true).is_err(), "{name}");
        }
    }

    #[test]
    fn a_compressed_answer_is_read() {
        let a = b"\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04\x7f\0\0\x01";
        let cname = b"\x03www\xc0\x0c\0\x05\0\x01\0\0\0\x05\0\x02\xc0\x0c";
        let read = parse(&response(&[a, cname])).unwrap();
        assert!(read.response && !read.truncated && read.rcode == 0 && read.id == 7);
        assert_eq!(read.answer[0].text, "example.com.\t300\tIN\tA\t127.0.0.1");
        assert_eq!(read.answer[1].text, "www.example.com.\t5\tIN\tCNAME\texample.com.");
    }

    #[test]
    fn names_that_never_end_are_refused() {
        // At itself, forward, and two that point at each other.
        for name in [&b"\xc0\x1d"[..], b"\xc0\x40", b"\x01a\xc0\x1d", b"\x80a"] {
            let mut record = name.to_vec();
            record.extend(b"\0\x01\0\x01\0\0\0\0\0\0");
            assert!(matches!(parse(&response(&[&record])), Err(MessageError::Name(_))), "{name:x?}");
        }
    }

    #[test]
    fn a_message_cut_anywhere_is_an_error_not_a_panic() {
        let whole = response(&[b"\xc0\x0c\0\x0f\0\x01\0\0\0\x05\0\x06\0\x0a\x01m\xc0\x0c"]);
        for len in 0..whole.len() {
            assert!(parse(&whole[..len]).is_err(), "{len}");
        }
        assert_eq!(parse(&whole).unwrap().answer[0].text, "example.com.\t5\tIN\tMX\t10 m.example.com.");
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        // A small generator, so that every run sees the same bytes.
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as u8
        };
        for _ in 0..20_000 {
            let mut bytes = response(&[]);
            bytes[7] = next() % 4;
            let len = usize::from(next() % 60);
            bytes.extend((0..len).map(|_| next()));
            let _ = parse(&bytes);
        }
    }
}
