//! Mutual TLS between real Envoys, with certificates that are made here.
//!
//! The test stands where the application of `productpage` does: it calls `details` through the
//! outbound listener of that workload's Envoy.

use std::path::Path;

use demo::mesh::Workload;
use demo::samples::GATEWAY;

use super::*;
use rig::certs::Authority;

const STRICT: &str = "[{mtls: {}}]";
const PERMISSIVE: &str = "[{mtls: {mode: PERMISSIVE}}]";
/// What the client does, as the fields of `tls`.
const MUTUAL: &str = "{mode: ISTIO_MUTUAL}";
const WRONG_NAME: &str =
    "{mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://cluster.local/ns/default/sa/other']}";

/// A mesh whose pods have certificates, but for those that are named.
async fn mesh_with(folder: &Path, authority: &Authority, without: &[&str]) -> Mesh {
    for pod in demo::samples::pods() {
        let name = pod["id"]
            .as_str()
            .unwrap()
            .trim_start_matches('/')
            .to_owned();
        if !without.contains(&name.as_str()) {
            authority.write(&folder.join(name)).unwrap();
        }
    }
    started(Options {
        certificates: Some(folder.to_owned()),
        config: vec![GATEWAY],
        ..Options::default()
    })
    .await
}

fn policy(peers: &str) -> String {
    format!(
        "apiVersion: authentication.istio.io/v1alpha1\nkind: Policy\nmetadata: {{name: details}}\n\
         spec: {{targets: [{{name: details.marathon.slave.mesos}}], peers: {peers}}}\n"
    )
}

fn mesh_policy() -> &'static str {
    "apiVersion: authentication.istio.io/v1alpha1\nkind: MeshPolicy\nmetadata: {name: default}\n\
     spec: {peers: [{mtls: {}}]}\n"
}

fn rule(name: &str, host: &str, tls: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1alpha3\nkind: DestinationRule\nmetadata: {{name: {name}}}\n\
         spec: {{host: '{host}', trafficPolicy: {{tls: {tls}}}}}\n"
    )
}

/// Puts a file there, or takes it away, and waits until every Envoy goes by it.
async fn set(mesh: &Mesh, file: &str, text: Option<&str>) {
    let there = mesh.files().config().join(file).exists();
    if text.is_none() && !there {
        return;
    }
    let edited = mesh.change(PATIENCE, |files| match text {
        Some(text) => files.apply(file, text),
        None => files.delete(file),
    });
    edited
        .await
        .unwrap_or_else(|error| panic!("{file}: {error}"));
}

/// What a workload gets when it asks a service.
async fn status(caller: &Workload, service: &str) -> u16 {
    let url = format!("http://{}:9080/{service}/0", caller.addresses.outbound);
    // Each request by a connection of its own.
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();
    let request = client
        .get(url)
        .header("host", format!("{service}.marathon.slave.mesos:9080"));
    request
        .send()
        .await
        .map_or(0, |answer| answer.status().as_u16())
}

