//! The JSON of the debug pages, with Pilot's field names.

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
    pub address: &'static str,
    pub ports: Vec<RegistryPort>,
    #[serde(rename = "MeshExternal")]
    pub mesh_external: bool,
    /// 0 stands for load balancing by the client, as in Pilot.
    #[serde(rename = "Resolution")]
    pub resolution: u8,
    #[serde(rename = "Attributes")]
    pub attributes: RegistryAttributes,
    /// Where requests can go, per instance.
    pub instances: Vec<RegistryInstance>,
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
    /// For proxies on the same agent and bridge.
    pub same_agent: Option<String>,
    pub health: &'static str,
}
