//! What faults happen to: Bookinfo on a rig, a load on it, and looks at it from outside.

use std::time::{Duration, Instant};

use demo::client::{Client, Load, Votes};
use rig::Rig;
use serde_json::Value;

use super::{log_of, root, started};

/// How long anything may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const RATE: u32 = 50;
/// The gateway's container port in the sample.
const GATEWAY: (&str, u16) = ("/istio-ingressgateway", 8080);

/// A rig with Bookinfo and a way in.
pub(super) async fn bookinfo() -> (Rig, Client) {
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
pub(super) async fn type_in(rig: &Rig, line: &str) {
    let line = format!("cd {} && {line}", root().display());
    let mut shown = String::new();
    eventually(rig, &line, async || {
        let (success, text) = rig.shell(&line).await.unwrap();
        shown = text;
        success
    })
    .await;
}

pub(super) async fn eventually(rig: &Rig, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        let late = Instant::now() >= deadline;
        assert!(!late, "not within {PATIENCE:?}: {what}\n{}", log_of(rig));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A page of the control plane.
pub(super) async fn page(rig: &Rig, path: &str) -> Option<(u16, String)> {
    let url = format!("http://{}:15007{path}", rig.layout().inside());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).timeout(PATIENCE).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// Whether this many proxies are connected, and have accepted all that they were sent.
pub(super) async fn synced(rig: &Rig, proxies: usize) -> bool {
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
pub(super) async fn unharmed(load: Load) {
    let tally = load.finish().await;
    assert!(tally.requests > 0, "the load has sent nothing");
    assert_eq!(tally.failed, 0, "{tally}");
}
