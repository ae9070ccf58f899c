//! `WasmPlugin`: code that Istio's agent brings to its own build of Envoy.

use serde::Deserialize;
use serde_json::Value;

use super::PeerSelector;
use super::scalar;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WasmPlugin {
    pub selector: Option<PeerSelector>,
    #[serde(alias = "target_ref")]
    pub target_ref: Option<Value>,
    #[serde(alias = "target_refs", deserialize_with = "scalar::list")]
    pub target_refs: Vec<Value>,
    pub url: Option<String>,
    pub sha256: Option<String>,
    #[serde(alias = "image_pull_policy")]
    pub image_pull_policy: Option<Value>,
    #[serde(alias = "image_pull_secret")]
    pub image_pull_secret: Option<String>,
    #[serde(alias = "verification_key")]
    pub verification_key: Option<String>,
    #[serde(alias = "plugin_config")]
    pub plugin_config: Option<Value>,
    #[serde(alias = "plugin_name")]
    pub plugin_name: Option<String>,
    pub phase: Option<Value>,
    #[serde(deserialize_with = "scalar::optional")]
    pub priority: Option<i32>,
    #[serde(alias = "fail_strategy")]
    pub fail_strategy: Option<Value>,
    #[serde(alias = "vm_config")]
    pub vm_config: Option<VmConfig>,
    #[serde(rename = "match", deserialize_with = "scalar::list")]
    pub conditions: Vec<TrafficSelector>,
    #[serde(rename = "type")]
    pub plugin_type: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct VmConfig {
    #[serde(deserialize_with = "scalar::list")]
    pub env: Vec<EnvVar>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvVar {
    pub name: String,
    /// `INLINE` or `HOST`.
    #[serde(alias = "value_from", deserialize_with = "scalar::name")]
    pub value_from: Option<String>,
    pub value: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TrafficSelector {
    pub mode: Option<Value>,
    #[serde(deserialize_with = "scalar::list")]
    pub ports: Vec<TrafficPort>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TrafficPort {
    #[serde(deserialize_with = "scalar::optional")]
    pub number: Option<u32>,
}
