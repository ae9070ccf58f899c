//! `corsPolicy`: which pages of other origins may read answers.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::istio::{StringMatch, duration, scalar};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CorsPolicy {
    /// The plain names of Istio 1.0; `allowOrigins` wins over them.
    #[serde(alias = "allow_origin", deserialize_with = "scalar::list")]
    pub allow_origin: Vec<String>,
    #[serde(alias = "allow_origins", deserialize_with = "scalar::list")]
    pub allow_origins: Vec<StringMatch>,
    #[serde(alias = "allow_methods", deserialize_with = "scalar::list")]
    pub allow_methods: Vec<String>,
    #[serde(alias = "allow_headers", deserialize_with = "scalar::list")]
    pub allow_headers: Vec<String>,
    #[serde(alias = "expose_headers", deserialize_with = "scalar::list")]
    pub expose_headers: Vec<String>,
    #[serde(alias = "max_age", deserialize_with = "duration::optional")]
    pub max_age: Option<Duration>,
    #[serde(alias = "allow_credentials")]
    pub allow_credentials: Option<bool>,
    #[serde(alias = "unmatched_preflights", deserialize_with = "unmatched")]
    pub unmatched_preflights: UnmatchedPreflights,
}

/// Who answers preflight requests of origins that the policy does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnmatchedPreflights {
    /// The service.
    #[default]
    Forward,
    /// The proxy, without permission.
    Ignore,
}

fn unmatched<'de, D: Deserializer<'de>>(d: D) -> Result<UnmatchedPreflights, D::Error> {
    let names = &["UNSPECIFIED", "FORWARD", "IGNORE"];
    Ok(match scalar::choice(d, names)? {
        Some("IGNORE") => UnmatchedPreflights::Ignore,
        _ => UnmatchedPreflights::Forward,
    })
}
