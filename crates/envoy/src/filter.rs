//! Filters: what a listener does with a connection.

pub(crate) mod access_log;
mod connection;
mod handling;
mod http;
mod terms;
mod tracing;

pub(crate) use connection::{Forward, connection};
pub(crate) use handling::Handling;
pub(crate) use http::{HttpKey, Routes, Side, http, http_filter};

use prost::Name;

use crate::canonical::Canonical;
use crate::{message, pb};

pub(crate) const FAULT: &str = "envoy.filters.http.fault";
pub(crate) const CORS: &str = "envoy.filters.http.cors";
/// Checks tokens, and tells the filters behind it what they say.
pub(crate) const TOKENS: &str = "envoy.filters.http.jwt_authn";
pub(crate) const HTTP_RBAC: &str = "envoy.filters.http.rbac";
pub(crate) const NETWORK_RBAC: &str = "envoy.filters.network.rbac";

/// All that a TCP proxy depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TcpKey<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) handling: Handling<'a>,
}

/// Hands the bytes of a connection to a cluster, if the caller may.
pub(crate) fn tcp(key: &TcpKey<'_>) -> Vec<pb::listener::Filter> {
    use pb::tcp_proxy::tcp_proxy::ClusterSpecifier;
    let proxy = pb::tcp_proxy::TcpProxy {
        stat_prefix: key.cluster.to_owned(),
        access_log: access_log::to(key.handling.reporting),
        cluster_specifier: Some(ClusterSpecifier::Cluster(key.cluster.to_owned())),
        ..Default::default()
    };
    let proxy = network("envoy.filters.network.tcp_proxy", &proxy);
    let mut filters = key.handling.guards.network();
    filters.push(proxy);
    filters
}

/// Finds out whether a connection is TLS, and for which server name.
pub(crate) fn tls_inspector() -> pb::listener::ListenerFilter {
    let config = pb::tls_inspector::TlsInspector::default();
    listener("envoy.filters.listener.tls_inspector", &config)
}

/// Finds out whether a connection begins with an HTTP request.
pub(crate) fn http_inspector() -> pb::listener::ListenerFilter {
    let config = pb::http_inspector::HttpInspector::default();
    listener("envoy.filters.listener.http_inspector", &config)
}

/// Restores the destination that a connection had before it was redirected to the proxy.
pub(crate) fn original_destination() -> pb::listener::ListenerFilter {
    let config = pb::original_dst::OriginalDst::default();
    listener("envoy.filters.listener.original_dst", &config)
}

pub(crate) fn network<M: Canonical + Name>(name: &str, config: &M) -> pb::listener::Filter {
    use pb::listener::filter::ConfigType;
    pb::listener::Filter {
        name: name.to_owned(),
        config_type: Some(ConfigType::TypedConfig(message::any(config))),
    }
}

fn listener<M: Canonical + Name>(name: &str, config: &M) -> pb::listener::ListenerFilter {
    use pb::listener::listener_filter::ConfigType;
    pb::listener::ListenerFilter {
        name: name.to_owned(),
        config_type: Some(ConfigType::TypedConfig(message::any(config))),
        ..Default::default()
    }
}
