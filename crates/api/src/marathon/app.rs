//! Apps and their tasks: `/v2/apps?embed=apps.tasks`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::nullable;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct App {
    pub id: String,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub networks: Vec<Network>,
    pub container: Option<Container>,
    #[serde(deserialize_with = "nullable")]
    pub port_definitions: Vec<PortDefinition>,
    /// The version of this document.
    pub version: Option<Timestamp>,
    pub version_info: Option<VersionInfo>,
    #[serde(deserialize_with = "nullable")]
    pub tasks: Vec<Task>,
    #[serde(deserialize_with = "nullable")]
    pub health_checks: Vec<serde_json::Value>,
    /// The deployments in flight that concern the app.
    #[serde(deserialize_with = "nullable")]
    pub deployments: Vec<serde_json::Value>,
    /// Present during deployments only, for tasks whose readiness is being checked.
    #[serde(deserialize_with = "nullable")]
    pub readiness_check_results: Vec<ReadinessCheckResult>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadinessCheckResult {
    #[serde(deserialize_with = "nullable")]
    pub task_id: String,
    pub ready: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VersionInfo {
    /// A task whose version is not older runs the present configuration (scaling changes `version` only).
    pub last_config_change_at: Option<Timestamp>,
}

/// `networks[]`, since Marathon 1.5; equal for apps and pods.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Network {
    /// `host`, `container/bridge` or `container`.
    pub mode: Option<String>,
    pub name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    pub r#type: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub port_mappings: Vec<PortMapping>,
    pub docker: Option<Docker>,
}

/// The networking that Marathon kept inside `docker` before 1.5.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Docker {
    pub network: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub port_mappings: Vec<PortMapping>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortMapping {
    #[serde(deserialize_with = "nullable")]
    pub container_port: u16,
    /// Absent: no host port is allocated, and `Task::ports` has no entry for this mapping.
    pub host_port: Option<u16>,
    pub service_port: Option<u16>,
    pub protocol: Option<String>,
    pub name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub network_names: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortDefinition {
    #[serde(deserialize_with = "nullable")]
    pub port: u16,
    pub protocol: Option<String>,
    pub name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Task {
    pub id: String,
    /// What the agent advertises: an address or a host name.
    #[serde(deserialize_with = "nullable")]
    pub host: String,
    #[serde(deserialize_with = "nullable")]
    pub state: String,
    /// Host ports in mapping order, mappings without a host port left out. Empty for inactive tasks.
    #[serde(deserialize_with = "nullable")]
    pub ports: Vec<u16>,
    #[serde(deserialize_with = "nullable")]
    pub ip_addresses: Vec<IpAddress>,
    pub started_at: Option<Timestamp>,
    pub version: Option<Timestamp>,
    #[serde(deserialize_with = "nullable")]
    pub health_check_results: Vec<HealthCheckResult>,
    pub region: Option<String>,
    pub zone: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IpAddress {
    #[serde(deserialize_with = "nullable")]
    pub ip_address: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheckResult {
    pub alive: Option<bool>,
    pub last_failure: Option<Timestamp>,
    pub last_success: Option<Timestamp>,
}
