//! Istio's first authorization: `RbacConfig`, `ClusterRbacConfig`, `ServiceRole` and
//! `ServiceRoleBinding`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::scalar;

/// The spec of `RbacConfig` and `ClusterRbacConfig`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RbacConfig {
    /// `OFF`, `ON`, `ON_WITH_INCLUSION` or `ON_WITH_EXCLUSION`, or their numbers.
    pub mode: Option<Value>,
    pub inclusion: Option<RbacTarget>,
    pub exclusion: Option<RbacTarget>,
    /// `ENFORCED` or `PERMISSIVE`, or their numbers.
    #[serde(alias = "enforcement_mode")]
    pub enforcement_mode: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RbacTarget {
    #[serde(deserialize_with = "scalar::list")]
    pub services: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub namespaces: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ServiceRole {
    #[serde(deserialize_with = "scalar::list")]
    pub rules: Vec<AccessRule>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AccessRule {
    #[serde(deserialize_with = "scalar::list")]
    pub services: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub paths: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub methods: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub constraints: Vec<AccessConstraint>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AccessConstraint {
    pub key: String,
    #[serde(deserialize_with = "scalar::list")]
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceRoleBinding {
    #[serde(deserialize_with = "scalar::list")]
    pub subjects: Vec<RoleSubject>,
    #[serde(alias = "role_ref")]
    pub role_ref: Option<RoleRef>,
    /// `ENFORCED` or `PERMISSIVE`, or their numbers.
    #[serde(alias = "enforcement_mode")]
    pub enforcement_mode: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RoleSubject {
    pub user: Option<String>,
    pub group: Option<String>,
    pub properties: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RoleRef {
    pub kind: String,
    pub name: String,
}
