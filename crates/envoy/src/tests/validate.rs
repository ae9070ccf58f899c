//! Envoy itself is asked whether it takes what is compiled.
//!
//! What would be discovered is written into a bootstrap: routes into their connection managers,
//! endpoints into their clusters. `envoy --mode validate` then loads it all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::Kind;
use crate::fixtures::policies::every_policy;
use crate::fixtures::rich::{proxies, rich};
use crate::fixtures::*;

/// `$ENVOY`, or where `make envoy` puts it.
pub(super) fn envoy() -> PathBuf {
    let cached = || {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or(home.join(".cache"), PathBuf::from);
        cache.join("pilothouse/envoy-1.40.0/envoy")
    };
    let named = std::env::var_os("ENVOY").filter(|path| !path.is_empty());
    let path = named.map_or_else(cached, PathBuf::from);
    assert!(
        path.is_file(),
        "there is no Envoy at {}: run `make envoy`, or set ENVOY to one",
        path.display()
    );
    path
}

/// Fails unless Envoy takes it without a complaint.
#[track_caller]
pub(super) fn validate(name: &str, bootstrap: &Value) {
    let (accepted, log) = ask(bootstrap);
    assert!(accepted, "{name}: {log}");
    let complaints: Vec<_> = log.lines().filter(|line| is_complaint(line)).collect();
    assert!(complaints.is_empty(), "{name}: {complaints:#?}");
}

/// Whether Envoy takes a bootstrap, and what it says.
pub(crate) fn ask(bootstrap: &Value) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootstrap.json");
    std::fs::write(&file, serde_json::to_vec_pretty(bootstrap).unwrap()).unwrap();
    let output = Command::new(envoy())
        .args([
            "--mode",
            "validate",
            "--disable-hot-restart",
            "-l",
            "warning",
            "-c",
        ])
        .arg(&file)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let log = text(&output.stdout) + &text(&output.stderr);
    (output.status.success(), log)
}

/// A warning about configuration; others are about this machine.
fn is_complaint(line: &str) -> bool {
    let warned = line.contains("[warning]") || line.contains("[error]");
    warned
        && ["deprecat", "unknown", "ignored", "config"]
            .iter()
            .any(|word| line.to_lowercase().contains(word))
}

/// Everything a proxy would discover, in one file.
pub(crate) fn bootstrap(resources: &BTreeMap<(Kind, String), Value>) -> Value {
    let of = |wanted: Kind| {
        resources
            .iter()
            .filter(move |((kind, _), _)| *kind == wanted)
            .map(|(_, value)| value.clone())
    };
    let clusters = of(Kind::Cluster).map(|cluster| with_endpoints(cluster, resources));
    let listeners = of(Kind::Listener).map(|mut listener| {
        with_routes(&mut listener, resources);
        listener
    });
    json!({
        "node": { "id": "test", "cluster": "test" },
        "static_resources": {
            "clusters": clusters.collect::<Vec<_>>(),
            "listeners": listeners.collect::<Vec<_>>(),
        },
        // What sidecars are told to have, for regular expressions of a useful size.
        "layered_runtime": { "layers": [{
            "name": "static",
            "static_layer": { "re2.max_program_size.error_level": 32768 },
        }]},
    })
}

fn with_endpoints(mut cluster: Value, resources: &BTreeMap<(Kind, String), Value>) -> Value {
    if cluster["type"] == "EDS" {
        let name = cluster["eds_cluster_config"]["service_name"]
            .as_str()
            .unwrap();
        cluster["load_assignment"] = resources[&(Kind::Endpoint, name.to_owned())].clone();
        cluster["type"] = "STATIC".into();
        cluster
            .as_object_mut()
            .unwrap()
            .remove("eds_cluster_config");
    }
    cluster
}

/// Replaces each `rds` by the routes of that name.
fn with_routes(value: &mut Value, resources: &BTreeMap<(Kind, String), Value>) {
    match value {
        Value::Object(fields) => {
            if let Some(rds) = fields.remove("rds") {
                let name = rds["route_config_name"].as_str().unwrap().to_owned();
                fields.insert(
                    "route_config".into(),
                    resources[&(Kind::Route, name)].clone(),
                );
            }
            fields.values_mut().for_each(|v| with_routes(v, resources));
        }
        Value::Array(items) => items.iter_mut().for_each(|v| with_routes(v, resources)),
        _ => {}
    }
}

#[test]
fn envoy_takes_everything_for_every_kind_of_proxy() {
    for (name, proxy) in proxies() {
        let rendered = render(&rich().world(), &proxy);
        validate(name, &bootstrap(&rendered.resources));
    }
}

#[test]
fn envoy_takes_a_mesh_that_blocks_and_a_proxy_that_is_unknown() {
    let mut draft = rich();
    draft.mesh.outbound = model::OutboundPolicy::RegistryOnly;
    let proxy = model::Proxy {
        instance: None,
        spot: None,
        ..sidecar("nobody", &[])
    };
    let rendered = render(&draft.world(), &proxy);
    validate("unknown", &bootstrap(&rendered.resources));
}

#[test]
fn envoy_takes_every_policy() {
    let rendered = render(&every_policy().world(), &sidecar("web", &[]));
    assert_eq!(rendered.codes(), [""; 0]);
    validate("policies", &bootstrap(&rendered.resources));
}

/// The test itself is worth something only if a wrong resource fails it.
#[test]
fn envoy_refuses_what_the_lint_refuses() {
    let rendered = render(&bookinfo().world(), &sidecar("productpage", &[]));
    let mut resources = rendered.resources;
    let key = (Kind::Route, "9080".to_owned());
    let hosts = resources.get_mut(&key).unwrap()["virtual_hosts"]
        .as_array_mut()
        .unwrap();
    let mut twin = hosts[0].clone();
    twin["name"] = "twin".into();
    twin["domains"] = json!(["DETAILS.marathon.slave.mesos"]);
    hosts.push(twin);
    let (accepted, log) = ask(&bootstrap(&resources));
    assert!(!accepted && log.contains("unique"), "{log}");
}
