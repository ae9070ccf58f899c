//! Names that proxies resolve as they are asked for: services with the resolution `DYNAMIC_DNS`.
//!
//! The cluster of such a service has no endpoints. Before it, a filter looks up the host that a request names,
//! or the server name of a TLS connection, and puts the address into a cache, where the cluster takes
//! it from. Filter and cluster find each other by the name of the cache, and one filter serves all
//! clusters of a listener, so there is one cache for all.

use std::time::Duration;

use model::route::VirtualService;
use model::{Gateway, Hostname, Resolution, Server, Service};
use pb::cluster::cluster::CustomClusterType;
use prost::Message;

use crate::cluster::http1_said;
use crate::filter::{http_filter, network};
use crate::registry::Registry;
use crate::route::meeting;
use crate::{message, names, pb};

/// The name of Envoy's extension for such clusters.
pub(crate) const CLUSTER: &str = "envoy.clusters.dynamic_forward_proxy";
pub(crate) const HTTP_FILTER: &str = "envoy.filters.http.dynamic_forward_proxy";
/// By which routes say the port, since a host header need not.
pub(crate) const PORT_FILTER: &str = "envoy.filters.http.set_filter_state";

/// How the server names of connections are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Resolving {
    /// The port to connect to.
    port: u16,
    /// How long an address holds of which nobody says how long.
    refresh: Duration,
}

// === impl Resolving ===

impl Resolving {
    /// Of connections to a port of a service; `None` if its names are not resolved so.
    pub(crate) fn of(registry: &Registry, host: &Hostname, port: u16) -> Option<Resolving> {
        is_host(registry, host).then(|| Resolving {
            port,
            refresh: registry.world.mesh.dns_refresh,
        })
    }
}

pub(crate) fn is(service: &Service) -> bool {
    service.resolution == Resolution::Dynamic
}

/// Whether a host is such a service.
pub(crate) fn is_host(registry: &Registry, host: &Hostname) -> bool {
    registry.has_dynamic() && registry.service(host).is_some_and(|service| is(service))
}

/// Whether requests can be routed to such a service.
pub(crate) fn leads_there(service: &VirtualService, registry: &Registry) -> bool {
    let mut destinations = service.destinations();
    registry.has_dynamic() && destinations.any(|to| is_host(registry, &to.host))
}

/// What the outbound listener of a port must know: `None` if no request there goes to such a service.
pub(crate) fn on_port(registry: &Registry, port: u16) -> Option<Duration> {
    if !registry.has_dynamic() {
        return None;
    }
    let services = registry.ports().get(&port).into_iter();
    let mut own = services.flat_map(|services| &services.http);
    let mut routed = registry.routes().on_port(port, registry);
    let any = own.any(|service| is(service)) || routed.any(|s| leads_there(s, registry));
    any.then_some(registry.world.mesh.dns_refresh)
}

/// The same of servers of a gateway.
pub(crate) fn at_servers(registry: &Registry, servers: &[(&Gateway, &Server)]) -> Option<Duration> {
    let mut leading = registry.world.virtual_services.iter();
    let any = leading.any(|service| {
        let mut servers = servers.iter();
        leads_there(service, registry)
            && servers.any(|(gateway, server)| !meeting(gateway, server, service).is_empty())
    });
    any.then_some(registry.world.mesh.dns_refresh)
}

/// The kind of a cluster that is otherwise complete.
///
/// Envoy takes it only if TLS asks for, and verifies, the name that was resolved, or if told that
/// something else is meant: so it is where a destination rule says otherwise, or there is no TLS.
/// Without any options for HTTP, Envoy has TLS do so by itself, whatever the rule says.
pub(crate) fn cluster(cluster: &mut pb::cluster::Cluster, refresh: Duration) -> CustomClusterType {
    use pb::dynamic_cluster::cluster_config::ClusterImplementationSpecifier;
    if cluster.transport_socket.is_some() && cluster.typed_extension_protocol_options.is_empty() {
        cluster.typed_extension_protocol_options = http1_said();
    }
    let config = pb::dynamic_cluster::ClusterConfig {
        allow_insecure_cluster_options: !verifies_names(cluster),
        cluster_implementation_specifier: Some(ClusterImplementationSpecifier::DnsCacheConfig(
            cache(refresh),
        )),
        ..Default::default()
    };
    CustomClusterType {
        name: CLUSTER.to_owned(),
        typed_config: Some(message::any(&config)),
    }
}

fn verifies_names(cluster: &pb::cluster::Cluster) -> bool {
    let mut options = cluster.typed_extension_protocol_options.values();
    options.all(|options| {
        let options = pb::upstream_http::HttpProtocolOptions::decode(&*options.value);
        let options = options.ok().and_then(|o| o.upstream_http_protocol_options);
        options.is_some_and(|o| o.auto_sni && o.auto_san_validation)
    })
}

/// Before the router: the port that routes say, and the look-up.
pub(crate) fn http_filters(refresh: Duration) -> [pb::hcm::HttpFilter; 2] {
    use pb::http_dynamic::filter_config::ImplementationSpecifier;
    let look_up = pb::http_dynamic::FilterConfig {
        allow_dynamic_host_from_filter_state: true,
        implementation_specifier: Some(ImplementationSpecifier::DnsCacheConfig(cache(refresh))),
        ..Default::default()
    };
    [
        http_filter(PORT_FILTER, &pb::set_filter_state::Config::default()),
        http_filter(HTTP_FILTER, &look_up),
    ]
}

/// Before the proxy of connections.
pub(crate) fn network_filter(resolving: Resolving) -> pb::listener::Filter {
    use pb::sni_dynamic::filter_config::PortSpecifier;
    let look_up = pb::sni_dynamic::FilterConfig {
        dns_cache_config: Some(cache(resolving.refresh)),
        port_specifier: Some(PortSpecifier::PortValue(resolving.port.into())),
        ..Default::default()
    };
    network("envoy.filters.network.sni_dynamic_forward_proxy", &look_up)
}

/// Envoy refuses whoever names a cache that is there with other settings.
fn cache(refresh: Duration) -> pb::dns_cache::DnsCacheConfig {
    pb::dns_cache::DnsCacheConfig {
        name: names::dns_cache(refresh),
        dns_lookup_family: pb::cluster::cluster::DnsLookupFamily::V4Preferred.into(),
        dns_refresh_rate: Some(message::duration(refresh)),
        ..Default::default()
    }
}
