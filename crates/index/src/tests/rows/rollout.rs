//! Rows about versions, restarts and deletion.

use api::event::Event;
use api::marathon::{Workload, WorkloadKey, WorkloadKind};
use model::{ChangeSet, Health, World};
use serde_json::{Value, json};

use crate::tests::fixtures::*;

fn versions(world: &World, name: &str, port: u16) -> Vec<String> {
    let endpoints = endpoints(world, name, port).iter();
    endpoints
        .map(|e| e.labels.get("version").unwrap_or("-").to_owned())
        .collect()
}

/// `/reviews` with an instance of the old version on port 9080 and one of the new on 9081.
fn rolling() -> Workload {
    let spec = |version: &str, label: &str, port| {
        let labels = json!({"istio": "reviews", "version": label});
        let mut spec = pod_spec("reviews", labels, port);
        spec["version"] = json!(version);
        spec
    };
    let mut old = pod_instance("reviews", 1, 1, 9080);
    old["specReference"] = json!(format!("/v2/pods/reviews::versions/{OLDER}"));
    let new = pod_instance("reviews", 2, 2, 9081);
    pod_workload(
        pod(spec(LATEST, "v2", 9081), vec![old, new]),
        vec![spec(OLDER, "v1", 9080)],
    )
}

fn key(id: &str) -> WorkloadKey {
    WorkloadKey {
        kind: WorkloadKind::Pod,
        id: id.into(),
    }
}

#[test]
fn row01_instances_have_the_labels_and_ports_of_their_own_version() {
    let world = world_of(vec![rolling()], vec![]);
    assert_eq!(versions(&world, "reviews", 9080), ["v1"]);
    assert_eq!(versions(&world, "reviews", 9081), ["v2"]);
}

#[test]
fn row02_an_endpoint_that_the_version_does_not_know_is_skipped() {
    let spec = pod_spec("reviews", json!({"istio": "reviews"}), 9080);
    let mut renamed = pod_instance("reviews", 1, 1, 9080);
    renamed["containers"][0]["endpoints"][0]["name"] = json!("before");
    let whole = pod_instance("reviews", 2, 2, 9080);
    let world = world_of(
        vec![pod_workload(pod(spec, vec![renamed, whole]), vec![])],
        vec![],
    );
    let [endpoint] = endpoints(&world, "reviews", 9080) else {
        panic!("one endpoint");
    };
    assert_eq!(endpoint.instance.as_str(), id("reviews", 2));
    assert_eq!(world.instances.len(), 2);
}

#[test]
fn row04_a_service_that_is_scaled_to_zero_stays() {
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(2))));
    published(&mut index);
    index.apply(workload(Event::Apply(reviews(0))));
    let world = published(&mut index).world;
    assert_eq!(ports(&world, "reviews").len(), 1);
    assert!(endpoints(&world, "reviews", 9080).is_empty());
    // It goes with its label, too, not only with the pod.
    let unlabelled = pod(pod_spec("reviews", json!({}), 9080), vec![]);
    index.apply(workload(Event::Apply(pod_workload(unlabelled, vec![]))));
    assert!(published(&mut index).world.services.is_empty());
}

#[test]
fn row05_a_service_without_workloads_is_gone_and_routes_to_it_are_told() {
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(1))));
    index.apply(config(Event::Apply(to_subset("to-v1", "v1"))));
    index.apply(config(Event::Apply(subsets("reviews", "reviews", &["v1"]))));
    assert_eq!(codes(&published(&mut index).world), [""; 0]);
    index.apply(workload(Event::Delete(key("/reviews"))));
    let world = published(&mut index).world;
    assert!(world.services.is_empty() && world.endpoints.is_empty());
    let told = [crate::codes::UNKNOWN_HOST, crate::codes::RULE_WITHOUT_HOST];
    assert_eq!(codes(&world), told);
    assert_eq!(world.virtual_services.len(), 1);
}

#[test]
fn row06_a_pod_that_is_deleted_and_created_again_at_once_is_no_change() {
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(2))));
    published(&mut index);
    index.apply(workload(Event::Delete(key("/reviews"))));
    index.apply(workload(Event::Apply(reviews(2))));
    assert!(index.publish().is_none());
}

