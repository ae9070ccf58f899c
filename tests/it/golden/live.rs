//! One live Envoy takes all cases one after another, over ADS, and refuses nothing.
//!
//! Two things are changed on the way, for this machine is not a pod: listeners are not bound, and
//! certificates are in a directory of the test.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use demo::bootstrap::{AdsMode, Bootstrap, Interception, Role};
use demo::envoy::Launch;
use demo::{Binary, Block, EnvoyProcess, TaskAddresses};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::address;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{
    Address, DataSource, SocketAddress, WatchedDirectory,
};
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType;
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener};
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::tcp_proxy::ClusterSpecifier;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{Secret, secret};
use envoy_types::pb::google::protobuf::{Any, BoolValue};
use prost::{Message, Name};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use xds::{
    Connections, Kind, Limits, Node, Refusal, Rejection, Resource, Snapshot, StreamId, Subscription,
};

use super::case::Resources;

const PATIENCE: Duration = Duration::from_secs(20);

/// Gives every client the latest snapshot, and writes down what it refuses.
struct Stage {
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    refused: Mutex<Vec<String>>,
}

impl xds::Proxies for Stage {
    fn connect(
        &self,
        _: Node,
        _: std::net::SocketAddr,
        _: StreamId,
    ) -> Result<Subscription, Refusal> {
        Ok(Subscription {
            snapshots: self.snapshots.clone(),
            guard: Box::new(()),
        })
    }

    fn rejected(&self, rejection: Rejection) {
        self.refused
            .lock()
            .unwrap()
            .push(format!("{}: {}", rejection.kind, rejection.message));
    }
}

/// One case as a proxy is sent it.
struct Scene {
    name: String,
    snapshot: Arc<Snapshot>,
    /// How many names of each kind Envoy will subscribe to at least.
    routes: usize,
    endpoints: usize,
}

// === impl Scene ===

impl Scene {
    fn new(
        name: String,
        number: u64,
        compiled: Vec<envoy::Resource>,
        rendered: &Resources,
        certs: &Path,
    ) -> Scene {
        let mut builder = Snapshot::builder(number);
        for resource in compiled {
            let kind = kind(resource.kind);
            let body = match kind {
                Kind::Listener => unbound(&resource.body),
                Kind::Secret => at_hand(&resource.body, certs),
                _ => resource.body.to_vec(),
            };
            builder = builder.insert(kind, Resource::new(kind, resource.name, body));
        }
        for (kind, name, body) in marks(number) {
            builder = builder.insert(kind, Resource::new(kind, name.as_str(), body));
        }
        let listeners = rendered
            .iter()
            .filter(|((kind, _), _)| *kind == envoy::Kind::Listener);
        let mut routes = BTreeSet::new();
        listeners.for_each(|(_, listener)| route_names(listener, &mut routes));
        let is_eds = |((kind, _), value): &(&(envoy::Kind, String), &Value)| {
            *kind == envoy::Kind::Cluster && value["type"] == "EDS"
        };
        Scene {
            name,
            snapshot: builder.build(),
            routes: routes.len(),
            endpoints: rendered.iter().filter(is_eds).count(),
        }
    }

    /// What the client does not have yet; empty once it has all of it.
    fn lacking(&self, connections: &Connections) -> Vec<String> {
        let all = connections.list();
        let Some(status) = all.first().map(|connection| &connection.status) else {
            return vec!["a stream".to_owned()];
        };
        let mut lacking = Vec::new();
        for kind in [Kind::Cluster, Kind::Listener] {
            let known = status.kinds.get(&kind).and_then(|kind| kind.acked.as_ref());
            let version = self.snapshot.version(kind).to_string();
            if known.is_none_or(|mark| mark.version != version) {
                lacking.push(format!("{kind} {version}"));
            }
        }
        for (kind, count) in [(Kind::Route, self.routes), (Kind::Endpoint, self.endpoints)] {
            let known = status.kinds.get(&kind);
            // Listeners that are being drained hold on to what they had.
            let there = known.map_or(count == 0, |k| k.subscribed >= count && k.is_synced());
            if !there {
                lacking.push(format!("{count} of {kind}"));
            }
        }
        lacking
    }
}

/// A cluster and a listener of this scene alone. Without them a scene that takes back what the one
/// before would have removed leaves nothing to send, and no answer to wait for.
fn marks(number: u64) -> [(Kind, String, Vec<u8>); 2] {
    let name = format!("scene-{number}");
    let cluster = Cluster {
        name: name.clone(),
        ..Cluster::default()
    };
    let to = TcpProxy {
        stat_prefix: name.clone(),
        cluster_specifier: Some(ClusterSpecifier::Cluster(name.clone())),
        ..TcpProxy::default()
    };
    let filter = Filter {
        name: "envoy.filters.network.tcp_proxy".to_owned(),
        config_type: Some(ConfigType::TypedConfig(Any {
            type_url: TcpProxy::type_url(),
            value: to.encode_to_vec(),
        })),
    };
    let port = u32::try_from(20_000 + number).unwrap();
    let listener = Listener {
        name: name.clone(),
        address: Some(Address {
            address: Some(address::Address::SocketAddress(SocketAddress {
                address: "127.0.0.9".to_owned(),
                port_specifier: Some(PortSpecifier::PortValue(port)),
                ..SocketAddress::default()
            })),
        }),
        filter_chains: vec![FilterChain {
            filters: vec![filter],
            ..FilterChain::default()
        }],
        bind_to_port: Some(BoolValue { value: false }),
        ..Listener::default()
    };
    [
        (Kind::Cluster, name.clone(), cluster.encode_to_vec()),
        (Kind::Listener, name, listener.encode_to_vec()),
    ]
}

