//! Which instances of which version receive traffic.

use model::Health;
use serde_json::{Value, json};

use super::fixtures::*;

#[test]
fn a_rollout_has_the_labels_and_ports_of_each_version() {
    let mut new = pod_spec(
        "reviews",
        json!({"istio": "reviews", "version": "v2"}),
        9081,
    );
    new["version"] = json!(LATEST);
    let mut old = pod_spec(
        "reviews",
        json!({"istio": "reviews", "version": "v1"}),
        9080,
    );
    old["version"] = json!(OLDER);
    let mut running_old = pod_instance("reviews", 1, 1, 9080);
    running_old["specReference"] = json!(format!("/v2/pods/reviews::versions/{OLDER}"));
    let running_new = pod_instance("reviews", 2, 2, 9081);
    let world = world_of(
        vec![pod_workload(
            pod(new, vec![running_old, running_new]),
            vec![old],
        )],
        vec![],
    );
    let numbers: Vec<_> = ports(&world, "reviews").into_iter().map(|p| p.0).collect();
    assert_eq!(numbers, [9080, 9081]);
    let version = |port| {
        endpoints(&world, "reviews", port)[0]
            .labels
            .get("version")
            .map(str::to_owned)
    };
    assert_eq!(
        (version(9080), version(9081)),
        (Some("v1".into()), Some("v2".into()))
    );
    assert_eq!(
        instance(&world, &id("reviews", 1)).labels.get("version"),
        Some("v1")
    );
}

#[test]
fn scaling_an_app_does_not_make_its_tasks_old() {
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let mut shop = app(
        "shop",
        "container/bridge",
        mapping.clone(),
        vec![
            task("shop", 1, json!([31001])),
            task("shop", 2, json!([31002])),
        ],
    );
    shop["version"] = json!("2024-06-01T00:00:00.000Z");
    shop["labels"]["version"] = json!("new");
    shop["tasks"][1]["version"] = json!(OLDER);
    let mut old = app("shop", "container/bridge", mapping, vec![]);
    old["version"] = json!(OLDER);
    old["labels"]["version"] = json!("old");
    let world = world_of(vec![app_workload(shop, vec![old])], vec![]);
    let versions: Vec<_> = endpoints(&world, "shop", 80)
        .iter()
        .map(|e| e.labels.get("version").map(str::to_owned))
        .collect();
    assert_eq!(versions, [Some("new".into()), Some("old".into())]);
}

#[test]
fn scaled_to_zero_a_service_stays_without_endpoints() {
    let world = world_of(vec![reviews(0)], vec![]);
    assert_eq!(ports(&world, "reviews").len(), 1);
    let key = model::ServicePort {
        host: host("reviews.marathon.slave.mesos"),
        port: 9080,
    };
    assert_eq!(world.endpoints.get(&key).map(|list| list.len()), Some(0));
}

/// The endpoints and instances of `/reviews` after a change of its only instance.
fn with_state(change: impl FnOnce(&mut Value)) -> (Vec<Health>, usize) {
    let spec = pod_spec("reviews", json!({"istio": "reviews"}), 9080);
    let mut running = pod_instance("reviews", 1, 1, 9080);
    change(&mut running);
    let world = world_of(vec![pod_workload(pod(spec, vec![running]), vec![])], vec![]);
    let health = endpoints(&world, "reviews", 9080).iter().map(|e| e.health);
    (health.collect(), world.instances.len())
}

#[test]
fn pod_instances_receive_traffic_by_their_state() {
    let condition =
        |value: &str, reason: &str| json!([{"name": "healthy", "value": value, "reason": reason}]);
    let failing = condition("false", "health-reported-by-mesos");
    let unknown = condition("false", "health-unreported-by-mesos");
    for (path, value, expected) in [
        ("/status", json!("STABLE"), vec![Health::Healthy]),
        ("/status", json!("PENDING"), vec![]),
        ("/status", json!("STAGING"), vec![]),
        ("/status", json!("TERMINAL"), vec![]),
        ("/status", json!("DEGRADED"), vec![Health::Healthy]),
        ("/containers/0/status", json!("TASK_KILLING"), vec![]),
        ("/containers/0/status", json!("TASK_FAILED"), vec![]),
        (
            "/containers/0/status",
            json!("TASK_UNREACHABLE"),
            vec![Health::Degraded],
        ),
        ("/containers/0/conditions", failing, vec![Health::Unhealthy]),
        ("/containers/0/conditions", unknown, vec![Health::Healthy]),
        ("/containers/0/endpoints", json!([]), vec![]),
        ("/containers/0/endpoints/0/name", json!("renamed"), vec![]),
    ] {
        let state = with_state(|i| *i.pointer_mut(path).unwrap() = value.clone());
        assert_eq!(state, (expected, 1), "{path} {value}");
    }
    let unhealthy = with_state(|i| i["containers"][0]["endpoints"][0]["healthy"] = json!(false));
    assert_eq!(unhealthy.0, [Health::Unhealthy]);
}

