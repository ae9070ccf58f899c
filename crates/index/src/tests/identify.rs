//! Which proxy is asking.

use std::net::IpAddr;

use model::{Capture, ChangeSet, Labels, Proxy, Role, World};
use serde_json::{Value, json};

use super::fixtures::*;
use crate::{Anchors, Claim, Unidentified, identify};

const REMOTE: &str = "192.0.2.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn identified(
    world: &World,
    node_id: &str,
    metadata: Value,
    peer: &str,
) -> Result<Proxy, Unidentified> {
    let Value::Object(metadata) = metadata else {
        panic!("a mapping");
    };
    let claim = Claim {
        node_id,
        metadata: &metadata,
    };
    identify(world, &claim, ip(peer))
}

fn node(id: &str) -> String {
    format!("sidecar~172.31.254.99~{id}~marathon.slave.mesos")
}

fn instance_id(proxy: &Proxy) -> Option<String> {
    proxy.instance.as_ref().map(|i| i.id.to_string())
}

#[test]
fn every_form_of_id_leads_to_the_instance() {
    const UUID: &str = "488b3441-7bb5-11e9-b931-000000000042";
    let mut old = task("old", 1, json!([31001]));
    old["id"] = json!(format!("old.{UUID}"));
    let mut resident = task("kept", 2, json!([31002]));
    resident["id"] = json!(format!("kept.{UUID}.3"));
    let mapping = json!([{"containerPort": 80, "hostPort": 0}]);
    let of = |name: &str, t: Value| {
        app_workload(
            app(name, "container/bridge", mapping.clone(), vec![t]),
            vec![],
        )
    };
    let world = world_of(
        vec![
            reviews(1),
            of("shop", task("shop", 5, json!([31005]))),
            of("old", old),
            of("kept", resident),
        ],
        vec![],
    );
    let pod = id("reviews", 1);
    let shop = id("shop", 5);
    for (claimed, found) in [
        (pod.clone(), pod.clone()),
        (format!("{pod}.proxy"), pod.clone()),
        (format!("{pod}.proxy.1"), pod.clone()),
        (format!("{shop}._app.1"), shop.clone()),
        (format!("{shop}._app"), shop.clone()),
        (shop.clone(), shop.clone()),
        (format!("old.{UUID}"), format!("old.{UUID}")),
        (format!("kept.{UUID}.3"), format!("kept.{UUID}")),
        (format!("kept.{UUID}"), format!("kept.{UUID}")),
    ] {
        let proxy = identified(&world, &node(&claimed), json!({}), REMOTE).unwrap();
        assert_eq!(instance_id(&proxy), Some(found), "{claimed}");
    }
    let by_metadata = json!({"MESOS_TASK_ID": format!("{pod}.proxy.7")});
    let proxy = identified(&world, &node("whatever"), by_metadata, REMOTE).unwrap();
    assert_eq!(instance_id(&proxy), Some(pod));
}

#[test]
fn an_instance_tells_labels_and_agent_whatever_the_node_claims() {
    let world = world_of(vec![reviews(1)], vec![]);
    let metadata = json!({"HOST": "10.9.9.9", "LABELS": {"version": "lie"}});
    let proxy = identified(&world, &node(&id("reviews", 1)), metadata, REMOTE).unwrap();
    assert_eq!(proxy.spot, beside("10.0.0.1"));
    assert_eq!(proxy.labels.get("version"), Some("v1"));
    assert_eq!(
        (proxy.role, proxy.capture),
        (Role::Sidecar, Capture::Redirect)
    );
    assert_eq!(
        (&*proxy.domain, &*proxy.namespace),
        ("marathon.slave.mesos", "default")
    );
    assert_eq!(proxy.application, ip("127.0.0.1"));
}

#[test]
fn a_staging_instance_is_recognised() {
    let spec = pod_spec("reviews", json!({"istio": "reviews"}), 9080);
    let staging = json!({"id": id("reviews", 1), "status": "STAGING", "agentHostname": "10.0.0.1"});
    let world = world_of(vec![pod_workload(pod(spec, vec![staging]), vec![])], vec![]);
    let proxy = identified(&world, &node(&id("reviews", 1)), json!({}), REMOTE).unwrap();
    assert_eq!(proxy.spot, beside("10.0.0.1"));
    assert!(endpoints(&world, "reviews", 9080).is_empty());
}