async fn answers(mesh: &Mesh, expected: u16, what: &str) {
    let caller = mesh.workloads_of("/productpage").remove(0);
    let deadline = Instant::now() + PATIENCE;
    // Connections that are already open may serve a request or two; then it must stay so.
    let mut row = 0;
    while row < 3 {
        let last = status(&caller, "details").await;
        row = if last == expected { row + 1 } else { 0 };
        assert!(Instant::now() < deadline, "{what}: {last}, not {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The row of a service in `/debug/authenticationz`: both names and the verdict.
async fn row(mesh: &Mesh, service: &str) -> (String, String, String) {
    let path = format!("/debug/authenticationz?proxyID={service}.marathon.slave.mesos");
    let (_, body) = mesh.pages().get(&path).await.unwrap();
    let rows: serde_json::Value = serde_json::from_str(&body).unwrap();
    let text = |key: &str| rows[0][key].as_str().unwrap_or_default().to_owned();
    (
        text("authentication_policy_name"),
        text("destination_rule_name"),
        text("TLS_conflict_status"),
    )
}

fn told(policy: &str, rule: &str, status: &str) -> (String, String, String) {
    (policy.to_owned(), rule.to_owned(), status.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gets_through_depends_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new().unwrap();
    let mesh = mesh_with(folder.path(), &authority, &[]).await;
    let matrix: [(Option<&str>, [u16; 3]); 3] = [
        (None, [200, 503, 503]),
        (Some(STRICT), [503, 200, 503]),
        (Some(PERMISSIVE), [200, 200, 503]),
    ];
    for (peers, expected) in matrix {
        set(&mesh, "policy.yaml", peers.map(policy).as_deref()).await;
        let clients = [None, Some(MUTUAL), Some(WRONG_NAME)];
        for (tls, status) in clients.into_iter().zip(expected) {
            let text = tls.map(|tls| rule("details", "details", tls));
            set(&mesh, "rule.yaml", text.as_deref()).await;
            answers(&mesh, status, &format!("server {peers:?}, client {tls:?}")).await;
        }
        set(&mesh, "rule.yaml", None).await;
    }
    end(mesh).await;
}

/// By the identity in the caller's certificate, which there is with mutual TLS only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_are_let_in_by_who_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = mesh_with(folder.path(), &Authority::new().unwrap(), &[]).await;
    let allow = |source: &str| {
        format!(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: details}}\n\
             spec: {{selector: {{matchLabels: {{istio: details}}}}, rules: [{{from: [{{source: {source}}}]}}]}}\n"
        )
    };
    set(&mesh, "policy.yaml", Some(&policy(PERMISSIVE))).await;
    set(&mesh, "allow.yaml", Some(&allow("{principals: ['*']}"))).await;
    answers(&mesh, 403, "plaintext says nobody's name").await;
    let one = rule("details", "details.marathon.slave.mesos", MUTUAL);
    set(&mesh, "rule.yaml", Some(&one)).await;
    answers(&mesh, 200, "anyone who says one").await;
    for (source, expected) in [
        ("{principals: [cluster.local/ns/default/sa/other]}", 403),
        ("{principals: [cluster.local/ns/default/sa/default]}", 200),
        ("{namespaces: [other]}", 403),
        ("{namespaces: ['def*']}", 200),
        ("{serviceAccounts: [other]}", 403),
        ("{serviceAccounts: [default]}", 200),
        ("{notTrustDomains: [cluster.local]}", 403),
    ] {
        set(&mesh, "allow.yaml", Some(&allow(source))).await;
        answers(&mesh, expected, source).await;
    }
    set(&mesh, "allow.yaml", None).await;
    answers(&mesh, 200, "without a policy").await;
    end(mesh).await;
}

/// The chapter of the guide on authentication, with details in the place of httpbin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_for_the_mesh_and_one_for_a_service() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = mesh_with(folder.path(), &Authority::new().unwrap(), &[]).await;
    answers(&mesh, 200, "plaintext everywhere").await;
    assert_eq!(row(&mesh, "details").await, told("-", "-", "OK"));

    set(&mesh, "mesh.yaml", Some(mesh_policy())).await;
    answers(&mesh, 503, "servers demand TLS").await;
    assert_eq!(
        row(&mesh, "details").await,
        told("default/", "-", "CONFLICT")
    );

    let all = rule("default", "*.marathon.slave.mesos", MUTUAL);
    set(&mesh, "rule.yaml", Some(&all)).await;
    answers(&mesh, 200, "clients speak it").await;
    let both = told("default/", "default/default", "OK");
    assert_eq!(row(&mesh, "details").await, both);

    set(&mesh, "rule.yaml", None).await;
    set(&mesh, "mesh.yaml", None).await;
    answers(&mesh, 200, "plaintext again").await;

    let one = rule("details", "details.marathon.slave.mesos", MUTUAL);
    set(&mesh, "rule.yaml", Some(&one)).await;
    answers(&mesh, 503, "the client speaks TLS, the server does not").await;
    let half = told("-", "details/default", "CONFLICT");
    assert_eq!(row(&mesh, "details").await, half);
    set(&mesh, "policy.yaml", Some(&policy(STRICT))).await;
    answers(&mesh, 200, "both do").await;
    let both = told("details/default", "details/default", "OK");
    assert_eq!(row(&mesh, "details").await, both);
    end(mesh).await;
}

