//! The mesh config file: the knobs that change what is generated.
//!
//! Fields that Istio knows and that are not here are told as ignored by whoever reads the file.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::traffic_policy::LocalityLb;
use super::{duration, scalar};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeshConfig {
    #[serde(alias = "connect_timeout", deserialize_with = "duration::optional")]
    pub connect_timeout: Option<Duration>,
    #[serde(alias = "outbound_traffic_policy")]
    pub outbound_traffic_policy: Option<Mode>,
    #[serde(alias = "inbound_traffic_policy")]
    pub inbound_traffic_policy: Option<Mode>,
    #[serde(alias = "enable_auto_mtls")]
    pub enable_auto_mtls: Option<bool>,
    /// `NONE` or `MUTUAL_TLS`, of Istio 1.0.
    #[serde(alias = "auth_policy")]
    pub auth_policy: Option<String>,
    #[serde(alias = "access_log_file")]
    pub access_log_file: Option<String>,
    #[serde(alias = "access_log_format")]
    pub access_log_format: Option<String>,
    /// `TEXT` or `JSON`.
    #[serde(alias = "access_log_encoding")]
    pub access_log_encoding: Option<String>,
    #[serde(alias = "enable_tracing")]
    pub enable_tracing: Option<bool>,
    #[serde(alias = "default_config")]
    pub default_config: Option<ProxySettings>,
    #[serde(alias = "extension_providers", deserialize_with = "scalar::list")]
    pub extension_providers: Vec<ExtensionProvider>,
    #[serde(alias = "default_providers")]
    pub default_providers: Option<DefaultProviders>,
    #[serde(alias = "root_namespace")]
    pub root_namespace: Option<String>,
    #[serde(alias = "trust_domain")]
    pub trust_domain: Option<String>,
    #[serde(alias = "trust_domain_aliases", deserialize_with = "scalar::list")]
    pub trust_domain_aliases: Vec<String>,
    #[serde(alias = "locality_lb_setting")]
    pub locality_lb_setting: Option<LocalityLb>,
    #[serde(alias = "default_http_retry_policy")]
    pub default_http_retry_policy: Option<RetryPolicy>,
    #[serde(alias = "path_normalization")]
    pub path_normalization: Option<PathNormalization>,
    #[serde(alias = "proxy_listen_port", deserialize_with = "scalar::optional")]
    pub proxy_listen_port: Option<u16>,
    #[serde(
        alias = "proxy_inbound_listen_port",
        deserialize_with = "scalar::optional"
    )]
    pub proxy_inbound_listen_port: Option<u16>,
    #[serde(alias = "dns_refresh_rate", deserialize_with = "duration::optional")]
    pub dns_refresh_rate: Option<Duration>,
    #[serde(
        alias = "protocol_detection_timeout",
        deserialize_with = "duration::optional"
    )]
    pub protocol_detection_timeout: Option<Duration>,
    #[serde(alias = "default_service_export_to", deserialize_with = "scalar::list")]
    pub default_service_export_to: Vec<String>,
    #[serde(
        alias = "default_virtual_service_export_to",
        deserialize_with = "scalar::list"
    )]
    pub default_virtual_service_export_to: Vec<String>,
    #[serde(
        alias = "default_destination_rule_export_to",
        deserialize_with = "scalar::list"
    )]
    pub default_destination_rule_export_to: Vec<String>,
    /// `DO_NOT_UPGRADE` or `UPGRADE`.
    #[serde(alias = "h2_upgrade_policy")]
    pub h2_upgrade_policy: Option<String>,
    /// Of Pilothouse: lets objects of kind EnvoyFilter change what proxies get.
    #[serde(alias = "enable_envoy_filter")]
    pub enable_envoy_filter: Option<bool>,
    #[serde(rename = "meshMTLS", alias = "meshMtls", alias = "mesh_mtls")]
    pub mesh_mtls: Option<MeshMtls>,
}

/// `outboundTrafficPolicy: {mode: REGISTRY_ONLY}` and the like.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Mode {
    pub mode: Option<String>,
}

/// What Istio's agent gives to a proxy at start; of it only tracing is ours.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProxySettings {
    pub tracing: Option<TracingSettings>,
    /// The way of Istio 1.0.
    #[serde(alias = "zipkin_address")]
    pub zipkin_address: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TracingSettings {
    pub zipkin: Option<Zipkin>,
    /// A percentage.
    #[serde(deserialize_with = "scalar::optional_float")]
    pub sampling: Option<f64>,
    #[serde(alias = "custom_tags")]
    pub custom_tags: BTreeMap<String, CustomTag>,
    #[serde(alias = "max_path_tag_length", deserialize_with = "scalar::optional")]
    pub max_path_tag_length: Option<u32>,
    #[serde(alias = "enable_istio_tags")]
    pub enable_istio_tags: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Zipkin {
    pub address: Option<String>,
}

/// Where the value of a span's tag comes from; one of the three.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CustomTag {
    pub literal: Option<LiteralTag>,
    pub environment: Option<NamedTag>,
    pub header: Option<NamedTag>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LiteralTag {
    pub value: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamedTag {
    pub name: String,
    #[serde(alias = "default_value")]
    pub default_value: String,
}

/// A provider that objects of kind `Telemetry` name. Those that are not here are not supported.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExtensionProvider {
    pub name: String,
    pub zipkin: Option<ZipkinProvider>,
    #[serde(alias = "envoy_file_access_log")]
    pub envoy_file_access_log: Option<FileAccessLog>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ZipkinProvider {
    pub service: String,
    #[serde(deserialize_with = "scalar::optional")]
    pub port: Option<u16>,
    #[serde(alias = "max_tag_length", deserialize_with = "scalar::optional")]
    pub max_tag_length: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileAccessLog {
    pub path: Option<String>,
    #[serde(alias = "log_format")]
    pub log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LogFormat {
    pub text: Option<String>,
    pub labels: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DefaultProviders {
    #[serde(deserialize_with = "scalar::list")]
    pub tracing: Vec<String>,
    #[serde(alias = "access_logging", deserialize_with = "scalar::list")]
    pub access_logging: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryPolicy {
    #[serde(deserialize_with = "scalar::optional")]
    pub attempts: Option<u32>,
    #[serde(alias = "per_try_timeout", deserialize_with = "duration::optional")]
    pub per_try_timeout: Option<Duration>,
    #[serde(alias = "retry_on")]
    pub retry_on: Option<String>,
}

/// `NONE`, `BASE`, `MERGE_SLASHES` or `DECODE_AND_MERGE_SLASHES`; `DEFAULT` is `BASE`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PathNormalization {
    pub normalization: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeshMtls {
    /// `TLSV1_2` or `TLSV1_3`.
    #[serde(alias = "min_protocol_version")]
    pub min_protocol_version: Option<String>,
}
