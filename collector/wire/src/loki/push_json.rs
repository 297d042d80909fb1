//! The JSON form of a push request:
//! `{"streams": [{"stream": {"job": "app"}, "values": [["1795273200000000000", "a line", {"trace_id": "…"}]]}]}`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::batch::Batch;
use super::push::{PushError, Sink};
use super::reader::streams;
use crate::proto::ProtoError;

/// Reads the JSON form. After an error, what the sink was given before counts for nothing.
///
/// # Errors
/// When it is no JSON of this form; the error says where.
pub fn read_json(request: &[u8], sink: &mut impl Sink) -> Result<(), PushError> {
    let text = String::from_utf8_lossy(request);
    let mut json = serde_json::Deserializer::from_str(&text);
    Request { sink, line: String::new(), metadata: Vec::new(), aside: Batch::new() }
        .deserialize(&mut json)?;
    json.end()?;
    Ok(())
}

/// Reads the parts of a request into buffers that are reused.
struct Request<'s, S> {
    sink: &'s mut S,
    line: String,
    metadata: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Values of a stream whose labels are not known yet.
    aside: Batch,
}

/// The object around all.
impl<'de, S: Sink> DeserializeSeed<'de> for Request<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Request<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `streams`")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "streams" {
                found = true;
                map.next_value_seed(Streams(&mut self))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(A::Error::missing_field("streams")) }
    }
}

struct Streams<'r, 's, S>(&'r mut Request<'s, S>);

impl<'de, S: Sink> DeserializeSeed<'de> for Streams<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Streams<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of streams")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Stream(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

/// A stream. Its labels may stand behind its values.
struct Stream<'r, 's, S>(&'r mut Request<'s, S>);

impl<'de, S: Sink> DeserializeSeed<'de> for Stream<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Stream<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `stream` and `values`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let request = self.0;
        let mut wanted = None;
        request.aside.clear();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "stream" => {
                    let labels = map.next_value::<BTreeMap<String, String>>()?;
                    let labels = labels.into_iter().map(|(n, v)| (Cow::Owned(n), Cow::Owned(v)));
                    wanted = Some(request.sink.stream(Ok(labels.collect())));
                }
                "values" => map.next_value_seed(Values { request: &mut *request, wanted })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if wanted.unwrap_or_else(|| request.sink.stream(Ok(Vec::new()))) && !request.aside.is_empty() {
            request.take_aside().map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

impl<S: Sink> Request<'_, S> {
    /// Gives the sink the values that came before their labels.
    fn take_aside(&mut self) -> Result<(), ProtoError> {
        for stream in streams(self.aside.finish()) {
            for entry in stream?.entries() {
                let entry = entry?;
                let pairs =
                    entry.metadata().map(|pair| pair.map(|(n, v)| (Cow::Borrowed(n), Cow::Borrowed(v))));
                self.sink.entry(entry.ts_ns, entry.line, &pairs.collect::<Result<Vec<_>, _>>()?);
            }
        }
        Ok(())
    }
}

struct Values<'r, 's, S> {
    request: &'r mut Request<'s, S>,
    /// Whether the sink wants them; none while it was not asked.
    wanted: Option<bool>,
}

impl<'de, S: Sink> DeserializeSeed<'de> for Values<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Values<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of [\"nanoseconds\", \"line\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Value { request: &mut *self.request, wanted: self.wanted })?.is_some() {}
        Ok(())
    }
}

/// One entry.
struct Value<'r, 's, S> {
    request: &'r mut Request<'s, S>,
    /// Whether the sink wants them; none while it was not asked.
    wanted: Option<bool>,
}

impl<'de, S: Sink> DeserializeSeed<'de> for Value<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Value<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[\"nanoseconds\", \"line\"], or with {\"name\": \"value\"} behind it")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Request { sink, line, metadata, aside } = self.request;
        let ts_ns =
            list.next_element::<Nanoseconds>()?.ok_or_else(|| A::Error::invalid_length(0, &"two values"))?.0;
        line.clear();
        list.next_element_seed(Text(line))?.ok_or_else(|| A::Error::invalid_length(1, &"two values"))?;
        metadata.clear();
        if let Some(pairs) = list.next_element::<BTreeMap<String, String>>()? {
            metadata.extend(pairs.into_iter().map(|(n, v)| (Cow::Owned(n), Cow::Owned(v))));
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        match self.wanted {
            Some(true) => sink.entry(ts_ns, line, metadata),
            Some(false) => {}
            None => aside.entry(ts_ns, line, metadata.iter().map(|(n, v)| (&**n, &**v))),
        }
        Ok(())
    }
}

/// Nanoseconds since 1970, as text (so Loki has it) or as a number.
struct Nanoseconds(i64);

impl<'de> serde::Deserialize<'de> for Nanoseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl Visitor<'_> for Read {
            type Value = i64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("nanoseconds since 1970 as text, like \"1795273200000000000\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
                text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
                Ok(number)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
                i64::try_from(number)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
            }
        }

        deserializer.deserialize_any(Read).map(Nanoseconds)
    }
}

/// Reads a text into a buffer. Half of a surrogate pair, which is no text, is replaced.
struct Text<'b>(&'b mut String);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // As bytes, because the reader of texts refuses such halves.
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line as text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.push_str(text);
        Ok(())
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<(), E> {
        self.0.push_str(&String::from_utf8_lossy(bytes));
        Ok(())
    }
}
