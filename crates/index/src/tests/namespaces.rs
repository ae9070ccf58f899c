//! Namespaces, domains and aliases: the names that a mesh with groups and several domains has.

use api::event::Event;
use api::marathon::Workload;
use model::{Mesh, NamespaceMode, Namespaces, World};
use serde_json::{Map, Value, json};

use super::fixtures::*;
use crate::{Claim, Index, Settings, identify};

pub(super) fn mesh(mode: NamespaceMode, by_group: &[(&str, &str)]) -> Mesh {
    let by_group = by_group.iter().map(|(g, n)| (g.to_string(), n.to_string()));
    Mesh {
        namespaces: Namespaces {
            mode,
            by_group: by_group.collect(),
            ..Namespaces::default()
        },
        ..Mesh::default()
    }
}

pub(super) fn index_of(mesh: Mesh) -> Index {
    Index::new(Settings {
        mesh,
        sources: vec![],
    })
}

/// A pod with one instance, in a group.
pub(super) fn at(path: &str, labels: Value, n: u32) -> Workload {
    let name = path.trim_start_matches('/').replace('/', "_");
    let mut spec = pod_spec(&name, labels, 80);
    spec["id"] = json!(path);
    let mut running = pod_instance(&name, n, n, 80);
    running["specReference"] = json!(null);
    pod_workload(pod(spec, vec![running]), vec![])
}

pub(super) fn aged(workload: Workload, version: &str) -> Workload {
    let Workload::Pod(mut pod) = workload else {
        panic!("a pod");
    };
    std::sync::Arc::make_mut(&mut pod).status.spec.version = Some(version.to_owned());
    Workload::Pod(pod)
}

pub(super) fn build(mesh: Mesh, workloads: Vec<Workload>) -> World {
    let mut index = index_of(mesh);
    for w in workloads {
        index.apply(workload(Event::Apply(w)));
    }
    (*published(&mut index).world).clone()
}

pub(super) fn hosts(world: &World) -> Vec<&str> {
    world.services.keys().map(|host| host.as_str()).collect()
}

