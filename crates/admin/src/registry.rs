//! `/debug/registryz`: services and their instances, with Pilot's field names.

use std::sync::Arc;

use api::debug::{RegistryAttributes, RegistryInstance, RegistryPort, RegistryService};
use axum::extract::State;
use axum::response::Response;
use model::{Endpoint, Health, Service, World};
use serde_json::{Value, json};

use crate::Inside;
use crate::router::pretty;

pub(crate) async fn page(State(inside): State<Arc<dyn Inside>>) -> Response {
    let services = inside
        .world()
        .map(|world| services(&world))
        .unwrap_or_default();
    let mut rows: Vec<Value> = services.iter().map(|service| json!(service)).collect();
    // Pilot's array ends in an empty object.
    rows.push(json!({}));
    pretty(&rows)
}

fn services(world: &World) -> Vec<RegistryService> {
    world
        .services
        .values()
        .map(|service| row(world, service))
        .collect()
}

fn row(world: &World, service: &Service) -> RegistryService {
    let ports = service.ports.iter();
    RegistryService {
        hostname: service.host.to_string(),
        address: "0.0.0.0",
        ports: ports
            .clone()
            .map(|port| RegistryPort {
                name: port.name.to_string(),
                port: port.number,
                protocol: port.protocol.to_string(),
            })
            .collect(),
        mesh_external: false,
        resolution: 0,
        attributes: RegistryAttributes {
            name: service.host.to_string(),
            namespace: service.namespace.to_string(),
        },
        instances: ports
            .flat_map(|port| {
                world
                    .endpoints_of(&service.host, port.number)
                    .iter()
                    .map(|e| instance(e, port.number))
            })
            .collect(),
    }
}

fn instance(endpoint: &Endpoint, port: u16) -> RegistryInstance {
    RegistryInstance {
        id: endpoint.instance.to_string(),
        port,
        address: endpoint.reach.anywhere.map(|address| address.to_string()),
        same_agent: endpoint
            .reach
            .same_agent
            .map(|(_, address)| address.to_string()),
        health: match endpoint.health {
            Health::Healthy => "HEALTHY",
            Health::Degraded => "DEGRADED",
            Health::Unhealthy => "UNHEALTHY",
        },
    }
}
