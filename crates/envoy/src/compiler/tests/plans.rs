//! Who runs which sets, who must be planned again, and what resources came from.

use std::collections::BTreeMap;

use model::route::{ConnectionMatch, VirtualService};
use model::*;

use super::fleet::Fleet;
use super::worlds;
use crate::fixtures::routes::*;
use crate::fixtures::*;
use crate::{Kind, SetKey};

fn names(keys: &[SetKey]) -> Vec<String> {
    keys.iter().map(SetKey::to_string).collect()
}

fn named(id: &str, proxy: Proxy) -> Proxy {
    Proxy {
        id: id.into(),
        ..proxy
    }
}

fn web() -> Proxy {
    named("web", sidecar("web", &[(80, 8080, "http")]))
}

#[test]
fn proxies_that_see_the_same_run_the_same_sets() {
    let mut fleet = Fleet::of(bookinfo().world(), &[web()]);
    let twin = named("twin", sidecar("sleep", &[(9080, 9080, "http")]));
    let (plan, told) = fleet.compiler.join(&twin);
    assert_eq!(told, []);
    assert_eq!(plan.sets, fleet.plan("web").sets);
    assert_eq!(
        names(&plan.sets),
        [
            "clusters",
            "secrets",
            "endpoints",
            "endpoints from mesos-bridge of 10.0.1.91",
            "clusters of sidecars",
            "redirected listeners",
            "redirected listeners from mesos-bridge of 10.0.1.91",
            "routes in marathon.slave.mesos",
        ]
    );
    let own: Vec<_> = plan.own.iter().map(|r| (r.kind, &*r.name)).collect();
    assert_eq!(
        own,
        [
            (Kind::Cluster, "inbound|9080||"),
            (Kind::Listener, "172.17.0.9_9080"),
            (Kind::Listener, "virtualInbound"),
            (Kind::Listener, "virtualOutbound"),
        ]
    );
}

#[test]
fn a_set_is_kept_while_somebody_runs_it() {
    let gateway = named("gateway", ingress(&[]));
    let mut fleet = Fleet::of(bookinfo().world(), &[web(), gateway]);
    let plan = fleet.plan("web").clone();
    let gone = fleet.compiler.leave(&plan);
    assert!(
        gone.iter()
            .all(|change| change.gone && change.upserts.is_empty())
    );
    let gone: Vec<SetKey> = gone.into_iter().map(|change| change.set).collect();
    assert_eq!(
        names(&gone),
        [
            "clusters of sidecars",
            "redirected listeners",
            "redirected listeners from mesos-bridge of 10.0.1.91",
            "routes in marathon.slave.mesos",
        ]
    );
    // Who comes back gets all of them, and only them, in full.
    let (again, told) = fleet.compiler.join(&web());
    assert_eq!(again, plan);
    let told: Vec<SetKey> = told.into_iter().map(|change| change.set).collect();
    assert_eq!(told, gone);
}

/// Its owner may be any thread.
#[test]
fn a_compiler_can_be_handed_over() {
    fn can<T: Send + Sync + 'static>(_: &T) {}
    can(&crate::Compiler::new());
}

/// Who must be planned again after a change from one World to the other, of the proxies there.
fn affected(from: World, to: World, proxies: &[Proxy]) -> Vec<String> {
    let mut fleet = Fleet::of(from, proxies);
    let changes = worlds::changes(&fleet.world, &to);
    fleet.update(to, &changes);
    let mut affected: Vec<String> = Vec::new();
    for proxy in proxies {
        if fleet.compiler.affects(&changes, proxy) {
            affected.push(proxy.id.to_string());
        }
    }
    fleet.replan(&changes, |_, proxy| proxy.clone());
    fleet.check();
    affected
}

fn instances(draft: Draft, instances: &[&Proxy]) -> World {
    let known = instances.iter().filter_map(|proxy| proxy.instance.clone());
    let by_id: BTreeMap<_, _> = known.map(|i| (i.id.clone(), i)).collect();
    World {
        instances: by_id.into(),
        ..draft.world()
    }
}

#[test]
fn an_instance_matters_to_its_own_proxy_and_to_those_without_one() {
    let late = Proxy {
        instance: None,
        ..named("late", sidecar("late", &[]))
    };
    let sleep = named("sleep", sidecar("sleep", &[]));
    let proxies = [web(), sleep.clone(), late];
    let world = || instances(bookinfo(), &[&proxies[0], &sleep]);
    let without = instances(bookinfo(), &[&sleep]);
    assert_eq!(affected(world(), without, &proxies), ["web", "late"]);
    assert_eq!(affected(world(), world(), &proxies), [""; 0]);
}

