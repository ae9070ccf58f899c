//! `VirtualService`: how requests to a host are routed.
//!
//! Both camelCase and snake_case names are read, as proto-JSON does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::StringMatch;
use super::connection::{TcpRoute, TlsRoute};
use super::{duration, scalar};

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
    /// Not compiled yet; a route that delegates must not be mistaken for an empty one.
    pub delegate: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpMatch {
    pub name: Option<String>,
    pub uri: Option<StringMatch>,
    pub scheme: Option<StringMatch>,
    pub method: Option<StringMatch>,
    pub authority: Option<StringMatch>,
    pub headers: BTreeMap<String, StringMatch>,
    #[serde(alias = "without_headers")]
    pub without_headers: BTreeMap<String, StringMatch>,
    #[serde(alias = "query_params")]
    pub query_params: BTreeMap<String, StringMatch>,
    #[serde(deserialize_with = "scalar::optional")]
    pub port: Option<u16>,
    #[serde(alias = "source_labels")]
    pub source_labels: BTreeMap<String, String>,
    #[serde(alias = "source_namespace")]
    pub source_namespace: Option<String>,
    #[serde(deserialize_with = "scalar::list")]
    pub gateways: Vec<String>,
    #[serde(alias = "ignore_uri_case")]
    pub ignore_uri_case: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RouteDestination {
    pub destination: Option<Destination>,
    #[serde(deserialize_with = "scalar::optional")]
    pub weight: Option<u32>,
    pub headers: Option<Headers>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Destination {
    pub host: String,
    pub subset: Option<String>,
    pub port: Option<PortSelector>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PortSelector {
    #[serde(deserialize_with = "scalar::optional")]
    pub number: Option<u16>,
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
    pub r#match: String,
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
    pub request: HeaderOperations,
    pub response: HeaderOperations,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct HeaderOperations {
    pub set: BTreeMap<String, String>,
    pub add: BTreeMap<String, String>,
    #[serde(deserialize_with = "scalar::list")]
    pub remove: Vec<String>,
}
