//! A message without what differs each time it is written.

/// The longest normal form, in bytes: what tells errors apart stands near the beginning.
const MAX: usize = 300;

/// The longest quoted value.
const MAX_QUOTED: usize = 1000;

/// The message with `<n>` for numbers, `<id>` for ids, UUIDs, hex and addresses of mail, `<s>` for quoted values.
pub fn normal_form(message: &str) -> String {
    let bytes = message.as_bytes();
    let mut out = String::with_capacity(message.len().min(MAX) + 8);
    let mut at = 0;
    while at < bytes.len() && out.len() < MAX {
        let byte = bytes[at];
        let in_word = at > 0 && is_word(bytes[at - 1]);
        if matches!(byte, b'"' | b'\'' | b'`')
            && !in_word
            && let Some(length) = quoted(&bytes[at..])
        {
            push(&mut out, "<s>");
            at += length;
            continue;
        }
        if is_word(byte) {
            let mut length = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
            if bytes[at..at + length].contains(&b'@') {
                // The domain of an address of mail.
                length +=
                    bytes[at + length..].iter().take_while(|byte| is_word(**byte) || **byte == b'.').count();
            }
            word(&mut out, &message[at..at + length]);
            at += length;
        } else if byte.is_ascii_whitespace() {
            if !out.ends_with(' ') && !out.is_empty() {
                out.push(' ');
            }
            at += 1;
        } else {
            out.push(char::from(byte));
            at += 1;
        }
    }
    out.truncate(out.floor_char_boundary(MAX));
    out.truncate(out.trim_end().len());
    out
}

/// Letters, digits, what joins an id's parts, and all that is not ASCII, so that words end at borders of characters.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'@' | 0x80..)
}

/// The length of the quoted value that begins here.
fn quoted(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match bytes.get(at).filter(|_| at < MAX_QUOTED)? {
            b'\n' => return None,
            b'\\' => at += 2,
            byte if *byte == bytes[0] => {
                // An apostrophe within a word closes nothing.
                let closes = bytes[0] != b'\'' || !bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
                at += 1;
                if closes {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
}

/// Marks in a row, as those of `10.0.0.1:80`, are one.
fn push(out: &mut String, mark: &str) {
    if let Some(rest) = out.strip_suffix([':', '.', ',', '/', '-', ' '])
        && mark == "<n>"
        && (rest.ends_with("<n>") || rest.ends_with("<id>"))
        && !out.ends_with(' ')
    {
        out.pop();
        return;
    }
    if !out.ends_with(mark) {
        out.push_str(mark);
    }
}

fn word(out: &mut String, word: &str) {
    let bytes = word.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if memchr::memchr(b'@', bytes).is_some_and(|at| at > 0 && at + 1 < bytes.len()) {
        return push(out, "<id>");
    }
    if digits == 0 {
        return out.push_str(word);
    }
    let hex = |bytes: &[u8]| bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    if bytes.starts_with(b"0x") && hex(&bytes[2..]) {
        return push(out, "<id>");
    }
    if digits == bytes.len() {
        return push(out, "<n>");
    }
    if bytes.len() >= 8 && hex(bytes) {
        // A date is a number: it has no letters.
        let letters = bytes.iter().any(u8::is_ascii_alphabetic);
        return push(out, if letters { "<id>" } else { "<n>" });
    }
    // The parts of `worker-12` and `api-7f9c4d-x2x5z`: one that mixes letters and digits more than once is an id.
    for part in word.split_inclusive(['-', '_']) {
        let changes = part
            .as_bytes()
            .windows(2)
            .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit())
            .count();
        let joint = part.strip_suffix(['-', '_']).map_or("", |text| &part[text.len()..]);
        if changes > 1 + usize::from(!joint.is_empty()) && part.len() > 3 {
            push(out, "<id>");
            out.push_str(joint);
        } else {
            digits_out(out, part);
        }
    }
}

/// A word with `<n>` for each of its numbers.
fn digits_out(out: &mut String, part: &str) {
    let mut rest = part;
    while let Some(digit) = rest.find(|letter: char| letter.is_ascii_digit()) {
        out.push_str(&rest[..digit]);
        push(out, "<n>");
        let end =
            rest[digit..].find(|letter: char| !letter.is_ascii_digit()).map_or(rest.len(), |end| digit + end);
        rest = &rest[end..];
    }
    out.push_str(rest);
}