#[test]
fn a_gateway_matters_to_the_proxies_that_it_selects_or_selected() {
    let proxies = [web(), named("edge", ingress(&[(80, 8081, "http")]))];
    let one = bookinfo().gateway("one", &[(80, "http", &["*"])]);
    let mut other = one.clone();
    other.gateways[0].selector = version("v9");
    assert_eq!(
        affected(bookinfo().world(), one.clone().world(), &proxies),
        ["edge"]
    );
    assert_eq!(
        affected(one.world(), other.clone().world(), &proxies),
        ["edge"]
    );
    assert_eq!(
        affected(other.world(), bookinfo().world(), &proxies),
        [""; 0]
    );
}

#[test]
fn conditions_on_callers_matter_to_those_for_whom_they_hold() {
    let rules = |labels: &str, destination: &str| {
        let condition = model::route::HttpMatch {
            source_labels: version(labels),
            ..Default::default()
        };
        let rules = vec![when(vec![condition], forward(destination))];
        bookinfo().virtual_service(virtual_service("reviews", &["reviews"], rules))
    };
    let other = Proxy {
        labels: version("v2"),
        ..named("other", sidecar("other", &[]))
    };
    let proxies = [web(), other];
    let v1 = || rules("v1", "reviews/v1").world();
    assert_eq!(affected(bookinfo().world(), v1(), &proxies), ["web"]);
    assert_eq!(
        affected(v1(), rules("v1", "reviews/v2").world(), &proxies),
        [""; 0]
    );
    assert_eq!(
        affected(v1(), rules("v2", "reviews").world(), &proxies),
        ["web", "other"]
    );
    assert_eq!(
        affected(v1(), rules("v9", "reviews").world(), &proxies),
        ["web"]
    );
}

#[test]
fn an_outbound_port_that_is_the_proxys_own_matters() {
    let same = explicit(
        named("same", sidecar("same", &[(80, 8080, "http")])),
        "172.17.0.9",
    );
    let proxies = [web(), same];
    let service = |port| bookinfo().service("late", &[(port, "http")]).world();
    assert_eq!(
        affected(bookinfo().world(), service(8080), &proxies),
        ["same"]
    );
    assert_eq!(
        affected(bookinfo().world(), service(15001), &proxies),
        ["web"]
    );
    assert_eq!(
        affected(bookinfo().world(), service(8081), &proxies),
        [""; 0]
    );
}

#[test]
fn the_mesh_matters_to_all() {
    let mut other = bookinfo();
    other.mesh.reporting = reporting("/dev/stdout");
    let proxies = [web(), named("edge", ingress(&[]))];
    assert_eq!(
        affected(bookinfo().world(), other.world(), &proxies),
        ["web", "edge"]
    );
}

/// On its machine, a service loses an address that it does not even have elsewhere.
#[test]
fn what_is_only_said_makes_no_resource() {
    let world = bookinfo()
        .service("first", &[(6379, "tcp")])
        .endpoint(
            "first",
            6379,
            version("v1"),
            Reach::everywhere(at("172.17.1.1:6379")),
        )
        .service("second", &[(6379, "tcp")])
        .endpoint(
            "second",
            6379,
            version("v1"),
            bridge(AGENT_A, 31_500, "172.17.1.1:6379"),
        )
        .world();
    let elsewhere = Proxy {
        spot: beside(AGENT_B),
        ..named("elsewhere", web())
    };
    let fleet = Fleet::of(world, &[web(), elsewhere]);
    let from_here = fleet.plan("web").sets.iter();
    let from_here = from_here.filter(|key| {
        key.to_string() == format!("redirected listeners from mesos-bridge of {AGENT_A}")
    });
    let held: Vec<_> = from_here.map(|key| fleet.set(key)).collect();
    assert_eq!(held, [Vec::<&str>::new()]);
    let codes = |name: &str| -> Vec<&str> {
        let said = fleet.compiler.diagnostics(fleet.plan(name));
        said.iter().map(|diagnostic| diagnostic.code).collect()
    };
    assert_eq!(codes("web"), [crate::code::SERVICE_CONFLICT]);
    assert_eq!(codes("elsewhere"), [""; 0]);
}

