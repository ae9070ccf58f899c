//! Which tasks receive traffic: each row of the table is a test, for an app and for a pod.

use model::{Health, Mesh, Unreachable, World};
use serde_json::{Value, json};

use super::fixtures::*;
use crate::{Index, Settings};

/// The health of the endpoints of one task after changes to it and to its app.
fn of_task(task_changes: Value, app_changes: Value) -> Vec<Health> {
    let mut running = task("shop", 1, json!([31001]));
    merge(&mut running, task_changes);
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let mut shop = app("shop", "container/bridge", mapping, vec![running]);
    merge(&mut shop, app_changes);
    healths(&world_of(vec![app_workload(shop, vec![])], vec![]))
}

/// The same for the one container of a pod instance.
fn of_pod(instance_changes: Value, container_changes: Value) -> Vec<Health> {
    let mut running = pod_instance("shop", 1, 1, 80);
    merge(&mut running, instance_changes);
    merge(&mut running["containers"][0], container_changes);
    let spec = pod_spec("shop", json!({"istio": "shop"}), 80);
    healths(&world_of(
        vec![pod_workload(pod(spec, vec![running]), vec![])],
        vec![],
    ))
}

fn merge(into: &mut Value, changes: Value) {
    for (key, value) in changes.as_object().unwrap() {
        into[key] = value.clone();
    }
}

fn healths(world: &World) -> Vec<Health> {
    let endpoints = endpoints(world, "shop", 80).iter();
    let healths: Vec<Health> = endpoints.map(|endpoint| endpoint.health).collect();
    let standings = world.standings.values().flat_map(|list| list.iter());
    let ports: Vec<_> = standings.flat_map(|standing| &standing.ports).collect();
    let told: Vec<Health> = ports.iter().filter_map(|port| port.health).collect();
    assert_eq!(told, healths, "what people are told");
    assert!(!ports.is_empty() && ports.iter().all(|port| !port.why.is_empty()));
    healths
}

fn condition(value: &str, reason: &str) -> Value {
    json!([{"name": "healthy", "value": value, "reason": reason}])
}

fn endpoint(healthy: bool) -> Value {
    json!({"endpoints": [{"name": "http-80", "allocatedHostPort": 31001, "healthy": healthy}]})
}

#[test]
fn running_without_a_health_check_is_healthy() {
    assert_eq!(of_task(json!({}), json!({})), [Health::Healthy]);
    for status in ["STABLE", "DEGRADED"] {
        assert_eq!(
            of_pod(json!({"status": status}), json!({})),
            [Health::Healthy]
        );
    }
}

#[test]
fn running_with_a_check_that_passed_is_healthy() {
    let passed =
        json!({"healthCheckResults": [{"alive": true, "lastSuccess": "2024-05-02T00:00:00Z"}]});
    assert_eq!(of_task(passed, json!({})), [Health::Healthy]);
    assert_eq!(of_pod(json!({}), endpoint(true)), [Health::Healthy]);
    let reported = condition("true", "health-reported-by-mesos");
    assert_eq!(
        of_pod(json!({}), json!({"conditions": reported})),
        [Health::Healthy]
    );
}

#[test]
fn running_with_a_check_that_failed_stays_as_unhealthy() {
    let failed =
        json!({"healthCheckResults": [{"alive": false, "lastFailure": "2024-05-02T00:00:00Z"}]});
    assert_eq!(of_task(failed, json!({})), [Health::Unhealthy]);
    assert_eq!(of_pod(json!({}), endpoint(false)), [Health::Unhealthy]);
    let reported = condition("false", "health-reported-by-mesos");
    assert_eq!(
        of_pod(json!({}), json!({"conditions": reported})),
        [Health::Unhealthy]
    );
}

