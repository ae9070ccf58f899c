//! The apiserver or its etcd is away: what was said stays, and everything that was missed follows.

use std::collections::BTreeMap;

use ::watch::kube::Access;
use api::istio::Kind;
use http::Method;
use serde_json::{Value, json};

use super::apiserver::{Apiserver, DEFINITIONS};
use super::cut::Cut;
use super::source::*;

const PATH: &str = "/apis/networking.istio.io/v1/namespaces/default/virtualservices";

async fn ready() -> Apiserver {
    let server = Apiserver::own().await;
    server.apply(DEFINITIONS).await;
    server.serves("virtualservices.networking.istio.io").await;
    server.apply(&virtual_service("kept", "1s")).await;
    server
}

/// A server that has just started answers 404 for kinds that it has.
async fn served(server: &Apiserver) {
    let servers = server.servers("operator").await;
    let patience = super::apiserver::PATIENCE;
    let ask = async || servers.send(Method::GET, PATH, None, patience).await;
    let answered = tokio::time::timeout(patience, async {
        while ask().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    answered.await.expect("objects are served in time");
}

#[tokio::test]
async fn a_killed_apiserver_loses_nothing_and_is_caught_up_with() {
    let mut server = ready().await;
    let mut ear = listen(&server).await;
    until_timeout(&mut ear, "kept", "1s").await;
    until_streaming(&mut ear).await;
    let before = ear.status().resyncs;
    ear.words();
    server.kill();
    until_retrying(&mut ear).await;
    server.restart().await;
    served(&server).await;
    server
        .send(
            Method::PATCH,
            &format!("{PATH}/kept"),
            Some(&json!({"spec": {"http": [
        {"route": [{"destination": {"host": "kept"}}], "timeout": "7s"}]}})),
        )
        .await;
    until_timeout(&mut ear, "kept", "7s").await;
    until_streaming(&mut ear).await;
    // A server that has just started may refuse us for a moment; that is told, and is over.
    let mut words = ear.words();
    words.retain(|word| !word.starts_with("problems"));
    assert!(
        words.iter().all(|word| word == "+ kept"),
        "nothing else was told: {words:?}"
    );
    let relists = ear.status().resyncs - before;
    assert!(
        relists <= Kind::all().count() as u64,
        "at most one list per kind: {relists}"
    );
}

#[tokio::test]
async fn an_apiserver_without_etcd_is_noticed_and_nothing_is_told() {
    let server = ready().await;
    let mut ear = listen(&server).await;
    until_timeout(&mut ear, "kept", "1s").await;
    until_streaming(&mut ear).await;
    ear.words();
    server.etcd().signal("STOP");
    until_retrying(&mut ear).await;
    server.etcd().signal("CONT");
    until_streaming(&mut ear).await;
    assert_eq!(ear.words(), Vec::<String>::new());
    server.apply(&virtual_service("kept", "2s")).await;
    until_timeout(&mut ear, "kept", "2s").await;
}

/// Behind a cut connection things happen, and the apiserver forgets them: it answers 410.
#[tokio::test]
async fn what_was_missed_for_too_long_is_listed_as_a_difference() {
    let mut server = ready().await;
    let cut = Cut::before(server.port()).await;
    let access = Access::Urls {
        urls: vec![format!("https://127.0.0.1:{}", cut.address.port())],
        token_file: Some(server.token("pilothouse")),
        ca_file: Some(server.certificate()),
    };
    let mut ear = listen_at(access).await;
    server.apply(&virtual_service("goes", "1s")).await;
    until_timeout(&mut ear, "goes", "1s").await;
    until_streaming(&mut ear).await;
    let before = ear.status().resyncs;
    ear.words();
    cut.set(false);
    until_retrying(&mut ear).await;
    missed(&server).await;
    // After its start an apiserver knows nothing of what was before.
    server.restart().await;
    cut.set(true);
    until_streaming(&mut ear).await;
    let truth = truth(&server).await;
    ear.until("the truth", |ear| {
        let told = ear.objects.now.values();
        let told: BTreeMap<String, Value> = told
            .map(|o| (o.key.name.to_string(), o.spec["http"][0]["timeout"].clone()))
            .collect();
        told == truth
    })
    .await;
    assert!(ear.status().resyncs > before, "it had to be listed");
    let words = ear.words();
    assert!(
        !words.iter().any(|word| word.ends_with(" kept")),
        "{words:?}"
    );
    assert!(words.contains(&"- goes".to_owned()), "{words:?}");
}

/// Adds, changes and deletes.
async fn missed(server: &Apiserver) {
    let servers = server.servers("operator").await;
    let send = async |method: Method, path: &str, document: Option<&Value>| {
        let patience = super::apiserver::PATIENCE;
        servers
            .send(method, path, document, patience)
            .await
            .unwrap()
    };
    send(Method::DELETE, &format!("{PATH}/goes"), None).await;
    for i in 0..60 {
        let document = json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": format!("vs-{i}")},
            "spec": {"hosts": ["a"], "http": [{"timeout": "1s"}]}});
        send(Method::POST, PATH, Some(&document)).await;
        let change = json!({"spec": {"http": [{"timeout": format!("{i}s")}]}});
        send(Method::PATCH, &format!("{PATH}/vs-{i}"), Some(&change)).await;
        if i % 3 == 0 {
            send(Method::DELETE, &format!("{PATH}/vs-{i}"), None).await;
        }
    }
}

/// Name and timeout of every virtual service, as the apiserver has them.
async fn truth(server: &Apiserver) -> BTreeMap<String, Value> {
    let list = server.send(Method::GET, PATH, None).await;
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| {
            let name = item["metadata"]["name"].as_str().unwrap().to_owned();
            (name, item["spec"]["http"][0]["timeout"].clone())
        })
        .collect()
}
