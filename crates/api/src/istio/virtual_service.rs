//! `VirtualService`: how requests to a host are routed.
//!
//! Both camelCase and snake_case names are read, as proto-JSON does, and the spellings of the first
//! versions of Istio.

mod cors;
mod legacy;
mod mirror;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::StringMatch;
use super::connection::{TcpRoute, TlsRoute};
use super::{duration, scalar};

pub use cors::{CorsPolicy, UnmatchedPreflights};
pub use legacy::HeaderNames;
pub use mirror::Mirror;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualService {
    #[serde(deserialize_with = "scalar::list")]
    pub hosts: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub gateways: Vec<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub http: Vec<HttpRoute>,
    #[serde(deserialize_with = "scalar::list")]
    pub tls: Vec<TlsRoute>,
    #[serde(deserialize_with = "scalar::list")]
    pub tcp: Vec<TcpRoute>,
    #[serde(alias = "export_to", deserialize_with = "scalar::list")]
    pub export_to: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRoute {
    pub name: Option<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub r#match: Vec<HttpMatch>,
    #[serde(deserialize_with = "scalar::list")]
    pub route: Vec<RouteDestination>,
    pub redirect: Option<Redirect>,
    #[serde(alias = "direct_response")]
    pub direct_response: Option<DirectResponse>,
    pub rewrite: Option<Rewrite>,
    #[serde(deserialize_with = "duration::optional")]
    pub timeout: Option<Duration>,
    pub retries: Option<Retries>,
    pub fault: Option<Fault>,
    pub headers: Option<Headers>,
    pub delegate: Option<Delegate>,
    pub mirror: Option<Destination>,
    /// The integer of Istio 1.4; `mirrorPercentage` wins over it.
    #[serde(alias = "mirror_percent", deserialize_with = "scalar::optional")]
    pub mirror_percent: Option<u32>,
    #[serde(alias = "mirror_percentage")]
    pub mirror_percentage: Option<Percent>,
    #[serde(deserialize_with = "scalar::list")]
    pub mirrors: Vec<Mirror>,
    #[serde(alias = "cors_policy")]
    pub cors_policy: Option<CorsPolicy>,
    /// Of Istio 1.0, where web sockets had to be allowed; now they always are.
    #[serde(alias = "websocket_upgrade", deserialize_with = "scalar::or_default")]
    pub websocket_upgrade: bool,
    /// Of Istio 1.0: `headers.request.add`.
    #[serde(alias = "append_headers", deserialize_with = "scalar::or_default")]
    pub append_headers: BTreeMap<String, String>,
    #[serde(
        alias = "append_request_headers",
        deserialize_with = "scalar::or_default"
    )]
    pub append_request_headers: BTreeMap<String, String>,
    #[serde(
        alias = "append_response_headers",
        deserialize_with = "scalar::or_default"
    )]
    pub append_response_headers: BTreeMap<String, String>,
    #[serde(
        alias = "remove_request_headers",
        deserialize_with = "scalar::or_default"
    )]
    pub remove_request_headers: HeaderNames,
    #[serde(
        alias = "remove_response_headers",
        deserialize_with = "scalar::or_default"
    )]
    pub remove_response_headers: HeaderNames,
}

