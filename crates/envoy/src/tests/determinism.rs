//! Equal inputs give equal bytes.

use crate::fixtures::rich::{proxies, rich};
use crate::fixtures::*;
use crate::{Kind, compile};

#[test]
fn twenty_compiles_are_one() {
    let world = rich().world();
    for (name, proxy) in proxies() {
        let first = compile(&world, &proxy);
        for _ in 0..20 {
            assert!(compile(&world, &proxy) == first, "{name}");
        }
    }
}

#[test]
fn the_order_in_which_a_world_was_built_does_not_matter() {
    let forwards = bookinfo()
        .service("web", &[(80, "http")])
        .subsets("web", &["v1"]);
    let mut backwards = Draft::default()
        .service("web", &[(80, "http")])
        .subsets("web", &["v1"]);
    backwards.take_reversed(bookinfo());
    let (forwards, backwards) = (forwards.world(), backwards.world());
    for (name, proxy) in proxies() {
        assert!(
            compile(&forwards, &proxy) == compile(&backwards, &proxy),
            "{name}"
        );
    }
}

#[test]
fn resources_are_sorted_and_each_name_is_there_once() {
    let world = rich().world();
    for (name, proxy) in proxies() {
        let compiled = compile(&world, &proxy);
        let keys: Vec<_> = compiled
            .resources
            .iter()
            .map(|r| (r.kind, &r.name))
            .collect();
        assert!(keys.is_sorted_by(|a, b| a < b), "{name}");
        for kind in [Kind::Cluster, Kind::Endpoint, Kind::Listener, Kind::Route] {
            assert!(keys.iter().any(|(k, _)| *k == kind), "{name} has no {kind}");
        }
        assert!(compiled.diagnostics.is_sorted_by(|a, b| a < b), "{name}");
    }
}

/// Routes to clusters, clusters to assignments, listeners to routes: what is named exists.
#[test]
fn what_resources_refer_to_is_there() {
    let world = rich().world();
    for (name, proxy) in proxies() {
        let rendered = render(&world, &proxy);
        for ((kind, resource), value) in &rendered.resources {
            let mut missing = Vec::new();
            references(value, &mut |kind, target| {
                // The one that a rule names although nobody has it.
                if !rendered.has(kind, target) && !target.contains("nobody") {
                    missing.push(target.to_owned());
                }
            });
            assert!(
                missing.is_empty(),
                "{name}: {kind} {resource} misses {missing:?}"
            );
        }
    }
}

fn references(value: &serde_json::Value, found: &mut dyn FnMut(Kind, &str)) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, inner) in fields {
                match (key.as_str(), inner.as_str()) {
                    ("cluster", Some(name)) => found(Kind::Cluster, name),
                    ("service_name", Some(name)) => found(Kind::Endpoint, name),
                    ("route_config_name", Some(name)) => found(Kind::Route, name),
                    ("clusters", _) => {
                        let clusters = inner.as_array().into_iter().flatten();
                        clusters.for_each(|c| found(Kind::Cluster, c["name"].as_str().unwrap()));
                    }
                    _ => references(inner, found),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}
