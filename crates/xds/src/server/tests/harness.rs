//! A running server with one publisher for all, and a client to talk to it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::*;
use crate::resource::Resource;

/// Far more than anything here takes; only a hang runs into it.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// A publisher with one snapshot for all.
pub(super) struct Publisher {
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    refusal: Option<Refusal>,
    pub(super) served: Arc<AtomicUsize>,
    pub(super) rejections: Mutex<Vec<Rejection>>,
}

pub(super) struct Served(Arc<AtomicUsize>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Proxies for Publisher {
    fn connect(&self, node: Node, peer: SocketAddr, _: StreamId) -> Result<Subscription, Refusal> {
        assert!(node.id.starts_with("sidecar~") && peer.ip().is_loopback());
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        self.served.fetch_add(1, Ordering::SeqCst);
        let guard = Box::new(Served(Arc::clone(&self.served)));
        Ok(Subscription {
            snapshots: self.snapshots.subscribe(),
            guard,
        })
    }

    fn rejected(&self, rejection: Rejection) {
        self.rejections.lock().expect("no panic").push(rejection);
    }
}

/// A running server.
pub(super) struct Running {
    pub(super) publisher: Arc<Publisher>,
    pub(super) connections: Connections,
    pub(super) quarantine: Quarantine,
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    pub(super) async fn new(limits: Limits, refusal: Option<Refusal>) -> Running {
        let served = Arc::new(AtomicUsize::new(0));
        let publisher = Arc::new(Publisher {
            snapshots: watch::Sender::new(None),
            refusal,
            served,
            rejections: Mutex::default(),
        });
        let server = Server::new(Arc::clone(&publisher) as Arc<dyn Proxies>, limits).named("test");
        let (connections, quarantine) = (server.connections(), server.quarantine());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(server.serve(listener, shutdown));
        Running {
            publisher,
            connections,
            quarantine,
            address,
            stop: Some(stop),
            task,
        }
    }

    pub(super) fn publish(&self, generation: u64, resources: &[(Kind, &str, &str)]) {
        let builder = resources
            .iter()
            .fold(Snapshot::builder(generation), |builder, entry| {
                let (kind, name, body) = *entry;
                builder.insert(
                    kind,
                    Resource::new(kind, name, body.to_string().into_bytes()),
                )
            });
        let builder = builder.made_at(std::time::Instant::now());
        self.publisher.snapshots.send_replace(Some(builder.build()));
    }

    pub(super) async fn client(&self) -> AggregatedDiscoveryServiceClient<Channel> {
        let address = format!("http://{}", self.address);
        AggregatedDiscoveryServiceClient::connect(address)
            .await
            .expect("connects")
    }

    pub(super) async fn stop(mut self) {
        self.stop
            .take()
            .expect("stopped once")
            .send(())
            .expect("running");
        within(self.task)
            .await
            .expect("no panic")
            .expect("clean end");
    }
}

pub(super) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(SOON, future)
        .await
        .expect("this hangs")
}

/// Waits until the condition holds, without blocking the server.
pub(super) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let held = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    assert!(
        tokio::time::timeout(SOON, held).await.is_ok(),
        "never: {what}"
    );
}

pub(super) fn node() -> Option<core::Node> {
    node_named("sidecar~1")
}

pub(super) fn node_named(id: &str) -> Option<core::Node> {
    Some(core::Node {
        id: id.into(),
        ..Default::default()
    })
}

pub(super) struct Sotw {
    pub(super) requests: mpsc::Sender<discovery::DiscoveryRequest>,
    pub(super) responses: Streaming<discovery::DiscoveryResponse>,
}

impl Sotw {
    pub(super) async fn open(running: &Running) -> Sotw {
        let (requests, stream) = mpsc::channel(16);
        let mut client = running.client().await;
        let opened = within(client.stream_aggregated_resources(ReceiverStream::new(stream))).await;
        Sotw {
            requests,
            responses: opened.expect("opens").into_inner(),
        }
    }

    pub(super) async fn send(&self, kind: Kind, request: discovery::DiscoveryRequest) {
        let type_url = kind.type_url().into();
        self.requests
            .send(discovery::DiscoveryRequest {
                type_url,
                ..request
            })
            .await
            .expect("open");
    }

    pub(super) async fn next(&mut self) -> Result<Option<discovery::DiscoveryResponse>, Status> {
        within(self.responses.message()).await
    }
}

/// A client that wants all clusters.
pub(super) struct Delta {
    requests: mpsc::Sender<discovery::DeltaDiscoveryRequest>,
    pub(super) responses: Streaming<discovery::DeltaDiscoveryResponse>,
}

impl Delta {
    pub(super) async fn open(running: &Running, id: &str) -> Delta {
        Delta::resume(running, id, HashMap::new()).await
    }

    pub(super) async fn resume(
        running: &Running,
        id: &str,
        initial_resource_versions: HashMap<String, String>,
    ) -> Delta {
        let (requests, stream) = mpsc::channel(16);
        let first = discovery::DeltaDiscoveryRequest {
            type_url: Kind::Cluster.type_url().into(),
            node: node_named(id),
            initial_resource_versions,
            ..Default::default()
        };
        requests.send(first).await.expect("open");
        let mut client = running.client().await;
        let opened = within(client.delta_aggregated_resources(ReceiverStream::new(stream))).await;
        Delta {
            requests,
            responses: opened.expect("opens").into_inner(),
        }
    }

    /// Asks for one resource more.
    pub(super) async fn subscribe(&self, kind: Kind, name: &str) {
        let request = discovery::DeltaDiscoveryRequest {
            type_url: kind.type_url().into(),
            resource_names_subscribe: vec![name.to_string()],
            ..Default::default()
        };
        self.requests.send(request).await.expect("open");
    }

    pub(super) async fn next(&mut self) -> discovery::DeltaDiscoveryResponse {
        let next = within(self.responses.message()).await;
        next.expect("open").expect("a response")
    }

    pub(super) async fn ack(&self, response: &discovery::DeltaDiscoveryResponse) {
        self.answer(response, None).await;
    }

    pub(super) async fn nack(&self, response: &discovery::DeltaDiscoveryResponse, why: &str) {
        let message = why.to_string();
        let error = rpc::Status {
            message,
            ..Default::default()
        };
        self.answer(response, Some(error)).await;
    }

    async fn answer(
        &self,
        response: &discovery::DeltaDiscoveryResponse,
        error_detail: Option<rpc::Status>,
    ) {
        let request = discovery::DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            error_detail,
            ..Default::default()
        };
        self.requests.send(request).await.expect("open");
    }
}
