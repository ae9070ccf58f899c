//! `/debug/mtlsz`: who can speak with whom, for every port, every subset of callers' rules and every
//! instance, with the reason and what to do.
//!
//! Where `/debug/authenticationz` has one row for a port in the words of Istio 1.0, this page tells
//! what each instance demands and what each cluster sends, and whether a proxy stands in front of
//! the instance at all.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use model::authentication::transport::{ClientSide, Sends, of_instance};
use model::authentication::{Mode, Policies};
use model::{DestinationRule, Endpoint, ObjectRef, Port, Service, World};
use serde::Serialize;

use crate::Inside;
use crate::router::pretty;

/// A port of a service.
#[derive(Debug, PartialEq, Serialize)]
struct Row {
    host: String,
    port: u16,
    servers: Vec<Server>,
    clients: Vec<Client>,
}

/// What an instance demands.
#[derive(Debug, PartialEq, Serialize)]
struct Server {
    instance: String,
    mode: &'static str,
    /// Absent: the mesh's own setting.
    policy: Option<String>,
    /// Whether its proxy is connected to this control plane; without one nothing is enforced.
    proxy: bool,
}

/// What callers send to the service, or to a subset of it.
#[derive(Debug, PartialEq, Serialize)]
struct Client {
    /// Absent: the service as a whole.
    subset: Option<String>,
    sends: &'static str,
    rule: Option<String>,
    status: &'static str,
    why: String,
    remedy: Option<String>,
}

/// `?host=` narrows the page to one service.
pub(crate) async fn page(
    State(inside): State<Arc<dyn Inside>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let proxied: BTreeSet<String> = inside
        .connections()
        .list()
        .iter()
        .filter_map(|connection| Some(connection.node.id.split('~').nth(2)?.to_owned()))
        .collect();
    let host = query.get("host").map(String::as_str);
    let rows = inside
        .world()
        .map(|world| rows(&world, &proxied, host))
        .unwrap_or_default();
    pretty(&rows)
}

fn rows(world: &World, proxied: &BTreeSet<String>, only: Option<&str>) -> Vec<Row> {
    let policies = Policies::new(&world.authentication, &world.mesh);
    let services = world.services.values();
    let wanted = services.filter(|service| only.is_none_or(|only| only == service.host.as_str()));
    wanted
        .flat_map(|service| service.ports.iter().map(move |port| (service, port)))
        .map(|(service, port)| row(world, &policies, proxied, service, port))
        .collect()
}

fn row(
    world: &World,
    policies: &Policies,
    proxied: &BTreeSet<String>,
    service: &Service,
    port: &Port,
) -> Row {
    let endpoints = world.endpoints_of(&service.host, port.number);
    let demand = |endpoint: &Endpoint| of_instance(world, policies, endpoint, port.number);
    let servers = endpoints.iter().filter_map(|endpoint| {
        let (mode, policy) = demand(endpoint)?;
        Some(Server {
            instance: endpoint.instance.to_string(),
            mode: word(mode),
            policy: policy.map(ObjectRef::to_string),
            proxy: has_proxy(endpoint.instance.as_str(), proxied),
        })
    });
    let rule = world.destination_rule(&service.host);
    let named = rule.iter().flat_map(|rule| &rule.subsets).map(Some);
    let subsets = std::iter::once(None).chain(named);
    let clients = subsets.map(|subset| {
        let chosen = endpoints
            .iter()
            .filter(|e| subset.is_none_or(|subset| subset.labels.selects(&e.labels)));
        let modes: BTreeSet<Mode> = chosen.filter_map(|e| Some(demand(e)?.0)).collect();
        let name = subset.map(|subset| subset.name.as_str());
        client(
            world,
            rule.map(|rule| &**rule),
            (service, port),
            name,
            &modes,
        )
    });
    Row {
        host: service.host.to_string(),
        port: port.number,
        servers: servers.collect(),
        clients: clients.collect(),
    }
}

/// Node ids carry the instance, or a task of it.
fn has_proxy(instance: &str, proxied: &BTreeSet<String>) -> bool {
    let mut tasks = proxied.range(format!("{instance}.")..);
    proxied.contains(instance)
        || tasks
            .next()
            .is_some_and(|id| id.starts_with(&format!("{instance}.")))
}

fn client(
    world: &World,
    rule: Option<&DestinationRule>,
    (service, port): (&Service, &Port),
    subset: Option<&str>,
    modes: &BTreeSet<Mode>,
) -> Client {
    let side = ClientSide::of(rule, service, port.number, subset, &world.mesh);
    let failing: Vec<&'static str> = modes
        .iter()
        .filter(|mode| !side.sends.works_with(**mode))
        .map(|mode| word(*mode))
        .collect();
    let (status, why) = match (modes.len(), failing.len()) {
        (0, _) => ("NOBODY", "no instance is there to connect to".to_owned()),
        (_, 0) => ("OK", format!("every instance takes {}", sent(side.sends))),
        (all, failing_modes) => {
            let status = if all == failing_modes {
                "CONFLICT"
            } else {
                "PARTIAL"
            };
            let why = format!(
                "callers send {}, and instances with the mode {} refuse it",
                sent(side.sends),
                failing.join(", ")
            );
            (status, why)
        }
    };
    Client {
        subset: subset.map(str::to_owned),
        sends: sent(side.sends),
        rule: side.rule.map(ObjectRef::to_string),
        status,
        why,
        remedy: (!failing.is_empty()).then(|| remedy(side)),
    }
}

fn remedy(side: ClientSide<'_>) -> String {
    match (side.sends, side.rule) {
        (Sends::Mutual, Some(rule)) => format!(
            "let a policy demand mutual TLS of the service, or take ISTIO_MUTUAL out of {rule}"
        ),
        (Sends::Mutual, None) => "let a policy demand mutual TLS of the service".to_owned(),
        (_, Some(rule)) => format!(
            "set trafficPolicy.tls.mode to ISTIO_MUTUAL in {rule}: rules for wider hosts are not \
             looked at where it holds"
        ),
        (_, None) => {
            "write a destination rule for the host with trafficPolicy.tls.mode ISTIO_MUTUAL"
                .to_owned()
        }
    }
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Disable => "DISABLE",
        Mode::Permissive => "PERMISSIVE",
        Mode::Strict => "STRICT",
    }
}

fn sent(sends: Sends) -> &'static str {
    match sends {
        Sends::Plaintext => "plaintext",
        Sends::Tls => "TLS",
        Sends::Mutual => "mTLS",
        Sends::Automatic => "mTLS where it is taken",
    }
}