fn kind(kind: envoy::Kind) -> Kind {
    let url = kind.type_url();
    let mut kinds = Kind::ALL.into_iter();
    kinds.find(|kind| kind.type_url() == url).unwrap()
}

/// Ports of this machine belong to others; everything else about the listener stays.
fn unbound(body: &[u8]) -> Vec<u8> {
    let mut listener = Listener::decode(body).unwrap();
    listener.bind_to_port = Some(BoolValue { value: false });
    listener.encode_to_vec()
}

/// A secret whose files are those of the test.
fn at_hand(body: &[u8], certs: &Path) -> Vec<u8> {
    let mut secret = Secret::decode(body).unwrap();
    let file = |source: &mut Option<DataSource>, name: &str| {
        if let Some(source) = source {
            let path = certs.join(name).display().to_string();
            source.specifier = Some(Specifier::Filename(path));
            source.watched_directory = None;
        }
    };
    let watched = |directory: &mut Option<WatchedDirectory>| {
        if let Some(directory) = directory {
            directory.path = certs.display().to_string();
        }
    };
    match &mut secret.r#type {
        Some(secret::Type::TlsCertificate(own)) => {
            file(&mut own.certificate_chain, "cert-chain.pem");
            file(&mut own.private_key, "key.pem");
            watched(&mut own.watched_directory);
        }
        Some(secret::Type::ValidationContext(peers)) => {
            file(&mut peers.trusted_ca, "root-cert.pem");
            // The test has no list of revoked certificates.
            peers.crl = None;
            watched(&mut peers.watched_directory);
        }
        _ => {}
    }
    secret.encode_to_vec()
}

fn route_names(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(rds) = fields.get("rds") {
                names.insert(rds["route_config_name"].as_str().unwrap().to_owned());
            }
            fields.values().for_each(|v| route_names(v, names));
        }
        Value::Array(items) => items.iter().for_each(|v| route_names(v, names)),
        _ => {}
    }
}

fn scenes(certs: &Path) -> Vec<Scene> {
    let mut scenes = Vec::new();
    for case in super::chosen() {
        let study = case.study();
        for view in &case.views {
            let compiled = study.compile(&view.identify(&study));
            let name = format!("{} ({})", case.name, view.proxy);
            let number = scenes.len() as u64 + 1;
            scenes.push(Scene::new(
                name,
                number,
                compiled.resources,
                &view.resources(&study),
                certs,
            ));
        }
    }
    scenes
}

async fn envoy(block: &Block, discovery: std::net::SocketAddr, dir: &Path) -> EnvoyProcess {
    let bootstrap = Bootstrap {
        certificates: None,
        role: Role::Sidecar,
        address: block.container(1, 0),
        interception: Interception::Addresses(TaskAddresses::of(block.container(1, 0)).unwrap()),
        instance_id: "golden".into(),
        task_id: "golden".into(),
        app_id: "/golden".into(),
        cluster: "golden".into(),
        agent: block.agent(1),
        domain: "marathon.slave.mesos".into(),
        discovery: vec![discovery],
        ads: AdsMode::Delta,
    };
    let launch = Launch {
        name: "golden".into(),
        binary: Binary::find().unwrap(),
        bootstrap: bootstrap.document(),
        admin: bootstrap.admin(),
        dir: dir.to_owned(),
        log_level: "warning".into(),
    };
    EnvoyProcess::spawn(launch).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_envoy_takes_all_cases_one_after_another() {
    let dir = tempfile::tempdir().unwrap();
    let certs = dir.path().join("certs");
    rig::certs::Authority::new().unwrap().write(&certs).unwrap();
    let scenes = tokio::task::spawn_blocking(move || scenes(&certs))
        .await
        .unwrap();
    let (show, snapshots) = watch::channel(None);
    let stage = Arc::new(Stage {
        snapshots,
        refused: Mutex::default(),
    });
    let block = Block::claim().unwrap();
    let listener = TcpListener::bind((block.master(), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = xds::Server::new(stage.clone(), Limits::default());
    let connections = server.connections();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(listener, async {
        let _ = stopped.await;
    }));
    let mut envoy = envoy(&block, address, dir.path()).await;
    for scene in scenes {
        show.send_replace(Some(scene.snapshot.clone()));
        let deadline = Instant::now() + PATIENCE;
        while let lacking = scene.lacking(&connections)
            && !lacking.is_empty()
        {
            let refused = stage.refused.lock().unwrap().join("\n");
            assert!(refused.is_empty(), "{}: {refused}", scene.name);
            assert!(
                Instant::now() < deadline,
                "{}: not taken within {PATIENCE:?}, lacking {lacking:?}: {:#?}",
                scene.name,
                connections.list()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let rejected = envoy.admin().rejected().await.unwrap();
    assert_eq!(rejected.total(), 0, "{rejected:?}");
    envoy.stop().await.unwrap();
    drop(stop);
    serving.await.unwrap().unwrap();
}
