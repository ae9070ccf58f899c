//! Route configurations, written.
//!
//! The largest messages there are, and most of what is in them is the same for every host: routes
//! that no virtual service describes differ by the name of a cluster only.

use std::sync::LazyLock;
use std::time::Duration;

use model::Mesh;

use super::domains::Domain;
use super::{any_path, retry};
use crate::canonical;
use crate::{message, names, pb, wire};

/// Envoy's own limit of 4 KiB is too small for an error page.
const MAX_DIRECT_RESPONSE: u32 = 1024 * 1024;

/// What follows the virtual hosts of every configuration. Clusters are not validated, so that a
/// route to an unknown one answers 503 by itself; ports in host headers are ignored, as callers
/// send `host` and `host:port` alike.
static CONFIGURATION: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    wire::constant(&pb::route::RouteConfiguration {
        validate_clusters: message::no(),
        max_direct_response_body_size_bytes: message::number(MAX_DIRECT_RESPONSE),
        ignore_port_in_host_matching: true,
        ..Default::default()
    })
});

/// What follows the routes of every virtual host.
static HOST: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    wire::constant(&pb::route::VirtualHost {
        include_request_attempt_count: true,
        ..Default::default()
    })
});

static REQUIRE_TLS: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    wire::constant(&pb::route::VirtualHost {
        require_tls: pb::route::virtual_host::TlsRequirementType::All.into(),
        ..Default::default()
    })
});

/// The parts that default routes have in common, under one mesh.
#[derive(Debug)]
pub(crate) struct Alike {
    condition: Box<[u8]>,
    /// What follows the name of the cluster.
    action: Box<[u8]>,
    name: Box<[u8]>,
}

impl Alike {
    /// Of services whose requests stick to an endpoint, or of all others.
    pub(crate) fn new(sticky: bool, mesh: &Mesh) -> Alike {
        Alike {
            condition: wire::constant(&pb::route::Route {
                r#match: Some(any_path()),
                ..Default::default()
            }),
            action: wire::constant(&pb::route::RouteAction {
                timeout: Some(message::duration(Duration::ZERO)),
                retry_policy: retry::default(sticky, mesh),
                ..Default::default()
            }),
            name: wire::constant(&pb::route::Route {
                name: names::DEFAULT_ROUTE.to_owned(),
                ..Default::default()
            }),
        }
    }
}

/// The routes of a port, with what `hosts` writes.
pub(super) fn configuration(buffer: &mut Vec<u8>, name: &str, hosts: impl FnOnce(&mut Vec<u8>)) {
    buffer.clear();
    wire::text(buffer, 1, name);
    hosts(buffer);
    buffer.extend_from_slice(&CONFIGURATION);
}

/// A virtual host, with what `routes` writes.
pub(super) fn virtual_host<'a>(
    buffer: &mut Vec<u8>,
    name: &str,
    domains: impl IntoIterator<Item = &'a Domain<'a>>,
    routes: impl FnOnce(&mut Vec<u8>),
) {
    wire::message(buffer, 2, |buffer| {
        wire::text(buffer, 1, name);
        for domain in domains {
            domain.write(buffer, 2);
        }
        routes(buffer);
        buffer.extend_from_slice(&HOST);
    });
}

/// Sends all requests of a virtual host that are not TLS to where they are.
pub(super) fn require_tls(buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(&REQUIRE_TLS);
}

pub(super) fn route(buffer: &mut Vec<u8>, route: &pb::route::Route) {
    wire::message(buffer, 3, |buffer| canonical::append(route, buffer));
}

/// Every request to one cluster.
pub(super) fn default_route(buffer: &mut Vec<u8>, alike: &Alike, cluster: &str, operation: &str) {
    wire::message(buffer, 3, |buffer| {
        buffer.extend_from_slice(&alike.condition);
        wire::message(buffer, 2, |buffer| {
            wire::text(buffer, 1, cluster);
            buffer.extend_from_slice(&alike.action);
        });
        wire::message(buffer, 5, |buffer| wire::text(buffer, 1, operation));
        buffer.extend_from_slice(&alike.name);
    });
}
