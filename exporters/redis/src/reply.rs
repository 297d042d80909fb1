//! Redis' protocol, version 2: commands out, replies in. <https://redis.io/docs/latest/develop/reference/protocol-spec/>

use memchr::memmem;

/// The most bytes of a text in a reply: INFO of a server with a thousand commands has less than a tenth.
const LONGEST: usize = 4 << 20;
/// The most elements of an array.
const MOST: usize = 1024;
/// How deep arrays may stand in arrays: an entry of the slow log has its command as a third level.
const DEEPEST: usize = 4;

/// What a server answered to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A short state, such as `OK`.
    Status(String),
    /// The command was refused or failed, as the server says it.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes; nothing where there are none.
    Bulk(Option<Vec<u8>>),
    /// Replies in a list.
    Array(Vec<Reply>),
}

/// An answer that is none of Redis'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReplyError {
    /// Another protocol.
    #[error("the answer is not Redis' protocol: it begins with {0:?}")]
    Foreign(String),
    /// Larger or deeper than any answer to what is asked.
    #[error("the answer is larger than any to what was asked")]
    Large,
}

/// The reply at the beginning of `bytes`, and how long it is; nothing while it is not whole.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, ReplyError> {
    parse_at(bytes, 0, 0)
}

fn parse_at(bytes: &[u8], at: usize, depth: usize) -> Result<Option<(Reply, usize)>, ReplyError> {
    if depth > DEEPEST {
        return Err(ReplyError::Large);
    }
    let rest = &bytes[at..];
    let Some(end) = memmem::find(&rest[..rest.len().min(1024)], b"\r\n") else {
        return match rest {
            // A first line is short.
            [first, ..] if rest.len() > 1024 || !b"+-:$*".contains(first) => Err(foreign(rest)),
            _ => Ok(None),
        };
    };
    let [kind, line @ ..] = &rest[..end] else { return Err(foreign(rest)) };
    let next = at + end + 2;
    let text = || String::from_utf8_lossy(line).into_owned();
    let number = || text().parse::<i64>().map_err(|_| foreign(rest));
    let reply = match kind {
        b'+' => Reply::Status(text()),
        b'-' => Reply::Error(text()),
        b':' => Reply::Integer(number()?),
        b'$' => return bulk(bytes, next, number()?),
        b'*' => return array(bytes, next, number()?, depth),
        _ => return Err(foreign(rest)),
    };
    Ok(Some((reply, next)))
}

fn bulk(bytes: &[u8], at: usize, len: i64) -> Result<Option<(Reply, usize)>, ReplyError> {
    let Ok(len) = usize::try_from(len) else { return Ok(Some((Reply::Bulk(None), at))) };
    if len > LONGEST {
        return Err(ReplyError::Large);
    }
    match bytes.get(at..at + len + 2) {
        Some([text @ .., b'\r', b'\n']) => Ok(Some((Reply::Bulk(Some(text.to_vec())), at + len + 2))),
        Some(other) => Err(foreign(other)),
        None => Ok(None),
    }
}

fn array(bytes: &[u8], mut at: usize, len: i64, depth: usize) -> Result<Option<(Reply, usize)>, ReplyError> {
    let len = usize::try_from(len).unwrap_or_default();
    if len > MOST {
        return Err(ReplyError::Large);
    }
    let mut replies = Vec::new();
    for _ in 0..len {
        let Some((reply, next)) = parse_at(bytes, at, depth + 1)? else { return Ok(None) };
        replies.push(reply);
        at = next;
    }
    Ok(Some((Reply::Array(replies), at)))
}

fn foreign(bytes: &[u8]) -> ReplyError {
    ReplyError::Foreign(String::from_utf8_lossy(&bytes[..bytes.len().min(32)]).into_owned())
}

/// Adds a command to what will be sent.
pub(crate) fn command(bytes: &mut Vec<u8>, words: &[&str]) {
    bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_come_whole_or_not_yet() {
        let all = b"*3\r\n:7\r\n$5\r\nhe\r\no\r\n*2\r\n+OK\r\n$-1\r\n-ERR no\r\n";
        let (reply, end) = parse(all).unwrap().unwrap();
        let hello = Reply::Bulk(Some(b"he\r\no".to_vec()));
        let inner = Reply::Array(vec![Reply::Status("OK".to_owned()), Reply::Bulk(None)]);
        assert_eq!(reply, Reply::Array(vec![Reply::Integer(7), hello, inner]));
        assert_eq!(parse(&all[end..]).unwrap().unwrap().0, Reply::Error("ERR no".to_owned()));
        for cut in 0..end {
            assert_eq!(parse(&all[..cut]).unwrap(), None, "{cut}");
        }
    }

    #[test]
    fn what_is_not_redis_is_said() {
        for bad in [b"HTTP/1.1 400 Bad Request\r\n".as_slice(), b"\r\n", b":x\r\n", b"$3\r\nabcde", b"<"] {
            assert!(matches!(parse(bad), Err(ReplyError::Foreign(_))), "{bad:?}");
        }
        assert_eq!(parse(b"$99999999\r\n"), Err(ReplyError::Large));
        assert_eq!(parse(b"*99999999\r\n"), Err(ReplyError::Large));
        assert_eq!(parse(&b"*1\r\n".repeat(100)), Err(ReplyError::Large));
        assert!(parse(&[b'+'; 2000]).is_err());
    }

    #[test]
    fn commands_are_arrays() {
        let mut bytes = Vec::new();
        command(&mut bytes, &["GET", "ä"]);
        assert_eq!(bytes, "*2\r\n$3\r\nGET\r\n$2\r\nä\r\n".as_bytes());
    }
}
