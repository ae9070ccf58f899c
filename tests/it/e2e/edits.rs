//! Files change while a client sends requests: none of them may fail.

use demo::client::Votes;
use demo::samples::{REVIEWS_50_50, REVIEWS_V3};

use super::*;

const REVIEWS: &str = "reviews.yaml";
/// Requests that must have an outcome between two edits.
const BETWEEN: u64 = 15;

/// All traffic for reviews to one subset.
fn all_to(subset: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1beta1\n\
         kind: VirtualService\n\
         metadata:\n  name: reviews\n\
         spec:\n  hosts: [reviews.marathon.slave.mesos]\n  http:\n  - route:\n    - destination:\n        \
         host: reviews.marathon.slave.mesos\n        subset: {subset}\n"
    )
}

/// Another name for v3, beside the subsets of the sample.
const RED: &str = "\
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: red
spec:
  host: reviews.marathon.slave.mesos
  subsets:
  - name: red
    labels: {version: v3}
";

/// Applies a text, waits until every Envoy has it, and until the load has tried it.
async fn apply(mesh: &Mesh, load: &Load, name: &str, text: &str) {
    load.step(format!(
        "{name}: {}",
        text.lines().last().unwrap_or_default()
    ));
    let changed = mesh.change(PATIENCE, |files| files.apply(name, text)).await;
    changed.unwrap_or_else(|error| panic!("{name}: {error}"));
    load.more(BETWEEN).await;
}

async fn delete(mesh: &Mesh, load: &Load, name: &str) {
    load.step(format!("{name} deleted"));
    mesh.change(PATIENCE, |files| files.delete(name))
        .await
        .unwrap();
    load.more(BETWEEN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_rules_and_subsets_come_and_go() {
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    let load = load(&client).await;

    // Versions, back and forth, each tried.
    for _ in 0..3 {
        apply(&mesh, &load, REVIEWS, &all_to("v1")).await;
        assert!(Votes::cast(&client, None, 8).await.only("v1", "none"));
        apply(&mesh, &load, REVIEWS, REVIEWS_V3.text).await;
        assert!(Votes::cast(&client, None, 8).await.only("v3", "red"));
        apply(&mesh, &load, REVIEWS, REVIEWS_50_50.text).await;
    }
    // Without a pause: only the last one counts, and none may do harm.
    load.step("a storm of edits");
    for round in 0..30 {
        let text = if round % 2 == 0 {
            all_to("v1")
        } else {
            all_to("v3")
        };
        mesh.files().apply(REVIEWS, &text).unwrap();
        load.more(1).await;
    }
    apply(&mesh, &load, REVIEWS, &all_to("v2")).await;
    assert!(Votes::cast(&client, None, 8).await.only("v2", "black"));
    delete(&mesh, &load, REVIEWS).await;
    let all = Votes::cast(&client, None, 40).await;
    assert!(
        ["v1", "v2", "v3"].iter().all(|version| all.of(version) > 0),
        "{all}"
    );

    unharmed(load).await;
    end(mesh).await;
}

/// A route may come together with the cluster that it names: clusters have to arrive first, and go
/// last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_a_new_subset_and_its_route_come_at_once() {
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    let load = load(&client).await;
    for round in 0..3 {
        load.step(format!("red and its route come, round {round}"));
        // In one file: of two, a busy machine may leave the second for after the quiet time.
        let both = format!("{}---\n{RED}", all_to("red"));
        let change = mesh.change(PATIENCE, |files| files.apply(REVIEWS, &both));
        change.await.unwrap();
        load.more(BETWEEN).await;
        assert!(Votes::cast(&client, None, 8).await.only("v3", "red"));

        load.step(format!("red and its route go, round {round}"));
        let change = mesh.change(PATIENCE, |files| files.delete(REVIEWS));
        change.await.unwrap();
        load.more(BETWEEN).await;
    }
    unharmed(load).await;
    end(mesh).await;
}
