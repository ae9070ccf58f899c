//! `Gateway`: which proxies listen on which ports for which hosts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ServerTls, scalar};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Gateway {
    pub selector: BTreeMap<String, String>,
    #[serde(deserialize_with = "scalar::list")]
    pub servers: Vec<Server>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Server {
    /// For statistics of Istio's own proxy; nothing here depends on it.
    pub name: String,
    pub bind: String,
    #[serde(alias = "default_endpoint")]
    pub default_endpoint: String,
    pub port: Option<Port>,
    #[serde(deserialize_with = "scalar::list")]
    pub hosts: Vec<String>,
    pub tls: Option<ServerTls>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Port {
    #[serde(deserialize_with = "scalar::optional")]
    pub number: Option<u16>,
    pub name: String,
    pub protocol: String,
    #[serde(alias = "target_port", deserialize_with = "scalar::optional")]
    pub target_port: Option<u16>,
}