fn task_in(state: Value) -> World {
    let mut running = task("shop", 1, json!([31001]));
    for (field, value) in state.as_object().unwrap() {
        running[field] = value.clone();
    }
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let shop = app("shop", "container/bridge", mapping, vec![running]);
    world_of(vec![app_workload(shop, vec![])], vec![])
}

#[test]
fn row07_a_lost_task_is_used_as_a_last_resort_and_then_not_at_all() {
    let unreachable = task_in(json!({"state": "TASK_UNREACHABLE"}));
    assert_eq!(
        endpoints(&unreachable, "shop", 80)[0].health,
        Health::Degraded
    );
    let inactive =
        json!({"state": "TASK_UNREACHABLE", "ports": [], "startedAt": null, "version": null});
    for gone in [
        inactive,
        json!({"state": "TASK_GONE"}),
        json!({"state": "TASK_LOST"}),
    ] {
        assert!(
            endpoints(&task_in(gone.clone()), "shop", 80).is_empty(),
            "{gone}"
        );
    }
}

#[test]
fn row08_a_task_that_returns_serves_beside_its_replacement() {
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let tasks = vec![
        task("shop", 1, json!([31001])),
        task("shop", 2, json!([31002])),
    ];
    let shop = app("shop", "container/bridge", mapping, tasks);
    let world = world_of(vec![app_workload(shop, vec![])], vec![]);
    let health: Vec<_> = endpoints(&world, "shop", 80)
        .iter()
        .map(|e| e.health)
        .collect();
    assert_eq!(health, [Health::Healthy; 2]);
}

#[test]
fn row09_an_instance_that_is_started_again_has_only_its_new_address() {
    let restarted = |incarnation: u32, port: u32| {
        let spec = pod_spec("reviews", json!({"istio": "reviews"}), 9080);
        let mut running = pod_instance("reviews", 1, incarnation, 9080);
        running["containers"][0]["containerId"] =
            json!(format!("{}.main.{incarnation}", id("reviews", 1)));
        running["containers"][0]["endpoints"][0]["allocatedHostPort"] = json!(port);
        pod_workload(pod(spec, vec![running]), vec![])
    };
    let mut index = index();
    index.apply(workload(Event::Apply(restarted(1, 31001))));
    published(&mut index);
    index.apply(workload(Event::Apply(restarted(2, 31099))));
    let published = published(&mut index);
    let [endpoint] = endpoints(&published.world, "reviews", 9080) else {
        panic!("one endpoint");
    };
    assert_eq!(reach(endpoint).0, "10.0.0.2:31099");
    assert!(published.changes.services.is_empty());
}

#[test]
fn row13_results_that_vanish_do_not_empty_a_service() {
    let unknown = json!([{"alive": false}]);
    for (remembered, expected) in [
        (json!(null), Health::Healthy),
        (json!(true), Health::Healthy),
        (json!(false), Health::Unhealthy),
    ] {
        for results in [json!([]), json!(null), unknown.clone()] {
            let world = task_in(json!({"healthCheckResults": results, "x-remembered": remembered}));
            let health: Vec<_> = endpoints(&world, "shop", 80)
                .iter()
                .map(|e| e.health)
                .collect();
            assert_eq!(health, [expected], "{results} {remembered}");
        }
    }
    // What a check says counts before what is remembered.
    let alive = json!({"healthCheckResults": [{"alive": true}], "x-remembered": false});
    assert_eq!(
        endpoints(&task_in(alive), "shop", 80)[0].health,
        Health::Healthy
    );
}

#[test]
fn row17_an_app_and_a_pod_of_one_id_are_two_workloads() {
    let mapping = json!([{"containerPort": 9080, "hostPort": 0, "name": "http-9080"}]);
    let twin = app(
        "reviews",
        "container/bridge",
        mapping,
        vec![task("reviews", 9, json!([31009]))],
    );
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(1))));
    index.apply(workload(Event::Apply(app_workload(twin, vec![]))));
    assert_eq!(
        endpoints(&published(&mut index).world, "reviews", 9080).len(),
        2
    );
    index.apply(workload(Event::Delete(key("/reviews"))));
    assert_eq!(
        endpoints(&published(&mut index).world, "reviews", 9080).len(),
        1
    );
}

