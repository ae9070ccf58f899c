//! The row about IPv6: which of an instance's addresses are called.

use model::{IpFamily, Mesh, World};
use serde_json::{Value, json};

use crate::tests::fixtures::*;
use crate::tests::namespaces::build;

/// An app with one task that has these addresses, in a network that is routed.
fn routed(mesh: Mesh, labels: Value, addresses: Value) -> World {
    let mut task = task("shop", 2, json!([]));
    task["ipAddresses"] = addresses;
    let mapping = json!([{"containerPort": 80}]);
    let mut shop = app("shop", "container", mapping, vec![task]);
    shop["networks"] = json!([{"mode": "container", "name": "a"}]);
    shop["labels"] = labels;
    build(mesh, vec![app_workload(shop, vec![])])
}

/// The address that callers use, and the one that they try after it.
fn called(world: &World) -> [String; 2] {
    let reach = &endpoints(world, "shop", 80)[0].reach;
    let address = instance(world, &id("shop", 2)).address;
    assert_eq!(reach.anywhere.map(|at| at.ip()), address);
    [reach.anywhere, reach.also].map(|at| at.map_or("-".to_owned(), |at| at.to_string()))
}

fn four() -> Value {
    json!({"ipAddress": "9.0.0.2"})
}

fn six() -> Value {
    json!({"ipAddress": "fd00::2", "protocol": "IPv6"})
}

fn preferring_six() -> Mesh {
    Mesh {
        ip_family: IpFamily::V6,
        ..Mesh::default()
    }
}

#[test]
fn row35_an_instance_with_one_family_is_called_by_it() {
    for mesh in [Mesh::default, preferring_six] {
        for (only, expected) in [(four(), "9.0.0.2:80"), (six(), "[fd00::2]:80")] {
            let world = routed(mesh(), json!({"istio": "shop"}), json!([only]));
            assert_eq!(called(&world), [expected, "-"]);
        }
    }
}

#[test]
fn row35_of_two_families_one_is_called_and_the_other_tried_after_it() {
    let (four_first, six_first) = (
        ["9.0.0.2:80", "[fd00::2]:80"],
        ["[fd00::2]:80", "9.0.0.2:80"],
    );
    let both = || json!([six(), four()]);
    let plain = || json!({"istio": "shop"});
    assert_eq!(
        called(&routed(Mesh::default(), plain(), both())),
        four_first
    );
    assert_eq!(
        called(&routed(preferring_six(), plain(), both())),
        six_first
    );
    // Who chooses an address has that one alone.
    let chosen = json!({"istio": "shop", "istio.io/ip-index": "0"});
    let chosen = routed(Mesh::default(), chosen, both());
    assert_eq!(called(&chosen), ["[fd00::2]:80", "-"]);
}

#[test]
fn row35_the_port_mapper_of_a_bridge_knows_one_family() {
    let mut task = task("shop", 2, json!([31000]));
    task["ipAddresses"] = json!([six(), four()]);
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let app = app("shop", "container/bridge", mapping, vec![task]);
    let world = build(preferring_six(), vec![app_workload(app, vec![])]);
    let endpoint = &endpoints(&world, "shop", 80)[0];
    assert_eq!(endpoint.reach.also, None);
    assert_eq!(
        reach(endpoint),
        ("10.0.0.9:31000".into(), "10.0.0.9>9.0.0.2:80".into())
    );
}