#[test]
fn running_with_an_unknown_health_is_what_it_was() {
    let unreported = condition("false", "health-unreported-by-mesos");
    for (remembered, expected) in [
        (json!(null), Health::Healthy),
        (json!(true), Health::Healthy),
        (json!(false), Health::Unhealthy),
    ] {
        let unknown = json!({"healthCheckResults": [{"alive": false}], "x-remembered": remembered});
        assert_eq!(of_task(unknown, json!({})), [expected], "{remembered}");
        let unknown = json!({"conditions": unreported, "x-remembered": remembered});
        assert_eq!(of_pod(json!({}), unknown), [expected], "{remembered}");
    }
}

#[test]
fn not_ready_in_a_deployment_is_no_endpoint() {
    let id = format!("{}._app.1", id("shop", 1));
    let result = |ready: bool| json!([{"name": "r", "taskId": id, "ready": ready}]);
    let (during, after) = (json!([{"id": "d"}]), json!([]));
    let check = json!([{"name": "r", "intervalSeconds": 5}]);
    for (deployments, results, awaited, expected) in [
        (&during, result(false), false, vec![]),
        (&during, result(true), true, vec![Health::Healthy]),
        (&during, json!([]), true, vec![]),
        (&during, json!([]), false, vec![Health::Healthy]),
        (&after, json!([]), true, vec![Health::Healthy]),
        (&after, result(false), true, vec![Health::Healthy]),
    ] {
        let app = json!({"deployments": deployments, "readinessCheckResults": results, "readinessChecks": check});
        let found = of_task(json!({"x-awaited": awaited}), app.clone());
        assert_eq!(found, expected, "{app} {awaited}");
    }
}

#[test]
fn not_yet_running_is_no_endpoint() {
    for state in ["TASK_STAGING", "TASK_STARTING"] {
        assert_eq!(of_task(json!({"state": state}), json!({})), [], "{state}");
        assert_eq!(of_pod(json!({}), json!({"status": state})), [], "{state}");
    }
    for status in ["PENDING", "STAGING"] {
        assert_eq!(of_pod(json!({"status": status}), json!({})), [], "{status}");
    }
}

#[test]
fn killing_is_no_endpoint_any_more() {
    assert_eq!(of_task(json!({"state": "TASK_KILLING"}), json!({})), []);
    assert_eq!(of_pod(json!({"status": "TERMINAL"}), json!({})), []);
    assert_eq!(of_pod(json!({}), json!({"status": "TASK_KILLING"})), []);
}

#[test]
fn unreachable_with_ports_is_degraded_or_dropped_as_the_mesh_is_set() {
    let unreachable = json!({"state": "TASK_UNREACHABLE"});
    assert_eq!(of_task(unreachable.clone(), json!({})), [Health::Degraded]);
    let container = json!({"status": "TASK_UNREACHABLE"});
    assert_eq!(
        of_pod(json!({"status": "DEGRADED"}), container),
        [Health::Degraded]
    );
    let mut index = Index::new(Settings {
        mesh: Mesh {
            unreachable: Unreachable::Drop,
            ..Mesh::default()
        },
        sources: vec![],
    });
    let mut lost = task("shop", 1, json!([31001]));
    merge(&mut lost, unreachable);
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let shop = app("shop", "container/bridge", mapping, vec![lost]);
    index.apply(workload(api::event::Event::Apply(app_workload(
        shop,
        vec![],
    ))));
    assert_eq!(healths(&published(&mut index).world), []);
}

#[test]
fn unreachable_without_ports_and_every_end_is_no_endpoint() {
    let inactive =
        json!({"state": "TASK_UNREACHABLE", "ports": [], "version": null, "startedAt": null});
    assert_eq!(of_task(inactive, json!({})), []);
    for state in [
        "LOST",
        "GONE",
        "GONE_BY_OPERATOR",
        "DROPPED",
        "UNKNOWN",
        "FAILED",
        "FINISHED",
        "KILLED",
        "ERROR",
    ] {
        let state = format!("TASK_{state}");
        assert_eq!(of_task(json!({"state": state}), json!({})), [], "{state}");
        assert_eq!(of_pod(json!({}), json!({"status": state})), [], "{state}");
    }
}
