//! The networking fields of Marathon before 1.5, rewritten as it does itself.
//!
//! Old definitions say `container.docker.network`, `ipAddress`, `ports` and
//! put port mappings below `docker`. Marathon 1.5 and later still accept them
//! and answer in the new form.

use serde_json::{Value, json};

use crate::json::{field, list, text};

/// Replaces old networking fields of an app by `networks`, `portMappings` and
/// `portDefinitions`.
pub(crate) fn modernise(body: &mut Value) {
    hoist_port_mappings(body);
    let network = docker_network(body);
    let address = body.as_object_mut().and_then(|b| b.remove("ipAddress"));
    if field(body, "networks").is_none() {
        let networks = networks(network.as_deref(), address.as_ref());
        if let Some(networks) = networks {
            body["networks"] = networks;
        }
    }
    if let Some(address) = &address {
        discovery_ports(body, address);
    }
    plain_ports(body);
}

fn networks(docker: Option<&str>, address: Option<&Value>) -> Option<Value> {
    let name = address.and_then(|a| text(a, "networkName"));
    match (docker, address) {
        (Some("BRIDGE"), _) => Some(json!([{ "mode": "container/bridge" }])),
        (Some("HOST"), _) => Some(json!([{ "mode": "host" }])),
        (Some("NONE") | None, None) => None,
        (_, _) => Some(match name {
            Some(name) => json!([{ "mode": "container", "name": name }]),
            None => json!([{ "mode": "container" }]),
        }),
    }
}

fn docker_network(body: &mut Value) -> Option<String> {
    let docker = body.pointer_mut("/container/docker")?.as_object_mut()?;
    docker.remove("network")?.as_str().map(str::to_owned)
}

fn hoist_port_mappings(body: &mut Value) {
    let docker = body
        .pointer_mut("/container/docker")
        .and_then(Value::as_object_mut);
    let Some(mappings) = docker.and_then(|d| d.remove("portMappings")) else {
        return;
    };
    let container = &mut body["container"];
    if field(container, "portMappings").is_none() && !mappings.is_null() {
        container["portMappings"] = mappings;
    }
}

/// `ipAddress.discovery.ports` described container ports that nobody maps.
fn discovery_ports(body: &mut Value, address: &Value) {
    let discovery = field(address, "discovery").unwrap_or(&Value::Null);
    let mappings: Vec<Value> = list(discovery, "ports")
        .iter()
        .map(|port| {
            json!({
                "containerPort": port["number"],
                "name": port["name"],
                "protocol": text(port, "protocol").unwrap_or("tcp"),
            })
        })
        .collect();
    if mappings.is_empty() {
        return;
    }
    if field(body, "container").is_none() {
        body["container"] = json!({ "type": "MESOS" });
    }
    if field(&body["container"], "portMappings").is_none() {
        body["container"]["portMappings"] = mappings.into();
    }
}

/// `ports: [0, 8080]` is the oldest way to ask for host ports.
fn plain_ports(body: &mut Value) {
    let Some(ports) = body.as_object_mut().and_then(|b| b.remove("ports")) else {
        return;
    };
    if field(body, "portDefinitions").is_none() {
        let ports = ports.as_array().cloned().unwrap_or_default();
        let definitions: Vec<Value> = ports
            .into_iter()
            .map(|port| json!({ "port": port, "protocol": "tcp" }))
            .collect();
        body["portDefinitions"] = definitions.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_bridge_moves_to_networks_and_container() {
        let mut body = json!({ "id": "/old", "container": { "type": "DOCKER", "docker": {
            "image": "x", "network": "BRIDGE", "portMappings": [{ "containerPort": 80 }] } } });
        modernise(&mut body);
        assert_eq!(body["networks"], json!([{ "mode": "container/bridge" }]));
        assert_eq!(body["container"]["portMappings"][0]["containerPort"], 80);
        assert_eq!(body["container"]["docker"], json!({ "image": "x" }));
    }

    #[test]
    fn ip_per_task_becomes_a_container_network() {
        let mut body = json!({ "id": "/old", "ipAddress": { "networkName": "dcos",
            "discovery": { "ports": [{ "number": 9080, "name": "http", "protocol": "tcp" }] } } });
        modernise(&mut body);
        assert_eq!(
            body["networks"],
            json!([{ "mode": "container", "name": "dcos" }])
        );
        assert_eq!(body["container"]["portMappings"][0]["name"], "http");
        assert!(body.get("ipAddress").is_none());
    }

    #[test]
    fn plain_ports_become_definitions() {
        let mut body = json!({ "id": "/old", "ports": [0, 8080] });
        modernise(&mut body);
        assert_eq!(body["portDefinitions"][1]["port"], 8080);
    }
}
