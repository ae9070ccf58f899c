//! `exact`, `prefix` or `regex`: at most one of them.

use serde::Deserialize;
use serde::de::{self, Deserializer};

/// How a string is compared. An empty match (`{}`) means presence for headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StringMatch {
    Exact(String),
    Prefix(String),
    /// RE2 syntax, matched against the whole string.
    Regex(String),
    Present,
}

#[derive(Deserialize)]
struct Raw {
    exact: Option<String>,
    prefix: Option<String>,
    regex: Option<String>,
}

impl<'de> Deserialize<'de> for StringMatch {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<StringMatch, D::Error> {
        let Some(raw) = Option::<Raw>::deserialize(d)? else {
            let why = "null is no condition: write {} where presence is enough";
            return Err(de::Error::custom(why));
        };
        match (raw.exact, raw.prefix, raw.regex) {
            (Some(s), None, None) => Ok(StringMatch::Exact(s)),
            (None, Some(s), None) => Ok(StringMatch::Prefix(s)),
            (None, None, Some(s)) => Ok(StringMatch::Regex(s)),
            (None, None, None) => Ok(StringMatch::Present),
            _ => Err(de::Error::custom(
                "give only one of exact, prefix and regex",
            )),
        }
    }
}
