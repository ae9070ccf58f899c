//! Apps as Marathon 1.4 and 1.5 wrote them.
//!
//! The counterpart of `spec::legacy`: stored apps have the form of 1.5 and
//! later, and this turns `networks` and `portMappings` back.

use serde_json::{Map, Value, json};

use crate::json::{field, list, text};

/// Optional fields that older Marathons wrote even when they had no value.
const NULLABLE: [&str; 9] = [
    "acceptedResourceRoles",
    "args",
    "cmd",
    "container",
    "executor",
    "ipAddress",
    "residency",
    "taskKillGracePeriodSeconds",
    "user",
];

/// Replaces `networks` by `container.docker.network` or `ipAddress`, and adds
/// the `ports` that mirror the service ports.
pub(super) fn antiquate(app: &mut Value) {
    let ports = service_ports(app);
    let networks = app.as_object_mut().and_then(|a| a.remove("networks"));
    let network = networks.as_ref().and_then(|n| n.get(0)).cloned();
    let network = network.unwrap_or_else(|| json!({ "mode": "host" }));
    app["ports"] = ports.into();
    let mode = text(&network, "mode").unwrap_or("container");
    let is_docker = field(app, "container").is_some_and(|c| field(c, "docker").is_some());
    match (mode, is_docker) {
        ("host", true) => set_docker(app, "HOST"),
        ("host", false) => {}
        ("container/bridge", _) => set_docker(app, "BRIDGE"),
        (_, true) => {
            set_docker(app, "USER");
            app["ipAddress"] = ip_address(&network, &[]);
        }
        (_, false) => {
            let container = app.get("container").unwrap_or(&Value::Null);
            let mappings = list(container, "portMappings").to_vec();
            app["ipAddress"] = ip_address(&network, &mappings);
            let container = app.get_mut("container").and_then(Value::as_object_mut);
            container.and_then(|c| c.remove("portMappings"));
        }
    }
}

/// Writes `null` for what is not set.
pub(super) fn add_nulls(app: &mut Value) {
    for key in NULLABLE {
        if app.get(key).is_none() {
            app[key] = Value::Null;
        }
    }
}

fn service_ports(app: &Value) -> Vec<Value> {
    let container = app.get("container").unwrap_or(&Value::Null);
    let mapped = list(container, "portMappings").iter();
    let mapped = mapped.filter_map(|m| field(m, "servicePort"));
    let defined = list(app, "portDefinitions").iter();
    let defined = defined.filter_map(|d| field(d, "port"));
    mapped.chain(defined).cloned().collect()
}

/// The Docker network with its mappings; a bridge needed Docker then.
fn set_docker(app: &mut Value, network: &str) {
    if !app["container"].is_object() {
        app["container"] = json!({});
    }
    let container = &mut app["container"];
    let mappings = container
        .as_object_mut()
        .and_then(|c| c.remove("portMappings"));
    if !container["docker"].is_object() {
        container["docker"] = Value::Object(Map::new());
    }
    container["docker"]["network"] = network.into();
    if let Some(mappings) = mappings.filter(|_| network != "HOST") {
        container["docker"]["portMappings"] = mappings;
    }
}

fn ip_address(network: &Value, mappings: &[Value]) -> Value {
    let ports = mappings.iter().map(|m| {
        json!({
            "number": m["containerPort"],
            "name": m["name"],
            "protocol": text(m, "protocol").unwrap_or("tcp"),
        })
    });
    json!({
        "networkName": network["name"],
        "groups": [],
        "labels": {},
        "discovery": { "ports": ports.collect::<Vec<_>>() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_go_back_to_docker() {
        let mut app = json!({ "id": "/a", "networks": [{ "mode": "container/bridge" }],
            "container": { "type": "MESOS", "portMappings": [
                { "containerPort": 80, "hostPort": 0, "servicePort": 10_001 }] } });
        antiquate(&mut app);
        let docker = &app["container"]["docker"];
        assert_eq!(docker["network"], "BRIDGE");
        assert_eq!(docker["portMappings"][0]["containerPort"], 80);
        assert_eq!(app["ports"], json!([10_001]));
        assert!(app.get("networks").is_none());
    }

    #[test]
    fn container_networks_become_addresses_per_task() {
        let mut app = json!({ "id": "/a", "networks": [{ "mode": "container", "name": "dcos" }],
            "container": { "type": "MESOS", "portMappings": [
                { "containerPort": 80, "name": "http", "servicePort": 10_001 }] } });
        antiquate(&mut app);
        assert_eq!(app["ipAddress"]["networkName"], "dcos");
        let port = &app["ipAddress"]["discovery"]["ports"][0];
        assert_eq!(
            (&port["number"], &port["name"]),
            (&json!(80), &json!("http"))
        );
        add_nulls(&mut app);
        assert_eq!(app.get("residency"), Some(&Value::Null));
    }
}
