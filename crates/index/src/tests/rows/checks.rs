//! The row about Marathon's own health checks at ports that take mutual TLS only.
//!
//! Marathon asks from outside and has no certificate, so a check over HTTP fails and the tasks are
//! killed. Nothing rewrites definitions here: the operator is told, at the app.

use api::event::Event;
use api::istio::{Envelope, Object};
use api::marathon::Workload;
use model::{Diagnostic, World};
use serde_json::{Value, json};

use crate::codes;
use crate::tests::fixtures::*;

/// An app on a bridge with the ports 8080 and 9090 and this check.
fn shop(check: Value) -> Workload {
    let mappings = json!([
        {"containerPort": 8080, "hostPort": 0, "name": "http", "protocol": "tcp"},
        {"containerPort": 9090, "hostPort": 31090, "name": "http-admin", "protocol": "tcp"},
    ]);
    on("container/bridge", mappings, check)
}

fn on(mode: &str, mappings: Value, check: Value) -> Workload {
    let tasks = vec![task("shop", 1, json!([31005, 31090]))];
    let mut app = app("shop", mode, mappings, tasks);
    app["healthChecks"] = json!([check]);
    app_workload(app, vec![])
}

fn peer(namespace: &str, spec: Value) -> Object {
    let document = json!({"apiVersion": "security.istio.io/v1beta1", "kind": "PeerAuthentication",
        "metadata": {"name": "peers", "namespace": namespace}, "spec": spec});
    match Object::from_document(document, None).unwrap() {
        Envelope::Object(object) => object,
        Envelope::Foreign(kind) => panic!("{kind}"),
    }
}

/// Everything takes mutual TLS only.
fn strict() -> Object {
    object("MeshPolicy", "default", json!({"peers": [{"mtls": {}}]}))
}

fn told(world: &World) -> Vec<&Diagnostic> {
    let all = world.diagnostics.iter();
    all.filter(|found| found.code == codes::CHECK_REFUSED)
        .collect()
}

fn is_told(workload: Workload, objects: Vec<Object>) -> bool {
    !told(&world_of(vec![workload], objects)).is_empty()
}

#[test]
fn row44_a_health_check_of_marathon_under_strict_mutual_tls_is_told() {
    let check = json!({"protocol": "HTTP", "path": "/", "portIndex": 1});
    let world = world_of(vec![shop(check)], vec![strict()]);
    let found = diagnostic(&world, codes::CHECK_REFUSED);
    let object = found.object.as_ref().unwrap();
    assert_eq!((object.kind, &*object.name), ("App", "/shop"));
    assert_eq!(found.field, "healthChecks[0].protocol");
    assert!(found.why.contains("MeshPolicy default"), "{}", found.why);
    assert!(found.why.contains("port 9090"), "{}", found.why);
    assert!(
        found.effect.contains("Marathon kills the tasks"),
        "{}",
        found.effect
    );
    assert!(found.remedy.contains("MESOS_HTTP"), "{}", found.remedy);
}

#[test]
fn row44_checks_that_mesos_performs_pass_no_proxy() {
    for (protocol, expected) in [
        (json!("HTTP"), true),
        (json!(null), true),
        (json!("HTTPS"), true),
        (json!("TCP"), true),
        (json!("MESOS_HTTP"), false),
        (json!("MESOS_HTTPS"), false),
        (json!("MESOS_TCP"), false),
        (json!("COMMAND"), false),
    ] {
        let workload = shop(json!({"protocol": protocol, "portIndex": 0}));
        assert_eq!(is_told(workload, vec![strict()]), expected, "{protocol}");
    }
}

/// Marathon gives the checks of pods to Mesos, whatever they ask by.
#[test]
fn row44_checks_of_pods_are_those_of_mesos() {
    for check in [
        json!({"http": {"endpoint": "http-9080", "path": "/", "scheme": "HTTP"}}),
        json!({"tcp": {"endpoint": "http-9080"}}),
        json!({"exec": {"command": {"shell": "true"}}}),
    ] {
        let mut spec = pod_spec("shop", json!({"istio": "shop"}), 9080);
        spec["containers"][0]["healthCheck"] = check;
        let workload = pod_workload(pod(spec, vec![pod_instance("shop", 1, 1, 9080)]), vec![]);
        assert!(!is_told(workload, vec![strict()]));
    }
}

