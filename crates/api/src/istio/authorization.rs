//! `AuthorizationPolicy`: who may do what with a workload.

use serde::Deserialize;
use serde_json::Value;

use super::PeerSelector;
use super::scalar;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthorizationPolicy {
    pub selector: Option<PeerSelector>,
    #[serde(alias = "target_ref")]
    pub target_ref: Option<Value>,
    #[serde(alias = "target_refs", deserialize_with = "scalar::list")]
    pub target_refs: Vec<Value>,
    #[serde(deserialize_with = "scalar::list")]
    pub rules: Vec<AuthorizationRule>,
    /// `ALLOW`, `DENY`, `AUDIT` or `CUSTOM`, or their numbers.
    #[serde(deserialize_with = "scalar::name")]
    pub action: Option<String>,
    pub provider: Option<AuthorizationProvider>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AuthorizationProvider {
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AuthorizationRule {
    pub from: Option<Vec<AuthorizationFrom>>,
    pub to: Option<Vec<AuthorizationTo>>,
    #[serde(deserialize_with = "scalar::list")]
    pub when: Vec<AuthorizationCondition>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AuthorizationFrom {
    pub source: Option<AuthorizationSource>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AuthorizationTo {
    pub operation: Option<AuthorizationOperation>,
}

/// Each list has its negation: none of these.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthorizationSource {
    #[serde(deserialize_with = "scalar::list")]
    pub principals: Vec<String>,
    #[serde(alias = "not_principals", deserialize_with = "scalar::list")]
    pub not_principals: Vec<String>,
    #[serde(alias = "request_principals", deserialize_with = "scalar::list")]
    pub request_principals: Vec<String>,
    #[serde(alias = "not_request_principals", deserialize_with = "scalar::list")]
    pub not_request_principals: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub namespaces: Vec<String>,
    #[serde(alias = "not_namespaces", deserialize_with = "scalar::list")]
    pub not_namespaces: Vec<String>,
    #[serde(alias = "service_accounts", deserialize_with = "scalar::list")]
    pub service_accounts: Vec<String>,
    #[serde(alias = "not_service_accounts", deserialize_with = "scalar::list")]
    pub not_service_accounts: Vec<String>,
    #[serde(alias = "ip_blocks", deserialize_with = "scalar::list")]
    pub ip_blocks: Vec<String>,
    #[serde(alias = "not_ip_blocks", deserialize_with = "scalar::list")]
    pub not_ip_blocks: Vec<String>,
    #[serde(alias = "remote_ip_blocks", deserialize_with = "scalar::list")]
    pub remote_ip_blocks: Vec<String>,
    #[serde(alias = "not_remote_ip_blocks", deserialize_with = "scalar::list")]
    pub not_remote_ip_blocks: Vec<String>,
    #[serde(alias = "trust_domains", deserialize_with = "scalar::list")]
    pub trust_domains: Vec<String>,
    #[serde(alias = "not_trust_domains", deserialize_with = "scalar::list")]
    pub not_trust_domains: Vec<String>,
}

/// Each list has its negation: none of these.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthorizationOperation {
    #[serde(deserialize_with = "scalar::list")]
    pub hosts: Vec<String>,
    #[serde(alias = "not_hosts", deserialize_with = "scalar::list")]
    pub not_hosts: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub ports: Vec<String>,
    #[serde(alias = "not_ports", deserialize_with = "scalar::list")]
    pub not_ports: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub methods: Vec<String>,
    #[serde(alias = "not_methods", deserialize_with = "scalar::list")]
    pub not_methods: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub paths: Vec<String>,
    #[serde(alias = "not_paths", deserialize_with = "scalar::list")]
    pub not_paths: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthorizationCondition {
    pub key: String,
    #[serde(deserialize_with = "scalar::list")]
    pub values: Vec<String>,
    #[serde(alias = "not_values", deserialize_with = "scalar::list")]
    pub not_values: Vec<String>,
}
