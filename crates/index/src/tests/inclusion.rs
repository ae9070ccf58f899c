//! Workloads without a label that are part of the mesh, and what they are called.

use model::{Inclusion, Mesh, NamespaceMode, Selector, World};
use serde_json::json;

use super::fixtures::*;
use super::namespaces::{aliases, at, build, hosts, mesh};

fn all(mesh: Mesh) -> Mesh {
    Mesh {
        inclusion: Inclusion::All(Selector::default()),
        ..mesh
    }
}

fn shop(mesh: Mesh) -> World {
    build(
        mesh,
        vec![
            at("/sleep", json!({}), 1),
            at("/shop/db/mysql", json!({"tier": "data"}), 2),
            at("/shop/cache/mysql", json!({"tier": "cache"}), 3),
            at("/shop/reviews", json!({"istio": "reviews"}), 4),
            at("/shop/batch", json!({"istio": ""}), 5),
        ],
    )
}

#[test]
fn without_a_label_nothing_is_part_of_the_mesh_unless_all_are_asked_for() {
    assert_eq!(
        hosts(&shop(Mesh::default())),
        ["reviews.marathon.slave.mesos"]
    );
    let world = shop(all(Mesh::default()));
    assert_eq!(
        hosts(&world),
        [
            "mysql.cache.shop.marathon.slave.mesos",
            "mysql.db.shop.marathon.slave.mesos",
            "reviews.marathon.slave.mesos",
            "sleep.marathon.slave.mesos",
        ]
    );
    assert_eq!(endpoints(&world, "mysql.db.shop", 80).len(), 1);
    assert_eq!(codes(&world), [""; 0]);
}

#[test]
fn a_selector_chooses_among_those_without_a_label() {
    let selector: Selector = "tier notin (cache)".parse().unwrap();
    let mesh = Mesh {
        inclusion: Inclusion::All(selector),
        ..Mesh::default()
    };
    assert_eq!(
        hosts(&shop(mesh)),
        [
            "mysql.db.shop.marathon.slave.mesos",
            "reviews.marathon.slave.mesos",
        ]
    );
}

/// The groups that a namespace follows from are not said twice, and no two services become one.
#[test]
fn where_namespaces_are_part_of_names_the_rest_of_the_path_goes_before_them() {
    for (mode, table, expected) in [
        (NamespaceMode::TopGroup, &[][..], "mysql.db.shop"),
        (NamespaceMode::FullGroup, &[][..], "mysql.shop-db"),
        (
            NamespaceMode::Flat,
            &[("/shop/db", "data")][..],
            "mysql.data",
        ),
    ] {
        let world = shop(all(mesh(mode, table)));
        let name = format!("{expected}.marathon.slave.mesos");
        assert!(hosts(&world).contains(&name.as_str()), "{mode:?} {name}");
        let mysql = hosts(&world).into_iter().filter(|h| h.contains("mysql"));
        assert_eq!(mysql.count(), 2);
        let dns = "mysql.db.shop.marathon.slave.mesos";
        assert!(name == dns || aliases(&world, &name).contains(&dns.to_owned()));
    }
}

#[test]
fn further_names_are_those_of_a_service_without_a_label_too() {
    let labels = json!({"istio.io/hosts": "db.example.com"});
    let world = build(all(Mesh::default()), vec![at("/db", labels, 1)]);
    assert_eq!(
        aliases(&world, "db.marathon.slave.mesos"),
        ["db.example.com"]
    );
}
