//! The shapes of istiod's own micro-benchmarks, under its names, in our own words.
//!
//! Counts, kinds and ports are the same, so that figures can be put side by side: a service here is
//! a pod of Marathon, there a ServiceEntry. Left out is what is not compiled yet: TLS at gateways
//! (so `gateways` gives each of its gateways a port of its own instead of a server with TLS),
//! policies, telemetry, ServiceEntries.

use api::event::{Event, Update};
use api::marathon::{PodStatus, PodWorkload, Workload};
use serde_json::{Value, json};

use crate::{Shape, config, document, from, host, object, workload};

/// A mesh, and the proxy that it is compiled for.
pub struct Scene {
    pub name: &'static str,
    pub size: String,
    /// How many of its resources there must be at least, or it measures nothing.
    pub expected: usize,
    /// How many endpoints all its services have together.
    pub endpoints: usize,
    pub updates: Vec<Update>,
    pub node_id: &'static str,
    /// The proxy's own labels.
    pub labels: Value,
}

const SIDECAR: &str = "sidecar~1.1.1.1~v0.default~marathon.slave.mesos";
const ROUTER: &str = "router~1.1.1.1~v0.default~marathon.slave.mesos";
const PREFIXES: usize = 6;
const HOSTS: usize = 3;

/// Endpoints and services of istiod's EndpointGeneration.
const GENERATIONS: [(usize, usize); 4] = [(1, 100), (10, 10), (100, 10), (1000, 1)];

/// All that can be compiled today.
pub fn all() -> Vec<Scene> {
    let mut scenes = vec![
        gateways(1000),
        gateways_shared(1000),
        knative_gateway(100),
        services("http", 100, &[("http", 80)]),
        services("auto", 100, &[("unset", 7070)]),
        services("tcp", 100, &[("tcp", 7070)]),
        services("tls", 100, &[("tls", 7070)]),
        services(
            "empty",
            100,
            &[("http", 80), ("http-two", 81), ("tcp", 82), ("tls", 83)],
        ),
        virtual_service(100),
    ];
    scenes
        .extend(GENERATIONS.map(|(endpoints, services)| endpoint_generation(endpoints, services)));
    scenes
}

/// One gateway, one virtual service and one service each.
fn gateways(size: usize) -> Scene {
    let objects = (0..size).flat_map(|i| {
        let name = format!("gateway-{i}");
        let hosts: Vec<_> = (0..HOSTS)
            .map(|h| format!("host-{h}.{name}.example"))
            .collect();
        let gateway = gateway(&name, 20_000 + i as u16, &json!(hosts));
        let routes = json!({"hosts": hosts, "gateways": [name], "http": [{"route": to(i)}]});
        [gateway, document("VirtualService", &name, routes)]
    });
    scene(
        "gateways",
        size,
        ROUTER,
        objects.collect(),
        pods(size, 1, &[("http", 80)]),
    )
}

/// One gateway for all; its route configuration is the largest of all shapes.
fn gateways_shared(size: usize) -> Scene {
    let mut objects = vec![gateway("shared", 80, &json!(["*"]))];
    objects.extend((0..size).map(|i| {
        let name = format!("routes-{i}");
        let hosts: Vec<_> = (0..HOSTS).map(|h| format!("host-{h}.{name}.example")).collect();
        let route = |p: usize| json!({"match": [{"uri": {"prefix": format!("/prefix-{p}")}}], "route": to(i)});
        let routes: Vec<_> = (0..PREFIXES).map(route).collect();
        document("VirtualService", &name, json!({"hosts": hosts, "gateways": ["shared"], "http": routes}))
    }));
    Scene {
        expected: 1,
        ..scene(
            "gateways-shared",
            size,
            ROUTER,
            objects,
            pods(size, 1, &[("http", 80)]),
        )
    }
}

