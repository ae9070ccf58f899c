//! The JSON of the debug pages, with Pilot's field names.

use std::collections::BTreeMap;

use serde::Serialize;

/// A row of `/debug/authenticationz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Authentication {
    pub host: String,
    pub port: u16,
    /// `<name>/<namespace>`, `-` for none.
    pub authentication_policy_name: String,
    pub destination_rule_name: String,
    pub server_protocol: &'static str,
    pub client_protocol: &'static str,
    #[serde(rename = "TLS_conflict_status")]
    pub tls_conflict_status: &'static str,
}

/// A service of `/debug/registryz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistryService {
    pub hostname: String,
    /// The first virtual one, or 0.0.0.0.
    pub address: String,
    pub ports: Vec<RegistryPort>,
    #[serde(rename = "MeshExternal")]
    pub mesh_external: bool,
    /// 0 stands for load balancing by the client, 1 for names that proxies resolve, 2 for the
    /// address that a connection was going to, as in Pilot.
    #[serde(rename = "Resolution")]
    pub resolution: u8,
    #[serde(rename = "Attributes")]
    pub attributes: RegistryAttributes,
}

/// A row of `/debug/registryz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistryRow {
    #[serde(flatten)]
    pub service: RegistryService,
    /// Where requests can go, per instance.
    pub instances: Vec<RegistryInstance>,
    /// Instances of the service that are no endpoints.
    pub others: Vec<RegistryOther>,
}

/// A row of `/debug/endpointz`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EndpointRow {
    /// `<host>:<name of the port>`.
    pub svc: String,
    /// Ends in an empty object, as Pilot's does.
    pub ep: Vec<serde_json::Value>,
}

/// An endpoint of `/debug/endpointz`: Pilot's `ServiceInstance`, and its health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceInstance {
    pub endpoint: NetworkEndpoint,
    pub service: RegistryService,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(rename = "az", skip_serializing_if = "String::is_empty")]
    pub zone: String,
    #[serde(rename = "serviceaccount", skip_serializing_if = "String::is_empty")]
    pub service_account: String,
    pub health: &'static str,
    /// Whether the address works on the instance's own agent only, where it stands for the others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub same_agent: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkEndpoint {
    /// 0: TCP.
    pub family: u8,
    pub address: String,
    pub port: u16,
    pub service_port: RegistryPort,
    #[serde(rename = "UID")]
    pub uid: String,
    pub locality: String,
    pub lb_weight: u32,
}

/// An instance that is no endpoint of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistryOther {
    /// A task of an app, or an instance of a pod.
    pub id: String,
    pub workload: String,
    pub port: u16,
    /// In Marathon's words.
    pub state: String,
    pub agent: String,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistryPort {
    pub name: String,
    pub port: u16,
    pub protocol: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistryAttributes {
    #[serde(rename = "Name")]
    pub name: String,
    #[serde(rename = "Namespace")]
    pub namespace: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistryInstance {
    pub id: String,
    pub port: u16,
    /// For proxies anywhere; absent if only the same agent can reach it.
    pub address: Option<String>,
    /// What they try after it: the same in the other IP family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub also: Option<String>,
    /// For proxies on the same agent and bridge.
    pub same_agent: Option<String>,
    pub health: &'static str,
    /// Absent for instances that no Marathon runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
