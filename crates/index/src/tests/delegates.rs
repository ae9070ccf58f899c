//! Virtual services that take in the routes of others.

use api::event::Event;
use serde_json::{Value, json};

use super::fixtures::*;

fn root() -> Value {
    json!({"hosts": ["reviews"], "http": [{"delegate": {"name": "part"}}]})
}

fn part(path: &str) -> Value {
    let route = json!([{"destination": {"host": "reviews"}}]);
    json!({"http": [{"match": [{"uri": {"prefix": path}}], "route": route}]})
}

fn paths(world: &model::World) -> Vec<String> {
    let routes = world.virtual_services.iter().flat_map(|v| &v.http);
    let matches = routes.flat_map(|route| &route.matches);
    matches.map(|m| format!("{:?}", m.uri)).collect()
}

#[test]
fn a_delegate_that_changes_changes_its_root() {
    let mut index = index();
    index.apply(workload(Event::Apply(reviews(1))));
    index.apply(config(Event::Apply(virtual_service("root", root()))));
    let before = published(&mut index).world;
    assert_eq!(codes(&before), ["PH0341"]);
    assert!(before.virtual_services[0].http.is_empty());

    index.apply(config(Event::Apply(virtual_service("part", part("/a")))));
    let next = published(&mut index);
    assert_eq!(codes(&next.world), [""; 0]);
    assert_eq!(paths(&next.world), ["Some(Prefix(\"/a\"))"]);
    let changed: Vec<String> = next.changes.config.iter().map(|o| o.to_string()).collect();
    assert_eq!(changed, ["VirtualService default/root"]);

    index.apply(config(Event::Apply(virtual_service("part", part("/b")))));
    assert_eq!(
        paths(&published(&mut index).world),
        ["Some(Prefix(\"/b\"))"]
    );

    // A bad version of the delegate harms nobody: the last good one stays.
    let bad = json!({"http": [{"delegate": {"name": "root"}}]});
    index.apply(config(Event::Apply(virtual_service("part", bad))));
    let world = published(&mut index).world;
    assert_eq!(codes(&world), ["PH0340"]);
    assert_eq!(paths(&world), ["Some(Prefix(\"/b\"))"]);
}

#[test]
fn a_delegate_without_a_root_is_told_and_has_no_effect() {
    let world = world_of(vec![reviews(1)], vec![virtual_service("part", part("/a"))]);
    assert_eq!(codes(&world), ["PH0342"]);
    assert!(world.virtual_services.is_empty());
}

#[test]
fn a_virtual_service_with_hosts_is_no_delegate() {
    let mut whole = part("/a");
    whole["hosts"] = json!(["ratings"]);
    let objects = vec![
        virtual_service("root", root()),
        virtual_service("part", whole),
    ];
    let world = world_of(vec![reviews(1)], objects);
    assert!(
        diagnostic(&world, "PH0341")
            .why
            .contains("hosts of its own")
    );
}