#[test]
fn row18_the_last_list_wins() {
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(2))));
    published(&mut index);
    for word in [
        Event::Init,
        Event::InitApply(reviews(3)),
        Event::InitApply(reviews(1)),
        Event::InitDone,
    ] {
        index.apply(workload(word));
    }
    assert_eq!(
        endpoints(&published(&mut index).world, "reviews", 9080).len(),
        1
    );
}

#[test]
fn row39_a_changed_label_moves_instances_one_by_one() {
    let labelled = |labels: Value, version: &str| {
        let mut spec = pod_spec("shop", labels, 80);
        spec["version"] = json!(version);
        spec
    };
    let mut old = pod_instance("shop", 1, 1, 80);
    old["specReference"] = json!(format!("/v2/pods/shop::versions/{OLDER}"));
    let new = pod_instance("shop", 2, 2, 80);
    let before = labelled(json!({"istio": "old-name"}), OLDER);
    let after = labelled(json!({"istio": "new-name"}), LATEST);
    let world = world_of(
        vec![pod_workload(pod(after, vec![old, new]), vec![before])],
        vec![],
    );
    for (service, n) in [("old-name", 1), ("new-name", 2)] {
        let [endpoint] = endpoints(&world, service, 80) else {
            panic!("one endpoint of {service}");
        };
        assert_eq!(endpoint.instance.as_str(), id("shop", n));
    }
}

/// Of 10,000 tasks in 1,000 apps. What it costs in time is measured by the bench `marathon`.
#[test]
fn row40_of_many_tasks_one_that_changes_concerns_its_service_alone() {
    let shop = |n: u32, last_port: u16| {
        let name = format!("shop-{n}");
        let tasks = (0..10).map(|at| {
            let port = if at == 9 { last_port } else { 31_000 + at };
            let mut task = task(&name, 1_000 * u32::from(at) + n, json!([port]));
            task["ipAddresses"] = json!([{"ipAddress": format!("172.17.{at}.2")}]);
            task["host"] = json!(format!("10.{at}.{}.{}", n / 250, n % 250 + 1));
            task
        });
        let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
        let app = app(&name, "container/bridge", mapping, tasks.collect());
        workload(Event::Apply(app_workload(app, vec![])))
    };
    let mut index = index();
    (0..1_000).for_each(|n| index.apply(shop(n, 31_009)));
    let world = published(&mut index).world;
    assert_eq!(
        world.endpoints.values().map(|e| e.len()).sum::<usize>(),
        10_000
    );
    (0..1_000).for_each(|n| index.apply(shop(n, 31_009)));
    assert!(index.publish().is_none(), "nothing has changed");
    index.apply(shop(500, 31_500));
    let changes = published(&mut index).changes;
    let concerned: Vec<&str> = changes
        .endpoints
        .iter()
        .map(|key| key.host.as_str())
        .collect();
    assert_eq!(concerned, ["shop-500.marathon.slave.mesos"]);
    let alone = ChangeSet {
        endpoints: changes.endpoints.clone(),
        ..ChangeSet::default()
    };
    assert_eq!(changes, alone);
}

#[test]
fn row43_a_container_that_is_down_takes_its_endpoint_along_and_no_other() {
    let mut spec = pod_spec("shop", json!({"istio": "shop"}), 80);
    let endpoint = json!({"name": "admin", "containerPort": 81, "hostPort": 0});
    let side = json!({"name": "side", "endpoints": [endpoint]});
    spec["containers"].as_array_mut().unwrap().push(side);
    let mut running = pod_instance("shop", 1, 1, 80);
    running["status"] = json!("DEGRADED");
    running["containers"][0]["status"] = json!("TASK_FAILED");
    let side = json!({"name": "side", "status": "TASK_RUNNING",
        "endpoints": [{"name": "admin", "allocatedHostPort": 31005}]});
    running["containers"].as_array_mut().unwrap().push(side);
    let world = world_of(vec![pod_workload(pod(spec, vec![running]), vec![])], vec![]);
    assert!(endpoints(&world, "shop", 80).is_empty());
    assert_eq!(endpoints(&world, "shop", 81)[0].health, Health::Healthy);
}
