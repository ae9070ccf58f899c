//! Apps and their tasks: `/v2/apps?embed=apps.tasks`.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{list, nullable};

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct App {
    pub id: String,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "list")]
    pub networks: Vec<Network>,
    pub container: Option<Container>,
    #[serde(deserialize_with = "list")]
    pub port_definitions: Vec<PortDefinition>,
    /// Whether the ports of `port_definitions` are those of the agent.
    #[serde(deserialize_with = "nullable")]
    pub require_ports: bool,
    /// Networking of apps with an address of their own, before 1.5.
    pub ip_address: Option<OwnAddress>,
    /// The version of this document.
    pub version: Option<Timestamp>,
    pub version_info: Option<VersionInfo>,
    #[serde(deserialize_with = "list")]
    pub tasks: Vec<Task>,
    #[serde(deserialize_with = "list")]
    pub health_checks: Vec<serde_json::Value>,
    /// The deployments in flight that concern the app.
    #[serde(deserialize_with = "list")]
    pub deployments: Vec<serde_json::Value>,
    #[serde(deserialize_with = "list")]
    pub readiness_checks: Vec<ReadinessCheck>,
    /// Present during deployments only, for tasks whose readiness is being checked.
    #[serde(deserialize_with = "list")]
    pub readiness_check_results: Vec<ReadinessCheckResult>,
}

/// `ipAddress` of an app, which Marathon 1.5 replaced by `networks`.
#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnAddress {
    pub network_name: Option<String>,
    pub discovery: Option<Discovery>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Discovery {
    #[serde(deserialize_with = "list")]
    pub ports: Vec<DiscoveryPort>,
}

/// A port that the container listens on under its own address.
#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveryPort {
    #[serde(deserialize_with = "nullable")]
    pub number: u16,
    pub name: Option<String>,
    pub protocol: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadinessCheck {
    pub protocol: Option<String>,
    pub port_name: Option<String>,
    pub interval_seconds: Option<u64>,
    pub timeout_seconds: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadinessCheckResult {
    #[serde(deserialize_with = "nullable")]
    pub task_id: String,
    pub ready: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VersionInfo {
    /// A task whose version is not older runs the present configuration (scaling changes `version` only).
    pub last_config_change_at: Option<Timestamp>,
}

/// `networks[]`, since Marathon 1.5; equal for apps and pods.
#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// `host`, `container/bridge` or `container`.
    pub mode: Option<String>,
    pub name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    pub r#type: Option<String>,
    #[serde(deserialize_with = "list")]
    pub port_mappings: Vec<PortMapping>,
    pub docker: Option<Docker>,
}

/// The networking that Marathon kept inside `docker` before 1.5.
#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Docker {
    pub network: Option<String>,
    #[serde(deserialize_with = "list")]
    pub port_mappings: Vec<PortMapping>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
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
    #[serde(deserialize_with = "list")]
    pub network_names: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortDefinition {
    #[serde(deserialize_with = "nullable")]
    pub port: u16,
    pub protocol: Option<String>,
    pub name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Task {
    pub id: String,
    /// What the agent advertises: an address or a host name.
    #[serde(deserialize_with = "nullable")]
    pub host: String,
    #[serde(deserialize_with = "nullable")]
    pub state: String,
    /// Host ports in mapping order, mappings without a host port left out. Empty for inactive tasks.
    #[serde(deserialize_with = "list")]
    pub ports: Vec<u16>,
    #[serde(deserialize_with = "list")]
    pub ip_addresses: Vec<IpAddress>,
    pub started_at: Option<Timestamp>,
    pub version: Option<Timestamp>,
    #[serde(deserialize_with = "list")]
    pub health_check_results: Vec<HealthCheckResult>,
    pub region: Option<String>,
    pub zone: Option<String>,
    /// The agent's address, if `host` is a name; not Marathon's, filled in by whoever read this.
    #[serde(rename = "x-agentAddress", skip_serializing_if = "Option::is_none")]
    pub agent_address: Option<IpAddr>,
    /// What counts where no check has a result, likewise filled in; absent counts as healthy.
    #[serde(rename = "x-remembered", skip_serializing_if = "Option::is_none")]
    pub remembered: Option<bool>,
    /// Whether the first result of a readiness check is still to come, likewise filled in.
    #[serde(rename = "x-awaited", skip_serializing_if = "std::ops::Not::not")]
    pub awaited: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IpAddress {
    #[serde(deserialize_with = "nullable")]
    pub ip_address: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheckResult {
    pub alive: Option<bool>,
    pub last_failure: Option<Timestamp>,
    pub last_success: Option<Timestamp>,
}

// === impl HealthCheckResult ===

/// Without the times, of which only the presence tells something: a check that passes once more is
/// no news.
impl Hash for HealthCheckResult {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let HealthCheckResult {
            alive,
            last_failure,
            last_success,
        } = self;
        (alive, last_failure.is_some(), last_success.is_some()).hash(state);
    }
}

// === impl Task ===

impl Task {
    /// What the health checks say; `None` while none failed and one has no result yet.
    pub fn healthy(&self) -> Option<bool> {
        let results = &self.health_check_results;
        // `alive: false` without any failure means that no check has run yet.
        let failed = |r: &HealthCheckResult| r.alive == Some(false) && r.last_failure.is_some();
        if results.iter().any(failed) {
            return Some(false);
        }
        let alive = !results.is_empty() && results.iter().all(|r| r.alive == Some(true));
        alive.then_some(true)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(results: serde_json::Value) -> Task {
        serde_json::from_value(json!({"id": "t", "healthCheckResults": results})).unwrap()
    }

    #[test]
    fn a_verdict_needs_a_result_of_every_check_or_one_failure() {
        let alive = json!({"alive": true});
        let failed = json!({"alive": false, "lastFailure": "2024-05-02T00:00:00Z"});
        let open = json!({"alive": false});
        for (results, expected) in [
            (json!([]), None),
            (json!([alive]), Some(true)),
            (json!([alive, failed]), Some(false)),
            (json!([failed, open]), Some(false)),
            (json!([alive, open]), None),
            (json!([open]), None),
        ] {
            assert_eq!(task(results.clone()).healthy(), expected, "{results}");
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_null_is_absent() {
        let app = json!({
            "id": "/a", "version": "2024-05-02T00:00:00Z", "labels": null, "networks": null,
            "unreachableStrategy": "disabled",
            "ipAddress": {"networkName": "dcos", "discovery": {"ports": [{"number": 80, "name": "http", "protocol": "tcp"}]}},
            "tasks": [{"id": "t", "host": "agent", "ports": [1], "x-agentAddress": "10.0.0.1"}],
        });
        let app: App = serde_json::from_value(app).unwrap();
        assert_eq!(app.tasks[0].agent_address, "10.0.0.1".parse().ok());
        let written = serde_json::to_string(&app).unwrap();
        assert_eq!(serde_json::from_str::<App>(&written).unwrap(), app);
    }

    /// Row 45 of the edge cases: the strategy is an object or a text.
    #[test]
    fn row45_an_unreachable_strategy_may_be_a_text() {
        for strategy in [
            json!("disabled"),
            json!({"inactiveAfterSeconds": 0}),
            json!(null),
        ] {
            let app = json!({"id": "/a", "unreachableStrategy": strategy});
            assert_eq!(serde_json::from_value::<App>(app).unwrap().id, "/a");
        }
    }
}
