//! Raw TCP through a sidecar: the server speaks first, so nobody can guess anything from bytes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use demo::mesh::Options;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

const PORT: u16 = 7000;
/// The pod whose sidecar is used.
const CALLER: &str = "/details";

/// Shares out, and closes connections on which nothing happens.
const ROUTES: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: store}
spec:
  host: store
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: store}
spec:
  hosts: [store]
  tcp:
  - match: [{port: 7000}]
    route:
    - {destination: {host: store, subset: v1}, weight: 75}
    - {destination: {host: store, subset: v2}, weight: 25}
";

/// Callers stay with one endpoint, by their address, and are cut off when nothing happens.
const RULES: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: store}
spec:
  host: store
  trafficPolicy:
    loadBalancer: {consistentHash: {useSourceIp: true}}
    connectionPool: {tcp: {idleTimeout: 0.5s}}
";

/// A container without a proxy; the test listens where it would. The port's name says TCP.
fn store(version: &str) -> Value {
    json!({
        "id": format!("/store-{version}"),
        "labels": {"istio": "store", "version": version},
        "networks": [{"mode": "container/bridge"}],
        "containers": [{
            "name": "app",
            "resources": {"cpus": 0.1, "mem": 32},
            "endpoints": [{
                "name": format!("tcp-{PORT}"), "containerPort": PORT, "hostPort": 0, "protocol": ["tcp"],
            }],
        }],
    })
}

/// Says its version, and then nothing until the caller leaves.
async fn serve(version: &'static str, at: SocketAddr) -> JoinHandle<()> {
    let listener = TcpListener::bind(at).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = stream.write_all(version.as_bytes()).await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    })
}

/// Which version greets; `None` if the connection is closed instead.
async fn greeting(at: SocketAddr) -> Option<(String, TcpStream)> {
    let mut stream = TcpStream::connect(at).await.ok()?;
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting).await.ok()?;
    Some((String::from_utf8_lossy(&greeting).into_owned(), stream))
}

async fn versions(at: SocketAddr, times: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..times {
        let (version, _) = greeting(at).await.expect("a greeting");
        *counts.entry(version).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_shares_out_connections_and_keeps_to_their_rules() {
    let caller = demo::samples::pods().into_iter();
    let mut pods: Vec<Value> = caller.filter(|pod| pod["id"] == CALLER).collect();
    pods.extend([store("v1"), store("v2")]);
    let options = Options {
        pods,
        config: Vec::new(),
        ..Options::default()
    };
    let mesh = started(options).await;
    let mut servers = Vec::new();
    for version in ["v1", "v2"] {
        let store = mesh.workloads_of(&format!("/store-{version}")).remove(0);
        servers.push(serve(version, (store.addresses.container, PORT).into()).await);
    }
    let sidecar = mesh.workloads_of(CALLER).remove(0).addresses.outbound;
    let at = SocketAddr::from((sidecar, PORT));
    eventually("the port is served", async || greeting(at).await.is_some()).await;

    mesh.change(PATIENCE, |files| files.apply("store.yaml", ROUTES))
        .await
        .unwrap();
    let counts = versions(at, 200).await;
    // Of 200 by 3 to 1, thirty or fewer would be one in a thousand; these ranges, one in a million.
    let in_range = |version, least, most| (least..=most).contains(&counts[version]);
    assert!(
        in_range("v1", 118, 178) && in_range("v2", 22, 82),
        "{counts:?}"
    );

    mesh.change(PATIENCE, |files| files.apply("store.yaml", RULES))
        .await
        .unwrap();
    let counts = versions(at, 40).await;
    assert_eq!(counts.len(), 1, "one address, one endpoint: {counts:?}");
    let (_, mut idle) = greeting(at).await.expect("a greeting");
    let cut = timeout(PATIENCE, idle.read_to_end(&mut Vec::new())).await;
    assert!(cut.is_ok(), "nothing happens, and nobody is cut off");

    servers.into_iter().for_each(|server| server.abort());
    end(mesh).await;
}
