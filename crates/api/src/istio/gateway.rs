//! `Gateway`: which proxies listen on which ports for which hosts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::scalar;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Gateway {
    pub selector: BTreeMap<String, String>,
    #[serde(deserialize_with = "scalar::list")]
    pub servers: Vec<Server>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Server {
    pub port: Option<Port>,
    #[serde(deserialize_with = "scalar::list")]
    pub hosts: Vec<String>,
    /// Not compiled yet; a TLS server must not be mistaken for a plaintext one.
    pub tls: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Port {
    #[serde(deserialize_with = "scalar::optional")]
    pub number: Option<u16>,
    pub name: String,
    pub protocol: String,
}
