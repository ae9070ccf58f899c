//! Random events.

mod gateways;
mod mesh;

use gateways::{gateway, placed};
use mesh::mesh;
use std::time::Duration;

use model::route::*;
use model::*;
use proptest::prelude::*;
use proptest::sample::select;

use super::extensions::{authorizations, envoy_filters, telemetries, tokens};
use super::history::{AGENTS, ATTACHMENTS, Event, PROXIES};
use super::policies;
use crate::fixtures::routes::*;
use crate::fixtures::*;

pub(super) const HOSTS: &[&str] = &["a", "b", "c", "web.example.com", "*.example.com"];
pub(super) const NAMES: &[&str] = &[
    "a",
    "b",
    "c",
    "web.example.com",
    "*.example.com",
    "api.example.com",
    "*",
    "alias.example.com",
];
const PORTS: &[(u16, &str)] = &[
    (80, "http"),
    (80, "tcp"),
    (9080, "http"),
    (9080, "grpc-web"),
    (6379, "tcp"),
    (6379, "redis"),
    (443, "tls"),
    (15001, "http"),
    (15006, "tcp"),
    (53, "udp"),
];
/// Some of which cannot be served beside others.
const SERVERS: &[(u16, &str)] = &[
    (80, "http"),
    (8080, "grpc-web"),
    (443, "https"),
    (443, "https"),
    (443, "tls"),
    (443, "tcp"),
    (9000, "tcp"),
    (9000, "mongo"),
];

pub(super) fn event() -> impl Strategy<Value = Event> {
    let service = (
        prop::collection::vec(select(PORTS), 1..4),
        prop::collection::vec(select(&["alias.example.com", "a"][..]), 0..2),
    );
    let subsets = prop::collection::vec(subset(), 0..3).prop_map(unique);
    let number = select(&[80u16, 9080, 6379][..]);
    prop_oneof![
        3 => (select(HOSTS), prop::option::weighted(0.8, service)).prop_map(|(h, s)| Event::Service(h, s)),
        2 => super::visibility::visible(),
        1 => (select(HOSTS), resolution(), prop::collection::vec(named_endpoint(), 0..3)).prop_map(|(h, r, n)| Event::Resolution(h, r, n)),
        5 => (select(HOSTS), number, prop::collection::vec(endpoint(), 0..4)).prop_map(endpoints),
        3 => (select(NAMES), prop::option::weighted(0.8, (policies::policies(), subsets))).prop_map(|(h, s)| Event::Rule(h, s)),
        4 => (select(&["one", "two", "three"][..]), prop::option::weighted(0.8, routes())).prop_map(named),
        2 => (select(&["one", "two"][..]), prop::option::weighted(0.8, gateway())).prop_map(placed),
        1 => mesh().prop_map(|mesh| Event::Mesh(Box::new(mesh))),
        2 => authorizations(),
        1 => tokens(),
        2 => telemetries(),
        1 => envoy_filters(),
        3 => (0..PROXIES, any::<bool>(), any::<u8>()).prop_map(instance),
        3 => super::authentication::policy(),
        4 => (0..PROXIES).prop_map(Event::Connection),
    ]
}

fn resolution() -> impl Strategy<Value = Resolution> {
    use Resolution::{Dns, DnsRoundRobin, Dynamic, Passthrough, Static};
    select(&[Static, Passthrough, Dns, DnsRoundRobin, Dynamic][..])
}

fn named_endpoint() -> impl Strategy<Value = NamedEndpoint> {
    let port = select(&[80u16, 9080][..]);
    (port, 0..3u16, select(&["v1", "v2"][..])).prop_map(|(port, n, v)| NamedEndpoint {
        port,
        target: match n {
            0 => NamedTarget::Pipe("/run/app.sock".into()),
            n => NamedTarget::Name("db.example.com".into(), 7000 + n),
        },
        labels: version(v),
        locality: Locality::default(),
        weight: 1,
    })
}

fn unique(mut subsets: Vec<Subset>) -> Vec<Subset> {
    subsets.sort_by(|a, b| a.name.cmp(&b.name));
    subsets.dedup_by(|a, b| a.name == b.name);
    subsets
}

fn subset() -> impl Strategy<Value = Subset> {
    let labels = select(&["v1", "v2"][..]).prop_map(version);
    let names = select(&["v1", "v2", "all"][..]);
    (names, labels, policies::policies()).prop_map(|(name, labels, policies)| Subset {
        name: name.to_owned(),
        policies,
        labels: if name == "all" {
            Labels::default()
        } else {
            labels
        },
    })
}

