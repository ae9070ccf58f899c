//! `MeshPolicy`, `Policy` and `PeerAuthentication`: what workloads demand of those who connect, and
//! of their requests.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::Value;

use super::scalar;

/// The spec of `MeshPolicy` and `Policy`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    #[serde(deserialize_with = "scalar::list")]
    pub targets: Vec<PolicyTarget>,
    #[serde(deserialize_with = "scalar::list")]
    pub peers: Vec<PeerMethod>,
    #[serde(alias = "peer_is_optional")]
    pub peer_is_optional: Option<bool>,
    #[serde(deserialize_with = "scalar::list")]
    pub origins: Vec<OriginMethod>,
    #[serde(alias = "origin_is_optional")]
    pub origin_is_optional: Option<bool>,
    #[serde(alias = "principal_binding")]
    pub principal_binding: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PolicyTarget {
    pub name: String,
    #[serde(deserialize_with = "scalar::list")]
    pub ports: Vec<PolicyPort>,
    pub labels: Option<BTreeMap<String, String>>,
}

/// Exactly one of both.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PolicyPort {
    #[serde(deserialize_with = "scalar::optional")]
    pub number: Option<u32>,
    pub name: Option<String>,
}

/// One way in which a peer may prove who it is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PeerMethod {
    /// The key alone is what counts: `mtls: null` is `mtls: {}`.
    #[serde(deserialize_with = "present")]
    pub mtls: Option<PolicyMtls>,
    pub jwt: Option<Value>,
}

/// One way in which an end user may prove who they are.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct OriginMethod {
    pub jwt: Option<PolicyJwt>,
}

/// Whose tokens are good, and for which paths one is needed.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyJwt {
    pub issuer: String,
    #[serde(deserialize_with = "scalar::list")]
    pub audiences: Vec<String>,
    #[serde(alias = "jwks_uri")]
    pub jwks_uri: Option<String>,
    pub jwks: Option<String>,
    #[serde(alias = "jwt_headers", deserialize_with = "scalar::list")]
    pub jwt_headers: Vec<String>,
    #[serde(alias = "jwt_params", deserialize_with = "scalar::list")]
    pub jwt_params: Vec<String>,
    #[serde(alias = "trigger_rules", deserialize_with = "scalar::list")]
    pub trigger_rules: Vec<TriggerRule>,
}

/// Paths for which tokens are looked at.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TriggerRule {
    #[serde(alias = "excluded_paths", deserialize_with = "scalar::list")]
    pub excluded_paths: Vec<TriggerPath>,
    #[serde(alias = "included_paths", deserialize_with = "scalar::list")]
    pub included_paths: Vec<TriggerPath>,
}

/// Exactly one of the four.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TriggerPath {
    pub exact: Option<String>,
    pub prefix: Option<String>,
    pub suffix: Option<String>,
    pub regex: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyMtls {
    /// `STRICT` or `PERMISSIVE`, or their numbers.
    pub mode: Option<Value>,
    #[serde(alias = "allow_tls")]
    pub allow_tls: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PeerAuthentication {
    pub selector: Option<PeerSelector>,
    pub mtls: Option<PeerMtls>,
    /// By the port of the workload.
    #[serde(alias = "port_level_mtls")]
    pub port_level_mtls: Option<BTreeMap<String, PeerMtls>>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PeerSelector {
    #[serde(alias = "match_labels")]
    pub match_labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PeerMtls {
    /// `UNSET`, `DISABLE`, `PERMISSIVE` or `STRICT`, or their numbers.
    pub mode: Option<Value>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PolicyMtls>, D::Error> {
    let inner = Option::<PolicyMtls>::deserialize(deserializer)?;
    Ok(Some(inner.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::istio::decode;

    #[test]
    fn a_peer_of_null_is_a_peer_with_mtls() {
        let spec = json!({"peers": [{"mtls": null}, {"mtls": {}}, {"jwt": {}}, {}]});
        let policy = decode::<Policy>(&spec).unwrap().spec;
        let peers: Vec<bool> = policy.peers.iter().map(|p| p.mtls.is_some()).collect();
        assert_eq!(peers, [true, true, false, false]);
    }

    #[test]
    fn both_spellings_are_read() {
        let spec = json!({
            "peers": [{"mtls": {"mode": "PERMISSIVE", "allow_tls": true}}],
            "peer_is_optional": true,
            "targets": [{"name": "a", "ports": [{"number": 80}, {"name": "http"}]}],
        });
        let decoded = decode::<Policy>(&spec).unwrap();
        assert!(decoded.ignored.is_empty());
        let mtls = decoded.spec.peers[0].mtls.clone().unwrap();
        assert_eq!(mtls.allow_tls, Some(true));
        assert_eq!(decoded.spec.targets[0].ports[0].number, Some(80));
    }
}
