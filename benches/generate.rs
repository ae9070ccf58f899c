//! A mesh of any size, as the updates that its sources would send; and what all benches measure
//! and write down alike.
//!
//! Services are pods on bridge networks, spread over agents, each service in as many versions as
//! it has subsets; half of the services have a virtual service that splits between them.

pub mod process;
pub mod run;
pub mod shapes;
pub mod stat;

use std::sync::Arc;

use api::event::{Change, Event, Update};
use api::istio::{Envelope, Object};
use api::marathon::{PodStatus, PodWorkload, Workload};
use serde_json::{Value, json};

/// The parameters of a mesh.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub services: usize,
    /// Per service.
    pub endpoints: usize,
    /// Per service; none makes services of one version without a destination rule.
    pub subsets: usize,
}

/// A workload instance that a proxy can stand beside.
#[derive(Debug, Clone)]
pub struct Place {
    pub instance: String,
    pub address: String,
    pub agent: String,
}

const AGENTS: usize = 100;
const VERSION: &str = "2026-01-01T00:00:00.000Z";

// === impl Shape ===

impl Shape {
    /// The complete first lists of both sources.
    pub fn updates(self) -> Vec<Update> {
        let workloads = self
            .pods()
            .map(|(service, version)| self.pod(service, version, 0));
        let objects = self.documents().map(object);
        let mut updates = vec![config(Event::Init)];
        updates.extend(objects.map(|object| config(Event::InitApply(object))));
        updates.push(config(Event::InitDone));
        updates.push(workload(Event::Init));
        updates.extend(workloads.map(|pod| workload(Event::InitApply(pod))));
        updates.push(workload(Event::InitDone));
        updates
    }

    /// One instance of one service moved to another host port: what a crash looks like.
    pub fn moved(self, service: usize, round: usize) -> Update {
        workload(Event::Apply(self.pod(service, 0, round)))
    }

    /// One virtual service, edited.
    pub fn edited(self, service: usize, round: usize) -> Update {
        config(Event::Apply(object(
            self.route(service, 1 + (round % 99) as u32),
        )))
    }

    /// The Istio objects, as documents.
    pub fn documents(self) -> impl Iterator<Item = Value> {
        (0..self.services).flat_map(move |service| self.objects(service))
    }

    /// Service and version of every pod.
    pub fn pods(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.services)
            .flat_map(move |service| (0..self.versions()).map(move |version| (service, version)))
    }

    /// What Marathon says of a pod. With every round its first instance is elsewhere.
    pub fn pod_status(self, service: usize, version: usize, round: usize) -> Value {
        let versions = self.versions();
        let count = (self.endpoints + versions - 1 - version) / versions;
        let instances: Vec<Value> = (0..count)
            .map(|i| instance(service, version, i, if i == 0 { round } else { 0 }))
            .collect();
        json!({"id": pod_id(service, version), "spec": spec(service, version), "status": "STABLE", "instances": instances})
    }

    /// Where the first instance of a service is in a round: its own address, and the port of its agent.
    pub fn moved_to(service: usize, round: usize) -> (String, u16) {
        (address(service, 0, round), host_port(service, 0, round))
    }

    /// Instances to stand beside, none of which ever moves, spread over all services.
    pub fn places(self) -> impl Iterator<Item = Place> {
        let fixed = 1..(self.endpoints / self.versions()).max(2);
        let services = 0..self.services;
        fixed.flat_map(move |i| {
            services.clone().map(move |service| Place {
                instance: instance_id(service, 0, i),
                address: address(service, i, 0),
                agent: agent(service, 0, i),
            })
        })
    }

    fn versions(self) -> usize {
        self.subsets.max(1)
    }

    /// The sources that complete the first list.
    pub fn sources() -> Vec<api::event::SourceId> {
        vec!["directory".into(), "marathon".into()]
    }

    fn objects(self, service: usize) -> Vec<Value> {
        let mut objects = Vec::new();
        if self.subsets > 0 {
            objects.push(self.rule(service));
        }
        if service.is_multiple_of(2) && self.subsets > 1 {
            objects.push(self.route(service, 50));
        }
        objects
    }

    fn rule(self, service: usize) -> Value {
        let subset =
            |v: usize| json!({"name": format!("v{v}"), "labels": {"version": format!("v{v}")}});
        let subsets: Vec<Value> = (0..self.subsets).map(subset).collect();
        document(
            "DestinationRule",
            &format!("s{service}"),
            json!({"host": host(service), "subsets": subsets}),
        )
    }

    fn route(self, service: usize, weight: u32) -> Value {
        let to = |subset: &str, weight: u32| json!({"destination": {"host": host(service), "subset": subset}, "weight": weight});
        let route = json!([to("v0", weight), to("v1", 100 - weight)]);
        document(
            "VirtualService",
            &format!("s{service}"),
            json!({"hosts": [host(service)], "http": [{"route": route}]}),
        )
    }

    fn pod(self, service: usize, version: usize, round: usize) -> Workload {
        let status: PodStatus = from(self.pod_status(service, version, round));
        Workload::Pod(Arc::new(PodWorkload {
            status,
            versions: Vec::new(),
        }))
    }
}