fn endpoints((name, port, mut list): (&'static str, u16, Vec<Endpoint>)) -> Event {
    for (at, endpoint) in list.iter_mut().enumerate() {
        // Some are instances that proxies stand beside.
        let beside = format!("instance-{at}");
        let alone = format!("{name}-{at}");
        endpoint.instance = InstanceId::from(if at % 2 == 0 { &*beside } else { &*alone });
    }
    Event::Endpoints(name, port, list)
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let health = select(&[Health::Healthy, Health::Degraded, Health::Unhealthy][..]);
    let label = select(&["v1", "v2"][..]);
    let place = policies::locality();
    (health, label, reach(), 1..3u32, place).prop_map(|(health, v, reach, weight, locality)| {
        Endpoint {
            instance: InstanceId::from(""),
            labels: version(v),
            locality,
            weight,
            health,
            reach,
        }
    })
}

/// On a bridge of an agent, with or without a host port, or routed.
fn reach() -> impl Strategy<Value = Reach> {
    let kind = select(&[BridgeKind::Mesos, BridgeKind::Mesos, BridgeKind::Docker][..]);
    (0..4usize, kind, 0..4u16, 0..8u8).prop_map(|(agent, kind, n, dice)| {
        let Some(agent) = AGENTS.get(agent).map(|agent| ip(agent)) else {
            let also = (dice > 4).then(|| at(&format!("[fd01::{dice}]:80")));
            let routed = Reach::everywhere(at(&format!("10.9.9.{n}:80")));
            return Reach { also, ..routed };
        };
        let container = at(&format!("172.17.0.{n}:9080"));
        Reach {
            also: None,
            anywhere: (dice > 0).then(|| (agent, 31_000 + n).into()),
            same_bridge: Some((Bridge { agent, kind }, container)),
        }
    })
}

fn named((name, value): (&'static str, Option<VirtualService>)) -> Event {
    let value = value.map(|value| VirtualService {
        object: object("VirtualService", name),
        ..value
    });
    Event::Routes(name, value)
}

fn routes() -> impl Strategy<Value = VirtualService> {
    let hosts = prop::collection::vec(select(NAMES), 1..3);
    let bound = prop::collection::vec(select(&["mesh", "mesh", "one", "two"][..]), 1..3);
    let rules = prop::collection::vec(http_rule(), 0..3);
    let tls = prop::collection::vec(super::connections::tls(), 0..2);
    let tcp = prop::collection::vec(super::connections::tcp(), 0..2);
    (hosts, bound, rules, tls, tcp).prop_map(|(hosts, bound, rules, tls, tcp)| VirtualService {
        gateways: bound.into_iter().map(place).collect(),
        tls,
        tcp,
        ..virtual_service("", &hosts, rules)
    })
}

pub(super) fn place(name: &str) -> GatewayRef {
    match name {
        "mesh" => GatewayRef::Mesh,
        name => gateway_ref(name),
    }
}

fn http_rule() -> impl Strategy<Value = HttpRoute> {
    let targets = &[
        "a",
        "b/v1",
        "c:80",
        "a:http",
        "b/v1:grpc-web",
        "web.example.com",
        "alias.example.com",
        "nobody/v9",
        "!",
    ];
    let source = select(&["", "v1", "v2"][..]);
    let namespace = prop::option::weighted(0.2, select(&["default", "other"][..]));
    let port = prop::option::weighted(0.2, select(&[80u16, 9080][..]));
    let only = prop::option::weighted(0.2, select(&["mesh", "one"][..]));
    let condition =
        (source, namespace, port, only).prop_map(|(labels, namespace, port, only)| HttpMatch {
            uri: Some(prefix("/x")),
            source_labels: if labels.is_empty() {
                Labels::default()
            } else {
                version(labels)
            },
            source_namespace: namespace.map(Into::into),
            port,
            gateways: only.into_iter().map(place).collect(),
            ..HttpMatch::default()
        });
    let conditions = prop::collection::vec(condition, 0..3);
    let forwarded =
        (select(&targets[..]), conditions).prop_map(|(target, conditions)| match target {
            // One that Envoy would refuse.
            "!" => when(
                conditions,
                rule(Action::Respond {
                    status: 99,
                    body: None,
                }),
            ),
            target => when(conditions, forward(target)),
        });
    (forwarded, companions()).prop_map(|(rule, (mirrors, cors, delegate))| HttpRoute {
        mirrors,
        cors,
        delegate,
        ..rule
    })
}

/// What a rule can have beside its action.
fn companions() -> impl Strategy<Value = (Vec<Mirror>, Option<Cors>, Option<ObjectRef>)> {
    let copies = &[
        "a",
        "b:http",
        "c/v1:grpc-web",
        "nobody",
        "alias.example.com",
    ];
    let mirrors = prop::collection::vec(select(&copies[..]), 0..2);
    let mirrors = mirrors.prop_map(|to| to.into_iter().map(|to| mirror(to, 50.0)).collect());
    let cors = prop::option::weighted(0.2, select(&["*", "https://a.example.com"][..]));
    let cors = cors.prop_map(|origin| {
        origin.map(|origin| Cors {
            origins: vec![exact(origin)],
            ..Cors::default()
        })
    });
    let delegate = prop::option::weighted(0.1, Just(object("VirtualService", "delegate")));
    (mirrors, cors, delegate)
}

fn instance((at, there, dice): (usize, bool, u8)) -> Event {
    let ports: &[(u16, u16, &str)] = match dice % 3 {
        0 => &[(80, 80, "http")],
        1 => &[(80, 8080, "http"), (6379, 6379, "tcp")],
        _ => &[(9080, 9080, "grpc")],
    };
    let proxy = sidecar("a", ports);
    let known = proxy.instance.as_deref().cloned().unwrap();
    let instance = Instance {
        id: InstanceId::from(format!("instance-{at}").as_str()),
        labels: version(["v1", "v2"][usize::from(dice) / 3 % 2]),
        agent: (dice < 250).then(|| ip(AGENTS[usize::from(dice) / 6 % 3])),
        attachment: ATTACHMENTS[usize::from(dice) % 5 % 4],
        address: Some(ip(&format!("172.17.0.{at}"))),
        locality: policies::place(usize::from(dice) / 18 % 4),
        ..known
    };
    Event::Instance(at, there.then_some(instance))
}
