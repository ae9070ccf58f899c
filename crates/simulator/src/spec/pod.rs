//! Pods: defaults, checks and reading.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::app::upgrade;
use super::probe::Probe;
use super::{
    Constraint, Container, HealthCheck, NetworkMode, Port, Shape, check_port, networks, path,
    read_networks, words, writable,
};
use crate::error::{ApiError, Violation};
use crate::json::{default, field, labels, list, port, text};

/// The pod as Marathon would store it, but for the version.
pub(crate) fn normalise(raw: &Value, known_networks: &[String]) -> Result<Value, ApiError> {
    let mut body = writable(raw)?;
    let mut violations = Vec::new();
    match path::absolute(text(&body, "id").unwrap_or_default()) {
        Ok(id) => body["id"] = id.into(),
        Err(violation) => violations.push(violation),
    }
    fill(&mut body);
    let modes = networks(&mut body, known_networks, &mut violations);
    check_containers(&body, &mut violations);
    check_endpoints(&body, modes.first(), &mut violations);
    if body["scaling"]["instances"].as_u64().is_none() {
        violations.push(Violation::new("/scaling/instances", "must not be negative"));
    }
    if violations.is_empty() {
        Ok(body)
    } else {
        Err(ApiError::Invalid(violations))
    }
}

fn fill(body: &mut Value) {
    let defaults = [
        ("labels", json!({})),
        ("environment", json!({})),
        ("containers", json!([])),
        ("networks", json!([{ "mode": "host" }])),
        ("scaling", json!({ "kind": "fixed", "instances": 1 })),
        ("scheduling", json!({})),
        ("volumes", json!([])),
        ("secrets", json!({})),
        (
            "executorResources",
            json!({ "cpus": 0.1, "mem": 32, "disk": 10 }),
        ),
    ];
    for (key, value) in defaults {
        default(body, key, value);
    }
    if list(body, "networks").is_empty() {
        body["networks"] = json!([{ "mode": "host" }]);
    }
    if body["scaling"].is_object() {
        default(&mut body["scaling"], "kind", json!("fixed"));
        default(&mut body["scaling"], "instances", json!(1));
    }
    fill_scheduling(&mut body["scheduling"]);
    let containers = body["containers"].as_array_mut();
    for container in containers.into_iter().flatten().filter(|c| c.is_object()) {
        default(container, "endpoints", json!([]));
        let resources = json!({ "cpus": 0.1, "mem": 32, "disk": 0, "gpus": 0 });
        default(container, "resources", resources);
    }
}

fn fill_scheduling(scheduling: &mut Value) {
    if !scheduling.is_object() {
        return;
    }
    let defaults = [
        (
            "backoff",
            json!({ "backoff": 1, "backoffFactor": 1.15, "maxLaunchDelay": 300 }),
        ),
        (
            "upgrade",
            json!({ "minimumHealthCapacity": 1, "maximumOverCapacity": 1 }),
        ),
        ("placement", json!({ "constraints": [] })),
        ("killSelection", json!("YOUNGEST_FIRST")),
        (
            "unreachableStrategy",
            json!({ "inactiveAfterSeconds": 0, "expungeAfterSeconds": 0 }),
        ),
    ];
    for (key, value) in defaults {
        default(scheduling, key, value);
    }
}

fn check_containers(body: &Value, violations: &mut Vec<Violation>) {
    let containers = list(body, "containers");
    if containers.is_empty() {
        violations.push(Violation::new("/containers", "must not be empty"));
    }
    let mut names = BTreeSet::new();
    for (i, container) in containers.iter().enumerate() {
        let name = text(container, "name").unwrap_or_default();
        let path = format!("/containers({i})/name");
        if !path::is_container_name(name) {
            let error = "must be letters, digits and inner dashes, at most 63";
            violations.push(Violation::new(path, error));
        } else if !names.insert(name) {
            violations.push(Violation::new(path, "container names must be unique"));
        }
    }
}

/// Marathon's rules for endpoints: names and non-zero ports are unique in the
/// whole pod, host mode has no container ports, container mode needs them.
fn check_endpoints(body: &Value, mode: Option<&NetworkMode>, violations: &mut Vec<Violation>) {
    let mut names = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for (c, container) in list(body, "containers").iter().enumerate() {
        for (e, endpoint) in list(container, "endpoints").iter().enumerate() {
            let at = format!("/containers({c})/endpoints({e})");
            let mut refuse = |field: &str, error: &str| {
                violations.push(Violation::new(format!("{at}{field}"), error));
            };
            let name = text(endpoint, "name").unwrap_or_default();
            if !path::is_name(name) {
                refuse("/name", "must be a DNS label of at most 63 characters");
            } else if !names.insert(name) {
                refuse("/name", "endpoint names must be unique in the pod");
            }
            for key in ["containerPort", "hostPort"] {
                let number = port(endpoint, key).unwrap_or(0);
                if number != 0 && !ports.insert((key, number)) {
                    refuse(&format!("/{key}"), "must be unique in the pod");
                }
            }
            let container_port = field(endpoint, "containerPort").is_some();
            match mode {
                Some(NetworkMode::Host) if container_port => {
                    refuse("/containerPort", "is not allowed in host mode");
                }
                Some(NetworkMode::Container(_)) if !container_port => {
                    refuse("/containerPort", "is required in container mode");
                }
                _ => {}
            }
            check_port(endpoint, "containerPort", &at, violations);
            check_port(endpoint, "hostPort", &at, violations);
        }
    }
}

/// Reads a normalised pod.
pub(crate) fn read(body: &Value) -> Shape {
    let networks = read_networks(body);
    let host = networks.first() == Some(&NetworkMode::Host);
    let scheduling = &body["scheduling"];
    let placement = field(scheduling, "placement").unwrap_or(&Value::Null);
    Shape {
        labels: labels(body, "labels"),
        instances: body["scaling"]["instances"].as_u64().unwrap_or(0) as usize,
        containers: list(body, "containers")
            .iter()
            .map(|c| container(c, host))
            .collect(),
        networks,
        upgrade: upgrade(&scheduling["upgrade"]),
        placement: list(placement, "constraints")
            .iter()
            .filter_map(constraint)
            .collect(),
        readiness_checks: Vec::new(),
    }
}

fn container(body: &Value, host: bool) -> Container {
    let check = field(body, "healthCheck");
    let asked = check.and_then(|c| field(c, "http").or_else(|| field(c, "tcp")));
    let read_port = |endpoint: &Value| Port {
        name: text(endpoint, "name").map(str::to_owned),
        container_port: (!host).then(|| port(endpoint, "containerPort").unwrap_or(0)),
        host_port: port(endpoint, "hostPort"),
    };
    let ports: Vec<Port> = list(body, "endpoints").iter().map(read_port).collect();
    let command = field(body, "exec").and_then(|exec| field(exec, "command"));
    Container {
        name: text(body, "name").unwrap_or_default().to_owned(),
        image: field(body, "image")
            .and_then(|image| text(image, "id"))
            .map(str::to_owned),
        command: command.and_then(|c| match text(c, "shell") {
            Some(line) => Some(line.to_owned()),
            None => words(c, "argv"),
        }),
        health: check.map(|check| HealthCheck {
            endpoint: asked.and_then(|p| text(p, "endpoint")).map(str::to_owned),
            by_marathon: false,
            probe: Probe::of_container(check, &ports),
        }),
        ports,
    }
}

fn constraint(entry: &Value) -> Option<Constraint> {
    let field = text(entry, "fieldName")?;
    Constraint::read(field, text(entry, "operator")?, text(entry, "value"))
}
