//! kubectl tells the owner of an object what is wrong with it, and when it is in order again.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use pilot::{Config, KubeOptions, Running};
use serde_json::{Value, json};

use super::apiserver::{Apiserver, DEFINITIONS, PATIENCE};
use super::source::{timing, virtual_service};

const PATH: &str = "/apis/networking.istio.io/v1/namespaces/default/virtualservices";

/// A control plane whose Lease is short.
pub(super) async fn replica(server: &Apiserver) -> Running {
    let mut kube = KubeOptions::new(server.access("pilothouse"));
    kube.reading = timing();
    kube.answers.lease = Duration::from_secs(3);
    kube.answers.look = Duration::from_millis(200);
    let kube = Some(kube);
    let config = Config {
        kube,
        ..Config::local()
    };
    pilot::start(config).await.unwrap()
}

pub(super) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let reached = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(reached.await.is_ok(), "not within {PATIENCE:?}: {what}");
}

/// The condition of a virtual service, and its reason.
async fn condition(server: &Apiserver, name: &str) -> Option<(String, String)> {
    let object = server
        .send(Method::GET, &format!("{PATH}/{name}"), None)
        .await;
    let conditions = object["status"]["conditions"].as_array()?.clone();
    let ours = conditions.iter().find(|c| c["type"] == "Accepted")?;
    let text = |field: &str| ours[field].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason")))
}

/// Message and count of the events about an object.
async fn events(server: &Apiserver, name: &str) -> BTreeMap<String, u64> {
    let list = server
        .send(Method::GET, "/api/v1/namespaces/default/events", None)
        .await;
    let all = list["items"].as_array().unwrap().iter();
    let about = all.filter(|event| event["involvedObject"]["name"] == name);
    about
        .map(|event| {
            let message = event["message"].as_str().unwrap().to_owned();
            (message, event["count"].as_u64().unwrap())
        })
        .collect()
}

async fn holder(server: &Apiserver) -> String {
    let path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/pilothouse";
    let servers = server.servers("operator").await;
    match servers.send(Method::GET, path, None, PATIENCE).await {
        Ok(lease) => lease["spec"]["holderIdentity"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        Err(failure) if failure.is_missing() => String::new(),
        Err(failure) => panic!("{failure}"),
    }
}

fn judged(status: &str, reason: &str) -> Option<(String, String)> {
    Some((status.to_owned(), reason.to_owned()))
}

#[tokio::test]
async fn describe_tells_what_is_wrong_until_it_is_corrected() {
    let server = Apiserver::own().await;
    server.apply(DEFINITIONS).await;
    server.serves("virtualservices.networking.istio.io").await;
    let mut replica = replica(&server).await;
    server.apply(&virtual_service("wrong", "soon")).await;
    server.apply(&virtual_service("other", "1s")).await;
    eventually("the condition", async || {
        condition(&server, "wrong")
            .await
            .is_some_and(|(status, _)| status == "False")
    })
    .await;
    eventually("the event", async || {
        !events(&server, "wrong").await.is_empty()
    })
    .await;
    let text = server
        .kubectl(&["describe", "virtualservice", "wrong"], "")
        .await;
    let (status, reason) = condition(&server, "wrong").await.unwrap();
    assert_eq!(status, "False");
    assert!(reason.starts_with("PH0"), "{reason}");
    for word in [
        &*reason,
        "Refused",
        "Accepted",
        "pilothouse",
        "spec.http[0].timeout",
    ] {
        assert!(text.contains(word), "{word} is missing in:\n{text}");
    }
    server.apply(&virtual_service("wrong", "3s")).await;
    eventually("healed", async || {
        // The service of that name does not exist: a warning, and the object is in force.
        condition(&server, "wrong").await == judged("True", "PH0334")
    })
    .await;
    let refused = events(&server, "wrong").await;
    assert!(
        refused.values().all(|count| *count == 1),
        "told once: {refused:?}"
    );
    server
        .kubectl(&["delete", "virtualservice", "wrong", "other"], "")
        .await;
    replica.stop().await;
    assert_eq!(holder(&server).await, "", "the Lease is given back");
}

#[tokio::test]
async fn when_the_writer_dies_another_follows_and_repeats_nothing() {
    let server = Apiserver::own().await;
    server.apply(DEFINITIONS).await;
    server.serves("virtualservices.networking.istio.io").await;
    server.apply(&virtual_service("before", "soon")).await;
    let first = replica(&server).await;
    eventually("a writer", async || !holder(&server).await.is_empty()).await;
    let one = holder(&server).await;
    let mut second = replica(&server).await;
    eventually("the event", async || {
        !events(&server, "before").await.is_empty()
    })
    .await;
    let told = events(&server, "before").await;
    // Its tasks end where they are, as in a process that is killed.
    first.abort();
    eventually("another writer", async || {
        let now = holder(&server).await;
        !now.is_empty() && now != one
    })
    .await;
    server.apply(&virtual_service("after", "soon")).await;
    eventually("it writes", async || {
        !events(&server, "after").await.is_empty() && condition(&server, "after").await.is_some()
    })
    .await;
    assert_eq!(events(&server, "before").await, told);
    second.stop().await;
}

#[tokio::test]
async fn definitions_that_are_missing_are_installed_and_others_stay_as_they_are() {
    let server = Apiserver::own().await;
    let one =
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gateways.networking.istio.io";
    server
        .apply(
            &DEFINITIONS
                .split("---\n")
                .nth(1)
                .unwrap()
                .replace("[gw]", "[mine]"),
        )
        .await;
    let mut replica = replica(&server).await;
    let all = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    eventually("all definitions", async || {
        let found = server.send(Method::GET, all, None).await;
        found["items"].as_array().unwrap().len() == api::istio::Kind::all().count()
    })
    .await;
    let kept = server.send(Method::GET, one, None).await;
    assert_eq!(kept["spec"]["names"]["shortNames"], json!(["mine"]));
    replica.stop().await;
}

#[tokio::test]
async fn the_older_form_of_the_definitions_is_accepted() {
    let server = Apiserver::own().await;
    let text = include_str!("../../../config/crds/istio-v1beta1.yaml");
    server.apply(text).await;
    server.serves("virtualservices.networking.istio.io").await;
    server.apply(&virtual_service("older", "1s")).await;
    let found: Value = server
        .send(Method::GET, &format!("{PATH}/older"), None)
        .await;
    assert_eq!(found["spec"]["http"][0]["timeout"], "1s");
}
