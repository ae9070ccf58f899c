//! `DestinationRule`: what applies to requests after they were routed to a host.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::traffic_policy::TrafficPolicy;
use super::{WorkloadSelector, scalar};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DestinationRule {
    pub host: String,
    #[serde(alias = "traffic_policy")]
    pub traffic_policy: Option<TrafficPolicy>,
    #[serde(deserialize_with = "scalar::list")]
    pub subsets: Vec<Subset>,
    #[serde(alias = "export_to", deserialize_with = "scalar::list")]
    pub export_to: Vec<String>,
    #[serde(alias = "workload_selector")]
    pub workload_selector: Option<WorkloadSelector>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subset {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    #[serde(alias = "traffic_policy")]
    pub traffic_policy: Option<TrafficPolicy>,
}
