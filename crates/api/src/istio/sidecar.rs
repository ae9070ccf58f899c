//! `Sidecar`: what proxies of workloads see, and where they listen.

use serde::Deserialize;
use serde_json::Value;

use super::{Destination, Port, WorkloadSelector, scalar};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sidecar {
    #[serde(alias = "workload_selector")]
    pub workload_selector: Option<WorkloadSelector>,
    #[serde(deserialize_with = "scalar::list")]
    pub ingress: Vec<IngressListener>,
    #[serde(deserialize_with = "scalar::list")]
    pub egress: Vec<EgressListener>,
    #[serde(alias = "outbound_traffic_policy")]
    pub outbound_traffic_policy: Option<SidecarOutboundPolicy>,
    #[serde(alias = "inbound_connection_pool")]
    pub inbound_connection_pool: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressListener {
    pub port: Option<Port>,
    pub bind: String,
    #[serde(alias = "capture_mode")]
    pub capture_mode: Option<String>,
    #[serde(alias = "default_endpoint")]
    pub default_endpoint: String,
    pub tls: Option<Value>,
    #[serde(alias = "connection_pool")]
    pub connection_pool: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EgressListener {
    pub port: Option<Port>,
    pub bind: String,
    #[serde(alias = "capture_mode")]
    pub capture_mode: Option<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub hosts: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SidecarOutboundPolicy {
    pub mode: Option<String>,
    #[serde(alias = "egress_proxy")]
    pub egress_proxy: Option<Destination>,
}
