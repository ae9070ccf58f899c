//! One real Envoy with listeners written by hand: the addresses and the Host header hold before
//! any control plane has its say.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{DOMAIN, PATIENT};
use crate::bookinfo::wire::Page;
use crate::bookinfo::{App, PORT, ReviewsVersion, Running, Service, Upstream};
use crate::bootstrap::tests::sample;
use crate::envoy::Launch;
use crate::{AdsMode, Binary, Block, EnvoyProcess, PortMap, Role, TaskAddresses};

#[tokio::test]
async fn a_request_passes_host_port_inbound_application_and_outbound() {
    let (block, dir) = (Block::claim().unwrap(), tempfile::tempdir().unwrap());
    let page = TaskAddresses::of(block.container(1, 0)).unwrap();
    let reviews = TaskAddresses::of(block.container(2, 0)).unwrap();

    let through = Upstream::via_sidecar(DOMAIN, page.outbound.into()).unwrap();
    let alone = Upstream::direct(DOMAIN, [].into()).unwrap();
    let _apps = [
        start(Service::Productpage, through, page).await,
        start(Service::Reviews(ReviewsVersion::V1), alone, reviews).await,
    ];
    let mut envoy = EnvoyProcess::spawn(Launch {
        name: "productpage".into(),
        binary: Binary::find().unwrap(),
        bootstrap: by_hand(&block, page, reviews),
        admin: sample(&block, Role::Sidecar, AdsMode::Delta).admin(),
        dir: dir.path().to_path_buf(),
        log_level: "warning".into(),
    })
    .await
    .unwrap();
    envoy.ready(Duration::from_secs(20)).await.unwrap();
    let container = (page.container, PORT).into();
    let host_port = (block.agent(1), 31_000).into();
    let map = PortMap::start(host_port, container).await.unwrap();

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/productpage?format=json", map.listen());
    let shown: Page = client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(shown.reviews_version(), Some("v1"));
    // Only the exact host with its port has a route, so details found none: a 404 of Envoy.
    assert!(shown.details.shown().is_none());
    let admin = envoy.admin();
    for direction in ["inbound", "outbound"] {
        let requests = admin
            .stat(&format!("http.{direction}.downstream_rq_2xx"))
            .await;
        assert_eq!(requests.unwrap(), Some(1), "{direction}");
    }
    let refused = admin.stat("http.outbound.downstream_rq_4xx").await.unwrap();
    assert_eq!(refused, Some(1));
}

async fn start(service: Service, upstream: Upstream, at: TaskAddresses) -> Running {
    let instance = format!("{}-{}", service.name(), service.version());
    let app = App {
        service,
        instance,
        upstream,
        timeouts: PATIENT,
    };
    app.start((at.app, PORT).into()).await.unwrap()
}

/// The bootstrap of the productpage's Envoy with what the control plane would serve.
fn by_hand(block: &Block, page: TaskAddresses, reviews: TaskAddresses) -> Value {
    let mut document = sample(block, Role::Sidecar, AdsMode::Delta).document();
    document
        .as_object_mut()
        .unwrap()
        .remove("dynamic_resources");
    document["static_resources"] = json!({
        "clusters": [cluster("page", page.app.into()), cluster("reviews", reviews.app.into())],
        "listeners": [
            listener("inbound", page.container.into(), "*", "page"),
            listener("outbound", page.outbound.into(), &format!("reviews.{DOMAIN}:{PORT}"), "reviews"),
        ],
    });
    document
}

fn cluster(name: &str, at: IpAddr) -> Value {
    json!({ "name": name, "type": "STATIC", "load_assignment": {
        "cluster_name": name,
        "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(at) } }] }],
    }})
}

fn listener(name: &str, at: IpAddr, host: &str, cluster: &str) -> Value {
    const HCM: &str =
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";
    let manager = json!({
        "@type": format!("type.googleapis.com/{HCM}"),
        "stat_prefix": name,
        "route_config": { "virtual_hosts": [{
            "name": name,
            "domains": [host],
            "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": cluster } }],
        }]},
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": format!("type.googleapis.com/{ROUTER}") },
        }],
    });
    let filter = json!({ "name": "http", "typed_config": manager });
    json!({ "name": name, "address": address(at), "filter_chains": [{ "filters": [filter] }] })
}

fn address(at: IpAddr) -> Value {
    json!({ "socket_address": { "address": at.to_string(), "port_value": PORT } })
}
