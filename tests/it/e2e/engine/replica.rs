//! Control planes as processes for one Marathon, and a client that asks each for all it has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use demo::bootstrap::{Bootstrap, Interception, Role};
use demo::{AdsMode, Block, TaskAddresses};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::config::listener::v3::Listener;
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::envoy::service::discovery::v3 as discovery;
use envoy_types::pb::google::protobuf::{Any, Struct, Value, value::Kind};
use futures::channel::mpsc;
use prost::Message;
use simulator::{Agent, Simulator, TaskView};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use self::discovery::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use super::super::{PATIENCE, eventually, pilothouse};

const DOMAIN: &str = "marathon.slave.mesos";

pub(super) const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
pub(super) const ENDPOINT: &str =
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
pub(super) const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
pub(super) const ROUTE: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";

/// By type and name: the version.
pub(crate) type Versions = BTreeMap<(String, String), String>;

/// A Marathon that pretends to run Bookinfo.
pub(crate) async fn bookinfo(block: &Block) -> Simulator {
    let agents = (1..=2).map(|k| Agent {
        bridge: block.bridge(k),
        ..Agent::at(block.agent(k))
    });
    let options = simulator::Options {
        listen: (block.master(), 8080).into(),
        agents: agents.collect(),
        ..Default::default()
    };
    let marathon = Simulator::start(options).await.unwrap();
    for pod in demo::samples::pods() {
        marathon.post_pod(pod).unwrap();
    }
    let settled = timeout(PATIENCE, marathon.settled()).await;
    settled.expect("Bookinfo runs in time");
    marathon
}

