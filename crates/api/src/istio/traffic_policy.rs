//! The traffic policies of a `DestinationRule`: of the rule, of its ports, and of its subsets.
//!
//! Both camelCase and snake_case names are read, as proto-JSON does. Choices are kept as they are
//! written; what they may be is decided where they are converted, which can name the field.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::virtual_service::PortSelector;
use super::{duration, scalar};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficPolicy {
    #[serde(alias = "load_balancer")]
    pub load_balancer: Option<LoadBalancer>,
    #[serde(alias = "connection_pool")]
    pub connection_pool: Option<ConnectionPool>,
    #[serde(alias = "outlier_detection")]
    pub outlier_detection: Option<OutlierDetection>,
    pub tls: Option<ClientTls>,
    #[serde(alias = "port_level_settings", deserialize_with = "scalar::list")]
    pub port_level_settings: Vec<PortTrafficPolicy>,
    pub tunnel: Option<Tunnel>,
    #[serde(alias = "proxy_protocol")]
    pub proxy_protocol: Option<ProxyProtocol>,
    #[serde(alias = "retry_budget")]
    pub retry_budget: Option<RetryBudget>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortTrafficPolicy {
    pub port: Option<PortSelector>,
    #[serde(alias = "load_balancer")]
    pub load_balancer: Option<LoadBalancer>,
    #[serde(alias = "connection_pool")]
    pub connection_pool: Option<ConnectionPool>,
    #[serde(alias = "outlier_detection")]
    pub outlier_detection: Option<OutlierDetection>,
    pub tls: Option<ClientTls>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancer {
    #[serde(deserialize_with = "scalar::name")]
    pub simple: Option<String>,
    #[serde(alias = "consistent_hash")]
    pub consistent_hash: Option<ConsistentHash>,
    #[serde(alias = "locality_lb_setting")]
    pub locality_lb_setting: Option<LocalityLb>,
    /// Of Istio 1.14 to 1.23; `warmup` took its place.
    #[serde(
        alias = "warmup_duration_secs",
        deserialize_with = "duration::optional"
    )]
    pub warmup_duration_secs: Option<Duration>,
    pub warmup: Option<Warmup>,
    /// Not compiled; a policy that asks for it must be told.
    #[serde(alias = "zone_aware_lb_setting")]
    pub zone_aware_lb_setting: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsistentHash {
    #[serde(alias = "http_header_name")]
    pub http_header_name: Option<String>,
    #[serde(alias = "http_cookie")]
    pub http_cookie: Option<HttpCookie>,
    #[serde(alias = "use_source_ip")]
    pub use_source_ip: Option<bool>,
    #[serde(alias = "http_query_parameter_name")]
    pub http_query_parameter_name: Option<String>,
    /// Of Istio 1.0; `ringHash` took its place.
    #[serde(alias = "minimum_ring_size", deserialize_with = "scalar::optional")]
    pub minimum_ring_size: Option<u64>,
    #[serde(alias = "ring_hash")]
    pub ring_hash: Option<RingHash>,
    pub maglev: Option<Maglev>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct HttpCookie {
    pub name: String,
    pub path: Option<String>,
    #[serde(deserialize_with = "duration::optional")]
    pub ttl: Option<Duration>,
    #[serde(deserialize_with = "scalar::list")]
    pub attributes: Vec<CookieAttribute>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CookieAttribute {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RingHash {
    #[serde(alias = "minimum_ring_size", deserialize_with = "scalar::optional")]
    pub minimum_ring_size: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Maglev {
    #[serde(alias = "table_size", deserialize_with = "scalar::optional")]
    pub table_size: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalityLb {
    #[serde(deserialize_with = "scalar::list")]
    pub distribute: Vec<Distribute>,
    #[serde(deserialize_with = "scalar::list")]
    pub failover: Vec<Failover>,
    #[serde(alias = "failover_priority", deserialize_with = "scalar::list")]
    pub failover_priority: Vec<String>,
    pub enabled: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Distribute {
    pub from: String,
    pub to: BTreeMap<String, Percentage>,
}

/// A whole number, which may be written as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
pub struct Percentage(#[serde(deserialize_with = "scalar::optional")] pub Option<u32>);

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Failover {
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Warmup {
    #[serde(deserialize_with = "duration::optional")]
    pub duration: Option<Duration>,
    #[serde(alias = "minimum_percent", deserialize_with = "scalar::optional_float")]
    pub minimum_percent: Option<f64>,
    #[serde(deserialize_with = "scalar::optional_float")]
    pub aggression: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ConnectionPool {
    pub tcp: Option<TcpPool>,
    pub http: Option<HttpPool>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpPool {
    #[serde(alias = "max_connections", deserialize_with = "scalar::optional")]
    pub max_connections: Option<i64>,
    #[serde(alias = "connect_timeout", deserialize_with = "duration::optional")]
    pub connect_timeout: Option<Duration>,
    #[serde(alias = "tcp_keepalive")]
    pub tcp_keepalive: Option<TcpKeepalive>,
    #[serde(
        alias = "max_connection_duration",
        deserialize_with = "duration::optional"
    )]
    pub max_connection_duration: Option<Duration>,
    #[serde(alias = "idle_timeout", deserialize_with = "duration::optional")]
    pub idle_timeout: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TcpKeepalive {
    #[serde(deserialize_with = "scalar::optional")]
    pub probes: Option<u32>,
    #[serde(deserialize_with = "duration::optional")]
    pub time: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    pub interval: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpPool {
    #[serde(
        alias = "http1_max_pending_requests",
        deserialize_with = "scalar::optional"
    )]
    pub http1_max_pending_requests: Option<i64>,
    #[serde(alias = "http2_max_requests", deserialize_with = "scalar::optional")]
    pub http2_max_requests: Option<i64>,
    #[serde(
        alias = "max_requests_per_connection",
        deserialize_with = "scalar::optional"
    )]
    pub max_requests_per_connection: Option<i64>,
    #[serde(alias = "max_retries", deserialize_with = "scalar::optional")]
    pub max_retries: Option<i64>,
    #[serde(alias = "idle_timeout", deserialize_with = "duration::optional")]
    pub idle_timeout: Option<Duration>,
    #[serde(alias = "h2_upgrade_policy", deserialize_with = "scalar::name")]
    pub h2_upgrade_policy: Option<String>,
    #[serde(alias = "use_client_protocol")]
    pub use_client_protocol: Option<bool>,
    #[serde(
        alias = "max_concurrent_streams",
        deserialize_with = "scalar::optional"
    )]
    pub max_concurrent_streams: Option<i64>,
    #[serde(alias = "http2_keep_alive")]
    pub http2_keep_alive: Option<Http2KeepAlive>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Http2KeepAlive {
    #[serde(deserialize_with = "duration::optional")]
    pub interval: Option<Duration>,
    #[serde(deserialize_with = "duration::optional")]
    pub timeout: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutlierDetection {
    /// Of Istio 1.0: gateway errors only.
    #[serde(alias = "consecutive_errors", deserialize_with = "scalar::optional")]
    pub consecutive_errors: Option<i64>,
    #[serde(
        alias = "consecutive_5xx_errors",
        deserialize_with = "scalar::optional"
    )]
    pub consecutive_5xx_errors: Option<u32>,
    #[serde(
        alias = "consecutive_gateway_errors",
        deserialize_with = "scalar::optional"
    )]
    pub consecutive_gateway_errors: Option<u32>,
    #[serde(alias = "split_external_local_origin_errors")]
    pub split_external_local_origin_errors: Option<bool>,
    #[serde(
        alias = "consecutive_local_origin_failures",
        deserialize_with = "scalar::optional"
    )]
    pub consecutive_local_origin_failures: Option<u32>,
    #[serde(deserialize_with = "duration::optional")]
    pub interval: Option<Duration>,
    #[serde(alias = "base_ejection_time", deserialize_with = "duration::optional")]
    pub base_ejection_time: Option<Duration>,
    #[serde(alias = "max_ejection_percent", deserialize_with = "scalar::optional")]
    pub max_ejection_percent: Option<i64>,
    #[serde(alias = "min_health_percent", deserialize_with = "scalar::optional")]
    pub min_health_percent: Option<i64>,
    /// Which answers count as errors, in place of all 5xx.
    #[serde(
        alias = "outlier_detection_http_error_codes",
        deserialize_with = "scalar::list"
    )]
    pub outlier_detection_http_error_codes: Vec<serde_json::Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientTls {
    #[serde(deserialize_with = "scalar::name")]
    pub mode: Option<String>,
    #[serde(alias = "client_certificate")]
    pub client_certificate: Option<String>,
    #[serde(alias = "private_key")]
    pub private_key: Option<String>,
    #[serde(alias = "ca_certificates")]
    pub ca_certificates: Option<String>,
    #[serde(alias = "credential_name")]
    pub credential_name: Option<String>,
    #[serde(alias = "subject_alt_names", deserialize_with = "scalar::list")]
    pub subject_alt_names: Vec<String>,
    pub sni: Option<String>,
    #[serde(alias = "insecure_skip_verify")]
    pub insecure_skip_verify: Option<bool>,
    #[serde(alias = "ca_crl")]
    pub ca_crl: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tunnel {
    pub protocol: Option<String>,
    #[serde(alias = "target_host")]
    pub target_host: String,
    #[serde(alias = "target_port", deserialize_with = "scalar::optional")]
    pub target_port: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ProxyProtocol {
    #[serde(deserialize_with = "scalar::name")]
    pub version: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryBudget {
    #[serde(deserialize_with = "scalar::optional_percent")]
    pub percent: Option<f64>,
    #[serde(alias = "min_retry_concurrency", deserialize_with = "scalar::optional")]
    pub min_retry_concurrency: Option<u32>,
    #[serde(alias = "budget_interval", deserialize_with = "duration::optional")]
    pub budget_interval: Option<Duration>,
}
