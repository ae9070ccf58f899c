//! Builders: Marathon's JSON, Istio objects, and an index to put them into.

use api::event::{Change, Event, Update};
use api::istio::{Envelope, Location, Object};
use api::marathon::{AppWorkload, PodStatus, PodWorkload, Workload};
use model::route::VirtualService;
use model::{
    Attachment, BridgeKind, Diagnostic, Endpoint, Hostname, Instance, Protocol, Service, Spot,
    World,
};
use serde_json::{Value, json};

use crate::{Index, Published, Settings};

pub(super) const MARATHON: &str = "marathon";
pub(super) const FILES: &str = "directory";
pub(super) const LATEST: &str = "2024-05-01T10:00:00.000Z";
pub(super) const OLDER: &str = "2024-04-01T10:00:00.000Z";

/// An index without sources to wait for.
pub(super) fn index() -> Index {
    Index::new(Settings {
        mesh: model::Mesh::default(),
        sources: Vec::new(),
    })
}

pub(super) fn workload(event: Event<Workload>) -> Update {
    Update {
        source: MARATHON.into(),
        change: Change::Workload(event),
    }
}

pub(super) fn config(event: Event<Object>) -> Update {
    Update {
        source: FILES.into(),
        change: Change::Config(event),
    }
}

pub(super) fn published(index: &mut Index) -> Published {
    index.publish().expect("something changed")
}

/// The World of these workloads and objects.
pub(super) fn world_of(workloads: Vec<Workload>, objects: Vec<Object>) -> World {
    let mut index = index();
    for w in workloads {
        index.apply(workload(Event::Apply(w)));
    }
    for o in objects {
        index.apply(config(Event::Apply(o)));
    }
    (*published(&mut index).world).clone()
}

pub(super) fn host(text: &str) -> Hostname {
    Hostname::parse(text).unwrap()
}

pub(super) fn service<'a>(world: &'a World, name: &str) -> &'a Service {
    &world.services[&host(&format!("{name}.marathon.slave.mesos"))]
}

/// Number, name and protocol of each port of a service.
pub(super) fn ports(world: &World, name: &str) -> Vec<(u16, String, Protocol)> {
    let ports = service(world, name).ports.iter();
    ports
        .map(|p| (p.number, p.name.to_string(), p.protocol))
        .collect()
}

pub(super) fn endpoints<'a>(world: &'a World, name: &str, port: u16) -> &'a [Endpoint] {
    world.endpoints_of(&host(&format!("{name}.marathon.slave.mesos")), port)
}

/// The address for callers anywhere, else `-`, and the one for callers on the same agent.
pub(super) fn reach(endpoint: &Endpoint) -> (String, String) {
    let text = |address: Option<String>| address.unwrap_or_else(|| "-".to_owned());
    (
        text(endpoint.reach.anywhere.map(|a| a.to_string())),
        text(
            endpoint
                .reach
                .same_bridge
                .map(|(bridge, a)| format!("{}>{a}", bridge.agent)),
        ),
    )
}

/// Where those on a bridge of an agent call from.
pub(super) fn on_bridge(kind: BridgeKind, agent: &str) -> Option<Spot> {
    Attachment::Bridge(kind).spot(agent.parse().unwrap())
}

/// Where those on Mesos' bridge of an agent call from.
pub(super) fn beside(agent: &str) -> Option<Spot> {
    on_bridge(BridgeKind::Mesos, agent)
}

pub(super) fn instance<'a>(world: &'a World, id: &str) -> &'a Instance {
    &world.instances[id]
}

pub(super) fn codes(world: &World) -> Vec<&'static str> {
    world.diagnostics.iter().map(|d| d.code).collect()
}

pub(super) fn diagnostic<'a>(world: &'a World, code: &str) -> &'a Diagnostic {
    let found = world.diagnostics.iter().find(|d| d.code == code);
    found.unwrap_or_else(|| panic!("no {code} in {:#?}", world.diagnostics))
}

// --- Marathon ---

/// An instance id, unique for `n`.
pub(super) fn id(workload: &str, n: u32) -> String {
    format!("{workload}.instance-488b3441-7bb5-11e9-b931-{n:012}")
}

pub(super) fn pod_workload(status: Value, versions: Vec<Value>) -> Workload {
    let status: PodStatus = serde_json::from_value(status).unwrap();
    let versions = versions
        .into_iter()
        .map(|v| serde_json::from_value(v).unwrap());
    Workload::Pod(std::sync::Arc::new(PodWorkload {
        status,
        versions: versions.collect(),
    }))
}

pub(super) fn app_workload(app: Value, versions: Vec<Value>) -> Workload {
    let app = serde_json::from_value(app).unwrap();
    let versions = versions
        .into_iter()
        .map(|v| serde_json::from_value(v).unwrap());
    Workload::App(std::sync::Arc::new(AppWorkload {
        app,
        versions: versions.collect(),
    }))
}

