//! `/debug/endpointz`: the endpoints of every service port, in the shape of Istio 1.0.
//!
//! Pilot on Mesos listed two addresses for an instance on a bridge, first the one for callers
//! elsewhere and then the one for callers on the same agent; so does this.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use api::debug::{EndpointRow, NetworkEndpoint, ServiceInstance};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use model::{Endpoint, Locality, Port, Service, World};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Inside;
use crate::registry::{self, Filter};
use crate::router::pretty;

#[derive(Deserialize)]
pub(crate) struct Form {
    /// Lines of text, whatever its value, as in Pilot.
    brief: Option<String>,
}

pub(crate) async fn page(
    State(inside): State<Arc<dyn Inside>>,
    Query(form): Query<Form>,
    Query(filter): Query<Filter>,
) -> Response {
    let world = inside.world().unwrap_or_default();
    if form.brief.is_some() {
        return lines(&world, &filter).into_response();
    }
    let rows = ports(&world, &filter).map(|(service, port)| json!(row(&world, service, port)));
    let mut rows: Vec<Value> = rows.collect();
    // Pilot's arrays end in an empty object.
    rows.push(json!({}));
    pretty(&rows)
}

fn ports<'a>(
    world: &'a World,
    filter: &'a Filter,
) -> impl Iterator<Item = (&'a Service, &'a Port)> {
    let services = world.services.values().filter(|s| filter.takes(s));
    services.flat_map(|service| service.ports.iter().map(|port| (&**service, port)))
}

fn row(world: &World, service: &Service, port: &Port) -> EndpointRow {
    let instances = instances(world, service, port).map(|instance| json!(instance));
    let mut ep: Vec<Value> = instances.collect();
    ep.push(json!({}));
    EndpointRow {
        svc: format!("{}:{}", service.host, port.name),
        ep,
    }
}

/// `host:portname family ip:port labels serviceaccount`.
fn lines(world: &World, filter: &Filter) -> String {
    let mut text = String::new();
    for (service, port) in ports(world, filter) {
        for instance in instances(world, service, port) {
            let labels: Vec<String> = instance
                .labels
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect();
            let (at, account) = (&instance.endpoint, &instance.service_account);
            let _ = writeln!(
                text,
                "{}:{} {} {}:{} {} {account}",
                service.host,
                port.name,
                at.family,
                at.address,
                at.port,
                labels.join(","),
            );
        }
    }
    text
}

fn instances<'a>(
    world: &'a World,
    service: &'a Service,
    port: &'a Port,
) -> impl Iterator<Item = ServiceInstance> + 'a {
    let endpoints = world.endpoints_of(&service.host, port.number).iter();
    endpoints.flat_map(move |endpoint| {
        let anywhere = endpoint.reach.anywhere.map(|at| (at, false));
        let also = endpoint.reach.also.map(|at| (at, false));
        let same_agent = endpoint.reach.same_bridge.map(|(_, at)| (at, true));
        let addresses = [anywhere, also, same_agent].into_iter().flatten();
        addresses
            .map(move |(at, same_agent)| instance(world, service, port, endpoint, at, same_agent))
    })
}

fn instance(
    world: &World,
    service: &Service,
    port: &Port,
    endpoint: &Endpoint,
    at: SocketAddr,
    same_agent: bool,
) -> ServiceInstance {
    let labels = endpoint.labels.iter();
    let labels: BTreeMap<String, String> = labels.map(|(k, v)| (k.into(), v.into())).collect();
    let account = labels.get("istio.io/service-account");
    let account = account.map_or("default", |account| account.trim());
    let instance = world.instances.get(&endpoint.instance);
    let namespace = instance.map_or(&service.namespace, |instance| &instance.namespace);
    ServiceInstance {
        endpoint: NetworkEndpoint {
            family: 0,
            address: at.ip().to_string(),
            port: at.port(),
            service_port: registry::port(port),
            uid: endpoint.instance.to_string(),
            locality: locality(&endpoint.locality),
            lb_weight: endpoint.weight,
        },
        service: registry::service(service),
        zone: locality(&endpoint.locality),
        service_account: format!(
            "spiffe://{}/ns/{namespace}/sa/{account}",
            world.mesh.trust_domain
        ),
        health: registry::health(endpoint.health),
        same_agent,
        labels,
    }
}

/// `region/zone`, as far as it is known.
fn locality(of: &Locality) -> String {
    let parts = [&of.region, &of.zone, &of.subzone];
    let known: Vec<&str> = parts
        .iter()
        .map(|part| &***part)
        .take_while(|part| !part.is_empty())
        .collect();
    known.join("/")
}
