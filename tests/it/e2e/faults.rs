//! One part is wrong or away: the rest goes on, a message says what to do, and all is well after.

use std::collections::BTreeMap;

use demo::AdsMode;
use demo::client::Votes;
use demo::mesh::State;
use demo::samples::{REVIEWS_JASON_V2, REVIEWS_V3};

use super::*;

const REVIEWS: &str = "reviews.yaml";

/// All requests to v3, known to every Envoy.
async fn all_to_v3(mesh: &Mesh) {
    mesh.change(PATIENCE, |files| files.apply(REVIEWS, REVIEWS_V3.text))
        .await
        .unwrap();
}

/// Waits until the source of that name is in that state, as an operator sees it.
async fn source_is(mesh: &Mesh, name: &str, state: &str) {
    eventually(&format!("{name} is {state}"), async || {
        let Ok((_, body)) = mesh.pages().get("/debug/sources").await else {
            return false;
        };
        let rows: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap_or_default();
        rows.iter()
            .any(|row| row["name"] == name && row["state"] == state)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_file_is_named_and_harms_nobody() {
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    all_to_v3(&mesh).await;
    let load = load(&client).await;

    load.step("a file that is no YAML");
    mesh.files()
        .apply("broken.yaml", "apiVersion: v1\nkind: [Gate\n  way\n")
        .unwrap();
    let finding = finding(&mesh, "broken.yaml").await;
    let location = finding.location.unwrap();
    assert!(
        location.contains("broken.yaml:"),
        "file and line: {location}"
    );
    assert!(!finding.remedy.is_empty() && !finding.effect.is_empty());

    load.step("an object that is refused, in the file of a good one");
    let wrong = REVIEWS_V3
        .text
        .replace("subset: v3", "subset: v3\n      weight: -5");
    assert_ne!(wrong, REVIEWS_V3.text);
    let both = format!("{wrong}\n---\n{}", demo::samples::RATINGS_DELAY_JASON.text);
    mesh.change(PATIENCE, |files| files.apply(REVIEWS, &both))
        .await
        .unwrap();
    let finding = self::finding(&mesh, "reviews.yaml").await;
    assert_eq!(finding.severity, "error", "{finding:?}");
    assert!(finding.field.contains("weight"), "{finding:?}");
    assert!(finding.object.unwrap().contains("reviews"));
    // The last good version of the rule is in force, and its neighbour works.
    assert!(Votes::cast(&client, None, 10).await.only("v3", "red"));
    let ratings =
        serde_json::from_str::<serde_json::Value>(&config_dump(&mesh, "/reviews-v3").await);
    assert!(
        ratings.unwrap().to_string().contains("7s"),
        "the delay of the second object is served"
    );

    load.step("healed");
    let healed = mesh
        .change(PATIENCE, |files| {
            files.apply(REVIEWS, REVIEWS_JASON_V2.text)
        })
        .await;
    healed.unwrap();
    mesh.files().delete("broken.yaml").unwrap();
    eventually("nothing is wrong any more", async || {
        let all = mesh.pages().diagnostics().await.unwrap_or_default();
        !all.iter().any(|one| one.severity == "error")
    })
    .await;
    assert!(
        Votes::cast(&client, Some("jason"), 6)
            .await
            .only("v2", "black")
    );
    unharmed(load).await;
    end(mesh).await;
}

/// The first finding about a file.
async fn finding(mesh: &Mesh, file: &str) -> demo::mesh::Finding {
    let mut found = None;
    eventually(&format!("a finding about {file}"), async || {
        let all = mesh.pages().diagnostics().await.unwrap_or_default();
        let about =
            |one: &demo::mesh::Finding| one.location.as_ref().is_some_and(|at| at.contains(file));
        found = all.into_iter().find(about);
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// What the control plane serves to a pod's Envoy.
async fn config_dump(mesh: &Mesh, pod: &str) -> String {
    let node = mesh.workloads_of(pod)[0].node_id.clone();
    let (status, body) = mesh
        .pages()
        .get(&format!("/debug/config_dump?proxyID={node}"))
        .await
        .unwrap();
    assert!(status.is_success(), "{status}: {body}");
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marathon_that_is_down_at_start_is_named_and_waited_for() {
    let options = Options {
        marathon: false,
        ..Options::default()
    };
    let mesh = Mesh::start(options).await.unwrap();
    eventually("every workload is launched", async || {
        mesh.workloads().len() == 7
    })
    .await;
    source_is(&mesh, "marathon", "retrying").await;
    let (ready, text) = mesh.pages().ready().await.unwrap();
    assert!(
        !ready && text.contains("pending: marathon") && text.contains("--mesosMaster"),
        "{text}"
    );
    // Every Envoy has asked and been refused: an empty mesh is never served.
    for workload in mesh.workloads() {
        let name = "cluster.xds-grpc.upstream_rq_total";
        eventually(&format!("{} has asked", workload.name), async || {
            workload
                .admin
                .stat(name)
                .await
                .ok()
                .flatten()
                .is_some_and(|asked| asked > 0)
        })
        .await;
        assert_eq!(workload.state(), State::Starting, "{}", workload.name);
        assert!(!workload.admin.ready().await.unwrap(), "{}", workload.name);
        let updates = workload
            .admin
            .stat("cluster_manager.cds.update_success")
            .await
            .unwrap();
        assert_eq!(updates, Some(0), "{}", workload.name);
    }

    mesh.marathon().resume().await.unwrap();
    settled(&mesh).await;
    let client = client(&mesh).await;
    let votes = Votes::cast(&client, None, 40).await;
    assert!(
        ["v1", "v2", "v3"]
            .iter()
            .all(|version| votes.of(version) > 0),
        "{votes}"
    );
    end(mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_goes_on_without_marathon() {
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    let load = load(&client).await;
    load.step("Marathon goes away");
    let before = mesh.pages().instances().await.unwrap();
    mesh.marathon().pause().await;
    source_is(&mesh, "marathon", "retrying").await;
    load.more(50).await;
    assert_eq!(
        mesh.pages().instances().await.unwrap(),
        before,
        "endpoints stay"
    );
    let (ready, text) = mesh.pages().ready().await.unwrap();
    assert!(
        ready,
        "a source that was there once is no reason to stop: {text}"
    );
    // Configuration still comes through.
    all_to_v3(&mesh).await;
    assert!(Votes::cast(&client, None, 10).await.only("v3", "red"));

    load.step("Marathon comes back");
    mesh.marathon().resume().await.unwrap();
    source_is(&mesh, "marathon", "streaming").await;
    settled(&mesh).await;
    mesh.marathon().scale("/reviews-v3", 2).unwrap();
    settled(&mesh).await;
    assert_eq!(
        mesh.pages().instances().await.unwrap().len(),
        before.len() + 1
    );
    load.more(20).await;
    unharmed(load).await;
    end(mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_envoy_harms_nobody_else_and_comes_back() {
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    all_to_v3(&mesh).await;
    let load = load(&client).await;
    load.step("the Envoy of reviews v1 is killed");
    let killed = mesh.workloads_of("/reviews").remove(0);
    killed.kill_envoy().await.unwrap();
    eventually("the control plane has noticed", async || {
        !mesh
            .pages()
            .sync()
            .await
            .unwrap()
            .contains_key(&killed.node_id)
    })
    .await;
    load.more(50).await;

    load.step("it comes back");
    killed.start_envoy().await.unwrap();
    settled(&mesh).await;
    mesh.change(PATIENCE, |files| files.delete(REVIEWS))
        .await
        .unwrap();
    let votes = Votes::cast(&client, None, 40).await;
    assert!(votes.failures.is_empty() && votes.of("v1") > 0, "{votes}");
    unharmed(load).await;
    end(mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoys_serve_on_without_a_control_plane_and_are_sent_nothing_that_they_have() {
    serve_on(AdsMode::Delta).await;
}

/// In state of the world everything is sent again, and Envoy finds that it has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoys_serve_on_without_a_control_plane_and_change_nothing_after() {
    serve_on(AdsMode::Sotw).await;
}

async fn serve_on(ads: AdsMode) {
    let mesh = started(Options {
        ads,
        ..Options::default()
    })
    .await;
    let client = client(&mesh).await;
    all_to_v3(&mesh).await;
    let load = load(&client).await;
    load.step("the control plane is away");
    let (before, sent) = (updates(&mesh).await, received(&mesh).await);
    mesh.stop_control_plane().await;
    assert!(mesh.pages().ready().await.is_err(), "nobody listens");
    eventually("every Envoy has noticed", async || {
        connected(&mesh).await == 0
    })
    .await;
    load.more(50).await;
    assert!(Votes::cast(&client, None, 10).await.only("v3", "red"));

    load.step("the control plane is back");
    mesh.start_control_plane().await.unwrap();
    settled(&mesh).await;
    assert_eq!(connected(&mesh).await, 7);
    assert_eq!(
        updates(&mesh).await,
        before,
        "something was changed by a restart that changed nothing"
    );
    for (envoy, bytes) in received(&mesh).await {
        let (first, again) = (sent[&envoy], bytes - sent[&envoy]);
        assert!(
            ads == AdsMode::Sotw || again * 4 < first,
            "{envoy}: {first} bytes at first, {again} bytes after the restart"
        );
    }
    mesh.change(PATIENCE, |files| files.delete(REVIEWS))
        .await
        .unwrap();
    let votes = Votes::cast(&client, None, 40).await;
    assert!(
        ["v1", "v2", "v3"]
            .iter()
            .all(|version| votes.of(version) > 0),
        "{votes}"
    );
    unharmed(load).await;
    end(mesh).await;
}

/// By Envoy: what the control plane has sent to it so far, in bytes.
async fn received(mesh: &Mesh) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for workload in mesh.workloads() {
        let stat = "cluster.xds-grpc.upstream_cx_rx_bytes_total";
        let bytes = workload.admin.stat(stat).await.unwrap();
        all.insert(workload.name, bytes.unwrap());
    }
    all
}

/// How many Envoys have a stream.
async fn connected(mesh: &Mesh) -> u64 {
    let mut connected = 0;
    for workload in mesh.workloads() {
        connected += workload
            .admin
            .stat("control_plane.connected_state")
            .await
            .unwrap()
            .unwrap_or_default();
    }
    connected
}

/// By Envoy and counter: how often it has added, changed or removed a cluster, listener or route.
async fn updates(mesh: &Mesh) -> BTreeMap<(String, String), u64> {
    let changes = r"^(cluster_manager\.cluster_(added|modified|removed)|listener_manager\.listener_(added|modified|removed)|http\..*\.rds\..*\.config_reload)$";
    let mut all = BTreeMap::new();
    for workload in mesh.workloads() {
        for (stat, value) in workload.admin.stats(changes).await.unwrap() {
            all.insert((workload.name.clone(), stat), value);
        }
    }
    assert!(all.len() > 7 * 6, "the counters are there: {}", all.len());
    all
}
