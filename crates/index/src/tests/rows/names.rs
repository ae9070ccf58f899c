//! Rows about names, and about who may use them.

use api::event::{Change, Event, Update};
use api::marathon::Workload;
use model::{Mesh, NamespaceMode, Ownership, World};
use serde_json::json;

use crate::tests::fixtures::*;
use crate::tests::namespaces::{aged, aliases, at, build, hosts, index_of, mesh};

#[test]
fn row15_workloads_of_one_namespace_share_a_service() {
    let groups =
        ["/a/reviews", "/b/reviews"].map(|id| at(id, json!({"istio": "reviews"}), id.len() as u32));
    let mut second = groups[1].clone();
    if let Workload::Pod(pod) = &mut second {
        let pod = std::sync::Arc::make_mut(pod);
        pod.status.instances[0].id = id("b_reviews", 7);
        pod.status.instances[0].agent_hostname = Some("10.0.0.99".into());
    }
    let world = build(Mesh::default(), vec![groups[0].clone(), second]);
    assert_eq!(endpoints(&world, "reviews", 80).len(), 2);
    assert_eq!(codes(&world), [""; 0]);
}

#[test]
fn row16_a_service_stays_with_the_namespace_that_had_it_first() {
    let label = json!({"istio": "reviews.marathon.slave.mesos"});
    let old = || aged(at("/z/reviews", label.clone(), 1), OLDER);
    let young = || aged(at("/a/reviews", label.clone(), 2), LATEST);
    let mesh = || mesh(NamespaceMode::TopGroup, &[]);
    let owner = |world: &World| {
        (*world.services[&host("reviews.marathon.slave.mesos")].namespace).to_owned()
    };
    let world = build(mesh(), vec![young(), old()]);
    assert_eq!(owner(&world), "z");
    assert_eq!(endpoints(&world, "reviews", 80).len(), 1);
    let found = diagnostic(&world, "PH0211");
    assert_eq!(
        found.object.as_ref().unwrap().to_string(),
        "Pod a//a/reviews"
    );
    assert!(found.why.contains("Pod z//z/reviews"), "{}", found.why);
    // A new version of the owner is younger than its rival, and the owner all the same.
    let mut index = index_of(mesh());
    for w in [old(), young()] {
        index.apply(workload(Event::Apply(w)));
    }
    published(&mut index);
    index.apply(workload(Event::Apply(aged(
        old(),
        "2025-01-01T00:00:00.000Z",
    ))));
    index.publish();
    index.apply(workload(Event::Delete(young().key())));
    assert_eq!(owner(&published(&mut index).world), "z");
    // Without the owner the next one follows.
    index.apply(workload(Event::Apply(young())));
    index.publish();
    index.apply(workload(Event::Delete(old().key())));
    assert_eq!(owner(&published(&mut index).world), "a");
}

#[test]
fn a_group_keeps_its_services_if_the_mesh_is_set_so() {
    let stolen = || {
        vec![
            aged(at("/shop/httpbin", json!({"istio": "httpbin"}), 1), OLDER),
            aged(at("/evil/httpbin", json!({"istio": "httpbin"}), 2), LATEST),
        ]
    };
    let open = build(Mesh::default(), stolen());
    assert_eq!(endpoints(&open, "httpbin", 80).len(), 2);
    let mesh = Mesh {
        ownership: Ownership::Group,
        ..Mesh::default()
    };
    let world = build(mesh.clone(), stolen());
    let [endpoint] = endpoints(&world, "httpbin", 80) else {
        panic!("one endpoint");
    };
    assert_eq!(endpoint.instance.as_str(), id("shop_httpbin", 1));
    assert_eq!(codes(&world), [crate::codes::HOST_OWNED]);
    // A group of the same name in another Marathon is another group.
    let mut index = index_of(mesh);
    let [first, _] = stolen().try_into().unwrap();
    index.apply(workload(Event::Apply(first)));
    let twin = aged(at("/shop/httpbin", json!({"istio": "httpbin"}), 3), LATEST);
    index.apply(Update {
        source: "other".into(),
        change: Change::Workload(Event::Apply(twin)),
    });
    let world = published(&mut index).world;
    assert_eq!(endpoints(&world, "httpbin", 80).len(), 1);
    // An alias is no way around it.
    let alias = json!({"istio": "mine", "istio.io/hosts": "httpbin.marathon.slave.mesos"});
    let world = build(Mesh::default(), vec![at("/evil/x", alias, 1)]);
    assert_eq!(
        (aliases(&world, "mine.marathon.slave.mesos"), codes(&world)),
        (vec![], vec!["PH0203"])
    );
}

#[test]
fn row19_names_are_made_fit_for_dns() {
    for (label, host, alias, found) in [
        ("Reviews", "reviews", None, vec![]),
        (
            "my_shop",
            "my-shop",
            Some("my_shop.marathon.slave.mesos"),
            vec!["PH0210"],
        ),
        ("a b!", "ab", None, vec!["PH0210"]),
        ("-edge-", "edge", None, vec!["PH0210"]),
    ] {
        let world = build(Mesh::default(), vec![at("/x", json!({"istio": label}), 1)]);
        let host = format!("{host}.marathon.slave.mesos");
        assert_eq!(hosts(&world), [host.as_str()], "{label}");
        assert_eq!(
            aliases(&world, &host),
            alias.map(str::to_owned).into_iter().collect::<Vec<_>>()
        );
        assert_eq!(codes(&world), found, "{label}");
    }
    let long = "x".repeat(64);
    for label in ["!!", "a..b", "*", &long] {
        let world = build(Mesh::default(), vec![at("/x", json!({"istio": label}), 1)]);
        assert_eq!(
            (hosts(&world), codes(&world)),
            (vec![], vec!["PH0202"]),
            "{label}"
        );
    }
}

#[test]
fn row20_blanks_and_empty_names_of_a_list_do_not_count() {
    let world = build(
        Mesh::default(),
        vec![at("/x", json!({"istio": " a, b,,a ,"}), 1)],
    );
    assert_eq!(
        hosts(&world),
        ["a.marathon.slave.mesos", "b.marathon.slave.mesos"]
    );
    assert_eq!(codes(&world), [""; 0]);
}
