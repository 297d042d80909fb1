//! Two wrappers for what is written: a value that knows its place, and a value in a short or a long form.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::source::Span;

/// The name by which the reader knows a [`Field`].
pub const FIELD: &str = "$taffrail::Field";

/// The name by which the reader knows a [`OneOf`].
pub const ONE_OF: &str = "$taffrail::OneOf";

/// The value of a key.
#[derive(Clone, Debug, Default)]
pub enum Field<T> {
    /// The key is not there.
    #[default]
    Absent,
    /// The key is there, its value is wrong, and that was reported.
    Bad(Span),
    /// The key is there.
    Good(Span, T),
}

impl<T> Field<T> {
    /// The value, when it is there and right.
    pub fn get(&self) -> Option<&T> {
        match self {
            Field::Good(_, value) => Some(value),
            _ => None,
        }
    }

    /// The value's place, when the key is there.
    pub fn span(&self) -> Option<Span> {
        match self {
            Field::Absent => None,
            Field::Bad(span) | Field::Good(span, _) => Some(*span),
        }
    }

    /// The value with its place, when it is there and right.
    pub fn good(&self) -> Option<(Span, &T)> {
        match self {
            Field::Good(span, value) => Some((*span, value)),
            _ => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FieldSeed(PhantomData).deserialize(deserializer)
    }
}

/// Reads a [`Field`] whose value is read by a seed, which knows more than the value's type.
pub struct FieldSeed<T>(pub T);

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for FieldSeed<T> {
    type Value = Field<T::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_newtype_struct(FIELD, self)
    }
}

impl<'de, T: DeserializeSeed<'de>> Visitor<'de> for FieldSeed<T> {
    type Value = Field<T::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let mut number = || parts.next_element::<u32>().map(Option::unwrap_or_default);
        let span = Span { source: number()?, start: number()?, end: number()? };
        Ok(parts.next_element_seed(self.0)?.map_or(Field::Bad(span), |value| Field::Good(span, value)))
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A short form, or a mapping with keys of its own.
#[derive(Clone, Debug)]
pub enum OneOf<S, L> {
    /// A single value.
    Short(S),
    /// A mapping.
    Long(L),
}

impl<'de, S: Deserialize<'de>, L: Deserialize<'de>> Deserialize<'de> for OneOf<S, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OneOfSeed::<S, _>::new(PhantomData).deserialize(deserializer)
    }
}

/// Reads a [`OneOf`] whose long form is read by a seed.
pub struct OneOfSeed<S, L> {
    short: PhantomData<S>,
    long: L,
}

impl<S, L> OneOfSeed<S, L> {
    /// With the seed of the long form.
    pub fn new(long: L) -> Self {
        OneOfSeed { short: PhantomData, long }
    }
}

impl<'de, S: Deserialize<'de>, L: DeserializeSeed<'de>> DeserializeSeed<'de> for OneOfSeed<S, L> {
    type Value = OneOf<S, L::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_newtype_struct(ONE_OF, self)
    }
}

impl<'de, S: Deserialize<'de>, L: DeserializeSeed<'de>> Visitor<'de> for OneOfSeed<S, L> {
    type Value = OneOf<S, L::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value or a mapping")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let long = parts.next_element::<u32>()?.is_some_and(|long| long == 1);
        let missing = || A::Error::custom("a single value or a mapping is missing");
        if long {
            parts.next_element_seed(self.long)?.map(OneOf::Long).ok_or_else(missing)
        } else {
            parts.next_element()?.map(OneOf::Short).ok_or_else(missing)
        }
    }
}

impl<S: JsonSchema, L: JsonSchema> JsonSchema for OneOf<S, L> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}_or_{}", S::schema_name(), L::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (short, long) = (generator.subschema_for::<S>(), generator.subschema_for::<L>());
        json_schema!({ "anyOf": [short, long] })
    }
}
