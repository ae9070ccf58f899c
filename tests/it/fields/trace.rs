//! Asks a type which fields it reads, by pretending to be a document.
//!
//! A struct tells serde its fields when it is decoded. So each path is walked as far as it is known,
//! the fields at its end are written down, and then each of them is walked in turn: what is found is
//! what the decoder knows, and a new field cannot be forgotten.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::de::value::Error;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// Every field below a type, as `http.match.uri`: lists and maps add nothing to a path.
pub(super) fn fields<T: DeserializeOwned>() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<Vec<&'static str>> = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let names = RefCell::new(Vec::new());
        let walker = Walker {
            path: &path,
            names: &names,
        };
        // It always ends in an error, for there is no value.
        let _ = T::deserialize(walker);
        for name in names.into_inner() {
            if is_second_spelling(name) {
                continue;
            }
            let below = [&path[..], &[name]].concat();
            assert!(below.len() < 12, "{below:?}: a type that holds itself");
            found.insert(below.join("."));
            open.push(below);
        }
    }
    found
}

/// `snake_case` is read wherever `camelCase` is.
fn is_second_spelling(name: &str) -> bool {
    name.contains('_')
}

#[derive(Clone, Copy)]
struct Walker<'a> {
    path: &'a [&'static str],
    names: &'a RefCell<Vec<&'static str>>,
}

/// The one entry of a list or map.
struct Entry<'a> {
    key: Option<&'a str>,
    inner: Option<Walker<'a>>,
}

fn end() -> Error {
    Error::custom("the path ends here")
}

impl<'de> Deserializer<'de> for Walker<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(end())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Entry {
            key: None,
            inner: Some(self),
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Entry {
            key: Some("0"),
            inner: Some(self),
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Some((first, rest)) = self.path.split_first() else {
            self.names.borrow_mut().extend(fields);
            return Err(end());
        };
        visitor.visit_map(Entry {
            key: Some(first),
            inner: Some(Walker { path: rest, ..self }),
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for Entry<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let inner = self.inner.take();
        inner.map(|walker| seed.deserialize(walker)).transpose()
    }
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        use serde::de::IntoDeserializer;
        let key = self.key.take();
        key.map(|key| seed.deserialize(IntoDeserializer::<Error>::into_deserializer(key)))
            .transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let inner = self.inner.take().ok_or_else(end)?;
        seed.deserialize(inner)
    }
}
