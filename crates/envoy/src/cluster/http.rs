//! The HTTP options of clusters: versions, idle times, and by what requests are hashed.
//!
//! Hashing is told by the cluster, not by the routes to it. Envoy prefers what a cluster says; a
//! rule that changes touches no routes, and each of several weighted destinations hashes by its own
//! key.

use std::collections::HashMap;
use std::num::NonZeroU32;

use model::TrafficPolicy;
use model::traffic_policy::{ConnectionPool, Cookie, HashKey, Upstream};
use pb::route::route_action::{HashPolicy, hash_policy};
use pb::upstream_http::http_protocol_options as options;
use pb::upstream_http::http_protocol_options::UpstreamProtocolOptions;
use pb::upstream_http::http_protocol_options::explicit_http_config::ProtocolConfig;

use super::outbound::Speaks;
use crate::{message, pb, tls};

/// The extension under which Envoy looks for HTTP options of a cluster.
pub(super) const NAME: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

pub(super) type Extensions = HashMap<String, pb::Any>;

/// Without options Envoy speaks HTTP/1.1 upstream; what it does not look into needs none.
pub(super) fn options(policy: &TrafficPolicy, speaks: Speaks) -> Extensions {
    if speaks == Speaks::Bytes {
        return Extensions::default();
    }
    let pool = policy.port.connection_pool.as_deref();
    let common = pool
        .map(common)
        .filter(|common| *common != Default::default());
    let hash_policy: Vec<_> = policy.hash_key().map(hash_policy).into_iter().collect();
    let protocol = protocol(pool, speaks);
    let follows = policy.port.tls.as_deref().map(tls::follows_host);
    let follows = follows.filter(|follows| *follows != Default::default());
    let upstream = follows.map(|follows| pb::core::UpstreamHttpProtocolOptions {
        auto_sni: follows.server_name,
        auto_san_validation: follows.subject_alt_name,
        ..Default::default()
    });
    if upstream.is_none() && common.is_none() && hash_policy.is_empty() && protocol == http1() {
        return Extensions::default();
    }
    extensions(&pb::upstream_http::HttpProtocolOptions {
        common_http_protocol_options: common,
        upstream_http_protocol_options: upstream,
        upstream_protocol_options: Some(protocol),
        hash_policy,
        ..Default::default()
    })
}

/// What is spoken without options, said.
pub(crate) fn http1_said() -> Extensions {
    extensions(&pb::upstream_http::HttpProtocolOptions {
        upstream_protocol_options: Some(http1()),
        ..Default::default()
    })
}

/// HTTP/2 or what is spoken without options.
pub(super) fn version(http2: bool) -> Extensions {
    match http2 {
        true => options(&TrafficPolicy::default(), Speaks::Http2),
        false => Extensions::default(),
    }
}

pub(super) fn extensions(options: &pb::upstream_http::HttpProtocolOptions) -> Extensions {
    Extensions::from([(NAME.to_owned(), message::any(options))])
}

fn common(pool: &ConnectionPool) -> pb::core::HttpProtocolOptions {
    let idle = pool.http_idle_timeout.or(pool.tcp_idle_timeout);
    let per_connection = pool.max_requests_per_connection.map(NonZeroU32::get);
    pb::core::HttpProtocolOptions {
        idle_timeout: idle.map(message::duration),
        max_connection_duration: pool.max_connection_duration.map(message::duration),
        max_requests_per_connection: per_connection.and_then(message::number),
        ..Default::default()
    }
}

/// Envoy refuses options without a version, even where it is the one that it would speak anyway.
fn protocol(pool: Option<&ConnectionPool>, speaks: Speaks) -> UpstreamProtocolOptions {
    let upstream = pool.map(|pool| pool.upstream).unwrap_or_default();
    match (upstream, speaks) {
        (Upstream::OfCaller, _) => {
            UpstreamProtocolOptions::UseDownstreamProtocolConfig(options::UseDownstreamHttpConfig {
                http_protocol_options: Some(Default::default()),
                http2_protocol_options: Some(http2(pool)),
                ..Default::default()
            })
        }
        (Upstream::Upgrade, _) | (_, Speaks::Http2) => {
            explicit(ProtocolConfig::Http2ProtocolOptions(http2(pool)))
        }
        _ => http1(),
    }
}

/// Whether a plain HTTP port is called with HTTP/2.
pub(super) fn upgrades(policy: &TrafficPolicy, speaks: Speaks) -> bool {
    let pool = policy.port.connection_pool.as_deref();
    speaks == Speaks::Http1 && pool.is_some_and(|pool| pool.upstream == Upstream::Upgrade)
}

fn http1() -> UpstreamProtocolOptions {
    explicit(ProtocolConfig::HttpProtocolOptions(Default::default()))
}

fn explicit(config: ProtocolConfig) -> UpstreamProtocolOptions {
    UpstreamProtocolOptions::ExplicitHttpConfig(options::ExplicitHttpConfig {
        protocol_config: Some(config),
    })
}

fn http2(pool: Option<&ConnectionPool>) -> pb::core::Http2ProtocolOptions {
    let streams = pool.and_then(|pool| pool.max_concurrent_streams);
    let pings = pool.and_then(|pool| pool.http2_keepalive);
    pb::core::Http2ProtocolOptions {
        max_concurrent_streams: streams.and_then(|streams| message::number(streams.get())),
        connection_keepalive: pings.map(|pings| pb::core::KeepaliveSettings {
            interval: pings.interval.map(message::duration),
            timeout: Some(message::duration(pings.timeout)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn hash_policy(key: &HashKey) -> HashPolicy {
    use hash_policy::{ConnectionProperties, Header, PolicySpecifier, QueryParameter};
    let specifier = match key {
        HashKey::Header(name) => PolicySpecifier::Header(Header {
            header_name: name.clone(),
            ..Default::default()
        }),
        HashKey::Cookie(cookie) => PolicySpecifier::Cookie(self::cookie(cookie)),
        HashKey::SourceIp => {
            PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip: true })
        }
        HashKey::QueryParameter(name) => {
            PolicySpecifier::QueryParameter(QueryParameter { name: name.clone() })
        }
    };
    HashPolicy {
        policy_specifier: Some(specifier),
        ..Default::default()
    }
}

fn cookie(cookie: &Cookie) -> hash_policy::Cookie {
    let attributes = cookie.attributes.iter();
    hash_policy::Cookie {
        name: cookie.name.clone(),
        ttl: cookie.lifetime.map(message::duration),
        path: cookie.path.clone(),
        attributes: attributes
            .map(|(name, value)| hash_policy::CookieAttribute {
                name: name.clone(),
                value: value.clone(),
            })
            .collect(),
    }
}
