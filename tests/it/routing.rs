//! Requests and answers: every routing feature with real traffic through one real Envoy.
//!
//! The rows are files of `tests/traffic`: Istio objects, and the requests that show what they do. All
//! objects of a folder are in force at once, on many hosts; one mesh serves them. A new feature
//! needs a new file or new rows, and no code.

mod backend; // answers with what it was asked
mod row; // one request and what is expected of it
mod table; // the files

use std::sync::Arc;

use demo::Mesh;
use demo::mesh::{Options, PATIENCE};
use serde_json::json;
use tokio::net::TcpListener;

use backend::{Backends, Echo};
use row::Caller;
use table::Table;

/// The workloads behind the gateway: name and version.
const BACKENDS: [(&str, &str); 3] = [("echo", "v1"), ("echo", "v2"), ("shadow", "v1")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_holds() {
    hold("http", 60).await;
}

/// Policies of Istio 1.0 are for a whole gateway, and later kinds put them out of force.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_origins_holds() {
    hold("origins", 20).await;
}

/// A later object for the gateway would put roles out of force.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_roles_holds() {
    hold("roles", 20).await;
}

async fn hold(folder: &str, least: usize) {
    // Names under localhost lead here, whoever resolves them.
    let local = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let table = Table::read(folder, local.local_addr().unwrap().port());
    assert!(table.rows.len() >= least, "only {} rows", table.rows.len());
    let mesh = start(&table).await;
    let hits = Backends::default();
    let mut servers = Vec::new();
    for (name, version) in BACKENDS {
        let workload = mesh.workloads_of(&format!("/{name}-{version}")).remove(0);
        let echo = Arc::new(Echo::new(name, version, hits.clone()));
        servers.push(
            echo.serve((workload.addresses.container, 9080).into())
                .await,
        );
    }
    let echo = Arc::new(Echo::new("local", "local", hits.clone()));
    servers.push(echo.serve_on(local));
    let caller = Caller::new(mesh.gateway().expect("a gateway"), hits);
    caller.until_routed("ready.example.com", PATIENCE).await;
    let mut wrong = Vec::new();
    for row in &table.rows {
        if let Err(why) = caller.check(row).await {
            wrong.push(format!("{row}: {why}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} rows fail:\n{}",
        wrong.len(),
        table.rows.len(),
        wrong.join("\n")
    );
    for (envoy, rejected) in mesh.rejected().await {
        assert_eq!(rejected.total(), 0, "{envoy}: {rejected:?}");
    }
    servers.into_iter().for_each(|server| server.abort());
    mesh.stop().await;
}

/// A mesh with the gateway, the backends and all objects.
async fn start(table: &Table) -> Mesh {
    let gateway = demo::samples::pods().pop().expect("the gateway is last");
    let mut pods: Vec<_> = BACKENDS
        .iter()
        .map(|(name, version)| pod(name, version))
        .collect();
    pods.push(gateway);
    let options = Options {
        pods,
        config: Vec::new(),
        ..Options::default()
    };
    let mesh = Mesh::start(options)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    for (name, text) in &table.objects {
        mesh.files().apply(name, text).unwrap();
    }
    let ready = mesh.ready(PATIENCE * 2, |_| {}).await;
    ready.unwrap_or_else(|error| panic!("{error}"));
    mesh
}

/// One container without a proxy: the test itself listens where it would.
fn pod(name: &str, version: &str) -> serde_json::Value {
    json!({
        "id": format!("/{name}-{version}"),
        "labels": {"istio": name, "version": version},
        "networks": [{"mode": "container/bridge"}],
        "containers": [{
            "name": "app",
            "resources": {"cpus": 0.1, "mem": 32},
            "endpoints": [{"name": "http-9080", "containerPort": 9080, "hostPort": 0, "protocol": ["tcp"]}],
        }],
    })
}