/// A connection is all that a TCP check wants, and a proxy takes it before it knows whom from.
#[test]
fn row44_a_tcp_check_is_not_refused_and_says_nothing() {
    let world = world_of(vec![shop(json!({"protocol": "TCP"}))], vec![strict()]);
    let found = diagnostic(&world, codes::CHECK_REFUSED);
    assert!(found.effect.contains("passes"), "{}", found.effect);
    assert!(found.remedy.contains("MESOS_TCP"), "{}", found.remedy);
    assert!(!found.remedy.contains("plaintext"), "{}", found.remedy);
}

#[test]
fn row44_what_counts_is_the_policy_of_the_port_that_is_asked() {
    let selector = json!({"matchLabels": {"istio": "shop"}});
    let by_port = |mtls: Value| {
        let spec = json!({"selector": selector, "mtls": {"mode": "STRICT"}, "portLevelMtls": mtls});
        vec![peer("default", spec)]
    };
    let policy = |spec: Value| vec![strict(), object("Policy", "shop", spec)];
    let target = |port: u16| json!([{"name": "shop", "ports": [{"number": port}]}]);
    for (objects, expected) in [
        (vec![], false),
        (by_port(json!(null)), true),
        (by_port(json!({"8080": {"mode": "DISABLE"}})), false),
        (by_port(json!({"8080": {"mode": "PERMISSIVE"}})), false),
        (by_port(json!({"9090": {"mode": "DISABLE"}})), true),
        (policy(json!({"targets": target(8080)})), false),
        (policy(json!({"targets": target(9090)})), true),
        (
            policy(json!({"targets": target(8080), "peers": [{"mtls": {"mode": "PERMISSIVE"}}]})),
            false,
        ),
        (
            vec![
                peer("istio-system", json!({"mtls": {"mode": "PERMISSIVE"}})),
                strict(),
            ],
            false,
        ),
    ] {
        let names: Vec<String> = objects.iter().map(|o| o.spec.to_string()).collect();
        let workload = shop(json!({"protocol": "HTTP", "portIndex": 0}));
        assert_eq!(is_told(workload, objects), expected, "{names:?}");
    }
}

/// `allowTls` asks callers for no certificate, and Marathon takes any.
#[test]
fn row44_https_is_told_unless_callers_need_no_certificate() {
    let anonymous = json!({"peers": [{"mtls": {"allowTls": true}}]});
    for (protocol, expected) in [("HTTP", true), ("HTTPS", false)] {
        let workload = shop(json!({"protocol": protocol}));
        let objects = vec![object("MeshPolicy", "default", anonymous.clone())];
        assert_eq!(is_told(workload, objects), expected, "{protocol}");
    }
}

/// Readiness is always Marathon's to ask.
#[test]
fn row44_a_readiness_check_is_told_as_well() {
    let readiness = |check: Value| {
        let mappings = json!([{"containerPort": 8080, "hostPort": 0, "name": "http-api"}]);
        let mut app = app("shop", "container/bridge", mappings, vec![]);
        app["readinessChecks"] = json!([check]);
        app_workload(app, vec![])
    };
    let world = world_of(vec![readiness(json!({"path": "/ready"}))], vec![strict()]);
    let found = diagnostic(&world, codes::CHECK_REFUSED);
    assert_eq!(found.field, "readinessChecks[0].protocol");
    assert!(
        found.effect.contains("deployments wait"),
        "{}",
        found.effect
    );
    let elsewhere = readiness(json!({"portName": "other"}));
    assert!(!is_told(elsewhere, vec![strict()]));
    assert!(!is_told(readiness(json!({})), vec![]));
}

/// By number a check asks the agent's port, on a container network the container's.
#[test]
fn row44_a_port_by_number_is_that_of_the_agent_or_of_the_container() {
    let mappings = |host_port: Value| json!([{"containerPort": 8080, "hostPort": host_port, "name": "http", "protocol": "tcp"}]);
    let later = || vec![peer("default", json!({"mtls": {"mode": "STRICT"}}))];
    for (mode, port, older, newer) in [
        ("container/bridge", 31005, true, true),
        ("container/bridge", 8080, false, false),
        ("container", 8080, true, true),
        // Undeclared ports are open but for the later kind.
        ("container", 8081, false, true),
    ] {
        let host_port = json!((mode == "container/bridge").then_some(31005));
        let check = json!({"protocol": "HTTP", "port": port});
        let workload = || on(mode, mappings(host_port.clone()), check.clone());
        assert_eq!(is_told(workload(), vec![strict()]), older, "{mode} {port}");
        assert_eq!(is_told(workload(), later()), newer, "{mode} {port}");
    }
}