#[test]
fn an_address_identifies_if_only_one_instance_can_be_meant() {
    let spec = pod_spec("reviews", json!({"istio": "reviews"}), 9080);
    let one = pod_instance("reviews", 1, 1, 9080);
    let mut other = pod_instance("reviews", 2, 2, 9080);
    let alone = world_of(
        vec![pod_workload(pod(spec.clone(), vec![one.clone()]), vec![])],
        vec![],
    );
    other["networks"] = one["networks"].clone();
    let twice = world_of(
        vec![pod_workload(pod(spec, vec![one, other]), vec![])],
        vec![],
    );
    let claim = "sidecar~172.31.254.1~unknown~marathon.slave.mesos";
    let found = |world: &World, metadata: Value, peer: &str| {
        instance_id(&identified(world, claim, metadata, peer).unwrap())
    };
    assert_eq!(found(&alone, json!({}), REMOTE), Some(id("reviews", 1)));
    assert_eq!(found(&alone, json!({"HOST": "10.0.0.77"}), REMOTE), None);
    assert_eq!(found(&twice, json!({}), REMOTE), None);
    assert_eq!(
        found(&twice, json!({"HOST": "10.0.0.2"}), REMOTE),
        Some(id("reviews", 2))
    );
    assert_eq!(found(&twice, json!({}), "10.0.0.1"), Some(id("reviews", 1)));
}

#[test]
fn an_unknown_node_is_a_proxy_without_instance() {
    let world = world_of(vec![reviews(1)], vec![]);
    let metadata = json!({"LABELS": {"app": "x", "n": 1}, "NAMESPACE": "shop"});
    let proxy = identified(&world, "router~192.0.2.7~gone~", metadata, "10.0.0.1").unwrap();
    assert_eq!((proxy.role, proxy.instance), (Role::Router, None));
    assert_eq!(proxy.labels, Labels::from_iter([("app", "x")]));
    assert_eq!(proxy.spot, beside("10.0.0.1"), "the peer is an agent");
    assert_eq!(
        (&*proxy.domain, &*proxy.namespace),
        ("marathon.slave.mesos", "shop")
    );
    let at_host = identified(&world, &node("gone"), json!({"HOST": "10.0.0.8"}), REMOTE).unwrap();
    assert_eq!(at_host.spot, beside("10.0.0.8"));
    let nowhere = identified(&world, &node("gone"), json!({"HOST": "a.example"}), REMOTE).unwrap();
    assert_eq!(nowhere.spot, None);
}

#[test]
fn without_interception_the_node_tells_its_addresses() {
    let world = world_of(vec![], vec![]);
    let metadata = json!({"INTERCEPTION_MODE": "NONE", "OUTBOUND_ADDRESS": "127.0.0.9", "APP_ADDRESS": "127.0.1.9"});
    let proxy = identified(&world, &node("x"), metadata, REMOTE).unwrap();
    let capture = |address| Capture::Explicit {
        outbound: ip(address),
    };
    assert_eq!(
        (proxy.capture, proxy.application),
        (capture("127.0.0.9"), ip("127.0.1.9"))
    );
    let proxy = identified(
        &world,
        &node("x"),
        json!({"INTERCEPTION_MODE": "NONE"}),
        REMOTE,
    )
    .unwrap();
    assert_eq!(proxy.capture, capture("127.0.0.1"));
    let error = identified(
        &world,
        &node("x"),
        json!({"APP_ADDRESS": "localhost"}),
        REMOTE,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the node metadata APP_ADDRESS is \"localhost\"; it must be an IP address such as 127.0.0.1"
    );
}

#[test]
fn a_malformed_node_id_is_refused_with_the_expected_form() {
    let world = world_of(vec![], vec![]);
    for (node_id, part) in [
        ("", "does not have the form sidecar~<ip>~<id>~<domain>"),
        ("sidecar~10.0.0.1~x", "does not have the form"),
        ("a~b~c~d~e", "does not have the form"),
        ("ingress~10.0.0.1~x~d", "must begin with sidecar or router"),
        (
            "sidecar~nowhere~x~d",
            "\"nowhere\" where its IP address belongs",
        ),
    ] {
        let error = identified(&world, node_id, json!({}), REMOTE)
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{node_id:?}: {error}");
    }
}

#[test]
fn only_its_own_instance_can_make_a_known_node_another() {
    let world = world_of(vec![reviews(2)], vec![]);
    let (own, other) = (id("reviews", 1), id("reviews", 2));
    let changed = |ids: &[&str]| ChangeSet {
        instances: ids.iter().map(|id| (*id).into()).collect(),
        ..ChangeSet::default()
    };
    let metadata = serde_json::Map::new();
    for (claimed, changed, differs) in [
        (own.clone(), changed(&[&other]), false),
        (own.clone(), changed(&[&other, &own]), true),
        (format!("{own}.proxy.1"), changed(&[&own]), true),
        (format!("{own}.proxy.1"), changed(&[&other]), false),
        // It may get an instance by its address.
        ("unknown".to_owned(), changed(&[&other]), true),
        ("unknown".to_owned(), changed(&[]), false),
    ] {
        let node_id = node(&claimed);
        let proxy = identified(&world, &node_id, json!({}), REMOTE).unwrap();
        let claim = Claim {
            node_id: &node_id,
            metadata: &metadata,
        };
        let anchors = Anchors::of(&proxy, &claim);
        assert_eq!(anchors.moved_by(&changed), differs, "{claimed}");
    }
}
