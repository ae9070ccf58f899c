//! Authentication policies, read and judged.

use api::istio::{Envelope, Object};
use model::authentication::*;
use model::{Labels, World};
use serde_json::{Value, json};

use super::fixtures::*;
use crate::codes as code;

mod origins;

fn object_in(namespace: &str, kind: &str, name: &str, spec: Value) -> Object {
    let group = match kind {
        "PeerAuthentication" => "security.istio.io/v1beta1",
        _ => "authentication.istio.io/v1alpha1",
    };
    let document = json!({"apiVersion": group, "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec});
    match Object::from_document(document, None).unwrap() {
        Envelope::Object(object) => object,
        Envelope::Foreign(kind) => panic!("{kind}"),
    }
}

/// All codes but that of callers who go on in plaintext, which no test here is about.
fn codes(world: &World) -> Vec<&'static str> {
    let all = world.diagnostics.iter().map(|d| d.code);
    all.filter(|found| *found != code::PLAINTEXT_CALLERS)
        .collect()
}

fn policy(name: &str, spec: Value) -> Object {
    object_in("default", "Policy", name, spec)
}

fn peer(name: &str, spec: Value) -> Object {
    object_in("default", "PeerAuthentication", name, spec)
}

fn world(objects: Vec<Object>) -> World {
    world_of(vec![reviews(1)], objects)
}

/// What a policy for `reviews` demands, and what is said of it.
fn demanded(peers: Value) -> (Option<Demand>, Vec<&'static str>) {
    let world = world(vec![policy(
        "p",
        json!({"targets": [{"name": "reviews"}], "peers": peers}),
    )]);
    let read = world.authentication.first().and_then(|read| read.demand);
    (read, codes(&world))
}

#[test]
fn a_peer_with_mtls_demands_it() {
    let strict = (Some(Demand::STRICT), vec![]);
    assert_eq!(demanded(json!([{"mtls": {}}])), strict);
    assert_eq!(demanded(json!([{"mtls": null}])), strict);
    assert_eq!(demanded(json!([{"mtls": {"mode": "STRICT"}}])), strict);
    assert_eq!(demanded(json!([{"mtls": {"mode": 0}}])), strict);
    let permissive = (Some(Demand::of(Mode::Permissive)), vec![]);
    assert_eq!(
        demanded(json!([{"mtls": {"mode": "PERMISSIVE"}}])),
        permissive
    );
    assert_eq!(demanded(json!([{"mtls": {"mode": 1}}])), permissive);
    let anonymous = Demand {
        anonymous: true,
        ..Demand::STRICT
    };
    assert_eq!(
        demanded(json!([{"mtls": {"allowTls": true}}])),
        (Some(anonymous), vec![])
    );
}

#[test]
fn without_a_peer_plaintext_is_demanded() {
    let open = (Some(Demand::default()), vec![]);
    assert_eq!(demanded(json!([])), open);
    assert_eq!(demanded(json!(null)), open);
}

#[test]
fn what_is_no_method_is_refused() {
    for peers in [
        json!([{}]),
        json!([{"mtls": {}, "jwt": {}}]),
        json!([{"mtls": {"mode": "ALWAYS"}}]),
        json!([{"mtls": {"mode": 7}}]),
    ] {
        assert_eq!(
            demanded(peers.clone()),
            (None, vec![code::BAD_PEER]),
            "{peers}"
        );
    }
}

#[test]
fn of_two_methods_with_mtls_the_first_holds() {
    let peers = json!([{"mtls": {"mode": "PERMISSIVE"}}, {"mtls": {}}]);
    let expected = (Some(Demand::of(Mode::Permissive)), vec![code::BAD_PEER]);
    assert_eq!(demanded(peers), expected);
}

#[test]
fn a_target_may_be_short_or_full_and_name_ports() {
    let spec = json!({"targets": [
        {"name": "reviews", "ports": [{"number": 9080}]},
        {"name": "reviews.marathon.slave.mesos", "ports": [{"name": "http-9080"}]},
    ], "peers": [{"mtls": {}}]});
    let world = world(vec![policy("p", spec)]);
    assert_eq!(codes(&world), Vec::<&str>::new());
    let target = |port| Target {
        host: host("reviews.marathon.slave.mesos"),
        ports: vec![port],
    };
    assert_eq!(
        world.authentication[0].scope,
        Scope::Services(vec![
            target(PortSelector::Number(9080)),
            target(PortSelector::Name("http-9080".into())),
        ])
    );
}

#[test]
fn a_bad_target_refuses_the_policy() {
    for target in [
        json!({"name": ""}),
        json!({"name": "*.example.com"}),
        json!({"name": "a..b"}),
        json!({"name": "reviews", "ports": [{"number": 0}]}),
        json!({"name": "reviews", "ports": [{"number": 70000}]}),
        json!({"name": "reviews", "ports": [{}]}),
        json!({"name": "reviews", "ports": [{"number": 1, "name": "x"}]}),
    ] {
        let world = world(vec![policy("p", json!({"targets": [target], "peers": []}))]);
        assert_eq!(codes(&world), [code::BAD_TARGET], "{target}");
        assert!(world.authentication.is_empty());
    }
}

#[test]
fn names_and_targets_must_fit() {
    let aimed = json!({"targets": [{"name": "reviews"}]});
    for (kind, name, spec) in [
        ("Policy", "default", aimed.clone()),
        ("Policy", "other", json!({})),
        ("MeshPolicy", "default", aimed),
    ] {
        let world = world(vec![object_in("default", kind, name, spec)]);
        assert_eq!(codes(&world), [code::POLICY_SCOPE], "{kind} {name}");
        assert!(world.authentication.is_empty());
    }
    let world = world(vec![object_in("", "MeshPolicy", "other", json!({}))]);
    assert_eq!(codes(&world), [code::POLICY_NAME]);
    assert!(world.authentication.is_empty());
}

#[test]
fn the_scope_follows_from_name_selector_and_namespace() {
    let scope = |object| {
        let world = world(vec![object]);
        world.authentication[0].scope.clone()
    };
    let mesh = object_in(
        "",
        "MeshPolicy",
        "default",
        json!({"peers": [{"mtls": {}}]}),
    );
    assert_eq!(scope(mesh), Scope::Mesh);
    assert_eq!(scope(policy("default", json!({}))), Scope::Namespace);
    assert_eq!(scope(peer("any", json!({}))), Scope::Namespace);
    let root = |spec| object_in("istio-system", "PeerAuthentication", "any", spec);
    assert_eq!(scope(root(json!({}))), Scope::Mesh);
    let selector = json!({"selector": {"matchLabels": {"version": "v1"}}});
    let labels = Labels::from_iter([("version", "v1")]);
    assert_eq!(
        scope(peer("any", selector.clone())),
        Scope::Workloads {
            labels: labels.clone(),
            everywhere: false
        }
    );
    assert_eq!(
        scope(root(selector)),
        Scope::Workloads {
            labels,
            everywhere: true
        }
    );
}

#[test]
fn a_peer_authentication_has_a_mode_for_all_and_one_for_each_port() {
    let spec = json!({"selector": {"matchLabels": {"version": "v1"}}, "mtls": {"mode": "STRICT"},
        "portLevelMtls": {"9080": {"mode": "DISABLE"}, "80": {"mode": "UNSET"}, "81": {}}});
    let world = world(vec![peer("p", spec)]);
    assert_eq!(codes(&world), Vec::<&str>::new());
    let read = &world.authentication[0];
    assert_eq!(read.demand, Some(Demand::STRICT));
    assert_eq!(read.by_port, [(9080, Demand::default())].into());
    assert_eq!(read.family, Family::PeerAuthentication);
}

#[test]
fn ports_without_a_selector_are_refused() {
    let ports = json!({"portLevelMtls": {"80": {"mode": "STRICT"}}});
    let world = world(vec![peer("p", ports)]);
    assert_eq!(codes(&world), [code::PORTS_WITHOUT_SELECTOR]);
    assert!(world.authentication.is_empty());
}

#[test]
fn a_bad_mode_port_or_selector_refuses_the_object() {
    let selector = json!({"matchLabels": {"version": "v1"}});
    for (spec, expected) in [
        (json!({"mtls": {"mode": "ON"}}), code::BAD_PEER),
        (
            json!({"selector": selector, "portLevelMtls": {"x": {}}}),
            code::BAD_PEER,
        ),
        (
            json!({"selector": selector, "portLevelMtls": {"0": {}}}),
            code::BAD_PEER,
        ),
        (
            json!({"selector": {"matchLabels": {"": "v1"}}}),
            code::BAD_SELECTOR,
        ),
    ] {
        let world = world(vec![peer("p", spec.clone())]);
        assert_eq!(codes(&world).first(), Some(&expected), "{spec}");
        assert!(world.authentication.is_empty());
    }
}

#[test]
fn of_two_policies_for_one_thing_the_older_holds() {
    let aimed = |name: &str, ports: Value| {
        policy(
            name,
            json!({"targets": [{"name": "reviews", "ports": ports}], "peers": []}),
        )
    };
    let all = json!([]);
    let one = json!([{"number": 9080}]);
    for (first, second, hidden) in [
        (all.clone(), all.clone(), true),
        (all.clone(), one.clone(), true),
        (one.clone(), one.clone(), true),
        (one, all, false),
    ] {
        let world = world(vec![aimed("a", first), aimed("b", second)]);
        assert_eq!(codes(&world) == [code::AUTHENTICATION_TWICE], hidden);
    }
    let world = world(vec![peer("a", json!({})), peer("b", json!({}))]);
    assert_eq!(codes(&world), [code::AUTHENTICATION_TWICE]);
    assert_eq!(
        &*diagnostic(&world, code::AUTHENTICATION_TWICE)
            .object
            .as_ref()
            .unwrap()
            .name,
        "b"
    );
}

#[test]
fn a_policy_that_aims_at_nothing_is_told() {
    let targets = |target: Value| policy("p", json!({"targets": [target], "peers": []}));
    let elsewhere = json!({"targets": [{"name": "reviews.marathon.slave.mesos"}], "peers": []});
    for object in [
        targets(json!({"name": "nobody"})),
        targets(json!({"name": "reviews", "ports": [{"number": 1}]})),
        object_in("other", "Policy", "p", elsewhere),
        peer("p", json!({"selector": {"matchLabels": {"version": "v9"}}})),
    ] {
        let name = object.key.to_string();
        let world = world(vec![object]);
        assert_eq!(codes(&world), [code::IDLE_POLICY], "{name}");
    }
}

#[test]
fn callers_and_servers_that_disagree_are_told() {
    let strict = || policy("default", json!({"peers": [{"mtls": {}}]}));
    let rule = || {
        let tls = json!({"tls": {"mode": "ISTIO_MUTUAL"}});
        object(
            "DestinationRule",
            "r",
            json!({"host": "reviews", "trafficPolicy": tls}),
        )
    };
    let found = |objects| {
        let world = world(objects);
        world.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>()
    };
    assert_eq!(found(vec![strict()]), [code::PLAINTEXT_CALLERS]);
    assert_eq!(found(vec![rule()]), [code::PLAINTEXT_SERVERS]);
    assert_eq!(found(vec![strict(), rule()]), [""; 0]);
    let world = world(vec![strict()]);
    let told = diagnostic(&world, code::PLAINTEXT_CALLERS);
    let object = told.object.as_ref().unwrap();
    assert_eq!(
        (object.kind, &*object.name),
        ("Service", "reviews.marathon.slave.mesos")
    );
    assert_eq!(told.field, "port 9080");
    assert_eq!(told.effect, "requests get 503");
}

#[test]
fn only_what_differs_is_in_the_changes() {
    let mut index = index();
    index.apply(workload(api::event::Event::Apply(reviews(1))));
    published(&mut index);
    let strict = policy("default", json!({"peers": [{"mtls": {}}]}));
    index.apply(config(api::event::Event::Apply(strict)));
    let changes = published(&mut index).changes;
    let kinds: Vec<&str> = changes.config.iter().map(|object| object.kind).collect();
    assert_eq!(kinds, ["Policy"]);
    assert!(changes.services.is_empty() && changes.instances.is_empty() && !changes.mesh);
}

#[test]
fn a_service_has_the_identities_of_its_instances() {
    let named = |labels: Value| {
        let spec = pod_spec("reviews", labels, 9080);
        let instances = vec![pod_instance("reviews", 1, 1, 9080)];
        let world = world_of(vec![pod_workload(pod(spec, instances), vec![])], vec![]);
        let names = service(&world, "reviews").subject_alt_names.clone();
        (names, codes(&world))
    };
    let uri = |rest: &str| vec![format!("spiffe://cluster.local/ns/{rest}")];
    let plain = json!({"istio": "reviews"});
    assert_eq!(named(plain), (uri("default/sa/default"), vec![]));
    let account = json!({"istio": "reviews", "istio.io/service-account": "books"});
    assert_eq!(named(account), (uri("default/sa/books"), vec![]));
    let wrong = json!({"istio": "reviews", "istio.io/service-account": "a/b"});
    assert_eq!(
        named(wrong),
        (uri("default/sa/default"), vec![code::LABEL_VALUE])
    );
}