/// A pod on the bridge network with one container `main` and one endpoint.
pub(super) fn pod_spec(name: &str, labels: Value, port: u16) -> Value {
    json!({
        "id": format!("/{name}"), "version": LATEST, "labels": labels,
        "networks": [{"mode": "container/bridge"}],
        "containers": [{"name": "main", "endpoints": [
            {"name": format!("http-{port}"), "containerPort": port, "hostPort": 0, "protocol": ["tcp"]}]}],
    })
}

/// A running instance of such a pod, on agent `10.0.0.<agent>`.
pub(super) fn pod_instance(name: &str, n: u32, agent: u32, port: u16) -> Value {
    json!({
        "id": id(name, n), "status": "STABLE", "statusSince": "2024-05-02T00:00:00Z",
        "agentHostname": format!("10.0.0.{agent}"), "agentRegion": "eu", "agentZone": "eu-1",
        "networks": [{"name": "mesos-bridge", "addresses": [format!("172.31.254.{n}")]}],
        "containers": [{"name": "main", "status": "TASK_RUNNING", "conditions": [],
            "containerId": format!("{}.main", id(name, n)),
            "endpoints": [{"name": format!("http-{port}"), "allocatedHostPort": 31000 + n}]}],
        "specReference": format!("/v2/pods/{name}::versions/{LATEST}"),
    })
}

pub(super) fn pod(spec: Value, instances: Vec<Value>) -> Value {
    json!({"id": spec["id"], "spec": spec, "status": "STABLE", "instances": instances})
}

/// `/reviews` with version label `v1` and `n` instances, each on its own agent.
pub(super) fn reviews(n: u32) -> Workload {
    let spec = pod_spec(
        "reviews",
        json!({"istio": "reviews", "version": "v1"}),
        9080,
    );
    let instances = (1..=n)
        .map(|i| pod_instance("reviews", i, i, 9080))
        .collect();
    pod_workload(pod(spec, instances), Vec::new())
}

/// An app on the given network with tasks that run its latest version.
pub(super) fn app(name: &str, mode: &str, mappings: Value, tasks: Vec<Value>) -> Value {
    json!({
        "id": format!("/{name}"), "version": LATEST,
        "versionInfo": {"lastConfigChangeAt": LATEST, "lastScalingAt": LATEST},
        "labels": {"istio": name},
        "networks": [{"mode": mode}],
        "container": {"type": "MESOS", "portMappings": mappings},
        "tasks": tasks,
    })
}

pub(super) fn task(name: &str, n: u32, ports: Value) -> Value {
    json!({
        "id": format!("{}._app.1", id(name, n)), "host": "10.0.0.9", "state": "TASK_RUNNING",
        "ports": ports, "ipAddresses": [{"ipAddress": format!("172.17.0.{n}"), "protocol": "IPv4"}],
        "version": LATEST, "startedAt": "2024-05-02T00:00:00Z",
    })
}

// --- Istio ---

pub(super) fn object(kind: &str, name: &str, spec: Value) -> Object {
    let group = match kind {
        "MeshPolicy" | "Policy" => "authentication.istio.io/v1alpha1",
        "RbacConfig" | "ClusterRbacConfig" | "ServiceRole" | "ServiceRoleBinding" => {
            "rbac.istio.io/v1alpha1"
        }
        _ => "networking.istio.io/v1alpha3",
    };
    let document =
        json!({"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec});
    let location = Location {
        file: format!("{name}.yaml").into(),
        line: 1,
    };
    match Object::from_document(document, Some(location)).unwrap() {
        Envelope::Object(object) => object,
        Envelope::Foreign(kind) => panic!("{kind}"),
    }
}

pub(super) fn virtual_service(name: &str, spec: Value) -> Object {
    object("VirtualService", name, spec)
}

/// A virtual service for `reviews` that routes to one subset.
pub(super) fn to_subset(name: &str, subset: &str) -> Object {
    let destination = json!({"host": "reviews", "subset": subset});
    virtual_service(
        name,
        json!({"hosts": ["reviews"], "http": [{"route": [{"destination": destination}]}]}),
    )
}

pub(super) fn subsets(name: &str, host: &str, subsets: &[&str]) -> Object {
    let list: Vec<Value> = subsets
        .iter()
        .map(|s| json!({"name": s, "labels": {"version": s}}))
        .collect();
    object(
        "DestinationRule",
        name,
        json!({"host": host, "subsets": list}),
    )
}

/// The conversion of one route: the virtual service if it is in force, and all codes.
pub(super) fn route(http: Value) -> (Option<VirtualService>, Vec<&'static str>) {
    let spec = json!({"hosts": ["reviews"], "http": [http]});
    let world = world_of(vec![reviews(1)], vec![virtual_service("test", spec)]);
    let service = world.virtual_services.first().map(|v| (**v).clone());
    (service, codes(&world))
}
