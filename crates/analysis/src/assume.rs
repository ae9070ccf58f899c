//! Workloads that objects speak of, where none are known.
//!
//! Files are often looked at far from any Marathon. What they name is then taken as given: a
//! workload for each host of the mesh, with an instance for each subset, and one for each gateway.

use std::collections::{BTreeMap, BTreeSet};

use api::istio::{Kind, Object};
use api::marathon::Workload;
use serde_json::{Map, Value, json};

use crate::Placement;

/// What is known of a host.
#[derive(Default)]
struct Host {
    ports: BTreeSet<u64>,
    /// Labels of an instance each.
    subsets: Vec<Map<String, Value>>,
}

/// The workloads that these objects suppose.
pub(crate) fn workloads(objects: &[Object], domain: &str) -> Vec<Workload> {
    let mut hosts: BTreeMap<String, Host> = BTreeMap::new();
    let mut placement = Placement::default();
    for object in objects {
        match object.key.kind {
            Kind::VirtualService => destinations(&object.spec, domain, &mut hosts),
            Kind::DestinationRule => rule(&object.spec, domain, &mut hosts),
            Kind::Gateway => gateway(object, &mut placement),
            _ => {}
        }
    }
    for (name, host) in hosts {
        service(&name, host, &mut placement);
    }
    placement.workloads()
}

/// The name of a service of the mesh, without its domain; other hosts are not of Marathon's.
fn short(host: &str, domain: &str) -> Option<String> {
    let name = host
        .strip_suffix(domain)
        .and_then(|rest| rest.strip_suffix('.'));
    let name = name.unwrap_or(host);
    let is_plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_plain.then(|| name.to_ascii_lowercase())
}

/// Every `destination` below, wherever it stands: routes, mirrors, and those of all protocols.
fn destinations(value: &Value, domain: &str, hosts: &mut BTreeMap<String, Host>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                if matches!(key.as_str(), "destination" | "mirror") {
                    destination(inner, domain, hosts);
                }
                destinations(inner, domain, hosts);
            }
        }
        Value::Array(items) => items.iter().for_each(|v| destinations(v, domain, hosts)),
        _ => {}
    }
}

fn destination(value: &Value, domain: &str, hosts: &mut BTreeMap<String, Host>) {
    let host = value.get("host").and_then(Value::as_str);
    if let Some(name) = host.and_then(|host| short(host, domain)) {
        let port = value.pointer("/port/number").and_then(Value::as_u64);
        hosts.entry(name).or_default().ports.extend(port);
    }
}

fn rule(spec: &Value, domain: &str, hosts: &mut BTreeMap<String, Host>) {
    let host = spec.get("host").and_then(Value::as_str);
    let Some(name) = host.and_then(|host| short(host, domain)) else {
        return;
    };
    let host = hosts.entry(name).or_default();
    let subsets = spec.get("subsets").and_then(Value::as_array);
    let labels = subsets
        .into_iter()
        .flatten()
        .filter_map(|subset| subset.get("labels")?.as_object().cloned());
    host.subsets.extend(labels);
}

fn service(name: &str, host: Host, placement: &mut Placement) {
    let ports = match host.ports.is_empty() {
        true => BTreeSet::from([80]),
        false => host.ports,
    };
    let mut instances = host.subsets;
    if instances.is_empty() {
        instances.push(Map::new());
    }
    for (i, mut labels) in instances.into_iter().enumerate() {
        labels.insert("istio".to_owned(), name.into());
        add(&format!("/{name}-{}", i + 1), &labels, &ports, placement);
    }
}

fn gateway(object: &Object, placement: &mut Placement) {
    let selector = object.spec.get("selector").and_then(Value::as_object);
    let mut labels = selector.cloned().unwrap_or_default();
    labels
        .entry("istio")
        .or_insert_with(|| (*object.key.name).into());
    let servers = object.spec.get("servers").and_then(Value::as_array);
    let ports = servers
        .into_iter()
        .flatten()
        .filter_map(|server| server.pointer("/port/number")?.as_u64());
    let id = format!("/gateway-{}-{}", object.key.namespace, object.key.name);
    add(&id, &labels, &ports.collect(), placement);
}

/// Labels of another kind than text, and ports that are none, are the border's to report.
fn add(id: &str, labels: &Map<String, Value>, ports: &BTreeSet<u64>, placement: &mut Placement) {
    let labels: Map<String, Value> = labels
        .iter()
        .filter(|(_, value)| value.is_string())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let ports = ports.iter().filter(|port| (1..=65535).contains(*port));
    let endpoints: Vec<Value> = ports
        .map(|port| json!({"name": format!("http-{port}"), "containerPort": port, "hostPort": 0, "protocol": ["tcp"]}))
        .collect();
    let pod = json!({
        "id": id, "labels": labels, "networks": [{"mode": "container/bridge"}],
        "containers": [{"name": "app", "endpoints": endpoints}],
    });
    let placed = placement.add(&pod);
    debug_assert!(placed.is_ok(), "{placed:?}");
}
