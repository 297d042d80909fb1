//! RFC 3164, which describes what programs did rather than what they should do: `Nov 21 18:00:00 host tag[pid]: text`,
//! with parts missing, times of other forms (rsyslog's RFC 3339), and what network devices make of it.

use super::message::Message;
use super::time::{bsd, rfc3339};

/// Longer words are no names.
const MAX_NAME: usize = 255;

/// Takes a message apart, behind its priority.
pub(super) fn parse(message: &str) -> Message<'_> {
    let Some((time, rest, device)) = time(message) else {
        let (app_name, proc_id, text) = tag(message, true).unwrap_or((None, None, message));
        return Message { app_name, proc_id, text, ..Message::default() };
    };
    let mut read = Message { time: Some(time), text: rest, ..Message::default() };
    if !device
        && let Some((word, after)) = rest.split_once(' ')
        && is_host(word)
    {
        read.hostname = Some(word);
        read.text = after;
    }
    if let Some((app_name, proc_id, text)) = tag(read.text, false) {
        (read.app_name, read.proc_id, read.text) = (app_name, proc_id, text);
    }
    read
}

/// The time, what stands behind it, and whether it is written as network devices do: `45: *Mar  1 18:46:11.123: %SYS-5-…`,
/// where no host follows.
fn time(text: &str) -> Option<(super::When, &str, bool)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = text[digits..].strip_prefix(": ").filter(|_| digits > 0);
    let text = numbered.unwrap_or(text);
    let text = text.strip_prefix(['*', '.']).unwrap_or(text);
    let (time, rest) = bsd(text).or_else(|| rfc3339(text))?;
    // A zone's name may stand between the time and the colon.
    let zone = rest.strip_prefix(' ').and_then(|rest| rest.split_once(": "));
    let zone = zone.filter(|(zone, _)| {
        (3..=5).contains(&zone.len())
            && numbered.is_some()
            && zone.bytes().all(|byte| byte.is_ascii_uppercase())
    });
    if let Some(rest) = rest.strip_prefix(": ").or(zone.map(|(_, rest)| rest)) {
        return Some((time, rest, true));
    }
    if rest.is_empty() { Some((time, rest, false)) } else { Some((time, rest.strip_prefix(' ')?, false)) }
}

/// Whether a word that stands where the host does is one, and not the tag of a message without a host.
fn is_host(word: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    !word.is_empty() && word.len() <= MAX_NAME && !word.ends_with(':') && word.bytes().all(good)
}

/// `tag: text`, `tag[pid]: text`. With `strictly`, only the second, as many a text begins with a word and a colon.
fn tag(text: &str, strictly: bool) -> Option<(Option<&str>, Option<&str>, &str)> {
    let end = text.find([' ', ':', '['])?;
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.len() > MAX_NAME {
        return None;
    }
    let (proc_id, rest) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (id, rest) = rest.split_once(']')?;
            if id.len() > MAX_NAME || id.contains(' ') {
                return None;
            }
            (Some(id).filter(|id| !id.is_empty()), rest)
        }
        None if strictly => return None,
        None => (None, rest),
    };
    let rest = rest.strip_prefix(':')?;
    Some((Some(name), proc_id, rest.strip_prefix(' ').unwrap_or(rest)))
}
