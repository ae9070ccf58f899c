//! Envoys refuse what an EnvoyFilter makes of their listeners: only that object is to blame, traffic
//! goes on, other edits arrive, and a correction heals it.

use demo::client::{Load, Votes};
use rig::Rig;

use super::stage::*;

/// A filter in front of the inbound router of ratings.
fn filter(code: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: ratings-script, namespace: default}}
spec:
  workloadSelector: {{labels: {{istio: ratings}}}}
  configPatches:
  - applyTo: HTTP_FILTER
    match: {{context: SIDECAR_INBOUND}}
    patch:
      operation: ADD
      value:
        name: script
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          default_source_code: {{inline_string: {code:?}}}
"
    )
}

async fn apply(rig: &Rig, document: &str) {
    let file = rig.layout().directory().join("filter.yaml");
    std::fs::write(&file, document).unwrap();
    type_in(rig, &format!("kubectl apply -f {}", file.display())).await;
}

/// What `kubectl describe` says, once it has the words.
async fn describes(rig: &Rig, words: &[&str]) {
    let mut text = String::new();
    eventually(rig, &format!("described with {words:?}"), async || {
        let line = "kubectl describe envoyfilter ratings-script";
        text = rig.shell(line).await.unwrap().1;
        words.iter().all(|word| text.contains(word))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_filter_that_envoys_refuse_is_harmed() {
    let (mut rig, client) = bookinfo().await;
    rig.control().with(&["--enableEnvoyFilter"]);
    rig.control().kill().await.unwrap();
    rig.control().start().await.unwrap();
    eventually(&rig, "all proxies are in sync", async || {
        synced(&rig, 7).await
    })
    .await;
    let load = Load::start(client.clone(), RATE);

    load.step("a script that is none");
    apply(&rig, &filter("function envoy_on_response(")).await;
    describes(
        &rig,
        &[
            "RejectedByEnvoy",
            "PH0501",
            "script load error",
            "Status:                False",
        ],
    )
    .await;

    load.step("another object is edited");
    let edit = "kubectl apply -f config/samples/bookinfo/networking/reviews-50-50.yaml";
    type_in(&rig, edit).await;
    eventually(&rig, "half of the requests go to v1", async || {
        Votes::cast(&client, None, 20).await.of("v1") > 0
    })
    .await;

    load.step("the script is corrected");
    let code = "function envoy_on_response(h) h:headers():add('x-script', 'runs') end";
    apply(&rig, &filter(code)).await;
    describes(&rig, &["InForce", "Status:                True"]).await;
    let ask = "dcos task exec reviews curl -si ratings.marathon.slave.mesos:9080/ratings/0";
    eventually(&rig, "the script runs", async || {
        let (_, answer) = rig.shell(ask).await.unwrap();
        answer.contains("x-script: runs")
    })
    .await;
    unharmed(load).await;
    rig.stop().await.unwrap();
}
