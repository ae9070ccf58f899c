//! JSON as Envoy and people expect it.

use std::path::PathBuf;
use std::process::Command;

use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::json;

use super::*;
use crate::{message, pb};

/// The triple of this machine: only its packages are sure to be downloaded.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.unwrap().to_owned()
}

/// The folder of the `envoy-types` that cargo resolved.
fn envoy_types() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--offline",
            "--filter-platform",
        ])
        .arg(host())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages
        .iter()
        .find(|package| package["name"] == "envoy-types")
        .unwrap();
    let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().to_owned()
}

#[test]
fn the_descriptors_are_those_of_the_resolved_envoy_types() {
    let theirs = std::fs::read(envoy_types().join("src/generated/types.bin")).unwrap();
    assert!(
        theirs == DESCRIPTORS,
        "copy src/generated/types.bin of the new envoy-types to crates/envoy/descriptors"
    );
}

#[test]
fn an_any_is_shown_with_its_contents() {
    let fault = message::any(&pb::fault::HttpFault {
        downstream_nodes: vec!["n".into()],
        ..Default::default()
    });
    let host = pb::route::VirtualHost {
        name: "h".into(),
        typed_per_filter_config: [("fault".to_owned(), fault)].into(),
        ..Default::default()
    };
    let routes = pb::route::RouteConfiguration {
        name: "80".into(),
        virtual_hosts: vec![host],
        validate_clusters: message::no(),
        ..Default::default()
    };
    let shown = to_json(Kind::Route, &routes.encode_to_vec()).unwrap();
    let type_url = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";
    assert_eq!(
        shown,
        json!({
            "name": "80",
            "validate_clusters": false,
            "virtual_hosts": [{
                "name": "h",
                "typed_per_filter_config":
                    { "fault": { "@type": type_url, "downstream_nodes": ["n"] } },
            }],
        })
    );
}

#[test]
fn bytes_that_are_no_message_are_an_error() {
    let error = to_json(Kind::Cluster, &[0x0a, 0xff]).unwrap_err();
    assert!(matches!(error, RenderError::Decode { .. }), "{error}");
}

/// The dump must parse as Envoy's own `ConfigDump`, whose entries are `Any`s.
#[test]
fn a_config_dump_is_envoys() {
    let cluster = crate::cluster::black_hole(std::time::Duration::from_secs(1));
    let body = cluster.encode_to_vec();
    let resource = |kind| Dumped {
        kind,
        name: "BlackHoleCluster",
        version: "v7",
        body: if kind == Kind::Cluster { &body } else { &[] },
    };
    let dump = config_dump(Kind::ALL.map(resource)).unwrap();
    assert_eq!(
        dump["configs"][0]["dynamic_active_clusters"][0]["cluster"]["name"],
        "BlackHoleCluster"
    );
    assert_eq!(
        dump["configs"][1]["dynamic_listeners"][0]["active_state"]["version_info"],
        "v7"
    );
    let descriptor = POOL
        .get_message_by_name("envoy.admin.v3.ConfigDump")
        .unwrap();
    let parsed = DynamicMessage::deserialize(descriptor, dump).unwrap();
    let configs = parsed.get_field_by_name("configs").unwrap();
    assert_eq!(configs.as_list().unwrap().len(), 5);
}

#[test]
fn secrets_are_not_shown() {
    let key = "-----BEGIN PRIVATE KEY-----";
    let resource = Dumped {
        kind: Kind::Secret,
        name: "default",
        version: "1",
        body: key.as_bytes(),
    };
    let dump = config_dump([resource]).unwrap().to_string();
    assert!(
        dump.contains("default") && !dump.contains("PRIVATE"),
        "{dump}"
    );
}