/// Virtual services as Knative makes them: two gateways, authority and headers in every match.
fn knative_gateway(size: usize) -> Scene {
    let mut objects = vec![
        gateway("knative-ingress-gateway", 80, &json!(["*"])),
        gateway("knative-local-gateway", 8081, &json!(["*"])),
    ];
    objects.extend((0..size).map(|i| {
        let name = format!("revision-{i}");
        let hosts: Vec<_> = ["example.com", "svc", "svc.cluster.local"].map(|end| format!("{name}.default.{end}")).to_vec();
        let route = |name_of: &String| {
            json!({
                "match": [{"authority": {"prefix": name_of}, "gateways": ["knative-ingress-gateway", "knative-local-gateway"]}],
                "headers": {"request": {"set": {"K-Network-Hash": format!("hash-{i}")}}},
                "retries": {"attempts": 0},
                "route": [{"destination": {"host": host(i)}, "weight": 100,
                    "headers": {"request": {"set": {"Knative-Serving-Namespace": "default", "Knative-Serving-Revision": name}}}}],
            })
        };
        let routes: Vec<_> = hosts.iter().map(route).collect();
        let gateways = ["knative-ingress-gateway", "knative-local-gateway"];
        document("VirtualService", &name, json!({"hosts": hosts, "gateways": gateways, "http": routes}))
    }));
    Scene {
        expected: 2,
        ..scene(
            "knative-gateway",
            size,
            ROUTER,
            objects,
            pods(size, 1, &[("http", 80)]),
        )
    }
}

/// Services only, with these ports.
fn services(name: &'static str, size: usize, ports: &[(&str, u16)]) -> Scene {
    scene(name, size, SIDECAR, Vec::new(), pods(size, 1, ports))
}

/// Prefix and regex matches, and a rewrite.
fn virtual_service(size: usize) -> Scene {
    let objects = (0..size).map(|i| {
        let http = json!([
            {"match": [{"uri": {"prefix": "/api/v1"}}, {"uri": {"regex": "/items/[a-z0-9]+/detail"}}],
             "rewrite": {"uri": "/v1"}, "route": to(i)},
            {"route": to(i)},
        ]);
        document("VirtualService", &format!("routes-{i}"), json!({"hosts": [host(i)], "http": http}))
    });
    scene(
        "virtualservice",
        size,
        SIDECAR,
        objects.collect(),
        pods(size, 1, &[("http", 80)]),
    )
}

fn endpoint_generation(endpoints: usize, services: usize) -> Scene {
    let pods = pods(services, endpoints, &[("http", 80)]);
    Scene {
        endpoints: endpoints * services,
        size: format!("{endpoints}x{services}"),
        ..scene("EndpointGeneration", services, SIDECAR, Vec::new(), pods)
    }
}

fn scene(
    name: &'static str,
    size: usize,
    node_id: &'static str,
    objects: Vec<Value>,
    pods: Vec<Workload>,
) -> Scene {
    let mut updates = vec![config(Event::Init)];
    updates.extend(
        objects
            .into_iter()
            .map(|document| config(Event::InitApply(object(document)))),
    );
    updates.push(config(Event::InitDone));
    updates.push(workload(Event::Init));
    updates.extend(pods.into_iter().map(|pod| workload(Event::InitApply(pod))));
    updates.push(workload(Event::InitDone));
    let labels = json!({"istio": "ingressgateway", "istio.io/benchmark": "true"});
    Scene {
        name,
        size: size.to_string(),
        expected: size,
        endpoints: size,
        updates,
        node_id,
        labels,
    }
}

fn gateway(name: &str, port: u16, hosts: &Value) -> Value {
    let server = json!({"port": {"number": port, "name": format!("http-{port}"), "protocol": "HTTP"}, "hosts": hosts});
    document(
        "Gateway",
        name,
        json!({"selector": {"istio": "ingressgateway"}, "servers": [server]}),
    )
}

fn to(service: usize) -> Value {
    json!([{"destination": {"host": host(service)}}])
}

/// Pods with these ports, each with a port of its agent.
fn pods(services: usize, instances: usize, ports: &[(&str, u16)]) -> Vec<Workload> {
    let shape = Shape {
        services,
        endpoints: instances,
        subsets: 0,
    };
    let pod = |service| {
        let mut status = shape.pod_status(service, 0, 0);
        let declared = ports.iter().map(|(name, port)| json!({"name": name, "containerPort": port, "hostPort": 0, "protocol": ["tcp"]}));
        status["spec"]["containers"][0]["endpoints"] = declared.collect();
        for instance in status["instances"].as_array_mut().into_iter().flatten() {
            let first = instance["containers"][0]["endpoints"][0]["allocatedHostPort"]
                .as_u64()
                .unwrap_or_default();
            let allocated = ports.iter().enumerate().map(|(i, (name, _))| json!({"name": name, "allocatedHostPort": (first + 15_000 * i as u64) % 64_000 + 1000}));
            instance["containers"][0]["endpoints"] = allocated.collect();
        }
        let status: PodStatus = from(status);
        Workload::Pod(std::sync::Arc::new(PodWorkload {
            status,
            versions: Vec::new(),
        }))
    };
    (0..services).map(pod).collect()
}
