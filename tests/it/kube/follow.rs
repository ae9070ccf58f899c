//! What operators do with kubectl arrives, and only that.

use ::watch::kube::Access;
use http::Method;
use serde_json::json;

use super::apiserver::{Apiserver, DEFINITIONS, PATIENCE};
use super::part::Part;
use super::source::*;

#[tokio::test]
async fn apply_edit_and_delete_arrive() {
    let server = Apiserver::shared().await;
    let mut ear = listen(server).await;
    server.apply(&virtual_service("follow", "1s")).await;
    until_timeout(&mut ear, "follow", "1s").await;
    let found = object(&ear, "follow").unwrap();
    assert_eq!(found.key.to_string(), "VirtualService default/follow");
    assert!(found.created.is_some());
    assert!(
        found.annotations.is_empty(),
        "kubectl's copy is not kept: {found:?}"
    );
    server.apply(&virtual_service("follow", "2s")).await;
    until_timeout(&mut ear, "follow", "2s").await;
    server
        .kubectl(&["delete", "virtualservice", "follow"], "")
        .await;
    until_gone(&mut ear, "follow").await;
}

#[tokio::test]
async fn a_cluster_scoped_object_has_no_namespace_and_all_versions_are_one_kind() {
    let server = Apiserver::shared().await;
    let mut ear = listen(server).await;
    server
        .apply("apiVersion: rbac.istio.io/v1alpha1\nkind: ClusterRbacConfig\nmetadata: {name: scoped}\nspec: {mode: 'OFF'}\n")
        .await;
    for version in ["v1alpha3", "v1beta1", "v1"] {
        let text = virtual_service(&format!("served-{version}"), "1s");
        server
            .apply(&text.replace("v1alpha3\nkind", &format!("{version}\nkind")))
            .await;
        until_timeout(&mut ear, &format!("served-{version}"), "1s").await;
    }
    ear.until("the cluster's object", |ear| {
        object(ear, "scoped").is_some()
    })
    .await;
    let key = &object(&ear, "scoped").unwrap().key;
    assert_eq!(key.to_string(), "ClusterRbacConfig scoped");
}

#[tokio::test]
async fn a_status_is_no_change_of_configuration() {
    let server = Apiserver::shared().await;
    server.apply(&virtual_service("judged", "1s")).await;
    let mut ear = listen(server).await;
    until_timeout(&mut ear, "judged", "1s").await;
    let path = "/apis/networking.istio.io/v1/namespaces/default/virtualservices/judged";
    let mut document = server.send(Method::GET, path, None).await;
    document["status"] = json!({"conditions": [{"type": "Accepted", "status": "True"}]});
    server
        .send(Method::PUT, &format!("{path}/status"), Some(&document))
        .await;
    ear.words();
    server.apply(&virtual_service("judged", "2s")).await;
    until_timeout(&mut ear, "judged", "2s").await;
    let told = ear
        .words()
        .iter()
        .filter(|word| *word == "+ judged")
        .count();
    assert_eq!(told, 1, "only the edit was told");
}

/// kube-rs and the apiserver carry it; our decoder does not go that deep.
#[tokio::test]
async fn an_object_that_cannot_be_read_is_reported_and_the_watch_lives_on() {
    let server = Apiserver::shared().await;
    let mut ear = listen(server).await;
    server.apply(&virtual_service("deep", "1s")).await;
    until_timeout(&mut ear, "deep", "1s").await;
    let path = "/apis/networking.istio.io/v1/namespaces/default/virtualservices/deep";
    let nested = (0..150).fold(json!(1), |inner, _| json!({"a": inner}));
    // The answer is as deep as the request, and cannot be read here either.
    let servers = server.servers("operator").await;
    let change = json!({"spec": {"nested": nested}});
    let sent = servers
        .send(Method::PATCH, path, Some(&change), PATIENCE)
        .await;
    assert!(sent.is_err_and(|failure| failure.code().is_none()));
    ear.until("the problem", |ear| ear.codes() == ["PH0111"])
        .await;
    assert_eq!(
        ear.problems[0].object.as_ref().unwrap().to_string(),
        "VirtualService default/deep"
    );
    // The good version stays, neighbours are told, and a list says the same as the watch.
    server.apply(&virtual_service("beside", "1s")).await;
    until_timeout(&mut ear, "beside", "1s").await;
    assert!(object(&ear, "deep").is_some_and(|o| o.spec["nested"].is_null()));
    let other = listen(server).await;
    assert_eq!(other.codes(), ["PH0111"]);
    server
        .send(
            Method::PATCH,
            path,
            Some(&json!({"spec": {"nested": null}})),
        )
        .await;
    ear.until("no problem", |ear| ear.problems.is_empty()).await;
}

#[tokio::test]
async fn plain_http_and_a_server_that_is_not_there_are_no_hindrance() {
    let server = Apiserver::shared().await;
    server.apply(&virtual_service("plain", "1s")).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let config = server.kubeconfig("pilothouse").display().to_string();
    let words = [
        "kubectl",
        "--kubeconfig",
        &config,
        "proxy",
        &format!("--port={port}"),
    ];
    let _proxy = Part::start("/dev/null".as_ref(), None, &words.map(str::to_owned));
    let urls = vec![
        "http://127.0.0.1:1".into(),
        format!("http://127.0.0.1:{port}"),
    ];
    let access = Access::Urls {
        urls,
        token_file: None,
        ca_file: None,
    };
    let mut ear = listen_at(access).await;
    until_timeout(&mut ear, "plain", "1s").await;
    until_streaming(&mut ear).await;
    assert!(ear.status().detail.contains(&port.to_string()));
}

#[tokio::test]
async fn a_token_and_a_certificate_authority_in_files_are_enough() {
    let server = Apiserver::shared().await;
    let access = Access::Urls {
        urls: vec![format!("https://127.0.0.1:{}", server.port())],
        token_file: Some(server.token("pilothouse")),
        ca_file: Some(server.certificate()),
    };
    let mut ear = listen_at(access).await;
    until_streaming(&mut ear).await;
}

#[tokio::test]
async fn a_kind_that_may_not_be_read_is_told_and_keeps_the_mesh_from_an_empty_start() {
    let server = Apiserver::shared().await;
    let mut ear = open(server.access("nobody")).await;
    ear.until("the refusals", |ear| ear.codes().contains(&"PH0112"))
        .await;
    assert!(!ear.status().synced);
    assert!(ear.problems[0].remedy.contains("rbac.yaml"));
}

#[tokio::test]
async fn kinds_come_and_go_without_a_restart() {
    let server = Apiserver::own().await;
    let mut ear = listen(&server).await;
    until_streaming(&mut ear).await;
    assert!(ear.objects.now.is_empty());
    assert!(ear.status().detail.contains("not installed: Gateway, "));
    server.apply(DEFINITIONS).await;
    server.serves("virtualservices.networking.istio.io").await;
    server.apply(&virtual_service("late", "1s")).await;
    until_timeout(&mut ear, "late", "1s").await;
    ear.until_status("all installed", |status| {
        !status.detail.contains("not installed")
    })
    .await;
    let definition = "customresourcedefinition/virtualservices.networking.istio.io";
    server.kubectl(&["delete", definition], "").await;
    until_gone(&mut ear, "late").await;
    ear.until_status("one is gone", |s| {
        s.detail.ends_with("not installed: VirtualService")
    })
    .await;
}
