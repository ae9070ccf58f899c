//! One change tells of what it makes different, and of nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::route::VirtualService;
use model::*;

use super::fleet::Fleet;
use crate::fixtures::routes::*;
use crate::fixtures::*;
use crate::{SetChange, built};

const AGENT_C: &str = "10.0.9.9";

fn on(proxy: Proxy, id: &str, agent: &str) -> Proxy {
    Proxy {
        id: id.into(),
        spot: beside(agent),
        ..proxy
    }
}

fn in_domain(proxy: Proxy, id: &str, domain: &str) -> Proxy {
    Proxy {
        id: id.into(),
        domain: domain.into(),
        ..proxy
    }
}

fn sleep() -> Proxy {
    sidecar("sleep", &[(80, 8080, "http")])
}

/// A proxy on each of two machines that run Bookinfo, and one on a third.
fn everywhere() -> [Proxy; 3] {
    [AGENT_A, AGENT_B, AGENT_C].map(|agent| on(sleep(), agent, agent))
}

/// What was told, by set: the names of what is new, and those of what is gone with a minus.
fn told(changes: &[SetChange]) -> Vec<String> {
    let line = |change: &SetChange| {
        let upserts = change
            .upserts
            .iter()
            .map(|resource| resource.name.to_string());
        let removals = change.removals.iter().map(|name| format!("-{name}"));
        let names: Vec<String> = upserts.chain(removals).collect();
        format!("{}: {}", change.set, names.join(" "))
    };
    changes.iter().map(line).collect()
}

fn with_endpoints(
    world: &World,
    name: &str,
    port: u16,
    change: impl Fn(&mut Vec<Endpoint>),
) -> World {
    let key = ServicePort {
        host: host(name),
        port,
    };
    let entries = world.endpoints.iter().map(|(k, v)| (k.clone(), v.clone()));
    let mut endpoints: BTreeMap<ServicePort, Arc<[Endpoint]>> = entries.collect();
    let mut list = endpoints[&key].to_vec();
    change(&mut list);
    endpoints.insert(key, list.into());
    World {
        endpoints: endpoints.into(),
        generation: world.generation + 1,
        ..world.clone()
    }
}

fn reviews(destination: &str) -> VirtualService {
    virtual_service("reviews", &["reviews"], vec![forward(destination)])
}

#[test]
fn the_health_of_one_endpoint() {
    let draft = bookinfo().subsets("reviews", &["v1", "v2", "v3"]);
    let mut fleet = Fleet::of(draft.world(), &everywhere());
    // That of v2, which runs on agent B; v1 and v3 run on agent A.
    let sick = with_endpoints(&fleet.world, "reviews", 9080, |list| {
        let endpoint = list.iter_mut().find(|e| e.labels == version("v2")).unwrap();
        endpoint.health = Health::Unhealthy;
    });
    let all = "outbound|9080||reviews.marathon.slave.mesos";
    let v2 = "outbound|9080|v2|reviews.marathon.slave.mesos";
    assert_eq!(
        told(&fleet.go(sick)),
        [
            format!("endpoints: {v2} {all}"),
            format!("endpoints from mesos-bridge of {AGENT_A}: {all}"),
            format!("endpoints from mesos-bridge of {AGENT_B}: {v2} {all}"),
        ]
    );
}

#[test]
fn an_endpoint_that_leaves_a_machine_takes_its_variant_along() {
    let mut fleet = Fleet::of(bookinfo().world(), &everywhere());
    // The one endpoint of ratings, from agent B to agent C.
    let moved = with_endpoints(&fleet.world, "ratings", 9080, |list| {
        list[0].reach = bridge(AGENT_C, 31_900, "172.17.0.3:9080");
    });
    let name = "outbound|9080||ratings.marathon.slave.mesos";
    let mut expected = [
        format!("endpoints: {name}"),
        format!("endpoints from mesos-bridge of {AGENT_B}: -{name}"),
        format!("endpoints from mesos-bridge of {AGENT_C}: {name}"),
    ];
    expected.sort();
    let mut lines = told(&fleet.go(moved));
    lines.sort();
    assert_eq!(lines, expected);
}

#[test]
fn addresses_of_tcp_services_are_in_listeners_and_their_health_is_not() {
    let draft = bookinfo().service("redis", &[(6379, "redis")]);
    let reach = bridge(AGENT_A, 31_500, "172.17.1.2:6379");
    let draft = draft.endpoint("redis", 6379, version("v1"), reach);
    let bound = explicit(on(sleep(), "bound", AGENT_A), "127.0.2.9");
    let proxies = [everywhere().to_vec(), vec![bound]].concat();
    let mut fleet = Fleet::of(draft.world(), &proxies);
    let sick = with_endpoints(&fleet.world, "redis", 6379, |list| {
        list[0].health = Health::Degraded
    });
    let name = "outbound|6379||redis.marathon.slave.mesos";
    assert_eq!(
        told(&fleet.go(sick)),
        [
            format!("endpoints: {name}"),
            format!("endpoints from mesos-bridge of {AGENT_A}: {name}")
        ]
    );
    let moved = with_endpoints(&fleet.world, "redis", 6379, |list| {
        list[0].reach = bridge(AGENT_A, 31_500, "172.17.1.3:6379");
    });
    // From elsewhere it is where it was.
    assert_eq!(
        told(&fleet.go(moved)),
        [
            format!("endpoints from mesos-bridge of {AGENT_A}: {name}"),
            format!("redirected listeners from mesos-bridge of {AGENT_A}: 0.0.0.0_6379"),
        ]
    );
}

