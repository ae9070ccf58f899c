//! `/debug/authenticationz`: who speaks mTLS with whom, byte for byte in the form of Istio 1.0.
//!
//! The body is an array whose objects are indented as Go's `MarshalIndent` with a prefix of two
//! blanks does, each followed by a comma; an empty object closes it.

use std::collections::HashMap;
use std::sync::Arc;

use api::debug::Authentication;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use model::World;

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
    let rows = inside
        .world()
        .map(|world| rows(&world, host))
        .unwrap_or_default();
    ([("content-type", "application/json")], print(&rows)).into_response()
}

/// One row for each service port, sorted by host and port.
fn rows(world: &World, only: Option<&str>) -> Vec<Authentication> {
    let wanted = |host: &str| only.is_none_or(|only| only == host);
    let services = world
        .services
        .values()
        .filter(|service| wanted(service.host.as_str()));
    services
        .flat_map(|service| service.ports.iter().map(move |port| (service, port)))
        .map(|(service, port)| Authentication {
            host: service.host.to_string(),
            port: port.number,
            authentication_policy_name: "-".into(),
            destination_rule_name: world.destination_rule(&service.host).map_or_else(
                || "-".into(),
                |rule| format!("{}/{}", rule.object.name, rule.object.namespace),
            ),
            server_protocol: "HTTP",
            client_protocol: "HTTP",
            tls_conflict_status: "OK",
        })
        .collect()
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
mod tests {
    use super::*;

    #[test]
    fn the_form_is_that_of_istio_1_0_to_the_byte() {
        let row = Authentication {
            host: "httpbin.marathon.slave.mesos".into(),
            port: 8000,
            authentication_policy_name: "default/".into(),
            destination_rule_name: "-".into(),
            server_protocol: "mTLS",
            client_protocol: "HTTP",
            tls_conflict_status: "CONFLICT",
        };
        let expected = r#"
[
{
    "host": "httpbin.marathon.slave.mesos",
    "port": 8000,
    "authentication_policy_name": "default/",
    "destination_rule_name": "-",
    "server_protocol": "mTLS",
    "client_protocol": "HTTP",
    "TLS_conflict_status": "CONFLICT"
  },

{}]"#;
        assert_eq!(print(&[row]), expected);
        assert_eq!(print(&[]), "\n[\n\n{}]");
    }
}