/// With `enableAutoMtls`, which comes by an edit of the mesh config while everything runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_follow_what_servers_take() {
    let folder = tempfile::tempdir().unwrap();
    let mesh = mesh_with(folder.path(), &Authority::new().unwrap(), &[]).await;
    set(&mesh, "policy.yaml", Some(&policy(STRICT))).await;
    answers(&mesh, 503, "nobody follows yet").await;
    std::fs::write(mesh.files().mesh_config(), "enableAutoMtls: true\n").unwrap();
    answers(&mesh, 200, "callers follow").await;
    assert_eq!(
        row(&mesh, "details").await,
        told("details/default", "-", "OK")
    );
    // Services without a policy get plaintext beside it.
    let caller = mesh.workloads_of("/productpage").remove(0);
    assert_eq!(status(&caller, "ratings").await, 200);
    let disable = rule("details", "details", "{mode: DISABLE}");
    set(&mesh, "rule.yaml", Some(&disable)).await;
    answers(&mesh, 503, "a rule has the last word").await;
    set(&mesh, "rule.yaml", None).await;
    answers(&mesh, 200, "callers follow again").await;
    set(&mesh, "policy.yaml", None).await;
    answers(&mesh, 200, "callers follow back to plaintext").await;
    assert_eq!(row(&mesh, "details").await, told("-", "-", "OK"));
    end(mesh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_file_closes_and_a_replaced_one_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new().unwrap();
    // Of ratings there is the root alone.
    let own = folder.path().join("ratings");
    authority.write(&own).unwrap();
    for name in ["key.pem", "cert-chain.pem"] {
        std::fs::remove_file(own.join(name)).unwrap();
    }
    let mesh = mesh_with(folder.path(), &authority, &["ratings"]).await;
    set(&mesh, "mesh.yaml", Some(mesh_policy())).await;
    // A connection for each request, or an open one would outlive its certificate.
    let tls = format!("{MUTUAL}, connectionPool: {{http: {{maxRequestsPerConnection: 1}}}}");
    let all = rule("default", "*.marathon.slave.mesos", &tls);
    set(&mesh, "rule.yaml", Some(&all)).await;
    answers(&mesh, 200, "details has its files").await;
    // The Envoy of ratings refuses the secret and nothing else, and takes no connection.
    let ratings = mesh.workloads_of("/ratings").remove(0);
    eventually("the secret is refused", async || {
        let (_, body) = mesh.pages().get("/debug/syncz").await.unwrap();
        let rows: serde_json::Value = serde_json::from_str(&body).unwrap();
        let of = |row: &&serde_json::Value| row["proxy"] == ratings.node_id.as_str();
        let row = rows.as_array().unwrap().iter().find(of).unwrap();
        let state = |kind: &str| row["resources"][kind]["state"].clone();
        let rejected = &row["resources"]["SDS"]["rejected"];
        let told = rejected["remedy"].as_str();
        assert!(rejected.is_null() || told.is_some_and(|remedy| remedy.contains("restart")));
        state("SDS") == "REJECTED" && state("LDS") == "SYNCED" && state("CDS") == "SYNCED"
    })
    .await;
    let at = format!("http://{}:9080/ratings/0", ratings.addresses.container);
    assert!(
        reqwest::get(at).await.is_err(),
        "plaintext still gets through"
    );
    let caller = mesh.workloads_of("/productpage").remove(0);
    assert_eq!(status(&caller, "ratings").await, 503, "who lacks its files");

    // Its folder is there, so Envoy notices a pair that is renamed into it.
    authority.write(&own).unwrap();
    eventually("the files are read", async || {
        status(&caller, "ratings").await == 200
    })
    .await;

    // Another authority's certificate is not taken; the first one's is, again.
    let details = folder.path().join("details");
    Authority::new().unwrap().write(&details).unwrap();
    answers(&mesh, 503, "of another authority").await;
    authority.write(&details).unwrap();
    answers(&mesh, 200, "of the mesh's own again").await;
    mesh.stop().await;
}
