//! Parts are killed, stopped or away: requests go on, and afterwards everything is as it should be.

use demo::client::{Load, Votes};

use super::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_plane_dies_and_comes_back() {
    let (mut rig, client) = bookinfo().await;
    let load = Load::start(client.clone(), RATE);
    load.more(50).await;

    load.step("killed");
    rig.control().kill().await.unwrap();
    load.more(200).await;

    load.step("started again");
    rig.control().start().await.unwrap();
    eventually(&rig, "all proxies are back and in sync", async || {
        synced(&rig, 7).await
    })
    .await;
    load.more(100).await;
    // Nothing is sent to a proxy that has it all: a restart is no event for the mesh.
    unharmed(load).await;
    assert!(Votes::cast(&client, None, 10).await.only("v3", "red"));
    rig.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_apiserver_dies_and_comes_back() {
    let (mut rig, client) = bookinfo().await;
    let load = Load::start(client.clone(), RATE);
    load.step("the apiserver is away");
    rig.kube().unwrap().kill_apiserver().await.unwrap();
    load.more(200).await;
    let (ready, _) = page(&rig, "/ready").await.unwrap();
    assert_eq!(
        ready, 200,
        "a source that was there once is no reason to stop"
    );

    load.step("the apiserver is back, and a route is changed");
    rig.kube().unwrap().start().await.unwrap();
    type_in(
        &rig,
        "kubectl apply -f config/samples/bookinfo/networking/reviews-50-50.yaml",
    )
    .await;
    eventually(&rig, "half of the requests go to v1", async || {
        Votes::cast(&client, None, 20).await.of("v1") > 0
    })
    .await;
    unharmed(load).await;
    rig.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_any_source_serves_the_snapshot() {
    let (mut rig, client) = bookinfo().await;
    let file = rig.layout().directory().join("snapshot");
    let file = file.display().to_string();
    rig.control().with(&["--snapshotFile", &file]);
    rig.control().kill().await.unwrap();
    rig.control().start().await.unwrap();
    eventually(&rig, "a snapshot of both sources is written", async || {
        let text = std::fs::read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let whole = ["productpage-gateway", "/reviews-v3", "\"reviews\""];
        whole.iter().all(|name| text.contains(name)) && synced(&rig, 7).await
    })
    .await;

    let load = Load::start(client.clone(), RATE);
    load.step("all sources are away, and the control plane starts");
    rig.control().kill().await.unwrap();
    rig.kube().unwrap().kill().await.unwrap();
    rig.marathon().pause().await;
    rig.control().start().await.unwrap();
    eventually(&rig, "it serves, and says that it is degraded", async || {
        matches!(page(&rig, "/ready").await, Some((200, text)) if text.contains("degraded"))
    })
    .await;
    eventually(&rig, "all proxies are in sync", async || {
        synced(&rig, 7).await
    })
    .await;
    load.more(100).await;

    load.step("the sources are back");
    rig.marathon().resume().await.unwrap();
    rig.kube().unwrap().start().await.unwrap();
    eventually(&rig, "it is degraded no more", async || {
        matches!(page(&rig, "/ready").await, Some((200, text)) if !text.contains("degraded"))
    })
    .await;
    unharmed(load).await;
    rig.stop().await.unwrap();
}