#[test]
fn a_resource_leads_back_to_its_objects() {
    let draft = bookinfo()
        .service("web", &[(80, "http")])
        .subsets("reviews", &["v1"])
        .gateway("one", &[(80, "http", &["*"])])
        .gateway("two", &[(8080, "http", &["*"])])
        .virtual_service(virtual_service(
            "reviews",
            &["reviews"],
            vec![forward("reviews")],
        ))
        .virtual_service(virtual_service(
            "bare",
            &["bare.example.com", "web"],
            vec![forward("web")],
        ))
        .virtual_service(on_gateway(
            virtual_service("shop", &["shop.example.com"], vec![forward("web")]),
            "one",
        ));
    let edge = ingress(&[(80, 8081, "http")]);
    let fleet = Fleet::of(instances(draft, &[&edge]), &[web(), edge]);
    let origins = |kind, name: &str| -> Vec<String> {
        let objects = fleet.compiler.origins(kind, name);
        objects
            .iter()
            .map(|o| format!("{} {}", o.kind, o.name))
            .collect()
    };
    for kind in [Kind::Cluster, Kind::Endpoint] {
        let of = |name| origins(kind, name);
        assert_eq!(
            of("outbound|9080|v1|reviews.marathon.slave.mesos"),
            ["DestinationRule reviews"]
        );
        assert_eq!(of("outbound|9080||ratings.marathon.slave.mesos"), [""; 0]);
        assert_eq!(of("inbound|9080||"), [""; 0]);
    }
    assert_eq!(origins(Kind::Route, "9080"), ["VirtualService reviews"]);
    assert_eq!(origins(Kind::Route, "80"), ["VirtualService bare"]);
    assert_eq!(
        origins(Kind::Route, "http.80"),
        ["Gateway one", "VirtualService shop"]
    );
    assert_eq!(origins(Kind::Listener, "0.0.0.0_8081"), ["Gateway one"]);
    assert_eq!(origins(Kind::Listener, "0.0.0.0_8080"), ["Gateway two"]);
    assert_eq!(origins(Kind::Listener, "virtualInbound"), [""; 0]);
    assert_eq!(origins(Kind::Route, "nonsense"), [""; 0]);
}

#[test]
fn a_patched_resource_leads_back_to_the_filters_that_may_have_changed_it() {
    use crate::fixtures::extensions::{envoy_filter, patch};
    use model::envoy_filter::{Context, Operation, Patch, Target};
    let on = |name: &str, target, context| {
        let patch = Patch {
            context,
            ..patch(target, Operation::Remove, serde_json::Value::Null)
        };
        envoy_filter(name, vec![patch])
    };
    let mut draft = bookinfo();
    draft.envoy_filters = vec![
        on("inbound", Target::HttpFilter, Context::SidecarInbound),
        on("clusters", Target::Cluster, Context::Any),
        model::EnvoyFilter {
            selector: version("v9"),
            ..on("other", Target::HttpFilter, Context::SidecarInbound)
        },
    ];
    let fleet = Fleet::of(draft.world(), &[web()]);
    let names = |kind, name: &str| -> Vec<String> {
        let found = fleet.compiler.origins(kind, name);
        found.iter().map(|object| object.name.to_string()).collect()
    };
    assert_eq!(
        names(Kind::Listener, "virtualInbound"),
        ["inbound", "other"]
    );
    assert_eq!(names(Kind::Listener, "virtualOutbound"), [""; 0]);
    assert_eq!(names(Kind::Cluster, "inbound|9080||"), ["clusters"]);
    assert_eq!(names(Kind::Route, "9080"), [""; 0]);
}

#[test]
fn a_listener_that_lets_callers_in_leads_back_to_who_gave_keys() {
    let tokens = |name: &str, selector| model::RequestAuthentication {
        object: object("RequestAuthentication", name),
        selector,
        issuers: vec![crate::fixtures::extensions::issuer("a")],
    };
    let mut world = bookinfo().world();
    let all = [tokens("all", version("v1")), tokens("other", version("v9"))];
    world.request_authentications = all.map(std::sync::Arc::new).into();
    let fleet = Fleet::of(world, &[web()]);
    let names = |name: &str| -> Vec<String> {
        let found = fleet.compiler.origins(Kind::Listener, name);
        found.iter().map(|object| object.name.to_string()).collect()
    };
    assert_eq!(names("virtualInbound"), ["all", "other"]);
    // Of callers, not of those who call; and nobody has this address.
    assert_eq!(names("0.0.0.0_9080"), [""; 0]);
    assert_eq!(names("10.9.9.9_9080"), [""; 0]);
}

/// A route that connects some callers to a service without addresses, and others by theirs: whom
/// nothing is left for does not get what is for the others.
#[test]
fn callers_without_connections_do_not_get_those_of_others() {
    let asked = ConnectionMatch {
        source_labels: version("v2"),
        ..going_to(&[])
    };
    let route = connections(vec![asked, going_to(&["10.0.0.0/8"])], &[("db", 1)]);
    let routes = VirtualService {
        tcp: route,
        ..virtual_service("db", &["db"], vec![])
    };
    let mut draft = Draft::default().service("db", &[(6379, "tcp")]);
    draft.virtual_services.push(routes);
    let second = Proxy {
        labels: version("v2"),
        ..named("second", web())
    };
    Fleet::of(draft.world(), &[named("first", web()), second]).check();
}
