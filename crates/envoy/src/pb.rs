//! Short paths to Envoy's messages, so that builders read `pb::route::Route`.

pub(crate) use envoy_types::pb::envoy::config::accesslog::v3 as access_log;
pub(crate) use envoy_types::pb::envoy::config::cluster::v3 as cluster;
pub(crate) use envoy_types::pb::envoy::config::core::v3 as core;
pub(crate) use envoy_types::pb::envoy::config::endpoint::v3 as endpoint;
pub(crate) use envoy_types::pb::envoy::config::listener::v3 as listener;
pub(crate) use envoy_types::pb::envoy::config::rbac::v3 as rbac;
pub(crate) use envoy_types::pb::envoy::config::route::v3 as route;
pub(crate) use envoy_types::pb::envoy::config::trace::v3 as trace;
pub(crate) use envoy_types::pb::envoy::extensions::access_loggers::file::v3 as file_log;
pub(crate) use envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3 as cel_filter;
pub(crate) use envoy_types::pb::envoy::extensions::clusters::common::dns::v3 as dns_family;
pub(crate) use envoy_types::pb::envoy::extensions::clusters::dns::v3 as dns_cluster;
pub(crate) use envoy_types::pb::envoy::extensions::clusters::dynamic_forward_proxy::v3 as dynamic_cluster;
pub(crate) use envoy_types::pb::envoy::extensions::common::dynamic_forward_proxy::v3 as dns_cache;
pub(crate) use envoy_types::pb::envoy::extensions::filters::common::fault::v3 as fault_common;
pub(crate) use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3 as filter_state;
pub(crate) use envoy_types::pb::envoy::extensions::filters::http::cors::v3 as cors;
pub(crate) use envoy_types::pb::envoy::extensions::filters::http::dynamic_forward_proxy::v3 as http_dynamic;
pub(crate) use envoy_types::pb::envoy::extensions::filters::http::fault::v3 as fault;
pub(crate) use envoy_types::pb::envoy::extensions::filters::http::grpc_stats::v3 as grpc_stats;
pub(crate) use envoy_types::pb::envoy::extensions::filters::http::grpc_web::v3 as grpc_web;
pub(crate) use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3 as jwt_authn;
pub(crate) use envoy_types::pb::envoy::extensions::filters::http::rbac::v3 as http_rbac;
pub(crate) use envoy_types::pb::envoy::extensions::filters::http::router::v3 as router;
pub(crate) use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3 as set_filter_state;
pub(crate) use envoy_types::pb::envoy::extensions::filters::listener::http_inspector::v3 as http_inspector;
pub(crate) use envoy_types::pb::envoy::extensions::filters::listener::original_dst::v3 as original_dst;
pub(crate) use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3 as tls_inspector;
pub(crate) use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
pub(crate) use envoy_types::pb::envoy::extensions::filters::network::mongo_proxy::v3 as mongo_proxy;
pub(crate) use envoy_types::pb::envoy::extensions::filters::network::rbac::v3 as network_rbac;
pub(crate) use envoy_types::pb::envoy::extensions::filters::network::sni_dynamic_forward_proxy::v3 as sni_dynamic;
pub(crate) use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3 as tcp_proxy;
pub(crate) use envoy_types::pb::envoy::extensions::path::r#match::uri_template::v3 as uri_template;
pub(crate) use envoy_types::pb::envoy::extensions::request_id::uuid::v3 as request_id;
pub(crate) use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3 as previous_hosts;
pub(crate) use envoy_types::pb::envoy::extensions::retry::priority::previous_priorities::v3 as previous_priorities;
pub(crate) use envoy_types::pb::envoy::extensions::transport_sockets::proxy_protocol::v3 as proxy_protocol;
pub(crate) use envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3 as raw_buffer;
pub(crate) use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
pub(crate) use envoy_types::pb::envoy::extensions::upstreams::http::v3 as upstream_http;
pub(crate) use envoy_types::pb::envoy::r#type::matcher::v3 as matcher;
pub(crate) use envoy_types::pb::envoy::r#type::tracing::v3 as tag;
pub(crate) use envoy_types::pb::envoy::r#type::v3 as percent;
pub(crate) use envoy_types::pb::google::protobuf::{
    Any, BoolValue, Duration, Empty, Struct, UInt32Value, UInt64Value, Value, value,
};
