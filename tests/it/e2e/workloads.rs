//! Marathon moves instances while clients send requests.

use demo::client::Votes;
use demo::samples::REVIEWS_V3;

use super::*;

const POD: &str = "/reviews-v3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_reviews_restart_and_scale() {
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    // One instance serves everything, so its successor has to be ready before it goes.
    mesh.change(PATIENCE, |files| {
        files.apply("reviews.yaml", REVIEWS_V3.text)
    })
    .await
    .unwrap();
    let load = load(&client).await;
    let old = mesh.workloads_of(POD).remove(0);

    load.step("rolling restart");
    mesh.marathon().restart(POD).unwrap();
    settled(&mesh).await;
    let new = mesh.workloads_of(POD);
    assert_eq!(new.len(), 1);
    assert_ne!(new[0].instance, old.instance);
    load.more(20).await;

    load.step("scale to 3");
    mesh.marathon().scale(POD, 3).unwrap();
    settled(&mesh).await;
    let served = instances(&client, 60).await;
    assert_eq!(served.len(), 3, "{served:?}");

    load.step("scale to 1");
    mesh.marathon().scale(POD, 1).unwrap();
    settled(&mesh).await;
    assert_eq!(instances(&client, 20).await.len(), 1);
    load.more(20).await;
    unharmed(load).await;
    end(mesh).await;
}

/// Which instances of reviews answered.
async fn instances(client: &Client, requests: usize) -> std::collections::BTreeSet<String> {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..requests {
        let page = client.whole_page(None).await.unwrap();
        seen.insert(page.reviews.shown().unwrap().origin.instance.clone());
    }
    seen
}

/// Nobody is told before an instance crashes: requests on their way to it may be lost, but others
/// are not, and traffic recovers without help.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_recovers_from_a_crash() {
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    let load = load(&client).await;
    load.step("crash");
    let crashed = mesh.workloads_of("/reviews-v2").remove(0);
    crashed.crash().await.unwrap();
    crashed.ended().await;
    settled(&mesh).await;
    load.step("recovered");
    let again = mesh.workloads_of("/reviews-v2").remove(0);
    assert_eq!(
        again.instance, crashed.instance,
        "the same instance, launched again"
    );
    assert_ne!(again.tasks, crashed.tasks);
    let votes = Votes::cast(&client, None, 40).await;
    assert!(votes.failures.is_empty() && votes.of("v2") > 0, "{votes}");
    let tally = load.finish().await;
    assert!(
        tally.first.iter().all(|lost| lost.step == "crash"),
        "{tally}"
    );
    // One in three goes to v2, and only until the news has spread.
    assert!(tally.failed * 10 < tally.requests, "{tally}");
    end(mesh).await;
}