#[test]
fn tasks_receive_traffic_by_their_state() {
    let failed = json!([{"alive": false, "lastFailure": "2024-05-02T00:00:00Z"}]);
    let unknown = json!([{"alive": false}]);
    for (change, expected, instances) in [
        (json!({"state": "TASK_RUNNING"}), vec![Health::Healthy], 1),
        (json!({"state": "TASK_STAGING"}), vec![], 1),
        (json!({"state": "TASK_STARTING"}), vec![], 1),
        (json!({"state": "TASK_KILLING"}), vec![], 1),
        (
            json!({"state": "TASK_UNREACHABLE"}),
            vec![Health::Degraded],
            1,
        ),
        (
            json!({"state": "TASK_UNREACHABLE", "ports": [], "version": null, "startedAt": null}),
            vec![],
            1,
        ),
        (json!({"state": "TASK_LOST"}), vec![], 0),
        (json!({"state": "TASK_FAILED"}), vec![], 0),
        (
            json!({"healthCheckResults": failed}),
            vec![Health::Unhealthy],
            1,
        ),
        (
            json!({"healthCheckResults": unknown}),
            vec![Health::Healthy],
            1,
        ),
    ] {
        let mut running = task("shop", 1, json!([31001]));
        for (key, value) in change.as_object().unwrap() {
            running[key] = value.clone();
        }
        let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
        let shop = app("shop", "container/bridge", mapping, vec![running]);
        let world = world_of(vec![app_workload(shop, vec![])], vec![]);
        let health: Vec<_> = endpoints(&world, "shop", 80)
            .iter()
            .map(|e| e.health)
            .collect();
        assert_eq!(
            (health, world.instances.len()),
            (expected, instances),
            "{change}"
        );
    }
}

#[test]
fn a_task_that_is_not_ready_in_a_deployment_waits() {
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let tasks = vec![
        task("shop", 1, json!([31001])),
        task("shop", 2, json!([31002])),
    ];
    let mut shop = app("shop", "container/bridge", mapping, tasks);
    let not_ready = json!([{"name": "r", "taskId": shop["tasks"][0]["id"], "ready": false}]);
    shop["readinessCheckResults"] = not_ready;
    shop["deployments"] = json!([{"id": "d"}]);
    let world = world_of(vec![app_workload(shop.clone(), vec![])], vec![]);
    assert_eq!(endpoints(&world, "shop", 80).len(), 1);
    shop["deployments"] = json!([]);
    let world = world_of(vec![app_workload(shop, vec![])], vec![]);
    assert_eq!(endpoints(&world, "shop", 80).len(), 2);
}

#[test]
fn a_restarted_instance_counts_once_with_its_latest_start() {
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let mut again = task("shop", 1, json!([31099]));
    again["id"] = json!(format!("{}._app.2", id("shop", 1)));
    again["startedAt"] = json!(null);
    let tasks = vec![again, task("shop", 1, json!([31001]))];
    let shop = app("shop", "container/bridge", mapping, tasks);
    let world = world_of(vec![app_workload(shop, vec![])], vec![]);
    let [endpoint] = endpoints(&world, "shop", 80) else {
        panic!("one endpoint");
    };
    assert_eq!(reach(endpoint).0, "10.0.0.9:31099");
}

#[test]
fn of_two_endpoints_with_one_address_the_newer_stays() {
    let spec = pod_spec("reviews", json!({"istio": "reviews"}), 9080);
    let mut stale = pod_instance("reviews", 1, 1, 9080);
    stale["statusSince"] = json!("2024-01-01T00:00:00Z");
    let mut fresh = pod_instance("reviews", 2, 1, 9080);
    fresh["containers"][0]["endpoints"][0]["allocatedHostPort"] = json!(31001);
    let world = world_of(
        vec![pod_workload(pod(spec, vec![stale, fresh]), vec![])],
        vec![],
    );
    let [endpoint] = endpoints(&world, "reviews", 9080) else {
        panic!("one endpoint");
    };
    assert_eq!(endpoint.instance.as_str(), id("reviews", 2));
}

#[test]
fn bridge_addresses_that_repeat_on_two_agents_are_different_endpoints() {
    let spec = pod_spec("reviews", json!({"istio": "reviews"}), 9080);
    let one = pod_instance("reviews", 1, 1, 9080);
    let mut other = pod_instance("reviews", 2, 2, 9080);
    other["networks"] = one["networks"].clone();
    let world = world_of(
        vec![pod_workload(pod(spec, vec![one, other]), vec![])],
        vec![],
    );
    assert_eq!(endpoints(&world, "reviews", 9080).len(), 2);
}
