//! `DestinationRule`: the subsets of a host.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::scalar;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DestinationRule {
    pub host: String,
    #[serde(deserialize_with = "scalar::list")]
    pub subsets: Vec<Subset>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Subset {
    pub name: String,
    pub labels: BTreeMap<String, String>,
}
