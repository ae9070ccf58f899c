//! What all cases give, as Envoy sees it: everything at once in `envoy --mode validate`.
//!
//! All cases go into one bootstrap, so that one process can judge them. What would be discovered is
//! written in place: routes into their connection managers, endpoints into their clusters. Of
//! clusters with one name and different contents, the later ones get names of their own.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use envoy::Kind;
use serde_json::{Value, json};

use super::case::Resources;

/// The bootstrap that holds all cases.
#[derive(Default)]
struct Everything {
    clusters: BTreeMap<String, Value>,
    listeners: Vec<Value>,
}

// === impl Everything ===

impl Everything {
    fn add(&mut self, case: &str, resources: &Resources) {
        let mut renamed = BTreeMap::new();
        for ((kind, name), cluster) in resources {
            if *kind == Kind::Cluster {
                let cluster = with_endpoints(cluster.clone(), resources);
                let new = self.cluster(name, cluster);
                renamed.insert(name.clone(), new);
            }
        }
        for ((kind, name), listener) in resources {
            if *kind == Kind::Listener {
                let mut listener = listener.clone();
                with_routes(&mut listener, resources);
                rename(&mut listener, &renamed);
                let number = u32::try_from(self.listeners.len()).unwrap();
                move_to(&mut listener, Ipv4Addr::from(0x7f01_0000 + number));
                listener["name"] = format!("{case} {name}").into();
                self.listeners.push(listener);
            }
        }
    }

    /// Takes in a cluster; tells its name here.
    fn cluster(&mut self, name: &str, mut cluster: Value) -> String {
        let own = |count: usize| match count {
            0 => name.to_owned(),
            count => format!("{name} #{count}"),
        };
        for count in 0.. {
            let name = own(count);
            cluster["name"] = name.as_str().into();
            if let Some(assignment) = cluster.get_mut("load_assignment") {
                assignment["cluster_name"] = name.as_str().into();
            }
            match self.clusters.get(&name) {
                Some(known) if *known == cluster => return name,
                Some(_) => {}
                None => {
                    self.clusters.insert(name.clone(), cluster);
                    return name;
                }
            }
        }
        unreachable!("names do not end")
    }

    fn bootstrap(&self) -> Value {
        json!({
            "node": { "id": "golden", "cluster": "golden" },
            "static_resources": {
                "clusters": self.clusters.values().collect::<Vec<_>>(),
                "listeners": self.listeners,
            },
            // What sidecars are told to have, for regular expressions of a useful size.
            "layered_runtime": { "layers": [{
                "name": "static",
                "static_layer": { "re2.max_program_size.error_level": 32768 },
            }]},
        })
    }
}

/// Every listener has an address of its own; its port stays.
fn move_to(listener: &mut Value, address: Ipv4Addr) {
    listener["address"]["socket_address"]["address"] = address.to_string().into();
    if let Some(fields) = listener.as_object_mut() {
        fields.remove("additional_addresses");
    }
}

fn with_endpoints(mut cluster: Value, resources: &Resources) -> Value {
    if cluster["type"] == "EDS" {
        let fields = cluster.as_object_mut().unwrap();
        let eds = fields.remove("eds_cluster_config").unwrap();
        fields.insert("type".into(), "STATIC".into());
        let name = eds["service_name"].as_str().unwrap().to_owned();
        let empty = json!({ "cluster_name": name });
        let endpoints = resources.get(&(Kind::Endpoint, name));
        fields.insert(
            "load_assignment".into(),
            endpoints.cloned().unwrap_or(empty),
        );
    }
    cluster
}

/// Replaces each `rds` by the routes of that name.
fn with_routes(value: &mut Value, resources: &Resources) {
    match value {
        Value::Object(fields) => {
            if let Some(rds) = fields.remove("rds") {
                let name = rds["route_config_name"].as_str().unwrap().to_owned();
                let empty = json!({ "name": name });
                let routes = resources.get(&(Kind::Route, name));
                fields.insert("route_config".into(), routes.cloned().unwrap_or(empty));
            }
            fields.values_mut().for_each(|v| with_routes(v, resources));
        }
        Value::Array(items) => items.iter_mut().for_each(|v| with_routes(v, resources)),
        _ => {}
    }
}

/// A bootstrap's clusters are there before its ADS, and Envoy 1.40 crashes if their secrets come over
/// it. So secrets come from a file here; `live` shows them over ADS.
fn secrets_from(value: &mut Value, file: &Path) {
    match value {
        Value::Object(fields) => {
            if let Some(source) = fields.get_mut("sds_config") {
                *source = json!({
                    "path_config_source": { "path": file }, "resource_api_version": "V3",
                });
            }
            fields.values_mut().for_each(|v| secrets_from(v, file));
        }
        Value::Array(items) => items.iter_mut().for_each(|v| secrets_from(v, file)),
        _ => {}
    }
}

/// Names of clusters are like nothing else, so wherever one stands as a text it is meant.
fn rename(value: &mut Value, renamed: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(new) = renamed.get(text) {
                text.clone_from(new);
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(|v| rename(v, renamed)),
        Value::Array(items) => items.iter_mut().for_each(|v| rename(v, renamed)),
        _ => {}
    }
}

/// A warning about configuration; others are about this machine.
fn is_complaint(line: &str) -> bool {
    let line = line.to_lowercase();
    // Those of `secrets_from`, which has none.
    let is_secret = line.contains("missing sds resources");
    !is_secret
        && (line.contains("[warning]") || line.contains("[error]"))
        && ["deprecat", "unknown", "ignored", "config"]
            .iter()
            .any(|word| line.contains(word))
}

/// Whether Envoy takes a bootstrap, and what it says.
fn ask(bootstrap: &Value) -> (bool, String) {
    let binary = demo::Binary::find().unwrap_or_else(|error| panic!("{error}"));
    let dir = tempfile::tempdir().unwrap();
    let (file, secrets) = (
        dir.path().join("bootstrap.json"),
        dir.path().join("sds.json"),
    );
    std::fs::write(&secrets, r#"{"resources": []}"#).unwrap();
    let mut bootstrap = bootstrap.clone();
    secrets_from(&mut bootstrap, &secrets);
    std::fs::write(&file, bootstrap.to_string()).unwrap();
    let output = Command::new(binary.path())
        .args(["--mode", "validate", "--disable-hot-restart"])
        .args(["-l", "warning", "-c"])
        .arg(&file)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let log = text(&output.stdout) + &text(&output.stderr);
    (output.status.success(), log)
}

#[test]
fn envoy_takes_what_all_cases_give() {
    let mut everything = Everything::default();
    for case in super::chosen() {
        let study = case.study();
        for view in &case.views {
            everything.add(&case.name, &view.resources(&study));
        }
    }
    let (accepted, log) = ask(&everything.bootstrap());
    let complaints: Vec<&str> = log.lines().filter(|line| is_complaint(line)).collect();
    assert!(accepted && complaints.is_empty(), "{log}");
}

/// The test itself is worth something only if a wrong resource fails it.
#[test]
fn envoy_does_not_take_anything() {
    let case = &super::chosen()[0];
    let mut resources = case.views[0].resources(&case.study());
    for ((kind, _), value) in &mut resources {
        if *kind == Kind::Cluster {
            value["connect_timeout"] = "-1s".into();
        }
    }
    let mut everything = Everything::default();
    everything.add("wrong", &resources);
    assert!(!ask(&everything.bootstrap()).0);
}
