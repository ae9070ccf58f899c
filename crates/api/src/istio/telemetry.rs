//! `Telemetry`: tracing and access logging; metrics are kept as they are, and told.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::mesh_config::CustomTag;
use super::scalar;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Telemetry {
    pub selector: Option<Selector>,
    #[serde(alias = "target_ref")]
    pub target_ref: Option<Value>,
    #[serde(alias = "target_refs", deserialize_with = "scalar::list")]
    pub target_refs: Vec<Value>,
    #[serde(deserialize_with = "scalar::list")]
    pub tracing: Vec<Tracing>,
    #[serde(alias = "access_logging", deserialize_with = "scalar::list")]
    pub access_logging: Vec<AccessLogging>,
    #[serde(deserialize_with = "scalar::list")]
    pub metrics: Vec<Metrics>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    #[serde(alias = "match_labels")]
    pub match_labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tracing {
    #[serde(rename = "match")]
    pub conditions: Option<ModeMatch>,
    #[serde(deserialize_with = "scalar::list")]
    pub providers: Vec<ProviderRef>,
    #[serde(
        alias = "random_sampling_percentage",
        deserialize_with = "scalar::optional_float"
    )]
    pub random_sampling_percentage: Option<f64>,
    #[serde(alias = "disable_span_reporting")]
    pub disable_span_reporting: Option<bool>,
    #[serde(alias = "disable_context_propagation")]
    pub disable_context_propagation: Option<bool>,
    #[serde(alias = "use_request_id_for_trace_sampling")]
    pub use_request_id_for_trace_sampling: Option<bool>,
    #[serde(alias = "enable_istio_tags")]
    pub enable_istio_tags: Option<bool>,
    #[serde(alias = "custom_tags")]
    pub custom_tags: BTreeMap<String, CustomTag>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessLogging {
    #[serde(rename = "match")]
    pub conditions: Option<ModeMatch>,
    #[serde(deserialize_with = "scalar::list")]
    pub providers: Vec<ProviderRef>,
    pub disabled: Option<bool>,
    pub filter: Option<Filter>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ModeMatch {
    /// `CLIENT`, `SERVER` or `CLIENT_AND_SERVER`.
    pub mode: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ProviderRef {
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Filter {
    pub expression: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metrics {
    #[serde(deserialize_with = "scalar::list")]
    pub providers: Vec<ProviderRef>,
    #[serde(deserialize_with = "scalar::list")]
    pub overrides: Vec<MetricsOverride>,
    #[serde(alias = "reporting_interval")]
    pub reporting_interval: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricsOverride {
    #[serde(rename = "match")]
    pub conditions: Option<MetricSelector>,
    pub disabled: Option<bool>,
    #[serde(alias = "tag_overrides")]
    pub tag_overrides: BTreeMap<String, TagOverride>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricSelector {
    pub metric: Option<Value>,
    #[serde(alias = "custom_metric")]
    pub custom_metric: Option<String>,
    pub mode: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TagOverride {
    /// `UPSERT` or `REMOVE`, or their numbers.
    #[serde(deserialize_with = "scalar::name")]
    pub operation: Option<String>,
    pub value: Option<String>,
}
