//! `RequestAuthentication`: whose tokens requests may carry.

use serde::Deserialize;
use serde_json::Value;

use super::PeerSelector;
use super::scalar;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestAuthentication {
    pub selector: Option<PeerSelector>,
    #[serde(alias = "target_ref")]
    pub target_ref: Option<Value>,
    #[serde(alias = "target_refs", deserialize_with = "scalar::list")]
    pub target_refs: Vec<Value>,
    #[serde(alias = "jwt_rules", deserialize_with = "scalar::list")]
    pub jwt_rules: Vec<JwtRule>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JwtRule {
    pub issuer: String,
    #[serde(deserialize_with = "scalar::list")]
    pub audiences: Vec<String>,
    #[serde(alias = "jwks_uri")]
    pub jwks_uri: Option<String>,
    pub jwks: Option<String>,
    #[serde(alias = "from_headers", deserialize_with = "scalar::list")]
    pub from_headers: Vec<JwtHeader>,
    #[serde(alias = "from_params", deserialize_with = "scalar::list")]
    pub from_params: Vec<String>,
    #[serde(alias = "from_cookies", deserialize_with = "scalar::list")]
    pub from_cookies: Vec<String>,
    #[serde(alias = "output_payload_to_header")]
    pub output_payload_to_header: Option<String>,
    #[serde(alias = "output_claim_to_headers", deserialize_with = "scalar::list")]
    pub output_claim_to_headers: Vec<ClaimToHeader>,
    #[serde(alias = "forward_original_token")]
    pub forward_original_token: Option<bool>,
    pub timeout: Option<String>,
    #[serde(alias = "space_delimited_claims", deserialize_with = "scalar::list")]
    pub space_delimited_claims: Vec<String>,
    /// `OPTIONAL` or `REQUIRED`.
    pub presence: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct JwtHeader {
    pub name: String,
    pub prefix: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ClaimToHeader {
    pub header: String,
    pub claim: String,
}
