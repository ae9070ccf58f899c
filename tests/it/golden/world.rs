//! The mesh that every case lives in: `tests/golden/world.yaml`, read by the real index.

use analysis::{Draft, Placement, Study};
use model::Proxy;
use serde_json::{Map, Value};

/// The standard workloads and these, with the objects of these files, under this mesh config.
pub(crate) fn study(mesh_config: &Value, workloads: &[Value], files: &[(&str, &str)]) -> Study {
    let placement = placed(workloads);
    let mut draft = Draft {
        mesh_config: mesh_config.clone(),
        workloads: placement.workloads(),
        ..Draft::default()
    };
    draft.read(files.iter().copied());
    draft.study()
}

/// The standard workloads.
pub(crate) fn workloads() -> Vec<api::marathon::Workload> {
    placed(&[]).workloads()
}

fn placed(more: &[Value]) -> Placement {
    let mut placement = Placement::default();
    placement.add(&standard()).unwrap();
    for workload in more {
        let added = placement.add(workload);
        added.unwrap_or_else(|why| panic!("workloads: {why}"));
    }
    placement
}

fn standard() -> Value {
    let text = include_str!("../../golden/world.yaml");
    let mut yaml: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    yaml.apply_merge().unwrap();
    serde_json::to_value(yaml).unwrap()
}

/// The proxy of `sidecar productpage`, `gateway ingressgateway`, …: role and workload id.
pub(crate) fn proxy(study: &Study, name: &str, metadata: &Map<String, Value>) -> Proxy {
    let (role, workload) = name.split_once(' ').unwrap_or(("", name));
    let role = match role {
        "sidecar" => "sidecar",
        "gateway" => "router",
        _ => panic!("{name:?}: write `sidecar WORKLOAD` or `gateway WORKLOAD`"),
    };
    let prefix = format!("{workload}.");
    let mut instances = study.world.instances.values();
    let instance = instances.find(|instance| instance.id.to_string().starts_with(&prefix));
    let instance = instance.unwrap_or_else(|| panic!("no workload {workload:?} has an instance"));
    let node = study.node_id(role, instance);
    study.proxy(&node, metadata).unwrap()
}
