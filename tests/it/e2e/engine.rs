//! What the engine promises as a whole: replicas that agree, a refusal that stays where it is, and
//! edits without end that nobody notices.

pub(crate) mod replica; // two control planes for one Marathon, and a client that asks for everything
mod warming; // how long clusters warm, by Envoy's own count

use std::collections::BTreeSet;

use demo::client::Votes;
use demo::mesh::{Finding, GATEWAY_POD, Workload};
use demo::samples::{
    DESTINATION_RULES, GATEWAY, RATINGS_DELAY_JASON, REVIEWS_JASON_V2, REVIEWS_V3,
};
use demo::{Block, Role};

use self::replica::{CLUSTER, ENDPOINT, LISTENER, ROUTE, Versions};
use super::*;

const REVIEWS: &str = "reviews.yaml";

/// One more subset, by a rule of its own.
const RED: &str = "\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: red}
spec:
  host: reviews.marathon.slave.mesos
  subsets: [{name: red, labels: {version: v3}}]
";

/// Claims a host that another virtual service claims, too: which of them holds must not depend on
/// which was read first.
const RIVAL: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: zz-reviews}
spec:
  hosts: [reviews.marathon.slave.mesos]
  http:
  - route: [{destination: {host: reviews.marathon.slave.mesos, subset: red}}]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_with_shuffled_input_agree_on_every_version() {
    let block = Block::claim().unwrap();
    let marathon = replica::bookinfo(&block).await;
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let texts = [
        GATEWAY.text,
        DESTINATION_RULES.text,
        REVIEWS_JASON_V2.text,
        RATINGS_DELAY_JASON.text,
        RED,
        RIVAL,
    ];
    for (number, text) in texts.iter().enumerate() {
        std::fs::write(one.path().join(format!("{number}.yaml")), text).unwrap();
    }
    std::fs::write(two.path().join("all.yaml"), reversed(&texts)).unwrap();
    let (_first, at_first) = replica::start(&block, 0, &marathon, one.path()).await;
    let (_second, at_second) = replica::start(&block, 1, &marathon, two.path()).await;

    for (app, role) in [
        ("/productpage", Role::Sidecar),
        ("/reviews-v2", Role::Sidecar),
        (GATEWAY_POD, Role::Router),
    ] {
        let node = replica::node(role, &marathon.tasks_of(app).remove(0), &block);
        let versions = replica::everything(at_first, node.clone()).await;
        for (kind, least) in [(CLUSTER, 5), (ENDPOINT, 5), (LISTENER, 1), (ROUTE, 1)] {
            let found = versions.keys().filter(|(of, _)| of == kind).count();
            assert!(found >= least, "{app}, {found} of {kind}: {versions:#?}");
        }
        assert!(versions.values().all(|version| !version.is_empty()));
        let differ = differing(&versions, &replica::everything(at_second, node).await);
        assert!(differ.is_empty(), "{app}: {differ:#?}");
    }
    marathon.shutdown().await;
}

/// What two replicas have in different versions, or only one of them has.
fn differing(one: &Versions, two: &Versions) -> BTreeSet<(String, String)> {
    let keys = one.keys().chain(two.keys());
    keys.filter(|key| one.get(*key) != two.get(*key))
        .cloned()
        .collect()
}

/// All documents in one text, the last one first.
fn reversed(texts: &[&str]) -> String {
    let mut documents: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.split("\n---\n"))
        .collect();
    documents.reverse();
    assert!(documents.len() > texts.len(), "several documents in a file");
    documents.join("\n---\n")
}

/// Its port is that of Envoy's own admin interface, so that no Envoy can listen there.
const CLASH: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: clash}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 15000, name: http, protocol: HTTP}
    hosts: ['*']
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_one_envoy_refuses_is_told_with_its_gateway_and_harms_nothing_else() {
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    let load = load(&client).await;
    let gateway = mesh.workloads_of(GATEWAY_POD).remove(0);
    assert_eq!(gateway.admin.addr().port(), 15000);

    load.step("a gateway on a port that is taken");
    mesh.files().apply("clash.yaml", CLASH).unwrap();
    eventually("the gateway refuses its listener", async || {
        listeners(&mesh, &gateway).await == "REJECTED"
    })
    .await;
    eventually("the finding", async || refusals(&mesh).await.len() == 1).await;
    let finding = refusals(&mesh).await.remove(0);
    assert_eq!(finding.object.as_deref(), Some("Gateway default/clash"));
    assert_eq!(finding.severity, "error");
    let why = &finding.why;
    assert!(
        why.contains(&gateway.node_id) && why.contains("15000"),
        "{why}"
    );
    assert!(finding.remedy.contains("Gateway default/clash"));
    let refused = gateway.admin.rejected().await.unwrap();
    assert!((1..=2).contains(&refused.lds), "{refused:?}");
    assert_eq!(refused.total(), refused.lds, "{refused:?}");

    // The rest goes on, and what was refused is not offered again.
    for (subset, text) in [("v3", REVIEWS_V3.text.to_owned()), ("v1", all_to("v1"))] {
        load.step(format!("all to {subset}"));
        let before = mesh.generation().await.unwrap();
        mesh.files().apply(REVIEWS, &text).unwrap();
        acknowledged_but_listeners_of(&gateway, &mesh, before).await;
        let color = if subset == "v3" { "red" } else { "none" };
        settles_on(&client, subset, color).await;
        load.more(20).await;
        assert_eq!(gateway.admin.rejected().await.unwrap(), refused);
        assert_eq!(listeners(&mesh, &gateway).await, "REJECTED");
    }

    load.step("the gateway is deleted");
    mesh.files().delete("clash.yaml").unwrap();
    eventually("the finding goes", async || {
        refusals(&mesh).await.is_empty()
    })
    .await;
    eventually("the listeners are synced", async || {
        listeners(&mesh, &gateway).await == "SYNCED"
    })
    .await;
    load.step("an unrelated edit");
    flip(&mesh, |files| files.delete(REVIEWS)).await;
    assert_eq!(refusals(&mesh).await, []);
    load.more(20).await;
    unharmed(load).await;
    for (envoy, rejected) in mesh.rejected().await {
        let expected = if envoy == gateway.name {
            refused.lds
        } else {
            0
        };
        assert_eq!(rejected.total(), expected, "{envoy}: {rejected:?}");
    }
    mesh.stop().await;
}

