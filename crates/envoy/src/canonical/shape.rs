//! Where maps can be in the messages that we emit.
//!
//! Only what matters is listed: fields that are maps, and fields that lead to one. A test compares
//! names, numbers and types with Envoy's descriptors.

use super::Canonical;
use crate::pb;

/// The fields of a message that are maps or lead to one.
#[derive(Debug)]
pub(crate) struct Shape {
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "read by the test of the shapes")
    )]
    pub(super) message: &'static str,
    pub(super) fields: &'static [Field],
}

#[derive(Debug)]
pub(super) struct Field {
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "read by the test of the shapes")
    )]
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) holds: Holds,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    /// A map; the shape of its values if these can hold maps.
    Map(Option<&'static Shape>),
    /// A message, or several.
    Message(&'static Shape),
}

// === impl Shape ===

impl Shape {
    pub(super) fn holds(&self, number: u32) -> Option<Holds> {
        let field = self.fields.iter().find(|field| field.number == number)?;
        Some(field.holds)
    }
}

const fn map(name: &'static str, number: u32, value: Option<&'static Shape>) -> Field {
    Field {
        name,
        number,
        holds: Holds::Map(value),
    }
}

const fn message(name: &'static str, number: u32, shape: &'static Shape) -> Field {
    Field {
        name,
        number,
        holds: Holds::Message(shape),
    }
}

pub(super) static STRUCT: Shape = Shape {
    message: "google.protobuf.Struct",
    fields: &[map("fields", 1, Some(&VALUE))],
};

static VALUE: Shape = Shape {
    message: "google.protobuf.Value",
    fields: &[
        message("struct_value", 5, &STRUCT),
        message("list_value", 6, &LIST),
    ],
};

static LIST: Shape = Shape {
    message: "google.protobuf.ListValue",
    fields: &[message("values", 1, &VALUE)],
};

pub(super) static METADATA: Shape = Shape {
    message: "envoy.config.core.v3.Metadata",
    fields: &[
        map("filter_metadata", 1, Some(&STRUCT)),
        map("typed_filter_metadata", 2, None),
    ],
};

pub(super) static CLUSTER: Shape = Shape {
    message: "envoy.config.cluster.v3.Cluster",
    fields: &[
        message("metadata", 25, &METADATA),
        message("load_assignment", 33, &ASSIGNMENT),
        map("typed_extension_protocol_options", 36, None),
        message("transport_socket_matches", 43, &TRANSPORT_SOCKET_MATCH),
    ],
};

static TRANSPORT_SOCKET_MATCH: Shape = Shape {
    message: "envoy.config.cluster.v3.Cluster.TransportSocketMatch",
    fields: &[message("match", 2, &STRUCT)],
};

pub(super) static ASSIGNMENT: Shape = Shape {
    message: "envoy.config.endpoint.v3.ClusterLoadAssignment",
    fields: &[
        message("endpoints", 2, &LOCALITY_ENDPOINTS),
        map("named_endpoints", 5, None),
    ],
};

static LOCALITY_ENDPOINTS: Shape = Shape {
    message: "envoy.config.endpoint.v3.LocalityLbEndpoints",
    fields: &[
        message("lb_endpoints", 2, &LB_ENDPOINT),
        message("metadata", 9, &METADATA),
    ],
};

static LB_ENDPOINT: Shape = Shape {
    message: "envoy.config.endpoint.v3.LbEndpoint",
    fields: &[message("metadata", 3, &METADATA)],
};

pub(super) static LISTENER: Shape = Shape {
    message: "envoy.config.listener.v3.Listener",
    fields: &[
        message("filter_chains", 3, &FILTER_CHAIN),
        message("metadata", 6, &METADATA),
        message("default_filter_chain", 25, &FILTER_CHAIN),
    ],
};

static FILTER_CHAIN: Shape = Shape {
    message: "envoy.config.listener.v3.FilterChain",
    fields: &[message("metadata", 5, &METADATA)],
};

pub(super) static ROUTES: Shape = Shape {
    message: "envoy.config.route.v3.RouteConfiguration",
    fields: &[
        message("virtual_hosts", 2, &VIRTUAL_HOST),
        map("typed_per_filter_config", 16, None),
        message("metadata", 17, &METADATA),
    ],
};

static VIRTUAL_HOST: Shape = Shape {
    message: "envoy.config.route.v3.VirtualHost",
    fields: &[
        message("routes", 3, &ROUTE),
        map("typed_per_filter_config", 15, None),
        message("metadata", 24, &METADATA),
    ],
};

static ROUTE: Shape = Shape {
    message: "envoy.config.route.v3.Route",
    fields: &[
        message("route", 2, &ROUTE_ACTION),
        message("metadata", 4, &METADATA),
        map("typed_per_filter_config", 13, None),
    ],
};

static ROUTE_ACTION: Shape = Shape {
    message: "envoy.config.route.v3.RouteAction",
    fields: &[
        message("weighted_clusters", 3, &WEIGHTED_CLUSTER),
        message("metadata_match", 4, &METADATA),
    ],
};

static WEIGHTED_CLUSTER: Shape = Shape {
    message: "envoy.config.route.v3.WeightedCluster",
    fields: &[message("clusters", 1, &CLUSTER_WEIGHT)],
};

static CLUSTER_WEIGHT: Shape = Shape {
    message: "envoy.config.route.v3.WeightedCluster.ClusterWeight",
    fields: &[
        message("metadata_match", 3, &METADATA),
        map("typed_per_filter_config", 10, None),
    ],
};

pub(super) static CONNECTION_MANAGER: Shape = Shape {
    message: "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    fields: &[message("route_config", 4, &ROUTES)],
};

static TCP_PROXY: Shape = Shape {
    message: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    fields: &[message("metadata_match", 9, &METADATA)],
};

static FAULT: Shape = Shape {
    message: "envoy.extensions.filters.http.fault.v3.HTTPFault",
    fields: &[message("filter_metadata", 16, &STRUCT)],
};

static FILE_LOG: Shape = Shape {
    message: "envoy.extensions.access_loggers.file.v3.FileAccessLog",
    fields: &[
        message("json_format", 3, &STRUCT),
        message("typed_json_format", 4, &STRUCT),
        message("log_format", 5, &FORMAT_STRING),
    ],
};

static FORMAT_STRING: Shape = Shape {
    message: "envoy.config.core.v3.SubstitutionFormatString",
    fields: &[message("json_format", 2, &STRUCT)],
};

static RBAC: Shape = Shape {
    message: "envoy.config.rbac.v3.RBAC",
    fields: &[map("policies", 2, None)],
};

static HTTP_RBAC: Shape = Shape {
    message: "envoy.extensions.filters.http.rbac.v3.RBAC",
    fields: &[
        message("rules", 1, &RBAC),
        message("shadow_rules", 2, &RBAC),
    ],
};

static NETWORK_RBAC: Shape = Shape {
    message: "envoy.extensions.filters.network.rbac.v3.RBAC",
    fields: &[
        message("rules", 1, &RBAC),
        message("shadow_rules", 2, &RBAC),
    ],
};

static TOKENS: Shape = Shape {
    message: "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
    fields: &[
        map("providers", 1, None),
        message("filter_state_rules", 3, &TOKEN_STATE_RULE),
        map("requirement_map", 5, None),
    ],
};

static TOKEN_STATE_RULE: Shape = Shape {
    message: "envoy.extensions.filters.http.jwt_authn.v3.FilterStateRule",
    fields: &[map("requires", 3, None)],
};

/// Every shape that a test compares with the descriptors, by its root.
#[cfg(test)]
pub(super) static ROOTS: &[&Shape] = &[
    &CLUSTER,
    &ASSIGNMENT,
    &LISTENER,
    &ROUTES,
    &CONNECTION_MANAGER,
    &TCP_PROXY,
    &FAULT,
    &FILE_LOG,
    &HTTP_RBAC,
    &NETWORK_RBAC,
    &TOKENS,
];

macro_rules! canonical {
    ($($message:ty => $maps:expr),+ $(,)?) => {
        $(impl Canonical for $message {
            const MAPS: Option<&'static Shape> = $maps;
        })+
    };
}

canonical! {
    pb::cluster::Cluster => Some(&CLUSTER),
    pb::endpoint::ClusterLoadAssignment => Some(&ASSIGNMENT),
    pb::listener::Listener => Some(&LISTENER),
    pb::route::RouteConfiguration => Some(&ROUTES),
    pb::route::Route => Some(&ROUTE),
    pb::hcm::HttpConnectionManager => Some(&CONNECTION_MANAGER),
    pb::tcp_proxy::TcpProxy => Some(&TCP_PROXY),
    pb::fault::HttpFault => Some(&FAULT),
    pb::cors::Cors => None,
    pb::cors::CorsPolicy => None,
    pb::cel_filter::ExpressionFilter => None,
    pb::file_log::FileAccessLog => Some(&FILE_LOG),
    pb::dns_cluster::DnsCluster => None,
    pb::dynamic_cluster::ClusterConfig => None,
    pb::http_dynamic::FilterConfig => None,
    pb::http_dynamic::PerRouteConfig => None,
    pb::sni_dynamic::FilterConfig => None,
    // Only values that are not plain text, as ours are, hold a map.
    pb::set_filter_state::Config => None,
    pb::grpc_stats::FilterConfig => None,
    pb::grpc_web::GrpcWeb => None,
    pb::jwt_authn::JwtAuthentication => Some(&TOKENS),
    pb::http_rbac::Rbac => Some(&HTTP_RBAC),
    pb::network_rbac::Rbac => Some(&NETWORK_RBAC),
    pb::uri_template::UriTemplateMatchConfig => None,
    pb::http_inspector::HttpInspector => None,
    pb::mongo_proxy::MongoProxy => None,
    pb::original_dst::OriginalDst => None,
    pb::previous_hosts::PreviousHostsPredicate => None,
    pb::previous_priorities::PreviousPrioritiesConfig => None,
    pb::request_id::UuidRequestIdConfig => None,
    pb::proxy_protocol::ProxyProtocolUpstreamTransport => None,
    pb::raw_buffer::RawBuffer => None,
    pb::router::Router => None,
    pb::tls::DownstreamTlsContext => None,
    pb::tls::UpstreamTlsContext => None,
    // Only secrets of another type than ours hold a map.
    pb::tls::Secret => None,
    pb::tls_inspector::TlsInspector => None,
    pb::trace::ZipkinConfig => None,
    pb::upstream_http::HttpProtocolOptions => None,
}
