//! Apps: defaults, checks and reading.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::probe::Probe;
use super::{
    Constraint, Container, HealthCheck, NetworkMode, Port, Shape, Upgrade, check_port, legacy,
    networks, path, read_networks, words, writable,
};
use crate::error::{ApiError, Violation};
use crate::json::{default, field, labels, list, port, text};

/// The app as Marathon would store it, but for service ports and version.
pub(crate) fn normalise(raw: &Value, known_networks: &[String]) -> Result<Value, ApiError> {
    let mut body = writable(raw)?;
    let mut violations = Vec::new();
    match path::absolute(text(&body, "id").unwrap_or_default()) {
        Ok(id) => body["id"] = id.into(),
        Err(violation) => violations.push(violation),
    }
    legacy::modernise(&mut body);
    fill(&mut body);
    let modes = networks(&mut body, known_networks, &mut violations);
    fill_ports(&mut body, &modes);
    check(&body, &mut violations);
    if violations.is_empty() {
        Ok(body)
    } else {
        Err(ApiError::Invalid(violations))
    }
}

fn fill(body: &mut Value) {
    let defaults = [
        ("networks", json!([{ "mode": "host" }])),
        ("labels", json!({})),
        ("env", json!({})),
        ("instances", json!(1)),
        ("cpus", json!(1)),
        ("mem", json!(128)),
        ("disk", json!(0)),
        ("gpus", json!(0)),
        ("constraints", json!([])),
        ("healthChecks", json!([])),
        ("readinessChecks", json!([])),
        ("requirePorts", json!(false)),
        ("backoffSeconds", json!(1)),
        ("backoffFactor", json!(1.15)),
        ("maxLaunchDelaySeconds", json!(300)),
        ("killSelection", json!("YOUNGEST_FIRST")),
        ("upgradeStrategy", json!({})),
        (
            "unreachableStrategy",
            json!({ "inactiveAfterSeconds": 0, "expungeAfterSeconds": 0 }),
        ),
    ];
    for (key, value) in defaults {
        default(body, key, value);
    }
    if list(body, "networks").is_empty() {
        body["networks"] = json!([{ "mode": "host" }]);
    }
    if body["upgradeStrategy"].is_object() {
        default(
            &mut body["upgradeStrategy"],
            "minimumHealthCapacity",
            json!(1),
        );
        default(
            &mut body["upgradeStrategy"],
            "maximumOverCapacity",
            json!(1),
        );
    }
}

fn fill_ports(body: &mut Value, modes: &[NetworkMode]) {
    let entries = if modes.first() == Some(&NetworkMode::Host) {
        // A host-mode app that says nothing gets one port named "default".
        let one = json!([{ "port": 0, "protocol": "tcp", "name": "default" }]);
        default(body, "portDefinitions", one);
        body.get_mut("portDefinitions")
    } else {
        body.pointer_mut("/container/portMappings")
    };
    for entry in entries.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(map) = entry.as_object_mut() {
            map.retain(|_, value| !value.is_null());
            default(entry, "protocol", json!("tcp"));
            default(entry, "labels", json!({}));
        }
    }
}

fn check(body: &Value, violations: &mut Vec<Violation>) {
    for key in ["instances"] {
        if body[key].as_u64().is_none() {
            violations.push(Violation::new(format!("/{key}"), "must not be negative"));
        }
    }
    let (key, entries) = ports(body);
    let mut names = BTreeSet::new();
    for (i, entry) in entries.iter().enumerate() {
        let path = format!("{key}({i})");
        for number in ["port", "containerPort", "hostPort", "servicePort"] {
            check_port(entry, number, &path, violations);
        }
        let Some(name) = text(entry, "name") else {
            continue;
        };
        if !path::is_name(name) {
            violations.push(Violation::new(
                format!("{path}/name"),
                "must match regular expression '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'",
            ));
        }
        if !names.insert(name) {
            violations.push(Violation::new(key, "Port names must be unique."));
        }
    }
}

/// The list that defines the ports in the app's network mode.
fn ports(body: &Value) -> (&'static str, &[Value]) {
    match read_networks(body).first() {
        None | Some(NetworkMode::Host) => ("/portDefinitions", list(body, "portDefinitions")),
        _ => (
            "/container/portMappings",
            field(body, "container").map_or(&[], |c| list(c, "portMappings")),
        ),
    }
}

