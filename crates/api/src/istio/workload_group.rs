//! `WorkloadGroup`: what agents of Istio register their machines by.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::WorkloadEntry;
use super::scalar;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct WorkloadGroup {
    pub metadata: Option<GroupMetadata>,
    pub template: Option<WorkloadEntry>,
    pub probe: Option<Probe>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GroupMetadata {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

/// Exactly one of the four ways to probe.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Probe {
    #[serde(alias = "initial_delay_seconds", deserialize_with = "scalar::optional")]
    pub initial_delay_seconds: Option<i32>,
    #[serde(alias = "timeout_seconds", deserialize_with = "scalar::optional")]
    pub timeout_seconds: Option<i32>,
    #[serde(alias = "period_seconds", deserialize_with = "scalar::optional")]
    pub period_seconds: Option<i32>,
    #[serde(alias = "success_threshold", deserialize_with = "scalar::optional")]
    pub success_threshold: Option<i32>,
    #[serde(alias = "failure_threshold", deserialize_with = "scalar::optional")]
    pub failure_threshold: Option<i32>,
    #[serde(alias = "http_get")]
    pub http_get: Option<HttpProbe>,
    #[serde(alias = "tcp_socket")]
    pub tcp_socket: Option<TcpProbe>,
    pub exec: Option<ExecProbe>,
    pub grpc: Option<GrpcProbe>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpProbe {
    pub path: Option<String>,
    #[serde(deserialize_with = "scalar::optional")]
    pub port: Option<i64>,
    pub host: Option<String>,
    pub scheme: Option<String>,
    #[serde(alias = "http_headers", deserialize_with = "scalar::list")]
    pub http_headers: Vec<ProbeHeader>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ProbeHeader {
    pub name: String,
    pub value: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TcpProbe {
    pub host: Option<String>,
    #[serde(deserialize_with = "scalar::optional")]
    pub port: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ExecProbe {
    #[serde(deserialize_with = "scalar::list")]
    pub command: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GrpcProbe {
    pub service: Option<String>,
    #[serde(deserialize_with = "scalar::optional")]
    pub port: Option<i64>,
}
