//! `ProxyConfig`: what starts a proxy reads it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::PeerSelector;
use super::scalar;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProxyConfig {
    pub selector: Option<PeerSelector>,
    #[serde(deserialize_with = "scalar::optional")]
    pub concurrency: Option<i32>,
    #[serde(alias = "environment_variables")]
    pub environment_variables: BTreeMap<String, String>,
    pub image: Option<ProxyImage>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProxyImage {
    #[serde(alias = "image_type")]
    pub image_type: String,
}
