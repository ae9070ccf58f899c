//! `ServiceEntry` and `WorkloadEntry`: services and endpoints that no workload brings.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::scalar;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceEntry {
    #[serde(deserialize_with = "scalar::list")]
    pub hosts: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub addresses: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub ports: Vec<EntryPort>,
    /// `MESH_EXTERNAL` or `MESH_INTERNAL`.
    pub location: Option<String>,
    pub resolution: Option<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub endpoints: Vec<WorkloadEntry>,
    #[serde(alias = "workload_selector")]
    pub workload_selector: Option<WorkloadSelector>,
    #[serde(alias = "export_to", deserialize_with = "scalar::list")]
    pub export_to: Vec<String>,
    #[serde(alias = "subject_alt_names", deserialize_with = "scalar::list")]
    pub subject_alt_names: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EntryPort {
    #[serde(deserialize_with = "scalar::optional")]
    pub number: Option<u16>,
    pub protocol: String,
    pub name: String,
    #[serde(alias = "target_port", deserialize_with = "scalar::optional")]
    pub target_port: Option<u16>,
}

/// A workload outside of the registry; also an endpoint of a service entry.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadEntry {
    pub address: String,
    /// Ports by name.
    pub ports: BTreeMap<String, u16>,
    pub labels: BTreeMap<String, String>,
    pub network: Option<String>,
    /// `region/zone/subzone`
    pub locality: Option<String>,
    #[serde(deserialize_with = "scalar::optional")]
    pub weight: Option<u32>,
    #[serde(alias = "service_account")]
    pub service_account: Option<String>,
}

/// Labels that select; the older spelling is `labels`, the newer `matchLabels`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadSelector {
    #[serde(alias = "matchLabels", alias = "match_labels")]
    pub labels: BTreeMap<String, String>,
}
