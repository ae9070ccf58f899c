//! `/debug/registryz`: services and their instances, with Pilot's field names, and why each instance
//! is or is not an endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::debug::{
    RegistryAttributes, RegistryInstance, RegistryOther, RegistryPort, RegistryRow, RegistryService,
};
use axum::extract::{Query, State};
use axum::response::Response;
use model::{
    Endpoint, Health, Hostname, Placement, Port, PortStanding, Resolution, Service, Standing, World,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Inside;
use crate::router::pretty;

/// What was left out when endpoints were compared with those of other instances.
const OVERSHADOWED: &str = "a newer instance has its address, or the service belongs to another \
                            namespace or group; /debug/diagnosticsz tells";

#[derive(Deserialize)]
pub(crate) struct Filter {
    /// One service only.
    pub(crate) host: Option<String>,
}

pub(crate) async fn page(
    State(inside): State<Arc<dyn Inside>>,
    Query(filter): Query<Filter>,
) -> Response {
    let world = inside.world().unwrap_or_default();
    let mut rows: Vec<Value> = rows(&world, &filter).iter().map(|row| json!(row)).collect();
    // Pilot's array ends in an empty object.
    rows.push(json!({}));
    pretty(&rows)
}

// === impl Filter ===

impl Filter {
    pub(crate) fn takes(&self, service: &Service) -> bool {
        let is = |name: &Hostname| Some(name.as_str()) == self.host.as_deref();
        self.host.is_none() || is(&service.host) || service.aliases.iter().any(is)
    }
}

fn rows(world: &World, filter: &Filter) -> Vec<RegistryRow> {
    let mut standings_by_host: BTreeMap<&Hostname, Vec<&Standing>> = BTreeMap::new();
    for standing in world.standings.values().flat_map(|list| list.iter()) {
        for host in standing.hosts.iter() {
            standings_by_host.entry(host).or_default().push(standing);
        }
    }
    let services = world.services.values().filter(|s| filter.takes(s));
    services
        .map(|service| {
            let standings = standings_by_host.get(&service.host);
            row(world, service, standings.map_or(&[], Vec::as_slice))
        })
        .collect()
}

fn row(world: &World, of: &Service, standings: &[&Standing]) -> RegistryRow {
    let endpoints = |port: u16| world.endpoints_of(&of.host, port).iter();
    let instances = of.ports.iter().flat_map(|port| {
        endpoints(port.number).map(|endpoint| instance(endpoint, port.number, standings))
    });
    let others = standings.iter().flat_map(|standing| {
        let is_endpoint = |port: &PortStanding| {
            let serves = |e: &Endpoint| stands_for(standing, e) && port.health.is_some();
            endpoints(port.port).any(serves)
        };
        let ports = standing.ports.iter().filter(move |port| !is_endpoint(port));
        ports.map(|port| other(standing, port))
    });
    RegistryRow {
        service: service(of),
        instances: instances.collect(),
        others: others.collect(),
    }
}

/// A service as Pilot shows it.
pub(crate) fn service(service: &Service) -> RegistryService {
    RegistryService {
        hostname: service.host.to_string(),
        address: match service.addresses.first() {
            Some(address) => address.to_string(),
            None => "0.0.0.0".into(),
        },
        ports: service.ports.iter().map(port).collect(),
        mesh_external: service.location == Placement::External,
        resolution: match service.resolution {
            Resolution::Static => 0,
            Resolution::Dns | Resolution::DnsRoundRobin | Resolution::Dynamic => 1,
            Resolution::Passthrough => 2,
        },
        attributes: RegistryAttributes {
            name: service.host.to_string(),
            namespace: service.namespace.to_string(),
        },
    }
}

pub(crate) fn port(port: &Port) -> RegistryPort {
    RegistryPort {
        name: port.name.to_string(),
        port: port.number,
        protocol: port.protocol.to_string(),
    }
}

pub(crate) fn health(health: Health) -> &'static str {
    match health {
        Health::Healthy => "HEALTHY",
        Health::Degraded => "DEGRADED",
        Health::Unhealthy => "UNHEALTHY",
    }
}

fn instance(endpoint: &Endpoint, port: u16, standings: &[&Standing]) -> RegistryInstance {
    let of_it = standings.iter().filter(|s| stands_for(s, endpoint));
    let mut ports = of_it.flat_map(|s| &s.ports);
    let standing = ports.find(|p| p.port == port && p.health == Some(endpoint.health));
    RegistryInstance {
        id: endpoint.instance.to_string(),
        port,
        address: endpoint.reach.anywhere.map(|address| address.to_string()),
        also: endpoint.reach.also.map(|address| address.to_string()),
        same_agent: endpoint
            .reach
            .same_bridge
            .map(|(_, address)| address.to_string()),
        health: health(endpoint.health),
        why: standing.map(|standing| standing.why.to_string()),
    }
}

fn other(standing: &Standing, port: &PortStanding) -> RegistryOther {
    RegistryOther {
        id: standing.id.to_string(),
        workload: standing.workload.to_string(),
        port: port.port,
        state: standing.state.to_string(),
        agent: standing.agent.to_string(),
        why: match port.health {
            Some(_) => OVERSHADOWED.into(),
            None => port.why.to_string(),
        },
    }
}

/// A task's id is that of its instance, and how often that was launched behind it.
fn stands_for(standing: &Standing, endpoint: &Endpoint) -> bool {
    let rest = standing.id.strip_prefix(endpoint.instance.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
