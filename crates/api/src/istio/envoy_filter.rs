//! `EnvoyFilter`: patches of today's shape, and the filters of Istio 1.0 to 1.5.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::scalar;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvoyFilter {
    #[serde(alias = "workload_selector")]
    pub workload_selector: Option<WorkloadLabels>,
    #[serde(alias = "target_refs", deserialize_with = "scalar::list")]
    pub target_refs: Vec<Value>,
    #[serde(alias = "config_patches", deserialize_with = "scalar::list")]
    pub config_patches: Vec<ConfigPatch>,
    #[serde(deserialize_with = "scalar::optional")]
    pub priority: Option<i32>,
    #[serde(alias = "workload_labels")]
    pub workload_labels: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "scalar::list")]
    pub filters: Vec<LegacyFilter>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct WorkloadLabels {
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigPatch {
    #[serde(alias = "apply_to")]
    pub apply_to: String,
    #[serde(rename = "match")]
    pub conditions: Option<PatchMatch>,
    pub patch: Option<Patch>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Patch {
    pub operation: String,
    pub value: Option<Value>,
    #[serde(alias = "filter_class")]
    pub filter_class: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PatchMatch {
    pub context: Option<String>,
    pub proxy: Option<Value>,
    pub listener: Option<ListenerMatch>,
    #[serde(alias = "route_configuration")]
    pub route_configuration: Option<RoutesMatch>,
    pub cluster: Option<ClusterMatch>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerMatch {
    #[serde(alias = "port_number", deserialize_with = "scalar::optional")]
    pub port_number: Option<u16>,
    #[serde(alias = "port_name")]
    pub port_name: Option<String>,
    #[serde(alias = "filter_chain")]
    pub filter_chain: Option<ChainMatch>,
    #[serde(alias = "listener_filter")]
    pub listener_filter: Option<String>,
    pub name: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChainMatch {
    pub name: Option<String>,
    pub sni: Option<String>,
    #[serde(alias = "transport_protocol")]
    pub transport_protocol: Option<String>,
    /// A comma list.
    #[serde(alias = "application_protocols")]
    pub application_protocols: Option<String>,
    pub filter: Option<FilterMatch>,
    #[serde(alias = "destination_port", deserialize_with = "scalar::optional")]
    pub destination_port: Option<u16>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FilterMatch {
    pub name: Option<String>,
    #[serde(alias = "sub_filter")]
    pub sub_filter: Option<SubFilterMatch>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SubFilterMatch {
    pub name: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoutesMatch {
    #[serde(alias = "port_number", deserialize_with = "scalar::optional")]
    pub port_number: Option<u16>,
    #[serde(alias = "port_name")]
    pub port_name: Option<String>,
    pub gateway: Option<String>,
    pub vhost: Option<VirtualHostMatch>,
    pub name: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualHostMatch {
    pub name: Option<String>,
    #[serde(alias = "domain_name")]
    pub domain_name: Option<String>,
    pub route: Option<RouteMatch>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RouteMatch {
    pub name: Option<String>,
    pub action: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterMatch {
    #[serde(alias = "port_number", deserialize_with = "scalar::optional")]
    pub port_number: Option<u16>,
    pub service: Option<String>,
    pub subset: Option<String>,
    pub name: Option<String>,
}

/// A filter of Istio 1.0, whose configuration has no type.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LegacyFilter {
    #[serde(alias = "listener_match")]
    pub listener_match: Option<LegacyListenerMatch>,
    #[serde(alias = "insert_position")]
    pub insert_position: Option<InsertPosition>,
    /// `HTTP` or `NETWORK`.
    #[serde(alias = "filter_type")]
    pub filter_type: Option<String>,
    #[serde(alias = "filter_name")]
    pub filter_name: String,
    #[serde(alias = "filter_config")]
    pub filter_config: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LegacyListenerMatch {
    #[serde(alias = "port_number", deserialize_with = "scalar::optional")]
    pub port_number: Option<u16>,
    #[serde(alias = "port_name_prefix")]
    pub port_name_prefix: Option<String>,
    #[serde(alias = "listener_type")]
    pub listener_type: Option<String>,
    #[serde(alias = "listener_protocol")]
    pub listener_protocol: Option<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub address: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InsertPosition {
    /// `FIRST`, `LAST`, `BEFORE` or `AFTER`.
    pub index: Option<String>,
    #[serde(alias = "relative_to")]
    pub relative_to: Option<String>,
}
