//! What is published, when, and what is said to have changed.

use std::sync::Arc;

use api::event::Event;
use api::marathon::WorkloadKey;
use model::{ChangeSet, ServicePort};
use serde_json::json;

use super::fixtures::*;
use crate::{Index, Settings};

fn reviews_port() -> ServicePort {
    ServicePort {
        host: host("reviews.marathon.slave.mesos"),
        port: 9080,
    }
}

/// `/details` beside `/reviews`, which a change of the latter must not touch.
fn details() -> api::marathon::Workload {
    let spec = pod_spec("details", json!({"istio": "details"}), 9080);
    pod_workload(pod(spec, vec![pod_instance("details", 7, 7, 9080)]), vec![])
}

#[test]
fn nothing_is_published_before_all_sources_are_complete() {
    let mut index = Index::new(Settings {
        mesh: model::Mesh::default(),
        sources: vec![MARATHON.into(), FILES.into()],
    });
    index.apply(workload(Event::Init));
    index.apply(workload(Event::InitDone));
    index.apply(config(Event::Apply(to_subset("a", "v1"))));
    assert_eq!(index.pending(), [FILES.into()]);
    assert!(index.publish().is_none());
    index.apply(config(Event::Init));
    index.apply(config(Event::InitDone));
    assert!(index.pending().is_empty());
    let first = published(&mut index);
    assert_eq!((first.world.generation, first.changes.mesh), (1, true));
    assert!(first.world.virtual_services.is_empty());
    assert!(index.publish().is_none());
}

#[test]
fn the_first_world_is_published_even_if_empty() {
    let first = published(&mut index());
    assert_eq!(first.world.generation, 1);
    assert_eq!(*first.world.mesh, model::Mesh::default());
}

#[test]
fn a_health_flip_changes_its_endpoints_and_nothing_else() {
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(2))));
    index.apply(workload(Event::Apply(details())));
    let before = published(&mut index).world;
    let spec = pod_spec(
        "reviews",
        json!({"istio": "reviews", "version": "v1"}),
        9080,
    );
    let mut failing = pod_instance("reviews", 2, 2, 9080);
    failing["containers"][0]["endpoints"][0]["healthy"] = json!(false);
    let instances = vec![pod_instance("reviews", 1, 1, 9080), failing];
    index.apply(workload(Event::Apply(pod_workload(
        pod(spec, instances),
        vec![],
    ))));
    let after = published(&mut index);
    let expected = ChangeSet {
        endpoints: [reviews_port()].into(),
        ..ChangeSet::default()
    };
    assert_eq!(after.changes, expected);
    assert!(before.services.ptr_eq(&after.world.services));
    assert!(before.instances.ptr_eq(&after.world.instances));
    assert!(Arc::ptr_eq(&before.diagnostics, &after.world.diagnostics));
    let details = ServicePort {
        host: host("details.marathon.slave.mesos"),
        port: 9080,
    };
    assert!(Arc::ptr_eq(
        &before.endpoints[&details],
        &after.world.endpoints[&details]
    ));
    assert_eq!(
        before.endpoints[&reviews_port()].len(),
        2,
        "old Worlds do not change"
    );
}

#[test]
fn what_comes_back_equal_is_no_change() {
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(2))));
    index.apply(config(Event::Apply(subsets("reviews", "reviews", &["v1"]))));
    published(&mut index);
    index.apply(workload(Event::Apply(reviews(2))));
    index.apply(config(Event::Apply(subsets("reviews", "reviews", &["v1"]))));
    assert!(index.publish().is_none());
    // There and back between two Worlds is none either.
    index.apply(workload(Event::Apply(reviews(3))));
    index.apply(workload(Event::Apply(reviews(2))));
    index.apply(config(Event::Apply(subsets("reviews", "reviews", &["v2"]))));
    index.apply(config(Event::Apply(subsets("reviews", "reviews", &["v1"]))));
    assert!(index.publish().is_none());
}

