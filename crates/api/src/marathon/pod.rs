//! Pods and their instances: `/v2/pods/::status`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Network, nullable};

/// The specification of a pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    pub id: String,
    /// Kept as text: an instance refers to it by exactly these characters.
    pub version: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub containers: Vec<ContainerSpec>,
    #[serde(deserialize_with = "nullable")]
    pub networks: Vec<Network>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerSpec {
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub endpoints: Vec<EndpointSpec>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointSpec {
    pub name: String,
    pub container_port: Option<u16>,
    pub host_port: Option<u16>,
    /// `["tcp"]`, `["udp"]`, and application protocols such as `["http"]`.
    #[serde(deserialize_with = "nullable")]
    pub protocol: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub network_names: Vec<String>,
}

/// The status of a pod with all its instances.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    pub id: String,
    /// The latest version, whatever the instances run.
    pub spec: Pod,
    #[serde(deserialize_with = "nullable")]
    pub instances: Vec<PodInstance>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodInstance {
    pub id: String,
    /// PENDING, STAGING, STABLE, DEGRADED or TERMINAL.
    #[serde(deserialize_with = "nullable")]
    pub status: String,
    pub status_since: Option<Timestamp>,
    /// What the agent advertises: an address or a host name. Absent while pending.
    pub agent_hostname: Option<String>,
    pub agent_region: Option<String>,
    pub agent_zone: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub networks: Vec<NetworkStatus>,
    #[serde(deserialize_with = "nullable")]
    pub containers: Vec<ContainerStatus>,
    /// `/v2/pods/<id>::versions/<version>`: the version that this instance runs.
    pub spec_reference: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NetworkStatus {
    pub name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub addresses: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub status: String,
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<Condition>,
    pub container_id: Option<String>,
    /// Joined to the specification by name only; the order differs.
    #[serde(deserialize_with = "nullable")]
    pub endpoints: Vec<EndpointStatus>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Condition {
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub value: String,
    #[serde(deserialize_with = "nullable")]
    pub reason: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointStatus {
    pub name: String,
    /// Absent when the specification asks for no host port.
    pub allocated_host_port: Option<u16>,
    /// Only on the endpoint that the container's health check names.
    pub healthy: Option<bool>,
}

impl PodInstance {
    /// The version of the specification that this instance runs.
    pub fn version(&self) -> Option<&str> {
        self.spec_reference
            .as_deref()?
            .rsplit_once("::versions/")
            .map(|(_, version)| version)
    }
}