/// Another virtual service, whose routes take the place of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Delegate {
    #[serde(deserialize_with = "scalar::or_default")]
    pub name: String,
    #[serde(deserialize_with = "scalar::or_default")]
    pub namespace: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpMatch {
    pub name: Option<String>,
    pub uri: Option<StringMatch>,
    pub scheme: Option<StringMatch>,
    pub method: Option<StringMatch>,
    pub authority: Option<StringMatch>,
    #[serde(deserialize_with = "scalar::or_default")]
    pub headers: BTreeMap<String, StringMatch>,
    #[serde(alias = "without_headers", deserialize_with = "scalar::or_default")]
    pub without_headers: BTreeMap<String, StringMatch>,
    #[serde(alias = "query_params", deserialize_with = "scalar::or_default")]
    pub query_params: BTreeMap<String, StringMatch>,
    #[serde(deserialize_with = "scalar::optional")]
    pub port: Option<u16>,
    #[serde(alias = "source_labels", deserialize_with = "scalar::or_default")]
    pub source_labels: BTreeMap<String, String>,
    #[serde(alias = "source_namespace")]
    pub source_namespace: Option<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub gateways: Vec<String>,
    #[serde(alias = "ignore_uri_case", deserialize_with = "scalar::or_default")]
    pub ignore_uri_case: bool,
    #[serde(alias = "stat_prefix")]
    pub stat_prefix: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteDestination {
    pub destination: Option<Destination>,
    #[serde(deserialize_with = "scalar::optional")]
    pub weight: Option<u32>,
    pub headers: Option<Headers>,
    #[serde(
        alias = "append_request_headers",
        deserialize_with = "scalar::or_default"
    )]
    pub append_request_headers: BTreeMap<String, String>,
    #[serde(
        alias = "append_response_headers",
        deserialize_with = "scalar::or_default"
    )]
    pub append_response_headers: BTreeMap<String, String>,
    #[serde(
        alias = "remove_request_headers",
        deserialize_with = "scalar::or_default"
    )]
    pub remove_request_headers: HeaderNames,
    #[serde(
        alias = "remove_response_headers",
        deserialize_with = "scalar::or_default"
    )]
    pub remove_response_headers: HeaderNames,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Destination {
    #[serde(deserialize_with = "scalar::or_default")]
    pub host: String,
    pub subset: Option<String>,
    pub port: Option<PortSelector>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PortSelector {
    #[serde(deserialize_with = "scalar::optional")]
    pub number: Option<u16>,
    /// Until Istio 1.3.
    pub name: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Redirect {
    pub uri: Option<String>,
    pub authority: Option<String>,
    pub scheme: Option<String>,
    #[serde(deserialize_with = "scalar::optional")]
    pub port: Option<u16>,
    #[serde(alias = "redirect_code", deserialize_with = "scalar::optional")]
    pub redirect_code: Option<u32>,
    #[serde(alias = "derive_port", deserialize_with = "derive_port")]
    pub derive_port: Option<DerivePort>,
    #[serde(alias = "prefix_rewrite")]
    pub prefix_rewrite: Option<String>,
}

/// Where the port of a redirect comes from, if not from a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DerivePort {
    FromProtocolDefault,
    FromRequestPort,
}

fn derive_port<'de, D: Deserializer<'de>>(d: D) -> Result<Option<DerivePort>, D::Error> {
    let names = &["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"];
    Ok(scalar::choice(d, names)?.map(|name| match name {
        "FROM_REQUEST_PORT" => DerivePort::FromRequestPort,
        _ => DerivePort::FromProtocolDefault,
    }))
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DirectResponse {
    #[serde(deserialize_with = "scalar::optional")]
    pub status: Option<u32>,
    pub body: Option<Body>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Body {
    pub string: Option<String>,
    /// In base64, as proto-JSON has it.
    pub bytes: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rewrite {
    pub uri: Option<String>,
    pub authority: Option<String>,
    #[serde(alias = "uri_regex_rewrite")]
    pub uri_regex_rewrite: Option<RegexRewrite>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RegexRewrite {
    #[serde(deserialize_with = "scalar::or_default")]
    pub r#match: String,
    #[serde(deserialize_with = "scalar::or_default")]
    pub rewrite: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retries {
    #[serde(deserialize_with = "scalar::optional")]
    pub attempts: Option<u32>,
    #[serde(alias = "per_try_timeout", deserialize_with = "duration::optional")]
    pub per_try_timeout: Option<Duration>,
    #[serde(alias = "retry_on")]
    pub retry_on: Option<String>,
    #[serde(alias = "retry_remote_localities")]
    pub retry_remote_localities: Option<bool>,
    #[serde(alias = "retry_ignore_previous_hosts")]
    pub retry_ignore_previous_hosts: Option<bool>,
    #[serde(deserialize_with = "duration::optional")]
    pub backoff: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Fault {
    pub delay: Option<Delay>,
    pub abort: Option<Abort>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Delay {
    /// The integer of Istio 1.0; `percentage` wins over it.
    #[serde(deserialize_with = "scalar::optional")]
    pub percent: Option<u32>,
    pub percentage: Option<Percent>,
    #[serde(alias = "fixed_delay", deserialize_with = "duration::optional")]
    pub fixed_delay: Option<Duration>,
    /// Never worked in any Istio.
    #[serde(alias = "exponential_delay", deserialize_with = "duration::optional")]
    pub exponential_delay: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Abort {
    /// The integer of Istio 1.0; `percentage` wins over it.
    #[serde(deserialize_with = "scalar::optional")]
    pub percent: Option<u32>,
    pub percentage: Option<Percent>,
    #[serde(alias = "http_status", deserialize_with = "scalar::optional")]
    pub http_status: Option<u32>,
    #[serde(alias = "grpc_status")]
    pub grpc_status: Option<String>,
    /// Never worked in any Istio.
    #[serde(alias = "http2_error")]
    pub http2_error: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Percent {
    #[serde(deserialize_with = "scalar::optional_float")]
    pub value: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Headers {
    #[serde(deserialize_with = "scalar::or_default")]
    pub request: HeaderOperations,
    #[serde(deserialize_with = "scalar::or_default")]
    pub response: HeaderOperations,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct HeaderOperations {
    #[serde(deserialize_with = "scalar::or_default")]
    pub set: BTreeMap<String, String>,
    #[serde(deserialize_with = "scalar::or_default")]
    pub add: BTreeMap<String, String>,
    #[serde(deserialize_with = "scalar::list")]
    pub remove: Vec<String>,
}
