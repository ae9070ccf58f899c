//! `tls` and `tcp` of a `VirtualService`: where connections go.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::scalar;
use super::virtual_service::Destination;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TlsRoute {
    #[serde(deserialize_with = "scalar::list")]
    pub r#match: Vec<TlsMatch>,
    #[serde(deserialize_with = "scalar::list")]
    pub route: Vec<ConnectionDestination>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TcpRoute {
    #[serde(deserialize_with = "scalar::list")]
    pub r#match: Vec<TcpMatch>,
    #[serde(deserialize_with = "scalar::list")]
    pub route: Vec<ConnectionDestination>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsMatch {
    #[serde(alias = "sni_hosts", deserialize_with = "scalar::list")]
    pub sni_hosts: Vec<String>,
    #[serde(alias = "destination_subnets", deserialize_with = "scalar::list")]
    pub destination_subnets: Vec<String>,
    #[serde(deserialize_with = "scalar::optional")]
    pub port: Option<u16>,
    #[serde(alias = "source_labels")]
    pub source_labels: BTreeMap<String, String>,
    #[serde(alias = "source_namespace")]
    pub source_namespace: Option<String>,
    /// Of Istio before 1.5, which never gave it an effect.
    #[serde(alias = "source_subnet")]
    pub source_subnet: Option<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub gateways: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpMatch {
    #[serde(alias = "destination_subnets", deserialize_with = "scalar::list")]
    pub destination_subnets: Vec<String>,
    #[serde(deserialize_with = "scalar::optional")]
    pub port: Option<u16>,
    #[serde(alias = "source_labels")]
    pub source_labels: BTreeMap<String, String>,
    #[serde(alias = "source_namespace")]
    pub source_namespace: Option<String>,
    /// Istio reads it and does nothing with it.
    #[serde(alias = "source_subnet")]
    pub source_subnet: Option<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub gateways: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ConnectionDestination {
    pub destination: Option<Destination>,
    #[serde(deserialize_with = "scalar::optional")]
    pub weight: Option<u32>,
}