/// Reads a normalised app.
pub(crate) fn read(body: &Value) -> Shape {
    let (_, entries) = ports(body);
    let networks = read_networks(body);
    let host = networks.first() == Some(&NetworkMode::Host);
    let fixed = body["requirePorts"].as_bool().unwrap_or(false);
    let read_port = |entry: &Value| Port {
        name: text(entry, "name").map(str::to_owned),
        container_port: (!host).then(|| port(entry, "containerPort").unwrap_or(0)),
        host_port: match (host, fixed) {
            (true, true) => port(entry, "port"),
            (true, false) => Some(0),
            (false, _) => port(entry, "hostPort"),
        },
    };
    let checks = list(body, "healthChecks");
    let by_marathon = checks
        .iter()
        .any(|c| matches!(text(c, "protocol"), None | Some("HTTP" | "HTTPS" | "TCP")));
    let container = Container {
        name: String::new(),
        image: field(body, "container")
            .and_then(|container| field(container, "docker"))
            .and_then(|docker| text(docker, "image"))
            .map(str::to_owned),
        command: match text(body, "cmd") {
            Some(line) => Some(line.to_owned()),
            None => words(body, "args"),
        },
        ports: entries.iter().map(read_port).collect(),
        health: (!checks.is_empty()).then_some(HealthCheck {
            endpoint: None,
            by_marathon,
            probe: checks.first().and_then(Probe::of_app),
        }),
    };
    let readiness = list(body, "readinessChecks").iter();
    Shape {
        labels: labels(body, "labels"),
        instances: body["instances"].as_u64().unwrap_or(0) as usize,
        networks,
        containers: vec![container],
        upgrade: upgrade(&body["upgradeStrategy"]),
        placement: list(body, "constraints")
            .iter()
            .filter_map(constraint)
            .collect(),
        readiness_checks: readiness
            .map(|c| text(c, "name").unwrap_or("readinessCheck").to_owned())
            .collect(),
    }
}

/// Reads `upgradeStrategy` or a pod's `scheduling.upgrade`.
pub(super) fn upgrade(value: &Value) -> Upgrade {
    let share = |key: &str| field(value, key).and_then(Value::as_f64).unwrap_or(1.0);
    Upgrade {
        minimum_health: share("minimumHealthCapacity"),
        maximum_over: share("maximumOverCapacity"),
    }
}

fn constraint(entry: &Value) -> Option<Constraint> {
    let entry = entry.as_array()?;
    let part = |i: usize| entry.get(i).and_then(Value::as_str);
    Constraint::read(part(0)?, part(1)?, part(2))
}

/// The service ports in the order of the app's ports; 0 where still open.
pub(crate) fn service_ports(body: &Value) -> Vec<u16> {
    let (key, entries) = ports(body);
    let field = service_port_field(key);
    entries
        .iter()
        .map(|e| port(e, field).unwrap_or(0))
        .collect()
}

/// Fills the open service ports of a normalised app. Ports that the previous
/// version had and the new one does not name are used first, so that an app
/// keeps its ports across updates.
pub(crate) fn assign_service_ports(
    body: &mut Value,
    previous: &[u16],
    mut free: impl FnMut() -> Option<u16>,
) -> Result<(), ApiError> {
    let wanted = service_ports(body);
    let mut kept = previous.iter().filter(|p| !wanted.contains(p));
    let (key, _) = ports(body);
    let field = service_port_field(key);
    let Some(entries) = body.pointer_mut(key).and_then(Value::as_array_mut) else {
        return Ok(());
    };
    for (entry, port) in entries.iter_mut().zip(&wanted) {
        let port = match *port {
            0 => kept.next().copied().or_else(&mut free),
            port => Some(port),
        };
        let exhausted = || ApiError::Conflict("All service ports are taken.".into());
        entry[field] = port.ok_or_else(exhausted)?.into();
    }
    Ok(())
}

fn service_port_field(key: &str) -> &'static str {
    if key == "/portDefinitions" {
        "port"
    } else {
        "servicePort"
    }
}
