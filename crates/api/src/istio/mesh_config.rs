//! The mesh config file: the knobs that change what is generated.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeshConfig {
    #[serde(alias = "connect_timeout", deserialize_with = "duration::optional")]
    pub connect_timeout: Option<Duration>,
    #[serde(alias = "outbound_traffic_policy")]
    pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
    #[serde(alias = "access_log_file")]
    pub access_log_file: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct OutboundTrafficPolicy {
    /// `ALLOW_ANY` or `REGISTRY_ONLY`.
    pub mode: Option<String>,
}
