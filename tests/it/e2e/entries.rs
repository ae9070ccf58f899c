//! Service entries lead to backends that no Marathon knows, and sidecars hide services, put other
//! listeners in front of a workload, and close the way to unknown hosts.

mod tls;

use std::net::SocketAddr;

use axum::Router;
use axum::http::HeaderMap;
use reqwest::StatusCode;
use tokio::net::TcpListener;

use super::*;

const ENTRIES: &str = "entries.yaml";
const SIDECARS: &str = "sidecars.yaml";
const DETAILS: &str = "details.marathon.slave.mesos";

/// Answers with the host that it was asked for.
async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let router = Router::new().fallback(|headers: HeaderMap| async move {
        let host = headers.get("host").map(|host| host.as_bytes().to_vec());
        [b"backend of ".to_vec(), host.unwrap_or_default()].concat()
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    at
}

/// One entry with an address, one with a name, and one with names that are resolved as they are asked
/// for: under localhost all of them lead here.
fn entries(at: SocketAddr, tls: SocketAddr) -> String {
    let entry = |name: &str, resolution: &str, address: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\n\
             kind: ServiceEntry\n\
             metadata: {{name: {name}}}\n\
             spec:\n  hosts: [{name}.example.com]\n  resolution: {resolution}\n  \
             ports: [{{number: 9081, name: http, protocol: HTTP}}]\n  \
             endpoints: [{{address: {address}, ports: {{http: {port}}}}}]\n",
            port = at.port()
        )
    };
    let (known, named) = (
        entry("known", "STATIC", "127.0.0.1"),
        entry("named", "DNS", "localhost"),
    );
    let asked = format!(
        "apiVersion: networking.istio.io/v1\n\
         kind: ServiceEntry\n\
         metadata: {{name: asked}}\n\
         spec:\n  hosts: [\"*.asked.localhost\"]\n  resolution: DYNAMIC_DNS\n  \
         ports: [{{number: {}, name: http, protocol: HTTP}}, {{number: {}, name: tls}}]\n",
        at.port(),
        tls.port()
    );
    format!("{known}---\n{named}---\n{asked}")
}

fn sidecar(of: &str, rest: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\n\
         kind: Sidecar\n\
         metadata: {{name: {of}}}\n\
         spec:\n  workloadSelector: {{labels: {{istio: {of}}}}}\n{rest}"
    )
}

/// What the application of productpage gets, through its own Envoy.
struct Caller {
    http: reqwest::Client,
    outbound: std::net::Ipv4Addr,
}

impl Caller {
    fn of(mesh: &Mesh) -> Caller {
        let page = mesh.workloads_of("/productpage").remove(0);
        Caller {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            outbound: page.addresses.outbound,
        }
    }

    /// The status, and the text.
    async fn get(&self, port: u16, host: &str) -> Option<(StatusCode, String)> {
        let url = format!("http://{}:{port}/details/0", self.outbound);
        let answer = self.http.get(url).header("host", host).send().await.ok()?;
        Some((answer.status(), answer.text().await.ok()?))
    }

    async fn is(&self, port: u16, host: &str, status: u16, text: &str) {
        let mut last = None;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((got, body)) = self.get(port, host).await {
                if got == status && body.contains(text) {
                    return;
                }
                last = Some((got, body));
            }
            assert!(
                Instant::now() < deadline,
                "{host}:{port} is not {status} {text:?}: {last:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn apply(mesh: &Mesh, name: &str, text: &str) {
    let changed = mesh.change(PATIENCE, |files| files.apply(name, text)).await;
    changed.unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_reach_backends_and_sidecars_hide_services() {
    let pods = demo::samples::pods().into_iter();
    let pods = pods.filter(|pod| pod["id"] == "/productpage" || pod["id"] == "/details");
    let options = Options {
        pods: pods.collect(),
        config: Vec::new(),
        ..Options::default()
    };
    let mesh = started(options).await;
    let caller = Caller::of(&mesh);
    let (at, tls) = (backend().await, tls::backend().await);
    caller.is(9080, DETAILS, 200, "").await;

    apply(&mesh, ENTRIES, &entries(at, tls)).await;
    for host in ["known.example.com", "named.example.com"] {
        caller
            .is(9081, host, 200, &format!("backend of {host}"))
            .await;
    }

    // The port is that of the entry, whether the request names it or not; no other can be reached.
    for host in ["one.asked.localhost", "two.asked.localhost"] {
        let answer = format!("backend of {host}");
        caller.is(at.port(), host, 200, &answer).await;
        let with_port = format!("{host}:{}", at.port());
        caller.is(at.port(), &with_port, 200, &answer).await;
    }
    caller
        .is(at.port(), "one.asked.localhost:9080", 404, "")
        .await;

    // What is TLS is passed through, to the name that it asks for.
    for host in ["one.asked.localhost", "two.asked.localhost"] {
        tls::answers(host, (caller.outbound, tls.port()).into()).await;
    }

    // Nothing but the registry: what it does not know gets 502, what it knows is as before.
    let closed = "  outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n";
    apply(&mesh, SIDECARS, &sidecar("productpage", closed)).await;
    caller.is(9081, "unknown.example.com", 502, "").await;
    caller
        .is(9081, "known.example.com", 200, "backend of")
        .await;
    caller.is(9080, DETAILS, 200, "").await;

    // What the sidecar does not name is as unknown as that.
    let some = format!(
        "{closed}  egress: [{{hosts: [\"*/known.example.com\", \"./productpage.{domain}\"]}}]\n",
        domain = "marathon.slave.mesos"
    );
    apply(&mesh, SIDECARS, &sidecar("productpage", &some)).await;
    caller.is(9080, DETAILS, 502, "").await;
    caller.is(9081, "named.example.com", 502, "").await;
    caller
        .is(9081, "known.example.com", 200, "backend of")
        .await;

    // Another application answers behind the port of details.
    let ingress = format!(
        "  ingress:\n  - port: {{number: 9080, name: http, protocol: HTTP}}\n    \
         defaultEndpoint: 127.0.0.1:{}\n",
        at.port()
    );
    apply(&mesh, SIDECARS, &sidecar("details", &ingress)).await;
    caller
        .is(9080, DETAILS, 200, &format!("backend of {DETAILS}"))
        .await;
    end(mesh).await;
}