pub(super) fn aliases(world: &World, name: &str) -> Vec<String> {
    world.services[&host(name)]
        .aliases
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn namespaces_are_part_of_names_and_the_name_of_mesos_dns_is_one_of_them() {
    let shop = || {
        vec![
            at("/shop/db/mysql", json!({"istio": "mysql"}), 1),
            at("/front", json!({"istio": "front"}), 2),
        ]
    };
    for (mesh, namespace, name, alias) in [
        (
            mesh(NamespaceMode::TopGroup, &[]),
            "shop",
            "mysql.shop.marathon.slave.mesos",
            Some("mysql.db.shop.marathon.slave.mesos"),
        ),
        (
            mesh(NamespaceMode::FullGroup, &[]),
            "shop-db",
            "mysql.shop-db.marathon.slave.mesos",
            Some("mysql.db.shop.marathon.slave.mesos"),
        ),
        (
            mesh(NamespaceMode::Flat, &[("/shop", "s")]),
            "s",
            "mysql.s.marathon.slave.mesos",
            Some("mysql.db.shop.marathon.slave.mesos"),
        ),
        (
            Mesh::default(),
            "default",
            "mysql.marathon.slave.mesos",
            None,
        ),
    ] {
        let world = build(mesh, shop());
        assert_eq!(hosts(&world), ["front.marathon.slave.mesos", name]);
        assert_eq!(&*world.services[&host(name)].namespace, namespace);
        assert_eq!(
            &*instance(&world, &id("shop_db_mysql", 1)).namespace,
            namespace
        );
        let known = aliases(&world, name);
        let expected = alias.map(|alias| vec![format!("mysql.{namespace}"), alias.to_owned()]);
        let mut expected = expected.unwrap_or_default();
        expected.sort();
        assert_eq!(known, expected, "{namespace}");
    }
    // For a workload right in its group both names are one.
    let world = build(
        mesh(NamespaceMode::TopGroup, &[]),
        vec![at("/shop/web", json!({"istio": "web"}), 1)],
    );
    assert_eq!(
        aliases(&world, "web.shop.marathon.slave.mesos"),
        ["web.shop"]
    );
}

#[test]
fn a_label_tells_the_namespace_before_group_and_table() {
    let label = |key: &str, value: &str| at("/shop/x", json!({"istio": "x", key: value}), 1);
    let mesh = || mesh(NamespaceMode::TopGroup, &[("/shop", "table")]);
    for (workload, expected, found) in [
        (label("istio.io/namespace", "own"), "own", vec![]),
        (label("ISTIO_NAMESPACE", "own"), "own", vec![]),
        (
            label("istio.io/namespace", "No Name"),
            "table",
            vec!["PH0203"],
        ),
        (label("other", "x"), "table", vec![]),
    ] {
        let world = build(mesh(), vec![workload]);
        assert_eq!(
            (hosts(&world), codes(&world)),
            (
                vec![format!("x.{expected}.marathon.slave.mesos").as_str()],
                found
            )
        );
    }
    // A label alone leaves the names of a flat mesh as they are.
    let world = build(Mesh::default(), vec![label("istio.io/namespace", "own")]);
    assert_eq!(hosts(&world), ["x.marathon.slave.mesos"]);
    assert_eq!(
        &*world.services[&host("x.marathon.slave.mesos")].namespace,
        "own"
    );
}

#[test]
fn groups_that_become_one_namespace_are_told() {
    let mut index = index_of(mesh(NamespaceMode::FullGroup, &[]));
    for (path, n) in [("/a/b/x", 1), ("/a-b/y", 2)] {
        index.apply(workload(Event::Apply(at(path, json!({"istio": "x"}), n))));
    }
    let world = published(&mut index).world;
    assert_eq!(codes(&world), [crate::codes::NAMESPACE_SHARED]);
    assert!(
        diagnostic(&world, "PH0212")
            .why
            .contains("/a-b and /a/b both become the namespace a-b")
    );
    index.apply(workload(Event::Delete(at("/a-b/y", json!({}), 2).key())));
    assert_eq!(codes(&published(&mut index).world), [""; 0]);
}

#[test]
fn short_names_stand_for_the_own_namespace() {
    let mut index = index_of(mesh(NamespaceMode::TopGroup, &[]));
    index.apply(workload(Event::Apply(at(
        "/shop/reviews",
        json!({"istio": "reviews", "version": "v1"}),
        1,
    ))));
    let mut route = to_subset("r", "v1");
    route.key.namespace = "shop".into();
    let mut rule = subsets("r", "reviews.shop.marathon.slave.mesos", &["v1"]);
    rule.key.namespace = "shop".into();
    index.apply(config(Event::Apply(route)));
    index.apply(config(Event::Apply(rule)));
    let world = published(&mut index).world;
    assert_eq!(
        world.virtual_services[0].hosts,
        [host("reviews.shop.marathon.slave.mesos")]
    );
    assert_eq!(codes(&world), [""; 0]);
    let metadata = Map::new();
    let node = |domain: &str| {
        let node_id = format!("sidecar~172.31.254.1~{}~{domain}", id("shop_reviews", 1));
        let claim = Claim {
            node_id: &node_id,
            metadata: &metadata,
        };
        identify(&world, &claim, "192.0.2.1".parse().unwrap())
            .unwrap()
            .domain
            .to_string()
    };
    assert_eq!(node("marathon.slave.mesos"), "shop.marathon.slave.mesos");
    assert_eq!(node("example.com"), "example.com");
}

#[test]
fn every_domain_leads_to_the_canonical_service() {
    let mesh = || Mesh {
        other_domains: vec![
            "marathon.mesos".into(),
            "marathon.autoip.dcos.thisdcos.directory".into(),
        ],
        ..Mesh::default()
    };
    let labels = json!({"istio": "reviews.marathon.mesos,x.y", "istio.io/hosts": "shop.example.com, *.example.com"});
    let world = build(mesh(), vec![at("/reviews", labels, 1)]);
    assert_eq!(
        hosts(&world),
        ["reviews.marathon.slave.mesos", "x.y.marathon.slave.mesos"]
    );
    assert_eq!(
        aliases(&world, "reviews.marathon.slave.mesos"),
        [
            "reviews.marathon.autoip.dcos.thisdcos.directory",
            "reviews.marathon.mesos",
            "shop.example.com"
        ]
    );
    assert_eq!(
        aliases(&world, "x.y.marathon.slave.mesos"),
        [
            "x-y.marathon.autoip.dcos.thisdcos.directory",
            "x.y.marathon.mesos"
        ]
    );
    assert_eq!(codes(&world), ["PH0203"]);
    // Hosts in objects are those of the mesh's own domain, whichever is written.
    let mut index = index_of(mesh());
    index.apply(workload(Event::Apply(reviews(1))));
    let rule = subsets("r", "*.marathon.mesos", &["v1"]);
    let route = virtual_service(
        "r",
        json!({"hosts": ["reviews.marathon.mesos"], "http": [{"route": [
        {"destination": {"host": "reviews.marathon.mesos", "subset": "v1"}}]}]}),
    );
    index.apply(config(Event::Apply(rule)));
    index.apply(config(Event::Apply(route)));
    let world = published(&mut index).world;
    assert_eq!(
        world.destination_rules[0].host,
        host("*.marathon.slave.mesos")
    );
    assert_eq!(
        world.virtual_services[0].hosts,
        [host("reviews.marathon.slave.mesos")]
    );
    assert_eq!(codes(&world), [""; 0]);
}

#[test]
fn virtual_addresses_are_names_and_ports_of_the_service() {
    let vips = json!({"VIP_0": "/reviews:80", "VIP_1": "10.1.2.3:9080", "VIP_2": "nonsense", "VIP_X": "other"});
    let mut spec = pod_spec("reviews", json!({"istio": "reviews"}), 9080);
    spec["containers"][0]["endpoints"][0]["labels"] = vips;
    let running = pod_instance("reviews", 1, 1, 9080);
    let world = world_of(vec![pod_workload(pod(spec, vec![running]), vec![])], vec![]);
    assert_eq!(
        aliases(&world, "reviews.marathon.slave.mesos"),
        ["10.1.2.3", "reviews.marathon.l4lb.thisdcos.directory"]
    );
    let numbers: Vec<_> = ports(&world, "reviews")
        .into_iter()
        .map(|p| (p.0, p.1))
        .collect();
    assert_eq!(
        numbers,
        [(80, "http-80".to_owned()), (9080, "http-9080".to_owned())]
    );
    assert_eq!(
        endpoints(&world, "reviews", 80)[0].reach,
        endpoints(&world, "reviews", 9080)[0].reach
    );
    // The instance itself listens on one port.
    assert_eq!(instance(&world, &id("reviews", 1)).ports.len(), 1);
    assert_eq!(codes(&world), ["PH0203"]);
    // What an alias stands for is known to routes.
    let route = virtual_service(
        "r",
        json!({"hosts": ["x.example.com"], "http": [{"route": [
        {"destination": {"host": "reviews.marathon.l4lb.thisdcos.directory", "port": {"number": 80}}}]}]}),
    );
    let mut spec = pod_spec("reviews", json!({"istio": "reviews"}), 9080);
    spec["containers"][0]["endpoints"][0]["labels"] = json!({"VIP_0": "/reviews:80"});
    let world = world_of(vec![pod_workload(pod(spec, vec![]), vec![])], vec![route]);
    assert_eq!(codes(&world), [""; 0]);
}

/// A rule of a namespace without the host and without callers is told (PH0726).
#[test]
fn a_destination_rule_that_no_caller_looks_up_is_told() {
    let of = |namespace: &str| {
        let mut index = index_of(mesh(NamespaceMode::TopGroup, &[]));
        let db = at("/shop/mysql", json!({"istio": "mysql"}), 1);
        index.apply(workload(Event::Apply(db)));
        let spec = json!({"host": "mysql.shop.marathon.slave.mesos",
            "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}});
        let mut rule = object("DestinationRule", "mysql", spec);
        rule.key.namespace = namespace.into();
        index.apply(config(Event::Apply(rule)));
        (*published(&mut index).world).clone()
    };
    assert_eq!(codes(&of("nowhere")), [crate::codes::RULE_UNSEEN]);
    assert_eq!(codes(&of("shop")), [""; 0]);
    assert_eq!(codes(&of("istio-system")), [""; 0]);
}
