//! `/debug/authenticationz`: who speaks mTLS with whom, byte for byte in the form of Istio 1.0.
//!
//! The body is an array whose objects are indented as Go's `MarshalIndent` with a prefix of two
//! blanks does, each followed by a comma; an empty object closes it.

use std::collections::HashMap;
use std::sync::Arc;

use api::debug::Authentication;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use model::authentication::transport::{Fit, Sends, ServerSide, Transport};
use model::authentication::{Mode, Policies};
use model::{ObjectRef, Port, Service, World};

use crate::Inside;

/// The parameter is called `proxyID`, yet it names a service's host; so it was.
pub(crate) async fn page(
    State(inside): State<Arc<dyn Inside>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let host = query
        .get("proxyID")
        .or_else(|| query.get("svc"))
        .map(String::as_str);
    let exact = query.get("compat").is_some_and(|version| version == "1.0");
    let rows = inside
        .world()
        .map(|world| rows(&world, host, exact))
        .unwrap_or_default();
    ([("content-type", "application/json")], print(&rows)).into_response()
}

/// One row for each service port, sorted by host and port.
fn rows(world: &World, only: Option<&str>, exact: bool) -> Vec<Authentication> {
    let policies = Policies::new(&world.authentication, &world.mesh);
    let wanted = |host: &str| only.is_none_or(|only| only == host);
    let services = world
        .services
        .values()
        .filter(|service| wanted(service.host.as_str()));
    services
        .flat_map(|service| service.ports.iter().map(move |port| (service, port)))
        .map(|(service, port)| {
            let transport = Transport::of(world, &policies, service, port);
            row(service, port, &transport, exact)
        })
        .collect()
}

/// Istio 1.0 did not tell permissive from strict, and so called a conflict what works. Here that is
/// an answer for those who ask for exactly its words.
fn row(service: &Service, port: &Port, transport: &Transport<'_>, exact: bool) -> Authentication {
    let server = server(&transport.server, exact);
    let client = match transport.client.sends {
        Sends::Mutual => "mTLS",
        Sends::Plaintext | Sends::Tls => "HTTP",
        Sends::Automatic => automatic(&transport.server, exact),
    };
    let works = match exact {
        true => server == client,
        false => transport.fit() == Fit::Works,
    };
    Authentication {
        host: service.host.to_string(),
        port: port.number,
        authentication_policy_name: name(transport.server.policy),
        destination_rule_name: name(transport.client.rule),
        server_protocol: server,
        client_protocol: client,
        tls_conflict_status: if works { "OK" } else { "CONFLICT" },
    }
}

fn server(side: &ServerSide<'_>, exact: bool) -> &'static str {
    let mutual = side.modes.iter().any(|mode| *mode != Mode::Disable);
    let plain = side.modes.iter().any(|mode| *mode != Mode::Strict);
    match (mutual, plain && !exact) {
        (true, true) => "HTTP/mTLS",
        (true, false) => "mTLS",
        (false, _) => "HTTP",
    }
}

/// Callers that choose use mutual TLS wherever it is taken. Istio 1.0 had none; in its words such a
/// caller does what the server does.
fn automatic(side: &ServerSide<'_>, exact: bool) -> &'static str {
    let mutual = side.modes.iter().any(|mode| *mode != Mode::Disable);
    let plain = side.modes.contains(&Mode::Disable);
    match (mutual, plain && !exact) {
        (true, true) => "HTTP/mTLS",
        (true, false) => "mTLS",
        (false, _) => "HTTP",
    }
}

/// `<name>/<namespace>`, where a mesh policy has no namespace.
fn name(object: Option<&ObjectRef>) -> String {
    object.map_or_else(
        || "-".into(),
        |object| format!("{}/{}", object.name, object.namespace),
    )
}

fn print(rows: &[Authentication]) -> String {
    let mut body = String::from("\n[\n");
    for row in rows {
        let object =
            serde_json::to_string_pretty(row).expect("a row of strings and numbers is JSON");
        let mut lines = object.lines();
        body.push_str(lines.next().unwrap_or_default());
        for line in lines {
            body.push_str("\n  ");
            body.push_str(line);
        }
        body.push_str(",\n");
    }
    body.push_str("\n{}]");
    body
}

#[cfg(test)]
mod tests;
