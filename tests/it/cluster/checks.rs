//! Health checks that come from Marathon, at a proxy: what PH0614 tells is so.

use rig::Rig;
use serde_json::json;

use super::own::{add, app, pod};
use super::stage::*;
use super::started;

const STRICT: &str = "apiVersion: authentication.istio.io/v1alpha1\nkind: MeshPolicy\n\
    metadata: {name: default}\nspec: {peers: [{mtls: {}}]}\n";

/// Strict, but for the port that is asked.
const OPEN: &str = "apiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\n\
    metadata: {name: details, namespace: default}\n\
    spec: {selector: {matchLabels: {istio: details}}, mtls: {mode: STRICT}, \
    portLevelMtls: {'9080': {mode: DISABLE}}}\n";

async fn apply(rig: &Rig, text: &str) {
    let file = rig.layout().directory().join("object.yaml");
    std::fs::write(&file, text).unwrap();
    type_in(rig, &format!("kubectl apply -f {}", file.display())).await;
}

/// Whether the app is told.
async fn is_told(rig: &Rig, app: &str) -> bool {
    let (_, body) = page(rig, "/debug/diagnosticsz").await.unwrap();
    let found: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
    found.iter().any(|found| {
        let object = found["object"].as_str().unwrap_or_default();
        found["code"] == "PH0614" && object.contains(app)
    })
}

/// The pod has a proxy, and the app a check: an app is one container, so the rig has none with both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strict_proxy_refuses_what_marathon_asks_in_clear() {
    let rig = started().await;
    let image = "istio/examples-bookinfo-details-v1:1.8.0";
    add(&rig, "pod", &pod("details", "v1", image, 9080, None)).await;
    let line = "cd /etc/certs && exec python3 -m http.server 7000";
    let mut shop = app("/shop", None, Some(line), 7000);
    shop["healthChecks"] = json!([{"protocol": "HTTP", "path": "/", "intervalSeconds": 1}]);
    add(&rig, "app", &shop).await;
    eventually(&rig, "both run", async || {
        let tasks = rig.marathon().tasks();
        tasks.len() == 3 && tasks.iter().all(|task| task.state == "TASK_RUNNING")
    })
    .await;

    let tasks = rig.marathon().tasks_of("/details");
    let (agent, port) = tasks
        .iter()
        .find_map(|task| Some((task.agent_ip, task.ports.first()?.host_port?)))
        .unwrap();
    let ask = format!("curl -sf -m 5 -o /dev/null http://{agent}:{port}/details/0");
    let connect = format!("timeout 5 bash -c 'exec 3<>/dev/tcp/{agent}/{port}'");
    let succeeds = async |line: &str| rig.shell(line).await.unwrap().0;
    eventually(&rig, "plaintext is taken", async || succeeds(&ask).await).await;
    assert!(!is_told(&rig, "/shop").await);

    apply(&rig, STRICT).await;
    eventually(&rig, "the app is told", async || {
        is_told(&rig, "/shop").await
    })
    .await;
    eventually(&rig, "plaintext is refused", async || !succeeds(&ask).await).await;
    assert!(!succeeds(&ask).await, "it stays so");
    eventually(&rig, "a connection is taken", async || {
        succeeds(&connect).await
    })
    .await;

    apply(&rig, OPEN).await;
    eventually(&rig, "this port is open", async || succeeds(&ask).await).await;
    rig.stop().await.unwrap();
}
