//! Istio's first authorization, read and put together.

use api::istio::Object;
use model::authorization::services::{Named, Part, Reach};
use model::authorization::{Test, Wildcard};
use model::{Authorization, World};
use serde_json::{Value, json};

use super::fixtures::*;
use crate::codes as code;

fn world(objects: Vec<Object>) -> World {
    world_of(vec![reviews(1)], objects)
}

fn on() -> Object {
    object("ClusterRbacConfig", "default", json!({"mode": "ON"}))
}

fn role(rule: Value) -> Object {
    object("ServiceRole", "reader", json!({"rules": [rule]}))
}

fn reading() -> Value {
    json!({"services": ["reviews"], "methods": ["GET"]})
}

fn bound(subject: Value) -> Object {
    let role = json!({"kind": "ServiceRole", "name": "reader"});
    let spec = json!({"subjects": [subject], "roleRef": role});
    object("ServiceRoleBinding", "readers", spec)
}

/// What the objects came to: the object's kind, whether it is only counted, and how many rules.
fn came_to(world: &World) -> Vec<(&'static str, bool, usize)> {
    let all = world.authorizations.iter();
    all.map(|one| (one.object.kind, one.dry_run, one.rules.len()))
        .collect()
}

fn told(world: &World) -> Vec<(&str, &str)> {
    let told = world.diagnostics.iter();
    told.map(|d| (d.code, d.field.as_str())).collect()
}

fn binding(world: &World) -> &Authorization {
    world.authorizations.last().expect("a binding")
}

#[test]
fn a_role_with_a_binding_lets_in_what_a_config_keeps_out() {
    let world = world(vec![on(), role(reading()), bound(json!({"user": "*"}))]);
    assert_eq!(told(&world), []);
    assert_eq!(
        came_to(&world),
        [
            ("ClusterRbacConfig", false, 0),
            ("ServiceRoleBinding", false, 1)
        ]
    );
    let one = binding(&world);
    assert_eq!(one.reach, Some(Reach::All));
    let rule = &one.rules[0];
    assert_eq!(rule.from, [vec![]]);
    let asked: Vec<_> = rule.workload.iter().map(|asked| &asked.part).collect();
    assert_eq!(asked, [&Part::Namespace, &Part::Service]);
    let reviews = Wildcard::Exact("reviews.marathon.slave.mesos".into());
    assert_eq!(rule.workload[1].values, [reviews]);
    assert!(matches!(rule.to[0][0].any[..], [Test::Method(_)]));
}

#[test]
fn modes_and_who_decides() {
    let config = |kind: &str, spec: Value| object(kind, "default", spec);
    let only = json!({"services": ["reviews"], "namespaces": ["a"]});
    let named = Named {
        services: vec![Wildcard::Exact("reviews.marathon.slave.mesos".into())],
        namespaces: vec!["a".into()],
    };
    for (spec, reach) in [
        (json!({"mode": "OFF"}), None),
        (json!({}), None),
        (json!({"mode": false}), None),
        (json!({"mode": true}), Some(Reach::All)),
        (json!({"mode": 1}), Some(Reach::All)),
        (
            json!({"mode": "ON_WITH_INCLUSION", "inclusion": only}),
            Some(Reach::Only(named.clone())),
        ),
        (
            json!({"mode": "ON_WITH_EXCLUSION", "exclusion": only}),
            Some(Reach::AllBut(named.clone())),
        ),
    ] {
        let world = world(vec![config("RbacConfig", spec.clone())]);
        assert_eq!(told(&world), [], "{spec}");
        let read = world.authorizations.first();
        assert_eq!(read.and_then(|read| read.reach.clone()), reach, "{spec}");
    }
    let world = world(vec![on(), config("RbacConfig", json!({"mode": "OFF"}))]);
    assert_eq!(came_to(&world), [("ClusterRbacConfig", false, 0)]);
    assert_eq!(told(&world), [(code::IDLE_ROLE, "")]);
}

#[test]
fn what_is_permissive_is_only_counted() {
    let mut counted = bound(json!({"user": "*"}));
    counted.spec["enforcementMode"] = json!("PERMISSIVE");
    let world = world(vec![on(), role(reading()), counted]);
    assert_eq!(
        came_to(&world),
        [
            ("ClusterRbacConfig", false, 0),
            ("ServiceRoleBinding", true, 1)
        ]
    );
    let config = json!({"mode": "ON", "enforcement_mode": 1});
    let all = vec![
        object("RbacConfig", "default", config),
        role(reading()),
        bound(json!({"user": "*"})),
    ];
    let counted = self::world(all);
    assert_eq!(
        came_to(&counted),
        [("RbacConfig", true, 0), ("ServiceRoleBinding", true, 1)]
    );
}

