//! Objects beside each other: precedence, last good versions, merging, findings.

use api::event::{Change, Event, Update};
use api::istio::{Object, Problem};
use model::World;
use model::route::{Action, GatewayRef};
use serde_json::json;

use super::fixtures::*;

fn names(world: &World) -> Vec<String> {
    let all = world.virtual_services.iter();
    all.map(|v| v.object.name.to_string()).collect()
}

fn subset_of(world: &World, position: usize) -> Option<String> {
    match &world.virtual_services[position].http[0].action {
        Action::Forward(list) => list[0].destination.subset.clone(),
        _ => None,
    }
}

fn broken(name: &str) -> Object {
    virtual_service(
        name,
        json!({"hosts": ["details"], "http": [{"timeout": "soon"}]}),
    )
}

#[test]
fn a_bad_object_is_refused_alone() {
    let rule = subsets("reviews", "reviews", &["v1"]);
    let objects = vec![rule, broken("bad"), to_subset("good", "v1")];
    let world = world_of(vec![reviews(1)], objects);
    assert_eq!(names(&world), ["good"]);
    assert_eq!(codes(&world), ["PH0301"]);
    let found = diagnostic(&world, "PH0301");
    assert_eq!(found.field, "spec.http[0].timeout");
    assert_eq!(found.effect, "the object has no effect");
    assert_eq!(found.location.as_ref().unwrap().to_string(), "bad.yaml:1");
    assert_eq!(
        found.object.as_ref().unwrap().to_string(),
        "VirtualService default/bad"
    );
}

#[test]
fn the_last_good_version_stays_until_it_is_healed_or_deleted() {
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(1))));
    index.apply(config(Event::Apply(subsets("r", "reviews", &["v1", "v2"]))));
    let good = to_subset("a", "v1");
    index.apply(config(Event::Apply(good.clone())));
    published(&mut index);
    index.apply(config(Event::Apply(broken("a"))));
    let bad = published(&mut index);
    assert!(!bad.changes.concerns_proxies() && bad.changes.diagnostics);
    assert_eq!(subset_of(&bad.world, 0), Some("v1".into()));
    assert!(
        diagnostic(&bad.world, "PH0301")
            .effect
            .contains("previous version")
    );
    // Bad twice in a row, and through a resync, it is still there.
    let mut other = broken("a");
    other.spec["hosts"] = json!([]);
    for event in [Event::Init, Event::InitApply(other), Event::InitDone] {
        index.apply(config(event));
    }
    assert_eq!(
        subset_of(&published(&mut index).world, 0),
        Some("v1".into())
    );
    index.apply(config(Event::Apply(to_subset("a", "v2"))));
    let healed = published(&mut index).world;
    assert_eq!(subset_of(&healed, 0), Some("v2".into()));
    assert!(!codes(&healed).contains(&"PH0301"));
    index.apply(config(Event::Apply(broken("a"))));
    index.apply(config(Event::Delete(good.key.clone())));
    assert!(published(&mut index).world.virtual_services.is_empty());
}

#[test]
fn precedence_is_by_age_then_name_whatever_arrived_first() {
    let dated = |name: &str, day: u32| {
        let mut object = to_subset(name, "v1");
        object.created = format!("2024-01-{day:02}T00:00:00Z").parse().ok();
        object
    };
    let mut index = index();
    let arrivals = [
        to_subset("z", "v1"),
        to_subset("y", "v1"),
        dated("b", 2),
        dated("a", 2),
        dated("c", 1),
    ];
    for object in arrivals {
        index.apply(config(Event::Apply(object)));
    }
    assert_eq!(
        names(&published(&mut index).world),
        ["c", "a", "b", "y", "z"]
    );
    index.apply(config(Event::Apply(to_subset("z", "v2"))));
    assert_eq!(
        names(&published(&mut index).world),
        ["c", "a", "b", "y", "z"]
    );
    // A resync names all again, in another order.
    let listed = [
        to_subset("new", "v1"),
        to_subset("y", "v1"),
        to_subset("z", "v2"),
    ];
    index.apply(config(Event::Init));
    for object in listed {
        index.apply(config(Event::InitApply(object)));
    }
    index.apply(config(Event::InitDone));
    assert_eq!(names(&published(&mut index).world), ["new", "y", "z"]);
}

#[test]
fn rules_for_one_host_are_merged_oldest_first() {
    let first = subsets("first", "reviews", &["v1", "v2"]);
    let second = subsets("second", "reviews.marathon.slave.mesos", &["v2", "v3"]);
    let world = world_of(
        vec![reviews(1)],
        vec![
            first,
            second,
            subsets("wide", "*.marathon.slave.mesos", &[]),
        ],
    );
    assert_eq!(world.destination_rules.len(), 2);
    let rule = &world.destination_rules[0];
    let merged: Vec<_> = rule.subsets.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(
        (&*rule.object.name, merged),
        ("first", vec!["v1", "v2", "v3"])
    );
    let found = diagnostic(&world, "PH0331");
    assert_eq!(found.field, "spec.subsets[0].name");
    assert_eq!(&*found.object.as_ref().unwrap().name, "second");
}

