//! Findings about gateways together, and about the workloads that serve them.

use std::collections::BTreeMap;

use model::gateway::Security;
use model::tls::ServerIdentity;
use model::{Diagnostic, Gateway, Instance, Protocol, Server, World};

use crate::codes;
use crate::report::Report;
use crate::ruling::{Ordered, Placed};

type Owned<'a> = (&'a Placed<Gateway>, &'a Server);

/// Gateways that no instance would serve.
pub(super) fn all(gateways: &Ordered<Gateway>, world: &World) -> Vec<Diagnostic> {
    let mut all = together(gateways);
    for placed in gateways.iter() {
        let gateway = &placed.value;
        if world
            .instances
            .values()
            .any(|i| gateway.selector.selects(&i.labels))
        {
            let mut report = Report::new(gateway.object.clone(), placed.location.clone(), "");
            exposed(gateway, world, &mut report);
            all.extend(report.into_diagnostics());
            continue;
        }
        let selector: Vec<String> = gateway
            .selector
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let mut report = Report::new(gateway.object.clone(), placed.location.clone(), "");
        report.warn(
            codes::IDLE_GATEWAY,
            "spec.selector",
            format!(
                "no instance in the mesh has the labels {}",
                selector.join(", ")
            ),
            "nothing listens for this gateway",
            "start a gateway workload with these labels, or correct the selector",
        );
        all.extend(report.into_diagnostics());
    }
    all
}

/// Servers that stand in each other's way, in order of precedence.
fn together(gateways: &Ordered<Gateway>) -> Vec<Diagnostic> {
    let mut all = Vec::new();
    let mut earlier: Vec<Owned<'_>> = Vec::new();
    for placed in gateways.iter() {
        let mut report = Report::new(placed.value.object.clone(), placed.location.clone(), "");
        for server in &placed.value.servers {
            let beside = earlier
                .iter()
                .filter(|other| share_port(**other, (placed, server)));
            for other in beside {
                conflict(*other, (placed, server), &mut report);
                certificate(*other, (placed, server), &mut report);
            }
            earlier.push((placed, server));
        }
        all.extend(report.into_diagnostics());
    }
    all
}

fn share_port(one: Owned<'_>, other: Owned<'_>) -> bool {
    let port = |server: &Server| (server.port, server.bind);
    one.0.value.selector == other.0.value.selector && port(one.1) == port(other.1)
}

/// Servers of different gateways that cannot both be served. Plaintext HTTP can: routes are joined.
fn conflict(older: Owned<'_>, server: Owned<'_>, report: &mut Report) {
    if older.0.value.object == server.0.value.object {
        return;
    }
    let (mine, others) = (layer(server.1), layer(older.1));
    let why = if mine != others {
        format!(
            "{} serves {others} on the same port, and this is {mine}",
            older.0.value.object
        )
    } else if mine == "TLS" {
        let mut hosts = server.1.hosts.iter();
        let Some(host) = hosts.find(|host| older.1.hosts.contains(host)) else {
            return;
        };
        format!(
            "{} serves {} on the same port",
            older.0.value.object, host.host
        )
    } else {
        return;
    };
    report.warn(
        codes::GATEWAY_CONFLICT,
        format!("spec.servers[{}]", server.1.position),
        why,
        "the older gateway is served",
        "use another port, other hosts, or another selector",
    );
}

fn layer(server: &Server) -> &'static str {
    match server.protocol {
        Protocol::Https | Protocol::Tls => "TLS",
        protocol if protocol.is_http() => "plaintext HTTP",
        _ => "raw TCP",
    }
}

/// Over one connection of HTTP/2 a browser asks for all hosts that its certificate is good for;
/// those of the other server are not among the routes of this one.
fn certificate(older: Owned<'_>, server: Owned<'_>, report: &mut Report) {
    let pairs = |server: &Server| match &server.security {
        Security::Terminate(tls) if server.protocol == Protocol::Https => match &tls.identity {
            ServerIdentity::Files(pairs) => pairs.clone(),
            ServerIdentity::Mesh => Vec::new(),
        },
        _ => Vec::new(),
    };
    let known = pairs(older.1);
    let Some(shared) = pairs(server.1)
        .into_iter()
        .find(|pair| known.contains(pair))
    else {
        return;
    };
    report.warn(
        codes::SHARED_CERTIFICATE,
        format!("spec.servers[{}].tls", server.1.position),
        format!(
            "spec.servers[{}] of {} presents the same certificate {}",
            older.1.position, older.0.value.object, shared.chain
        ),
        "a browser that has a connection to one of them asks it for hosts of both, and gets 404",
        "put the hosts into one server, or use certificates that are good for one server's hosts \
         only",
    );
}

/// Ports that no selected instance has: callers from outside cannot come there.
fn exposed(gateway: &Gateway, world: &World, report: &mut Report) {
    let instances = world.instances.values();
    let selected = instances.filter(|i| gateway.selector.selects(&i.labels));
    let selected: Vec<&Instance> = selected.map(|i| &**i).collect();
    // On the machine's own network every port can be reached; without ports nothing is known.
    let tells = |i: &&Instance| !i.ports.is_empty() && (i.agent.is_none() || i.agent != i.address);
    if selected.is_empty() || !selected.iter().all(tells) {
        return;
    }
    let mut position_by_port: BTreeMap<u16, usize> = BTreeMap::new();
    for server in &gateway.servers {
        position_by_port
            .entry(server.port)
            .or_insert(server.position);
    }
    for (port, position) in position_by_port {
        let has = |i: &&Instance| {
            let mut ports = i.ports.iter();
            ports.any(|known| known.service_port == port || known.target == port)
        };
        if !selected.iter().any(has) {
            report.warn(
                codes::PORT_NOT_EXPOSED,
                format!("spec.servers[{position}].port.number"),
                format!("no workload that the gateway selects has the port {port}"),
                "the proxies listen there, and nobody outside of their networks gets there",
                format!(
                    "add the port to the workload, or label one istio.io/service-port: \"{port}\""
                ),
            );
        }
    }
}