fn spec(service: usize, version: usize) -> Value {
    json!({
        "id": pod_id(service, version), "version": VERSION,
        "labels": {"istio": format!("s{service}"), "version": format!("v{version}")},
        "networks": [{"mode": "container/bridge"}],
        "containers": [{"name": "app", "endpoints": [{"name": "http-9080", "containerPort": 9080, "hostPort": 0, "protocol": ["tcp"]}]}],
    })
}

fn instance(service: usize, version: usize, i: usize, round: usize) -> Value {
    let id = instance_id(service, version, i);
    json!({
        "id": id, "status": "STABLE", "agentHostname": agent(service, version, i),
        "networks": [{"name": "mesos-bridge", "addresses": [address(service, i, round)]}],
        "specReference": format!("/v2/pods{}::versions/{VERSION}", pod_id(service, version)),
        "containers": [{"name": "app", "status": "TASK_RUNNING", "containerId": format!("{id}.app"),
            "endpoints": [{"name": "http-9080", "allocatedHostPort": host_port(service, i, round)}]}],
    })
}

/// The id of a pod.
pub fn pod_id(service: usize, version: usize) -> String {
    format!("/s{service}-v{version}")
}

fn instance_id(service: usize, version: usize, i: usize) -> String {
    format!("s{service}-v{version}.instance-{service:08x}-{version:04x}-{i:04x}-0000-000000000000")
}

fn agent(service: usize, version: usize, i: usize) -> String {
    let agent = (service * 31 + version * 7 + i) % AGENTS;
    format!("10.0.{}.{}", agent / 250, 1 + agent % 250)
}

fn address(service: usize, i: usize, round: usize) -> String {
    match round {
        0 => format!("172.{}.{}.{}", 17 + i / 250 % 8, service % 250, 2 + i % 250),
        _ => format!("172.31.{}.{}", round / 250 % 250, 2 + round % 250),
    }
}

fn host_port(service: usize, i: usize, round: usize) -> u16 {
    1025 + ((service * 13 + i + round) % 60_000) as u16
}

/// The host name of a service.
pub fn host(service: usize) -> String {
    format!("s{service}.marathon.slave.mesos")
}

/// An Istio object of the networking group.
pub fn document(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn object(document: Value) -> Object {
    match Object::from_document(document, None) {
        Ok(Envelope::Object(object)) => object,
        other => panic!("a generated object is one: {other:?}"),
    }
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("generated JSON has the right shape")
}

fn config(event: Event<Object>) -> Update {
    Update {
        source: Arc::from("directory"),
        change: Change::Config(event),
    }
}

fn workload(event: Event<Workload>) -> Update {
    Update {
        source: Arc::from("marathon"),
        change: Change::Workload(event),
    }
}
