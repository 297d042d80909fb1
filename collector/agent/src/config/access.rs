//! What serde reads piece by piece: a list's items, a mapping's entries, the parts of the two wrappers, a word.

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::de::{Path, Reader};
use super::error::Fault;
use super::source::Span;
use super::tree::{Key, Node, Value};

/// A list's items.
pub(super) struct Items<'de, 'p> {
    pub(super) reader: Reader<'de, 'p>,
    pub(super) rest: &'de [Node],
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((node, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        seed.deserialize(Reader { node, ..self.reader }).map(Some)
    }
}

/// A mapping's entries.
pub(super) struct Entries<'de, 'p> {
    pub(super) reader: Reader<'de, 'p>,
    pub(super) rest: &'de [(Key, Node)],
    /// Of a struct: the keys it has.
    pub(super) fields: Option<&'static [&'static str]>,
    pub(super) value: Option<&'de (Key, Node)>,
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        while let Some((entry, rest)) = self.rest.split_first() {
            self.rest = rest;
            let (key, _) = entry;
            if self.fields.is_some_and(|fields| !fields.contains(&key.text.as_str())) {
                let fault = self.reader.unknown_key(key, self.fields.unwrap_or_default());
                self.reader.context.faults.borrow_mut().push(fault);
                continue;
            }
            self.value = Some(entry);
            let name = seed.deserialize(IntoDeserializer::<Fault>::into_deserializer(key.text.as_str()));
            return name.map(Some).map_err(|fault| Fault { span: fault.span.or(Some(key.span)), ..fault });
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Some((key, node)) = self.value.take() else {
            return Err(Fault::custom("a value without its key"));
        };
        let path = Path { parent: Some(&self.reader.path), key: &key.text };
        let Reader { context, literal, .. } = self.reader;
        let literal = literal || (context.literal)(&path.to_string());
        seed.deserialize(Reader { node, path, literal, context })
    }
}

/// What a `Field` reads: its place in three numbers, then its value, or nothing when that was reported.
pub(super) struct FieldParts<'de, 'p> {
    pub(super) reader: Reader<'de, 'p>,
    pub(super) at: u8,
}

impl<'de> SeqAccess<'de> for FieldParts<'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Span { source, start, end } = self.reader.node.span;
        self.at += 1;
        let number = match self.at {
            1 => source,
            2 => start,
            3 => end,
            _ => {
                return match seed.deserialize(self.reader) {
                    Ok(value) => Ok(Some(value)),
                    Err(fault) => {
                        let fault = Fault { span: fault.span.or(Some(self.reader.node.span)), ..fault };
                        self.reader.context.faults.borrow_mut().push(fault);
                        Ok(None)
                    }
                };
            }
        };
        seed.deserialize(U32Deserializer::<Fault>::new(number)).map(Some)
    }
}

/// What a `OneOf` reads: 1 for a mapping and 0 for anything else, then the value.
pub(super) struct OneOfParts<'de, 'p> {
    pub(super) reader: Reader<'de, 'p>,
    pub(super) at: u8,
}

impl<'de> SeqAccess<'de> for OneOfParts<'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.at += 1;
        if self.at > 1 {
            return seed.deserialize(self.reader).map(Some);
        }
        let long = matches!(self.reader.node.value, Value::Map(_)) || self.reader.node.is_null();
        seed.deserialize(U32Deserializer::<Fault>::new(u32::from(long))).map(Some)
    }
}

/// A word as an enum's variant.
pub(super) struct Word(pub(super) &'static str);

impl<'de> EnumAccess<'de> for Word {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let variant = seed.deserialize(IntoDeserializer::<Fault>::into_deserializer(self.0))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Word {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _seed: T) -> Result<T::Value, Fault> {
        Err(Fault::custom("a word has no value"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Fault> {
        Err(Fault::custom("a word has no value"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Fault> {
        Err(Fault::custom("a word has no value"))
    }
}
