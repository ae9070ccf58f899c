//! Parts are killed, stopped or away: requests go on, and afterwards everything is as it should be.

use std::time::{Duration, Instant};

use demo::client::{Client, Load, Votes};
use rig::Rig;
use serde_json::Value;

use super::{log_of, root, started};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const RATE: u32 = 50;
/// The gateway's container port in the sample.
const GATEWAY: (&str, u16) = ("/istio-ingressgateway", 8080);

/// A rig with Bookinfo and a way in.
async fn bookinfo() -> (Rig, Client) {
    let rig = started().await;
    type_in(
        &rig,
        "for pod in config/samples/bookinfo/*.json; do dcos marathon pod add $pod; done",
    )
    .await;
    for file in ["gateway", "destination-rules", "reviews-v3"] {
        let line = format!("kubectl apply -f config/samples/bookinfo/networking/{file}.yaml");
        type_in(&rig, &line).await;
    }
    eventually(&rig, "all pods run", async || {
        let tasks = rig.marathon().tasks();
        tasks.len() == 13 && tasks.iter().all(|task| task.state == "TASK_RUNNING")
    })
    .await;
    let (pod, port) = GATEWAY;
    let at = rig.outside(pod, port).unwrap().expect("the gateway runs");
    let client = Client::new(at).unwrap();
    eventually(&rig, "everybody gets reviews v3", async || {
        Votes::cast(&client, None, 5).await.only("v3", "red")
    })
    .await;
    (rig, client)
}

/// Types a line until it succeeds: the apiserver may need a moment for a new kind.
async fn type_in(rig: &Rig, line: &str) {
    let line = format!("cd {} && {line}", root().display());
    let mut shown = String::new();
    eventually(rig, &line, async || {
        let (success, text) = rig.shell(&line).await.unwrap();
        shown = text;
        success
    })
    .await;
}

async fn eventually(rig: &Rig, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        let late = Instant::now() >= deadline;
        assert!(!late, "not within {PATIENCE:?}: {what}\n{}", log_of(rig));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A page of the control plane.
async fn page(rig: &Rig, path: &str) -> Option<(u16, String)> {
    let url = format!("http://{}:15007{path}", rig.layout().inside());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).timeout(PATIENCE).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// Whether this many proxies are connected, and have accepted all that they were sent.
async fn synced(rig: &Rig, proxies: usize) -> bool {
    let Some((_, body)) = page(rig, "/debug/syncz").await else {
        return false;
    };
    let rows: Vec<Value> = serde_json::from_str(&body).unwrap_or_default();
    let is_synced = |row: &Value| {
        ["cluster", "listener", "endpoint", "route"]
            .iter()
            .all(|kind| row[format!("{kind}_sent")] == row[format!("{kind}_acked")])
    };
    rows.len() == proxies && rows.iter().all(is_synced)
}

/// Every answer was a whole page.
async fn unharmed(load: Load) {
    let tally = load.finish().await;
    assert!(tally.requests > 0, "the load has sent nothing");
    assert_eq!(tally.failed, 0, "{tally}");
}

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