#[test]
fn a_destination_rule_needs_a_host_and_names_for_its_subsets() {
    for (spec, code, field) in [
        (json!({}), "PH0305", "spec.host"),
        (json!({"host": "a b"}), "PH0305", "spec.host"),
        (
            json!({"host": "a", "subsets": [{"name": ""}]}),
            "PH0320",
            "spec.subsets[0].name",
        ),
        (
            json!({"host": "a", "subsets": [{"name": "v|1"}]}),
            "PH0320",
            "spec.subsets[0].name",
        ),
        (
            json!({"host": "a", "subsets": [{"name": "v"}, {"name": "v"}]}),
            "PH0320",
            "spec.subsets[1].name",
        ),
    ] {
        let world = world_of(vec![], vec![object("DestinationRule", "bad", spec.clone())]);
        assert_eq!(world.destination_rules.len(), 0, "{spec}");
        assert_eq!(diagnostic(&world, code).field, field, "{spec}");
    }
}

#[test]
fn gateways_serve_what_they_can() {
    let spec = json!({"selector": {"istio": "reviews"}, "servers": [
        {"port": {"number": 80, "name": "http", "protocol": "http"}, "hosts": ["*", "./a.b", "*/c.d", "ns/e.f", "short"]},
        {"port": {"number": 443, "protocol": "HTTPS"}, "hosts": ["*"], "tls": {"mode": "SIMPLE"}},
        {"port": {"number": 81, "protocol": "HTTP"}, "hosts": ["*"], "tls": {"httpsRedirect": true}},
        {"port": {"protocol": "HTTP"}, "hosts": ["*"]},
        {"port": {"number": 82, "protocol": "SMTP"}, "hosts": ["*"]},
        {"port": {"number": 83, "protocol": "HTTP"}},
        {"port": {"number": 84, "protocol": "HTTP"}, "hosts": ["a_.-"]},
        {"port": {"number": 85, "protocol": "HTTP2"}, "hosts": ["*"], "tls": {"httpsRedirect": false}},
    ]});
    let world = world_of(vec![reviews(1)], vec![object("Gateway", "g", spec)]);
    let gateway = &world.gateways[0];
    let served: Vec<_> = gateway
        .servers
        .iter()
        .map(|s| (s.position, s.port))
        .collect();
    assert_eq!(served, [(0, 80), (2, 81), (7, 85)]);
    let hosts: Vec<_> = gateway.servers[0]
        .hosts
        .iter()
        .map(|h| (h.namespace.as_deref(), h.host.as_str()))
        .collect();
    assert_eq!(
        hosts,
        [
            (None, "*"),
            (Some("default"), "a.b"),
            (None, "c.d"),
            (Some("ns"), "e.f"),
            (None, "short.marathon.slave.mesos")
        ]
    );
    let found: Vec<_> = world
        .diagnostics
        .iter()
        .map(|d| (d.code, d.field.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("PH0304", "spec.servers[5].hosts"),
            ("PH0305", "spec.servers[6].hosts[0]"),
            ("PH0319", "spec.servers[3].port.number"),
            ("PH0319", "spec.servers[4].port.protocol"),
            ("PH0382", "spec.servers[1].tls"),
            ("PH0390", "spec.servers[0].port.number"),
            ("PH0390", "spec.servers[2].port.number"),
            ("PH0390", "spec.servers[7].port.number"),
        ]
    );
    let world = world_of(
        vec![],
        vec![object("Gateway", "empty", json!({"selector": {}}))],
    );
    assert!(world.gateways.is_empty() && codes(&world) == ["PH0319"]);
}

#[test]
fn gateways_are_named_in_every_form() {
    let route = json!([{"route": [{"destination": {"host": "reviews"}}]}]);
    for (gateways, expected) in [
        (json!([]), vec![GatewayRef::Mesh]),
        (
            json!(["mesh", "g", "default/g"]),
            vec![GatewayRef::Mesh, gateway("default", "g")],
        ),
        (
            json!(["ns/g", "./g"]),
            vec![gateway("ns", "g"), gateway("default", "g")],
        ),
        (json!(["g.ns.svc.cluster.local"]), vec![gateway("ns", "g")]),
    ] {
        let spec = json!({"hosts": ["reviews"], "gateways": gateways, "http": route});
        let world = world_of(vec![reviews(1)], vec![virtual_service("a", spec)]);
        assert_eq!(world.virtual_services[0].gateways, expected, "{gateways}");
    }
    let spec = json!({"hosts": ["reviews"], "gateways": ["/g"], "http": route});
    let world = world_of(vec![reviews(1)], vec![virtual_service("a", spec)]);
    assert_eq!(codes(&world), ["PH0321"]);
}

fn gateway(namespace: &str, name: &str) -> GatewayRef {
    GatewayRef::Gateway {
        namespace: namespace.into(),
        name: name.into(),
    }
}

