//! The shipped CRDs define the kinds that the compiler recognises, in their scope.

use api::istio::Kind;
use serde::Deserialize;
use serde_json::Value;

fn definitions() -> Vec<Value> {
    let text = include_str!("../../config/crds/istio.yaml");
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

#[test]
fn every_definition_is_a_known_kind_in_its_scope() {
    let definitions = definitions();
    assert_eq!(definitions.len(), Kind::all().count());
    for definition in definitions {
        let spec = &definition["spec"];
        let (group, name) = (
            spec["group"].as_str().unwrap(),
            spec["names"]["kind"].as_str().unwrap(),
        );
        let kind = Kind::find(group, name).unwrap_or_else(|| panic!("{group}/{name} is not known"));
        let scope = if kind.is_cluster_scoped() {
            "Cluster"
        } else {
            "Namespaced"
        };
        assert_eq!(spec["scope"], scope, "{name}");
        assert_eq!(spec["names"]["plural"], kind.plural());
        assert_eq!(
            definition["metadata"]["name"],
            format!("{}.{group}", kind.plural())
        );
    }
}

#[test]
fn each_kind_stores_exactly_one_version() {
    for definition in definitions() {
        let versions = definition["spec"]["versions"].as_array().unwrap();
        assert_eq!(
            versions.iter().filter(|v| v["storage"] == true).count(),
            1,
            "{}",
            definition["metadata"]["name"]
        );
    }
}