/// A control plane that is ready, and where it serves Envoys.
pub(super) async fn start(
    block: &Block,
    number: u16,
    marathon: &Simulator,
    dir: &Path,
) -> (Child, SocketAddr) {
    let at = |port: u16| SocketAddr::from((block.master(), port + 100 * number));
    let (http, grpc, monitoring) = (at(15007), at(15010), at(9093));
    let process = Command::new(pilothouse())
        .arg("discovery")
        .args(["--httpAddr", &http.to_string()])
        .args(["--grpcAddr", &grpc.to_string()])
        .args(["--monitoringAddr", &monitoring.to_string()])
        .args(["--registries", "Mesos", "--domain", DOMAIN])
        .args(["--mesosVIPDomain", DOMAIN])
        .args(["--mesosMaster", &marathon.url()])
        .arg("--configDir")
        .arg(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    eventually(&format!("{http} is ready"), async || {
        let answer = client.get(format!("http://{http}/ready")).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    (process, grpc)
}

/// What the Envoy of a task says about itself.
pub(crate) fn node(role: Role, task: &TaskView, block: &Block) -> Node {
    let Some(std::net::IpAddr::V4(container)) = task.container_ip else {
        panic!("{task:?}");
    };
    let bootstrap = Bootstrap {
        certificates: None,
        role,
        address: container,
        interception: Interception::Addresses(TaskAddresses::of(container).unwrap()),
        instance_id: task.instance_id.clone(),
        task_id: task.id.clone(),
        app_id: task.run_spec_id.clone(),
        cluster: "test".into(),
        agent: block.agent(1),
        domain: DOMAIN.into(),
        discovery: vec![(block.master(), 15010).into()],
        ads: AdsMode::Delta,
    };
    let metadata = bootstrap.document()["node"]["metadata"].clone();
    let texts = metadata.as_object().unwrap().iter().map(|(key, value)| {
        let kind = Some(Kind::StringValue(value.as_str().unwrap().into()));
        (key.clone(), Value { kind })
    });
    Node {
        id: bootstrap.node_id(),
        metadata: Some(Struct {
            fields: texts.collect(),
        }),
        ..Default::default()
    }
}

/// All that a control plane has for a node, asked for as an Envoy asks.
pub(crate) async fn everything(at: SocketAddr, node: Node) -> Versions {
    let mut stream = Stream::open(at, node).await;
    let clusters = stream.ask(CLUSTER, &BTreeSet::new()).await;
    let clusters = clusters.iter().map(decode::<Cluster>);
    let names = clusters.filter_map(|cluster| {
        let service = cluster.eds_cluster_config?.service_name;
        Some(if service.is_empty() {
            cluster.name
        } else {
            service
        })
    });
    stream.ask(ENDPOINT, &names.collect()).await;
    let listeners = stream.ask(LISTENER, &BTreeSet::new()).await;
    let names = listeners.iter().flat_map(|any| routes_of(decode(any)));
    stream.ask(ROUTE, &names.collect()).await;
    stream.versions
}

/// The names of the routes that a listener asks for.
fn routes_of(listener: Listener) -> Vec<String> {
    let chains = listener.filter_chains.into_iter();
    let all = chains.chain(listener.default_filter_chain);
    let filters = all.flat_map(|chain| chain.filters);
    let routes = filters.filter_map(|filter| {
        let Some(ConfigType::TypedConfig(any)) = filter.config_type else {
            return None;
        };
        if !any.type_url.ends_with(".HttpConnectionManager") {
            return None;
        }
        match decode::<hcm::HttpConnectionManager>(&any).route_specifier? {
            hcm::http_connection_manager::RouteSpecifier::Rds(rds) => Some(rds.route_config_name),
            _ => None,
        }
    });
    routes.collect()
}

fn decode<M: Message + Default>(any: &Any) -> M {
    M::decode(&*any.value).unwrap()
}

/// A delta stream that acknowledges everything and notes the versions.
struct Stream {
    requests: mpsc::UnboundedSender<discovery::DeltaDiscoveryRequest>,
    responses: tonic::Streaming<discovery::DeltaDiscoveryResponse>,
    versions: Versions,
}

impl Stream {
    async fn open(at: SocketAddr, node: Node) -> Self {
        let (requests, sent) = mpsc::unbounded();
        let first = discovery::DeltaDiscoveryRequest {
            node: Some(node),
            type_url: CLUSTER.into(),
            ..Default::default()
        };
        requests.unbounded_send(first).unwrap();
        let opened = async {
            let url = format!("http://{at}");
            let mut client = AggregatedDiscoveryServiceClient::connect(url)
                .await
                .unwrap()
                .max_decoding_message_size(64 << 20);
            client.delta_aggregated_resources(sent).await.unwrap()
        };
        let responses = timeout(PATIENCE, opened).await.expect("opens in time");
        Self {
            requests,
            responses: responses.into_inner(),
            versions: Versions::new(),
        }
    }

    /// Subscribes to these names (to all for none) and waits until there is an answer to each.
    async fn ask(&mut self, kind: &str, names: &BTreeSet<String>) -> Vec<Any> {
        // The first request of the stream has asked for clusters.
        if kind != CLUSTER {
            let request = discovery::DeltaDiscoveryRequest {
                type_url: kind.into(),
                resource_names_subscribe: names.iter().cloned().collect(),
                ..Default::default()
            };
            self.requests.unbounded_send(request).unwrap();
        }
        let (mut missing, mut found, mut answered) = (names.clone(), Vec::new(), false);
        while !answered || !missing.is_empty() {
            let next = timeout(PATIENCE, self.responses.message()).await;
            let next = next.unwrap_or_else(|_| panic!("{kind}: no answer for {missing:?}"));
            let response = next.unwrap().expect("the stream stays open");
            self.acknowledge(&response);
            let gone = &response.removed_resources;
            assert!(gone.is_empty(), "{kind}: offered, but not there: {gone:?}");
            let asked = response.type_url == kind;
            answered |= asked;
            for resource in response.resources {
                missing.remove(&resource.name);
                let key = (response.type_url.clone(), resource.name);
                self.versions.insert(key, resource.version);
                found.extend(resource.resource.filter(|_| asked));
            }
        }
        found
    }

    fn acknowledge(&self, response: &discovery::DeltaDiscoveryResponse) {
        let ack = discovery::DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            ..Default::default()
        };
        self.requests.unbounded_send(ack).unwrap();
    }
}
