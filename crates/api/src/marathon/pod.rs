//! Pods and their instances: `/v2/pods/::status`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Network, list, nullable};

/// The specification of a pod.
#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    pub id: String,
    /// Kept as text: an instance refers to it by exactly these characters.
    pub version: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "list")]
    pub containers: Vec<ContainerSpec>,
    #[serde(deserialize_with = "list")]
    pub networks: Vec<Network>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerSpec {
    pub name: String,
    #[serde(deserialize_with = "list")]
    pub endpoints: Vec<EndpointSpec>,
    /// Its kind and times; what matters most is whether there is one.
    pub health_check: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointSpec {
    pub name: String,
    pub container_port: Option<u16>,
    pub host_port: Option<u16>,
    /// `["tcp"]`, `["udp"]`, and application protocols such as `["http"]`.
    #[serde(deserialize_with = "list")]
    pub protocol: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "list")]
    pub network_names: Vec<String>,
}

/// The status of a pod with all its instances.
#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    pub id: String,
    /// The latest version, whatever the instances run.
    pub spec: Pod,
    #[serde(deserialize_with = "list")]
    pub instances: Vec<PodInstance>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
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
    #[serde(deserialize_with = "list")]
    pub networks: Vec<NetworkStatus>,
    #[serde(deserialize_with = "list")]
    pub containers: Vec<ContainerStatus>,
    /// `/v2/pods/<id>::versions/<version>`: the version that this instance runs.
    pub spec_reference: Option<String>,
    /// The agent's address, if `agent_hostname` is a name; not Marathon's, filled in by whoever
    /// read this.
    #[serde(rename = "x-agentAddress", skip_serializing_if = "Option::is_none")]
    pub agent_address: Option<IpAddr>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkStatus {
    pub name: Option<String>,
    #[serde(deserialize_with = "list")]
    pub addresses: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub status: String,
    pub status_since: Option<Timestamp>,
    #[serde(deserialize_with = "list")]
    pub conditions: Vec<Condition>,
    pub container_id: Option<String>,
    /// Joined to the specification by name only; the order differs.
    #[serde(deserialize_with = "list")]
    pub endpoints: Vec<EndpointStatus>,
    /// What counts where no check has a result; not Marathon's, filled in by whoever read this.
    /// Absent counts as healthy.
    #[serde(rename = "x-remembered", skip_serializing_if = "Option::is_none")]
    pub remembered: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Condition {
    pub name: String,
    #[serde(deserialize_with = "nullable")]
    pub value: String,
    #[serde(deserialize_with = "nullable")]
    pub reason: String,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
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

// === impl ContainerStatus ===

impl ContainerStatus {
    /// What the health check says; `None` if there is none or it has not run.
    pub fn healthy(&self) -> Option<bool> {
        let condition = self.conditions.iter().find(|c| c.name == "healthy");
        let reported = match condition {
            // An unreported condition reads `false` until the first check has run.
            Some(c) if c.reason == "health-unreported-by-mesos" => return None,
            Some(c) => c.value.parse().ok(),
            None => None,
        };
        let endpoints = || self.endpoints.iter().filter_map(|e| e.healthy);
        let by_endpoints = || endpoints().min();
        match (reported, by_endpoints()) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (reported, by_endpoints) => reported.or(by_endpoints),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unreported_condition_says_nothing() {
        let condition = |value: &str, reason: &str| json!([{"name": "healthy", "value": value, "reason": reason}]);
        let reported = "health-reported-by-mesos";
        for (conditions, endpoint, expected) in [
            (json!([]), json!(null), None),
            (json!([]), json!(true), Some(true)),
            (json!([]), json!(false), Some(false)),
            (condition("true", reported), json!(null), Some(true)),
            (condition("false", reported), json!(null), Some(false)),
            (
                condition("false", "health-unreported-by-mesos"),
                json!(null),
                None,
            ),
        ] {
            let status = json!({"name": "c", "conditions": conditions, "endpoints": [{"name": "e", "healthy": endpoint}]});
            let status: ContainerStatus = serde_json::from_value(status).unwrap();
            assert_eq!(status.healthy(), expected, "{conditions} {endpoint}");
        }
    }
}