#[test]
fn a_virtual_service_is_in_the_routes_of_its_ports_once_for_each_domain() {
    let draft = bookinfo()
        .service("web", &[(80, "http")])
        .service("grpc", &[(5000, "grpc")])
        .gateway("one", &[(80, "http", &["*"])]);
    let elsewhere = in_domain(sleep(), "elsewhere", "slave.mesos");
    let proxies = [everywhere().to_vec(), vec![elsewhere, ingress(&[])]].concat();
    let mut fleet = Fleet::of(
        draft.clone().virtual_service(reviews("reviews/v1")).world(),
        &proxies,
    );
    let edited = draft.clone().virtual_service(reviews("reviews/v2")).world();
    let routes = [
        "routes in marathon.slave.mesos: 9080",
        "routes in slave.mesos: 9080",
    ];
    assert_eq!(told(&fleet.go(edited)), routes);
    assert_eq!(told(&fleet.go(draft.clone().world())), routes);
    let bound = on_gateway(reviews("reviews"), "one");
    assert_eq!(
        told(&fleet.go(draft.virtual_service(bound).world())),
        ["routes of gateways in default with istio=ingressgateway version=v1: http.80"]
    );
}

#[test]
fn conditions_on_callers_make_a_difference_for_these_callers_only() {
    let only_v1 = |destination: &str| {
        let condition = model::route::HttpMatch {
            source_labels: version("v1"),
            ..Default::default()
        };
        let rules = vec![
            when(vec![condition], forward(destination)),
            forward("reviews"),
        ];
        bookinfo()
            .service("web", &[(80, "http")])
            .virtual_service(virtual_service("reviews", &["reviews"], rules))
            .world()
    };
    let other = Proxy {
        id: "other".into(),
        labels: version("v2"),
        ..sleep()
    };
    let mut fleet = Fleet::of(only_v1("reviews/v1"), &[sleep(), other]);
    assert_eq!(
        told(&fleet.go(only_v1("reviews/v3"))),
        ["routes in marathon.slave.mesos for [* version=v1]: 9080"]
    );
}

#[test]
fn a_destination_rule_that_says_the_same_tells_nothing() {
    let rule = |subsets: &[&str]| bookinfo().subsets("reviews", subsets).world();
    let mut fleet = Fleet::of(rule(&["v1", "v2"]), &everywhere());
    assert_eq!(told(&fleet.go(rule(&["v2", "v1"]))), [""; 0]);
    let wide = bookinfo()
        .subsets("reviews", &["v1", "v2"])
        .subsets("*", &[]);
    let last = fleet.go(wide.world());
    assert_eq!(told(&last), [""; 0]);
    let more = fleet.go(rule(&["v1", "v2", "v3"]));
    let v3 = "outbound|9080|v3|reviews.marathon.slave.mesos";
    assert_eq!(
        told(&more),
        [
            format!("clusters: {v3}"),
            format!("endpoints: {v3}"),
            format!("endpoints from mesos-bridge of {AGENT_A}: {v3}"),
        ]
    );
}

#[test]
fn a_new_service_tells_of_itself_and_of_the_routes_of_its_port() {
    let draft = bookinfo().service("web", &[(80, "http")]);
    let mut fleet = Fleet::of(draft.clone().world(), &everywhere());
    let name = "outbound|9080||late.marathon.slave.mesos";
    let late = draft.clone().service("late", &[(9080, "http")]).world();
    assert_eq!(
        told(&fleet.go(late)),
        [
            format!("clusters: {name}"),
            format!("endpoints: {name}"),
            "routes in marathon.slave.mesos: 9080".to_owned(),
        ]
    );
    let gone = fleet.go(draft.world());
    assert_eq!(
        told(&gone)[..2],
        [format!("clusters: -{name}"), format!("endpoints: -{name}")]
    );
}

#[test]
fn what_concerns_nobody_tells_nothing() {
    let world = bookinfo().world();
    let mut fleet = Fleet::of(world.clone(), &everywhere());
    let later = World {
        generation: 2,
        ..world.clone()
    };
    let said = ChangeSet {
        diagnostics: true,
        ..ChangeSet::default()
    };
    assert_eq!(fleet.update(later, &said), []);
    // A change that names what is as it was.
    let nothing = ChangeSet {
        services: world.services.keys().cloned().collect(),
        endpoints: world.endpoints.keys().cloned().collect(),
        mesh: true,
        ..ChangeSet::default()
    };
    assert_eq!(fleet.update(world.clone(), &nothing), []);
    let instance = sidecar("late", &[]).instance.unwrap();
    let late = World {
        instances: BTreeMap::from([(instance.id.clone(), instance)]).into(),
        ..world
    };
    assert_eq!(fleet.go(late), []);
}

#[test]
fn what_is_built_for_one_endpoint_does_not_grow_with_the_mesh() {
    let built = |services: usize| {
        let mut draft = bookinfo();
        for n in 0..services {
            let name = format!("s{n}");
            let reach = bridge(AGENT_A, 32_000, "172.17.3.3:80");
            draft = draft.service(&name, &[(80, "http"), (6379, "tcp")]);
            draft = draft.endpoint(&name, 80, version("v1"), reach);
        }
        let mut fleet = Fleet::of(draft.world(), &everywhere());
        let sick = with_endpoints(&fleet.world, "reviews", 9080, |list| {
            list[0].health = Health::Degraded
        });
        let changes = super::worlds::changes(&fleet.world, &sick);
        let before = built::count();
        assert_eq!(fleet.update(sick, &changes).len(), 3);
        built::count() - before
    };
    let few = built(1);
    assert_eq!(
        few, 3,
        "one for all, and one for each machine that runs reviews"
    );
    assert_eq!(built(200), few);
}