#[test]
fn what_is_asked_of_callers_and_of_what_they_want_is_kept_apart() {
    let constraints = json!([
        {"key": "destination.labels[version]", "values": ["v1"]},
        {"key": "destination.port", "values": ["9080"]},
        {"key": "request.headers[x-a]", "values": ["b"]},
    ]);
    let rule = json!({"services": ["*"], "methods": ["*"], "paths": ["/a*"],
        "constraints": constraints});
    let subject = json!({"user": "cluster.local/ns/default/sa/sleep", "properties": {
        "source.namespace": "default", "request.headers[x-b]": "c"}});
    let world = world(vec![on(), role(rule), bound(subject)]);
    assert_eq!(told(&world), []);
    let rule = &binding(&world).rules[0];
    assert_eq!((rule.from[0].len(), rule.to[0].len()), (2, 1));
    assert_eq!((rule.when.len(), rule.workload.len()), (3, 3));
}

#[test]
fn what_has_no_effect_is_told() {
    let role = |name: &str| object("ServiceRole", name, json!({"rules": [reading()]}));
    let anyone = || bound(json!({"user": "*"}));
    let alone = world(vec![on(), role("other"), anyone()]);
    assert_eq!(
        told(&alone),
        [(code::IDLE_ROLE, ""), (code::IDLE_ROLE, "spec.roleRef")]
    );
    let off = world(vec![role("reader"), anyone()]);
    assert_eq!(told(&off), [(code::IDLE_ROLE, "")]);
    assert!(off.authorizations.is_empty());
    let group = world(vec![
        on(),
        role("reader"),
        bound(json!({"group": "a", "user": "b"})),
    ]);
    assert_eq!(told(&group), [(code::IDLE_ROLE, "spec.subjects[0].group")]);
    assert_eq!(binding(&group).rules, []);
    let named = world(vec![object("RbacConfig", "other", json!({"mode": "ON"}))]);
    assert_eq!(told(&named), [(code::IDLE_ROLE, "metadata.name")]);
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let config = |spec: Value| object("RbacConfig", "default", spec);
    let only = |target: Value| config(json!({"mode": "ON_WITH_INCLUSION", "inclusion": target}));
    let constraint = |key: &str, values: Value| {
        let mut rule = reading();
        rule["constraints"] = json!([{"key": key, "values": values}]);
        role(rule)
    };
    let referring = |role: Value| {
        let spec = json!({"subjects": [{"user": "*"}], "roleRef": role});
        object("ServiceRoleBinding", "readers", spec)
    };
    for (object, field) in [
        (config(json!({"mode": "SOMETIMES"})), "spec.mode"),
        (config(json!({"mode": 4})), "spec.mode"),
        (
            config(json!({"mode": "ON_WITH_INCLUSION"})),
            "spec.inclusion",
        ),
        (config(json!({"mode": 3})), "spec.exclusion"),
        (
            config(json!({"enforcementMode": "NEVER"})),
            "spec.enforcementMode",
        ),
        (
            only(json!({"services": ["*.b"]})),
            "spec.inclusion.services[0]",
        ),
        (
            object("ServiceRole", "reader", json!({"rules": []})),
            "spec.rules",
        ),
        (role(json!({"methods": ["*"]})), "spec.rules[0].services"),
        (role(json!({"services": ["*"]})), "spec.rules[0].methods"),
        (
            role(json!({"services": ["*"], "methods": ["*"], "notPaths": ["/"]})),
            "spec.rules[0].notPaths",
        ),
        (
            constraint("destination.port", json!([])),
            "spec.rules[0].constraints[0].values",
        ),
        (
            constraint("source.ip", json!(["10.0.0.0/8"])),
            "spec.rules[0].constraints[0].key",
        ),
        (
            constraint("destination.port", json!(["a"])),
            "spec.rules[0].constraints[0].values[0]",
        ),
        (bound(json!({})), "spec.subjects[0]"),
        (
            bound(json!({"user": "a", "notNames": ["b"]})),
            "spec.subjects[0].notNames",
        ),
        (
            bound(json!({"properties": {"destination.port": "1"}})),
            "spec.subjects[0].properties[\"destination.port\"]",
        ),
        (
            referring(json!({"kind": "Role", "name": "a"})),
            "spec.roleRef",
        ),
        (referring(json!({"kind": "ServiceRole"})), "spec.roleRef"),
    ] {
        let world = world(vec![object]);
        let told = told(&world);
        assert!(told.contains(&(code::BAD_AUTHORIZATION, field)), "{told:?}");
        assert!(world.authorizations.is_empty(), "{field}");
    }
}
