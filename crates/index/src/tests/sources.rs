//! Several sources at once.

use api::event::{Change, Event, Update};
use api::marathon::Workload;
use serde_json::json;

use super::fixtures::*;

fn from(source: &str, event: Event<Workload>) -> Update {
    Update {
        source: source.into(),
        change: Change::Workload(event),
    }
}

#[test]
fn two_marathons_contribute_to_one_service_and_are_replaced_apart() {
    let second = |n: u32| {
        let spec = pod_spec(
            "reviews",
            json!({"istio": "reviews", "version": "v2"}),
            9080,
        );
        let instances = (1..=n)
            .map(|i| pod_instance("reviews", 100 + i, 20 + i, 9080))
            .collect();
        pod_workload(pod(spec, instances), vec![])
    };
    let mut index = index();
    index.apply(from("one", Event::Apply(reviews(1))));
    index.apply(from("two", Event::Apply(second(2))));
    let world = published(&mut index).world;
    assert_eq!(endpoints(&world, "reviews", 9080).len(), 3);
    index.apply(from("two", Event::Init));
    index.apply(from("two", Event::InitDone));
    let world = published(&mut index).world;
    assert_eq!(endpoints(&world, "reviews", 9080).len(), 1);
    assert_eq!(world.instances.len(), 1);
}

#[test]
fn a_workload_that_changes_its_name_leaves_the_old_service() {
    let named = |name: &str| {
        let spec = pod_spec("p", json!({"istio": name}), 80);
        pod_workload(pod(spec, vec![pod_instance("p", 1, 1, 80)]), vec![])
    };
    let mut index = index();
    index.apply(workload(Event::Apply(named("before"))));
    published(&mut index);
    index.apply(workload(Event::Apply(named("after"))));
    let after = published(&mut index);
    let hosts: Vec<_> = after
        .world
        .services
        .keys()
        .map(|h| h.as_str().to_owned())
        .collect();
    assert_eq!(hosts, ["after.marathon.slave.mesos"]);
    assert_eq!(after.changes.services.len(), 2);
    assert_eq!(after.changes.endpoints.len(), 2);
}

#[test]
fn an_instance_that_two_marathons_name_stays_while_one_of_them_does() {
    let mut index = index();
    index.apply(from("one", Event::Apply(reviews(1))));
    index.apply(from("two", Event::Apply(reviews(1))));
    published(&mut index);
    index.apply(from("one", Event::Delete(reviews(1).key())));
    let one_less = index.publish().expect("people are told");
    assert!(
        one_less.changes.is_empty(),
        "it is the same instance, at the same place"
    );
    index.apply(from("two", Event::Delete(reviews(1).key())));
    assert!(published(&mut index).world.instances.is_empty());
}

#[test]
fn a_marathon_may_have_a_namespace_of_its_own() {
    let mut mesh = model::Mesh::default();
    let by_source = &mut mesh.namespaces.by_source;
    by_source.insert("two".to_owned(), "second".to_owned());
    let mut index = super::namespaces::index_of(mesh);
    let other = |labels| {
        let spec = pod_spec("cart", labels, 80);
        pod_workload(pod(spec, vec![pod_instance("cart", 7, 7, 80)]), vec![])
    };
    let labelled = json!({"istio": "cart", "istio.io/namespace": "third"});
    for (source, workload) in [
        ("one", reviews(1)),
        ("two", reviews(2)),
        ("two", other(labelled)),
    ] {
        index.apply(from(source, Event::Apply(workload)));
    }
    let world = published(&mut index).world;
    let namespaces = world.services.values();
    let namespaces = namespaces.map(|service| (service.host.as_str(), &*service.namespace));
    assert_eq!(
        namespaces.collect::<Vec<_>>(),
        [
            ("cart.third.marathon.slave.mesos", "third"),
            ("reviews.marathon.slave.mesos", "default"),
            ("reviews.second.marathon.slave.mesos", "second"),
        ]
    );
}