#[test]
fn references_that_lead_nowhere_are_told_and_heal() {
    let mut index = index();
    let spec = json!({"hosts": ["reviews"], "gateways": ["mesh", "missing"], "http": [
        {"route": [{"destination": {"host": "reviwes", "subset": "v1"}}]}]});
    index.apply(config(Event::Apply(virtual_service("a", spec))));
    index.apply(config(Event::Apply(object(
        "Gateway",
        "idle",
        json!({"selector": {"istio": "reviews"}, "servers": [
            {"port": {"number": 9080, "protocol": "HTTP"}, "hosts": ["*"]}]}),
    ))));
    let world = published(&mut index).world;
    assert_eq!(codes(&world), ["PH0334", "PH0335", "PH0336", "PH0337"]);
    assert_eq!(world.virtual_services.len(), 1);
    index.apply(workload(Event::Apply(reviews(1))));
    let world = published(&mut index).world;
    assert_eq!(codes(&world), ["PH0334", "PH0335", "PH0336"]);
    assert_eq!(
        diagnostic(&world, "PH0334").remedy,
        "did you mean reviews.marathon.slave.mesos?"
    );
    index.apply(config(Event::Apply(to_subset("a", "v1"))));
    index.apply(config(Event::Apply(subsets(
        "r",
        "*.marathon.slave.mesos",
        &["v2"],
    ))));
    let world = published(&mut index).world;
    assert_eq!(codes(&world), ["PH0335"]);
    assert!(diagnostic(&world, "PH0335").remedy.contains("v2"));
    index.apply(config(Event::Apply(subsets(
        "r",
        "*.marathon.slave.mesos",
        &["v1"],
    ))));
    assert_eq!(codes(&published(&mut index).world), [""; 0]);
}

#[test]
fn a_host_that_an_older_service_routes_is_taken_on_the_mesh_only() {
    let rule = subsets("r", "reviews", &["v1"]);
    let mut at_gateway = to_subset("c", "v1");
    at_gateway.spec["gateways"] = json!(["g"]);
    let objects = vec![rule, to_subset("a", "v1"), to_subset("b", "v1"), at_gateway];
    let world = world_of(vec![reviews(1)], objects);
    assert_eq!(codes(&world), ["PH0333", "PH0336"]);
    let found = diagnostic(&world, "PH0333");
    assert_eq!(&*found.object.as_ref().unwrap().name, "b");
    assert!(found.why.contains("VirtualService default/a"));
    assert_eq!(
        names(&world),
        ["a", "b", "c"],
        "the first wins by order, none is dropped"
    );
}

#[test]
fn unknown_fields_and_kinds_are_told_and_not_fatal() {
    let mut with_more = to_subset("a", "v1");
    with_more.spec["http"][0]["shadow"] = json!({"x": 1});
    with_more.spec["future"] = json!(["*"]);
    let policy = object("WorkloadGroup", "default", json!({"template": {}}));
    let world = world_of(
        vec![reviews(1)],
        vec![subsets("r", "reviews", &["v1"]), with_more, policy],
    );
    let found: Vec<_> = world
        .diagnostics
        .iter()
        .map(|d| (d.code, d.field.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("PH0302", "spec.future"),
            ("PH0302", "spec.http[0].shadow"),
            ("PH0303", "")
        ]
    );
    assert_eq!(names(&world), ["a"]);
}

#[test]
fn of_one_object_from_two_sources_the_first_source_wins() {
    let mut index = index();
    let second = |event| Update {
        source: "apiserver".into(),
        change: Change::Config(event),
    };
    index.apply(config(Event::Apply(subsets("r", "reviews", &["v1", "v2"]))));
    index.apply(config(Event::Apply(to_subset("a", "v1"))));
    index.apply(second(Event::Apply(to_subset("a", "v2"))));
    index.apply(workload(Event::Apply(reviews(1))));
    // Of the subsets, v2 has no instance.
    let world = published(&mut index).world;
    assert_eq!(
        (subset_of(&world, 0), codes(&world)),
        (Some("v2".into()), vec!["PH0332", "PH0364"])
    );
    index.apply(second(Event::Delete(to_subset("a", "v2").key)));
    let world = published(&mut index).world;
    assert_eq!(
        (subset_of(&world, 0), codes(&world)),
        (Some("v1".into()), vec!["PH0364"])
    );
}

#[test]
fn problems_of_sources_become_diagnostics_until_they_are_gone() {
    let problem = Problem {
        code: "PH0101",
        refused: true,
        object: None,
        location: None,
        why: "w".into(),
        effect: "e".into(),
        remedy: "r".into(),
    };
    let report = |problems| Update {
        source: FILES.into(),
        change: Change::Problems(problems),
    };
    let mut index = index();
    index.apply(report(vec![problem]));
    assert_eq!(codes(&published(&mut index).world), ["PH0101"]);
    index.apply(report(vec![]));
    let after = published(&mut index);
    assert!(after.world.diagnostics.is_empty() && !after.changes.concerns_proxies());
}