#[test]
fn a_deleted_workload_takes_its_service_and_instances_with_it() {
    let mut index = index();
    let gone = reviews(1);
    let key: WorkloadKey = gone.key();
    index.apply(workload(Event::Apply(gone)));
    published(&mut index);
    index.apply(workload(Event::Delete(key)));
    let after = published(&mut index);
    assert!(after.world.services.is_empty() && after.world.endpoints.is_empty());
    assert!(after.world.instances.is_empty());
    let expected = ChangeSet {
        services: [host("reviews.marathon.slave.mesos")].into(),
        endpoints: [reviews_port()].into(),
        instances: [id("reviews", 1).as_str().into()].into(),
        ..ChangeSet::default()
    };
    assert_eq!(after.changes, expected);
}

#[test]
fn a_list_replaces_everything_at_its_end() {
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(1))));
    published(&mut index);
    index.apply(workload(Event::Init));
    index.apply(workload(Event::InitApply(details())));
    assert!(
        index.publish().is_none(),
        "nothing is visible before the end"
    );
    index.apply(workload(Event::InitDone));
    let after = published(&mut index).world;
    let hosts: Vec<_> = after
        .services
        .keys()
        .map(|h| h.as_str().to_owned())
        .collect();
    assert_eq!(hosts, ["details.marathon.slave.mesos"]);
    assert_eq!(after.instances.len(), 1);
}

#[test]
fn an_edited_object_is_the_only_change() {
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(1))));
    index.apply(config(Event::Apply(subsets(
        "reviews",
        "reviews",
        &["v1", "v3"],
    ))));
    index.apply(config(Event::Apply(to_subset("reviews", "v1"))));
    let before = published(&mut index).world;
    index.apply(config(Event::Apply(to_subset("reviews", "v3"))));
    let after = published(&mut index);
    let expected = ChangeSet {
        config: [before.virtual_services[0].object.clone()].into(),
        ..ChangeSet::default()
    };
    assert_eq!(after.changes, expected);
    assert!(Arc::ptr_eq(
        &before.destination_rules[0],
        &after.world.destination_rules[0]
    ));
}

#[test]
fn another_order_of_precedence_is_a_change() {
    let spec =
        json!({"hosts": ["reviews"], "http": [{"route": [{"destination": {"host": "reviews"}}]}]});
    let mut objects = ["a", "b", "c"].map(|name| virtual_service(name, spec.clone()));
    for (i, object) in objects.iter_mut().enumerate() {
        object.created = format!("2024-01-0{}T00:00:00Z", i + 1).parse().ok();
    }
    let mut index = index();
    for object in objects.clone() {
        index.apply(config(Event::Apply(object)));
    }
    let before = published(&mut index).world;
    objects[0].created = "2024-02-01T00:00:00Z".parse().ok();
    index.apply(config(Event::Apply(objects[0].clone())));
    let after = published(&mut index);
    let names: Vec<_> = after
        .world
        .virtual_services
        .iter()
        .map(|v| v.object.name.to_string())
        .collect();
    assert_eq!(names, ["b", "c", "a"]);
    assert!(
        after
            .changes
            .config
            .contains(&before.virtual_services[0].object)
    );
}

#[test]
fn another_mesh_config_builds_services_again_and_keeps_what_objects_were_read_with() {
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(2))));
    index.apply(config(Event::Apply(to_subset("a", "v1"))));
    published(&mut index);
    let wanted = model::Mesh {
        auto_mtls: true,
        trust_domain: "shop".into(),
        root_namespace: "root".into(),
        ..model::Mesh::default()
    };
    index.configure(wanted.clone(), Vec::new());
    let next = published(&mut index);
    assert!(next.changes.mesh && next.world.mesh.auto_mtls);
    let service = &next.world.services[&host("reviews.marathon.slave.mesos")];
    let name = "spiffe://shop/ns/default/sa/default";
    assert_eq!(service.subject_alt_names, [name]);
    assert_eq!(*next.world.mesh.root_namespace, *"istio-system");
    let found: Vec<&str> = next.world.diagnostics.iter().map(|d| &*d.field).collect();
    assert!(found.contains(&"rootNamespace"));
    // The same again is no news.
    index.configure(wanted, Vec::new());
    assert!(index.publish().is_none());
}
