//! The clusters of collectors of spans.
//!
//! A listener that names an unknown cluster is refused, so every proxy has the clusters of all
//! collectors that the mesh config names. A collector under a domain of the mesh has the cluster of
//! the service that it is: while there is no such service, a cluster that resolves the name stands
//! in under the same name, and listeners stay as they are.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use model::reporting::{Collector, Provider};
use model::{Hostname, Mesh};
use pb::cluster::cluster::{ClusterDiscoveryType, DiscoveryType};

use crate::built::Built;
use crate::registry::{Registry, connect_timeout, served};
use crate::{endpoint, message, names, pb};

/// The clusters of collectors that are no services of the mesh.
pub(crate) fn clusters(registry: &Registry) -> impl Iterator<Item = Built> {
    let absent = of(&registry.world.mesh).filter(|(_, collector)| !is_served(collector, registry));
    absent.map(|(name, collector)| Built::cluster(&cluster(name, collector, registry)))
}

/// Those of them that would be a service of this name.
pub(crate) fn clusters_at(registry: &Registry, host: &Hostname) -> impl Iterator<Item = Built> {
    let named = of(&registry.world.mesh).filter(|(_, c)| c.in_mesh && *c.host == *host.as_str());
    let absent = named.filter(|(_, collector)| !is_served(collector, registry));
    absent.map(|(name, collector)| Built::cluster(&cluster(name, collector, registry)))
}

/// The name of a collector's cluster.
pub(crate) fn name(collector: &Collector) -> String {
    let host = Hostname::parse(&collector.host).ok();
    match host.filter(|_| collector.in_mesh) {
        Some(host) => names::outbound_cluster(collector.port, None, &host),
        None => collector.name.to_string(),
    }
}

/// Each cluster once, in order of the names.
fn of(mesh: &Mesh) -> impl Iterator<Item = (String, &Collector)> {
    let providers = mesh.providers.values();
    let providers = providers.filter_map(|provider| match provider {
        Provider::Tracer(collector) => Some(&**collector),
        Provider::Log(_) => None,
    });
    let default = mesh.reporting.tracing.iter().map(|t| &*t.collector);
    let by_name: BTreeMap<String, &Collector> = default
        .chain(providers)
        .map(|collector| (name(collector), collector))
        .collect();
    by_name.into_iter()
}

fn is_served(collector: &Collector, registry: &Registry) -> bool {
    let host = Hostname::parse(&collector.host).ok();
    let service = host.and_then(|host| registry.world.services.get(&host));
    let has = service.is_some_and(|s| served(s).any(|port| port.number == collector.port));
    collector.in_mesh && has
}

fn cluster(name: String, collector: &Collector, registry: &Registry) -> pb::cluster::Cluster {
    let of_kind = |kind: DiscoveryType| pb::cluster::Cluster {
        name: name.clone(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(kind.into())),
        connect_timeout: Some(message::duration(connect_timeout(&registry.world))),
        ..Default::default()
    };
    match collector.host.parse::<IpAddr>() {
        Ok(ip) => {
            let address = SocketAddr::new(ip, collector.port);
            pb::cluster::Cluster {
                load_assignment: Some(endpoint::fixed(&name, message::address(address))),
                ..of_kind(DiscoveryType::Static)
            }
        }
        Err(_) => pb::cluster::Cluster {
            load_assignment: Some(endpoint::named(&name, &collector.host, collector.port)),
            ..of_kind(DiscoveryType::StrictDns)
        },
    }
}