#[test]
fn row44_ports_on_the_agents_own_network_are_asked_as_they_are() {
    for (check, expected) in [
        (json!({"portIndex": 0}), true),
        (json!({"portIndex": 1}), false),
        (json!({"port": 10080}), true),
        (json!({"port": 10081}), false),
    ] {
        let mut app = app("shop", "host", json!([]), vec![]);
        app["requirePorts"] = json!(true);
        app["portDefinitions"] = json!([{"port": 10080, "name": "http", "protocol": "tcp"}]);
        app["healthChecks"] = json!([check]);
        let workload = app_workload(app, vec![]);
        assert_eq!(is_told(workload, vec![strict()]), expected, "{check}");
    }
}

#[test]
fn row44_what_is_outside_of_the_mesh_or_a_gateway_is_not_told() {
    let mappings = |labels: Value| json!([{"containerPort": 8080, "hostPort": 0, "name": "http", "labels": labels}]);
    let check = json!({"protocol": "HTTP"});
    let excluded = mappings(json!({"istio.io/exclude": "true"}));
    let all = peer("default", json!({"mtls": {"mode": "STRICT"}}));
    let workload = on("container/bridge", excluded, check.clone());
    assert!(!is_told(workload, vec![strict(), all]));
    for labels in [json!({}), json!({"istio": ""})] {
        let mut app = app("shop", "container/bridge", mappings(json!({})), vec![]);
        app["labels"] = labels;
        app["healthChecks"] = json!([check]);
        assert!(!is_told(app_workload(app, vec![]), vec![strict()]));
    }
    let gateway = object(
        "Gateway",
        "edge",
        json!({"selector": {"istio": "shop"}, "servers": [
            {"port": {"number": 8080, "protocol": "HTTP"}, "hosts": ["*"]}]}),
    );
    assert!(!is_told(shop(check), vec![strict(), gateway]));
}

#[test]
fn row44_the_finding_follows_policies_and_definitions() {
    let mut index = index();
    let asked = |protocol: &str| workload(Event::Apply(shop(json!({"protocol": protocol}))));
    let mut is_told_after = |update| {
        index.apply(update);
        !told(&published(&mut index).world).is_empty()
    };
    assert!(!is_told_after(asked("HTTP")));
    assert!(is_told_after(config(Event::Apply(strict()))));
    assert!(!is_told_after(config(Event::Delete(strict().key))));
    assert!(is_told_after(config(Event::Apply(strict()))));
    assert!(!is_told_after(asked("MESOS_HTTP")));
    assert!(is_told_after(asked("HTTP")));
    let gateway = || {
        let servers = json!([{"port": {"number": 8080, "protocol": "HTTP"}, "hosts": ["*"]}]);
        let spec = json!({"selector": {"istio": "shop"}, "servers": servers});
        object("Gateway", "edge", spec)
    };
    assert!(!is_told_after(config(Event::Apply(gateway()))));
    assert!(is_told_after(config(Event::Delete(gateway().key))));
    let gone = shop(json!({})).key();
    assert!(!is_told_after(workload(Event::Delete(gone))));
}

/// What is asked belongs to the definition, so no finding is looked at for a task's sake.
#[test]
fn row44_tasks_that_come_and_go_are_no_new_question() {
    let with = |tasks: u32, check: Value| {
        let mappings = json!([{"containerPort": 8080, "hostPort": 0, "name": "http"}]);
        let tasks = (1..=tasks).map(|n| task("shop", n, json!([31000 + n])));
        let mut app = app("shop", "container/bridge", mappings, tasks.collect());
        app["healthChecks"] = json!([check]);
        workload(Event::Apply(app_workload(app, vec![])))
    };
    let mut index = index();
    index.apply(config(Event::Apply(strict())));
    index.apply(with(1, json!({"protocol": "HTTP"})));
    assert!(!told(&published(&mut index).world).is_empty());
    index.apply(with(2, json!({"protocol": "HTTP"})));
    assert!(index.workloads.probes.turned().is_empty());
    assert!(!told(&published(&mut index).world).is_empty());
    index.apply(with(2, json!({"protocol": "HTTPS"})));
    assert_eq!(index.workloads.probes.turned().len(), 1);
}
