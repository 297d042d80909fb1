//! Configured keys: how long each is. A Celery queue is a list of its name, a queue of others often a stream.

use std::fmt;
use std::str::FromStr;

use taffrail_core::{Out, metrics};

use crate::reply::Reply;

metrics! {
    /// How many elements a configured key has: of a list, set, sorted set, hash or stream; bytes of a string. 0 where
    /// the key is not there, as an empty list is none.
    SIZE: Gauge = "redis_key_size" ["db", "key"];
    /// Entries of a configured key that is a stream.
    STREAM: Gauge = "redis_stream_length" ["db", "stream"];
}

/// A key that is watched: `celery`, or `db1=celery` for another database than the first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The database's number.
    pub db: u32,
    /// The key.
    pub key: String,
}

/// A key that does not read as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is its name, or `db1=name` for another database than 0; a name has 1 to 512 bytes")]
pub struct KeyError;

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (db, key) = match text.split_once('=') {
            Some((db, key)) => match db.strip_prefix("db").unwrap_or(db).parse() {
                Ok(db) => (db, key),
                Err(_) => (0, text),
            },
            None => (0, text),
        };
        match key.len() {
            1..=512 => Ok(Key { db, key: key.to_owned() }),
            _ => Err(KeyError),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "db{}={}", self.db, self.key)
    }
}

/// The command that tells the length of a key of this type.
pub(crate) fn length_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "list" => "LLEN",
        "set" => "SCARD",
        "zset" => "ZCARD",
        "hash" => "HLEN",
        "stream" => "XLEN",
        "string" => "STRLEN",
        _ => return None,
    })
}

/// Publishes a key's length.
pub(crate) fn write(key: &Key, kind: &str, length: &Reply, out: &mut Out) {
    let Reply::Integer(length) = length else { return };
    let db = format!("db{}", key.db);
    out.put(&SIZE, [&db, &key.key], *length as f64);
    if kind == "stream" {
        out.put(&STREAM, [&db, &key.key], *length as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_name_its_database() {
        let key = |text: &str| text.parse::<Key>().map(|key| (key.db, key.key));
        assert_eq!(key("celery"), Ok((0, "celery".to_owned())));
        assert_eq!(key("db3=celery"), Ok((3, "celery".to_owned())));
        assert_eq!(key("3=celery"), Ok((3, "celery".to_owned())));
        assert_eq!(key("a=b"), Ok((0, "a=b".to_owned())));
        assert_eq!(key(""), Err(KeyError));
        assert_eq!(key("db1="), Err(KeyError));
    }
}
