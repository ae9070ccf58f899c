//! Installs the definitions of Istio's kinds that are missing, and changes none that exists.

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use watch::kube::{Failure, Servers};

const ANSWER: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(2);
const GROUP: &str = "/apis/apiextensions.k8s.io";

/// For apiservers from 1.16 on.
const V1: &str = include_str!("../../../config/crds/istio.yaml");
/// For those before.
const V1BETA1: &str = include_str!("../../../config/crds/istio-v1beta1.yaml");

/// Tries until every definition is there, or may not be installed.
pub async fn install(servers: Servers, shutdown: CancellationToken) {
    let attempts = async {
        while let Err(failure) = attempt(&servers).await {
            if failure.code().is_some() {
                tracing::warn!(
                    effect = "kinds without a definition count as empty",
                    remedy = "apply config/crds/istio.yaml, grant the rules of config/kubernetes/rbac.yaml, \
                              or switch this off with --installCRDs=false",
                    "definitions of Istio's kinds cannot be installed: {failure}"
                );
                return;
            }
            tracing::debug!("definitions are tried again: {failure}");
            tokio::time::sleep(AGAIN).await;
        }
    };
    shutdown.run_until_cancelled(attempts).await;
}

async fn attempt(servers: &Servers) -> Result<(), Failure> {
    let (version, text) = form(servers).await?;
    let path = format!("{GROUP}/{version}/customresourcedefinitions");
    for definition in documents(text) {
        let name = definition["metadata"]["name"].as_str().unwrap_or_default();
        match servers
            .send(Method::GET, &format!("{path}/{name}"), None, ANSWER)
            .await
        {
            Ok(_) => continue,
            Err(failure) if failure.is_missing() => {}
            Err(failure) => return Err(failure),
        }
        match servers
            .send(Method::POST, &path, Some(&definition), ANSWER)
            .await
        {
            Ok(_) => tracing::info!(name, "definition installed"),
            // Another replica was first.
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// The form of definitions that the apiserver takes.
async fn form(servers: &Servers) -> Result<(&'static str, &'static str), Failure> {
    let path = format!("{GROUP}/v1");
    match servers.send(Method::GET, &path, None, ANSWER).await {
        Ok(_) => Ok(("v1", V1)),
        Err(failure) if failure.is_missing() => Ok(("v1beta1", V1BETA1)),
        Err(failure) => Err(failure),
    }
}

fn documents(text: &'static str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text);
    let read = documents.map(Value::deserialize);
    read.collect::<Result<_, _>>()
        .expect("the shipped definitions are YAML")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The older form says the same: the first version names the definition, and for servers
    /// that know one version only it is the one of Istio 1.0.
    fn older(definition: &Value) -> Value {
        let spec = &definition["spec"];
        let versions = spec["versions"].as_array().unwrap();
        let bare = versions.iter().map(|version| {
            json!({"name": version["name"], "served": version["served"], "storage": version["storage"]})
        });
        json!({
            "apiVersion": "apiextensions.k8s.io/v1beta1",
            "kind": "CustomResourceDefinition",
            "metadata": definition["metadata"],
            "spec": {
                "group": spec["group"],
                "version": versions[0]["name"],
                "scope": spec["scope"],
                "names": spec["names"],
                "subresources": {"status": {}},
                "versions": bare.collect::<Vec<_>>(),
            },
        })
    }

    #[test]
    fn both_forms_define_the_same() {
        let expected: Vec<Value> = documents(V1).iter().map(older).collect();
        let found = documents(V1BETA1);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected);
        }
    }
}
