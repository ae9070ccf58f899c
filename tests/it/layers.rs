//! Holds the arrows between the crates: a crate may use only what its row lists.

use std::process::Command;

use serde_json::Value;

/// The arrows of docs/architecture.md.
const ALLOWED: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("model", &[]),
    ("xds", &[]),
    ("simulator", &[]),
    ("watch", &["api"]),
    ("apiserver", &["api", "model", "watch"]),
    ("index", &["api", "model"]),
    ("envoy", &["model"]),
    ("admin", &["api", "model", "envoy", "xds"]),
    (
        "pilot",
        &[
            "api",
            "model",
            "watch",
            "apiserver",
            "index",
            "envoy",
            "xds",
            "admin",
        ],
    ),
    ("demo", &["pilot", "simulator"]),
    ("rig", &["demo", "simulator"]),
    ("analysis", &["api", "model", "watch", "index", "envoy"]),
    (
        "cli",
        &[
            "api",
            "model",
            "watch",
            "index",
            "envoy",
            "xds",
            "admin",
            "pilot",
            "analysis",
            "demo",
            "rig",
            "simulator",
        ],
    ),
    (
        "tests",
        &[
            "api",
            "model",
            "watch",
            "index",
            "envoy",
            "xds",
            "admin",
            "pilot",
            "analysis",
            "demo",
            "rig",
            "simulator",
        ],
    ),
    (
        "benches",
        &[
            "api",
            "model",
            "watch",
            "index",
            "envoy",
            "xds",
            "admin",
            "pilot",
            "rig",
            "simulator",
        ],
    ),
];

/// Crates that decide and do not act.
const PURE: &[&str] = &["api", "model", "index", "envoy"];

/// What acts.
const RUNTIMES: &[&str] = &[
    "tokio",
    "hyper",
    "tonic",
    "axum",
    "reqwest",
    "notify",
    "tokio-util",
];

#[test]
fn arrows_point_inward() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: Vec<&str> = packages
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let Some((_, allowed)) = ALLOWED.iter().find(|(crate_name, _)| *crate_name == name) else {
            wrong.push(format!(
                "{name} has no row in tests/it/layers.rs: decide what it may use"
            ));
            continue;
        };
        for dependency in normal_dependencies(package) {
            if ours.contains(&dependency) && !allowed.contains(&dependency) {
                wrong.push(format!("{name} must not depend on {dependency}"));
            }
            if PURE.contains(&name) && RUNTIMES.contains(&dependency) {
                wrong.push(format!(
                    "{name} is pure and must not depend on {dependency}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `envoy` inherits a runtime through `envoy-types`; the others must not even do that.
#[test]
fn the_middle_has_no_runtime_in_its_whole_tree() {
    for name in ["api", "model", "index"] {
        let tree = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--offline",
                "-p",
                name,
                "-e",
                "normal",
                "--prefix",
                "none",
                "--format",
                "{p}",
            ])
            .output()
            .unwrap();
        assert!(
            tree.status.success(),
            "{}",
            String::from_utf8_lossy(&tree.stderr)
        );
        let text = String::from_utf8(tree.stdout).unwrap();
        assert!(
            !text.lines().any(|line| line.starts_with("tokio ")),
            "{name} pulls in tokio:\n{text}"
        );
    }
}

fn normal_dependencies(package: &Value) -> Vec<&str> {
    let all = package["dependencies"].as_array().unwrap();
    all.iter()
        .filter(|d| d["kind"].is_null())
        .map(|d| d["name"].as_str().unwrap())
        .collect()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}