/// All traffic for reviews to one subset.
fn all_to(subset: &str) -> String {
    let text = REVIEWS_V3
        .text
        .replace("subset: v3", &format!("subset: {subset}"));
    assert!(text.contains(&format!("subset: {subset}")));
    text
}

/// What Envoys have refused, as operators are told.
async fn refusals(mesh: &Mesh) -> Vec<Finding> {
    let mut all = mesh.pages().diagnostics().await.unwrap();
    all.retain(|finding| finding.code == "PH0501");
    all
}

/// The rows of /debug/syncz.
async fn rows(mesh: &Mesh) -> Vec<serde_json::Value> {
    let (status, body) = mesh.pages().get("/debug/syncz").await.unwrap();
    assert!(status.is_success(), "{status}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// The state of an Envoy's listeners in one word.
async fn listeners(mesh: &Mesh, envoy: &Workload) -> String {
    let rows = rows(mesh).await;
    let row = rows.iter().find(|row| row["proxy"] == *envoy.node_id);
    let row = row.expect("the Envoy is connected");
    let state = row["resources"]["LDS"]["state"].as_str();
    state.unwrap_or_else(|| panic!("{row:#}")).to_owned()
}

/// Waits until every Envoy has acknowledged a later state, except for the listeners of one.
async fn acknowledged_but_listeners_of(envoy: &Workload, mesh: &Mesh, before: u64) {
    let synced = |row: &serde_json::Value| {
        let kinds = row["resources"].as_object().unwrap();
        let mut states = kinds.iter().map(|(kind, detail)| {
            let left_out = kind == "LDS" && row["proxy"] == *envoy.node_id;
            left_out || detail["state"] == "SYNCED"
        });
        row["generation"].as_u64() > Some(before) && states.all(|synced| synced)
    };
    eventually("every Envoy has acknowledged the edit", async || {
        let rows = rows(mesh).await;
        rows.len() == mesh.workloads().len() && rows.iter().all(synced)
    })
    .await;
}

/// Envoy acknowledges routes before each of its workers has them, so the first answers may still
/// follow the old ones.
async fn settles_on(client: &Client, subset: &str, color: &str) {
    eventually("every page follows the edit", async || {
        Votes::cast(client, None, 4).await.only(subset, color)
    })
    .await;
}

/// For how long, in seconds.
const FLIP_SECONDS: &str = "PILOTHOUSE_FLIP_SECONDS";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flips_under_load_for_a_while() {
    let seconds = std::env::var(FLIP_SECONDS).map_or(10, |text| {
        text.parse()
            .unwrap_or_else(|error| panic!("{FLIP_SECONDS}={text}: {error}"))
    });
    let mesh = started(Options::default()).await;
    let client = client(&mesh).await;
    let load = load(&client).await;
    let warming = warming::Watch::start(mesh.workloads().into_iter().map(|envoy| envoy.admin));
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut round = 0;
    while round == 0 || Instant::now() < until {
        round += 1;
        load.step(format!("v1, round {round}"));
        let text = all_to("v1");
        flip(&mesh, |files| files.apply(REVIEWS, &text)).await;
        settles_on(&client, "v1", "none").await;
        load.step(format!("v3, round {round}"));
        flip(&mesh, |files| files.apply(REVIEWS, REVIEWS_V3.text)).await;
        settles_on(&client, "v3", "red").await;
        load.step(format!("a subset with its route, round {round}"));
        // In one file: of two, a busy machine may leave the second for after the quiet time.
        let both = format!("{}---\n{RED}", all_to("red"));
        flip(&mesh, |files| files.apply(REVIEWS, &both)).await;
        settles_on(&client, "v3", "red").await;
        load.step(format!("a subset goes with its route, round {round}"));
        flip(&mesh, |files| files.delete(REVIEWS)).await;
        load.more(5).await;
    }
    let warmth = warming.finish().await;
    println!("{round} rounds in {seconds} s; clusters warming: {warmth:?}");
    unharmed(load).await;
    end(mesh).await;
}

async fn flip(mesh: &Mesh, edit: impl FnOnce(&demo::mesh::Files) -> std::io::Result<()>) {
    mesh.change(PATIENCE, edit).await.unwrap();
}
