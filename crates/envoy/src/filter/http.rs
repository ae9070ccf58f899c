//! The HTTP connection manager and the filters that requests pass.

use std::sync::LazyLock;
use std::time::Duration;

use model::PathNormalization;
use pb::hcm::http_connection_manager as hcm;
use pb::hcm::http_connection_manager::PathWithEscapedSlashesAction as Escaped;
use prost::Name;

use super::{CORS, FAULT, Handling, access_log, network, tracing};
use crate::canonical::Canonical;
use crate::{dynamic, message, names, pb};

/// The `server` header where the proxy answers for the workload or for the mesh.
const SERVER: &str = "istio-envoy";

/// All that a connection manager depends on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HttpKey<'a> {
    pub(crate) side: Side,
    /// The name of the listener, for statistics.
    pub(crate) listener: &'a str,
    pub(crate) routes: Routes,
    /// Whether browsers may call gRPC services.
    pub(crate) grpc_web: bool,
    /// How long names hold that requests ask for and the proxy resolves, if routes lead to such.
    pub(crate) resolving: Option<Duration>,
    pub(crate) handling: Handling<'a>,
}

/// On which side of a workload, or at the edge of the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Outbound,
    Inbound,
    Gateway,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Routes {
    /// Discovered under this name.
    Discovered(String),
    Inline(Box<pb::route::RouteConfiguration>),
}

/// Routes the requests of a connection.
pub(crate) fn http(key: HttpKey<'_>) -> pb::listener::Filter {
    let tracing = key.handling.reporting.tracing.as_deref();
    let paths = key.handling.paths;
    let manager = pb::hcm::HttpConnectionManager {
        codec_type: hcm::CodecType::Auto.into(),
        stat_prefix: names::stat_prefix(key.side.direction(), key.listener),
        http_filters: filters(&key),
        server_name: key.side.server_name().to_owned(),
        // Streams may be idle for as long as they like; limits are a policy.
        stream_idle_timeout: Some(message::duration(Duration::ZERO)),
        access_log: access_log::to(key.handling.reporting),
        tracing: tracing.map(tracing::build),
        request_id_extension: tracing.and_then(tracing::request_id),
        use_remote_address: match key.side {
            Side::Gateway => message::yes(),
            Side::Outbound | Side::Inbound => message::no(),
        },
        forward_client_cert_details: key.side.forward_certificate().into(),
        set_current_client_cert_details: key.side.certificate_details(),
        normalize_path: Some(pb::BoolValue {
            value: paths >= PathNormalization::Base,
        }),
        merge_slashes: paths >= PathNormalization::MergeSlashes,
        path_with_escaped_slashes_action: match paths {
            PathNormalization::DecodeAndMergeSlashes => Escaped::UnescapeAndForward,
            _ => Escaped::KeepUnchanged,
        }
        .into(),
        upgrade_configs: vec![hcm::UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            ..Default::default()
        }],
        route_specifier: Some(specifier(key.routes)),
        ..Default::default()
    };
    network("envoy.filters.network.http_connection_manager", &manager)
}

fn specifier(routes: Routes) -> hcm::RouteSpecifier {
    match routes {
        Routes::Discovered(name) => hcm::RouteSpecifier::Rds(pb::hcm::Rds {
            config_source: Some(message::ads()),
            route_config_name: name,
        }),
        Routes::Inline(routes) => hcm::RouteSpecifier::RouteConfig(*routes),
    }
}

/// The order of Istio's filters; its own, which only its own build of Envoy knows, are not among
/// them. What routes configure for a filter counts only if the filter is here.
///
/// The first is for browsers that call gRPC services, and left out where there are none.
static FILTERS: LazyLock<Vec<pb::hcm::HttpFilter>> = LazyLock::new(all_filters);

fn filters(key: &HttpKey<'_>) -> Vec<pb::hcm::HttpFilter> {
    let mut filters = key.handling.guards.http(key.handling.origins);
    filters.extend_from_slice(&FILTERS[usize::from(!key.grpc_web)..]);
    if let Some(refresh) = key.resolving {
        // Names are looked up last, right before the router asks for an address.
        let router = filters.len() - 1;
        filters.splice(router..router, dynamic::http_filters(refresh));
    }
    filters
}

fn all_filters() -> Vec<pb::hcm::HttpFilter> {
    use pb::grpc_stats::filter_config::PerMethodStatSpecifier;
    let stats = pb::grpc_stats::FilterConfig {
        emit_filter_state: true,
        per_method_stat_specifier: message::no().map(PerMethodStatSpecifier::StatsForAllMethods),
        ..Default::default()
    };
    vec![
        http_filter("envoy.filters.http.grpc_web", &pb::grpc_web::GrpcWeb {}),
        http_filter("envoy.filters.http.grpc_stats", &stats),
        http_filter(FAULT, &pb::fault::HttpFault::default()),
        http_filter(CORS, &pb::cors::Cors {}),
        http_filter("envoy.filters.http.router", &pb::router::Router::default()),
    ]
}

pub(crate) fn http_filter<M: Canonical + Name>(name: &str, config: &M) -> pb::hcm::HttpFilter {
    use pb::hcm::http_filter::ConfigType;
    pb::hcm::HttpFilter {
        name: name.to_owned(),
        config_type: Some(ConfigType::TypedConfig(message::any(config))),
        ..Default::default()
    }
}

// === impl Side ===

impl Side {
    fn direction(self) -> &'static str {
        match self {
            Side::Inbound => "inbound",
            Side::Outbound | Side::Gateway => "outbound",
        }
    }

    fn server_name(self) -> &'static str {
        match self {
            Side::Outbound => "",
            Side::Inbound | Side::Gateway => SERVER,
        }
    }

    fn forward_certificate(self) -> hcm::ForwardClientCertDetails {
        match self {
            Side::Outbound => hcm::ForwardClientCertDetails::Sanitize,
            Side::Inbound => hcm::ForwardClientCertDetails::AppendForward,
            Side::Gateway => hcm::ForwardClientCertDetails::SanitizeSet,
        }
    }

    fn certificate_details(self) -> Option<hcm::SetCurrentClientCertDetails> {
        let details = |cert| hcm::SetCurrentClientCertDetails {
            subject: message::yes(),
            cert,
            dns: true,
            uri: true,
            ..Default::default()
        };
        match self {
            Side::Outbound => None,
            Side::Inbound => Some(details(false)),
            Side::Gateway => Some(details(true)),
        }
    }
}
