//! The server over real HTTP/2 on loopback, with the generated client of Envoy's services.

mod harness;
mod protection;

use std::sync::atomic::Ordering;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::discovery::v3 as discovery;
use envoy_types::pb::google::rpc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use self::discovery::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use self::harness::{Running, Sotw, eventually, node, within};
use super::*;
use crate::kind::Kind;
use crate::message::Mode;

#[tokio::test]
async fn sotw_over_loopback() {
    let running = Running::new(Limits::default(), None).await;
    let mut client = Sotw::open(&running).await;
    let first = discovery::DiscoveryRequest {
        node: node(),
        ..Default::default()
    };
    client.send(Kind::Cluster, first).await;
    eventually("connected", || running.connections.len() == 1).await;
    running.publish(1, &[(Kind::Cluster, "a", "1"), (Kind::Endpoint, "a", "1")]);
    let clusters = client.next().await.expect("open").expect("a response");
    assert_eq!(clusters.resources[0].value, b"1");
    assert_eq!(clusters.resources[0].type_url, Kind::Cluster.type_url());
    assert_eq!(
        clusters.control_plane.clone().expect("named").identifier,
        "test"
    );
    let ack = discovery::DiscoveryRequest {
        version_info: clusters.version_info.clone(),
        response_nonce: clusters.nonce.clone(),
        ..Default::default()
    };
    client.send(Kind::Cluster, ack).await;
    let names = discovery::DiscoveryRequest {
        resource_names: vec!["a".into()],
        ..Default::default()
    };
    client.send(Kind::Endpoint, names.clone()).await;
    let endpoints = client.next().await.expect("open").expect("a response");
    assert_eq!(
        (&*endpoints.type_url, endpoints.resources.len()),
        (Kind::Endpoint.type_url(), 1)
    );
    assert_eq!(endpoints.control_plane, None);
    let nack = discovery::DiscoveryRequest {
        response_nonce: endpoints.nonce,
        error_detail: Some(rpc::Status {
            message: "bad".into(),
            ..Default::default()
        }),
        ..names
    };
    client.send(Kind::Endpoint, nack).await;
    let rejects = || running.connections.totals().rejects[Kind::Endpoint.index()];
    eventually("rejected", || rejects() == 1).await;
    let live = running.connections.list().remove(0);
    assert_eq!(
        (&*live.node.id, live.status.mode),
        ("sidecar~1", Mode::Sotw)
    );
    let nack = live.status.kinds[&Kind::Endpoint]
        .nack
        .clone()
        .expect("visible");
    assert_eq!(
        (&*nack.message, &nack.names[..]),
        ("bad", &["a".to_string()][..])
    );
    drop(client);
    eventually("forgotten", || running.connections.is_empty()).await;
    eventually("guard dropped", || {
        running.publisher.served.load(Ordering::SeqCst) == 0
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn delta_over_loopback_and_a_clean_end() {
    let running = Running::new(Limits::default(), None).await;
    let large = "x".repeat(300_000);
    running.publish(
        1,
        &[(Kind::Cluster, "a", "1"), (Kind::Cluster, "b", &large)],
    );
    let (requests, stream) = mpsc::channel(16);
    let mut client = running.client().await;
    let opened = within(client.delta_aggregated_resources(ReceiverStream::new(stream))).await;
    let mut responses = opened.expect("opens").into_inner();
    let type_url = Kind::Cluster.type_url().to_string();
    let request = discovery::DeltaDiscoveryRequest {
        type_url,
        ..Default::default()
    };
    let first = discovery::DeltaDiscoveryRequest {
        node: node(),
        ..request.clone()
    };
    requests.send(first).await.expect("open");
    let all = within(responses.message())
        .await
        .expect("open")
        .expect("a response");
    let sizes: Vec<_> = all
        .resources
        .iter()
        .map(|r| (&*r.name, r.version.len()))
        .collect();
    assert_eq!(sizes, [("a", 32), ("b", 32)]);
    assert_eq!(
        all.resources[1].resource.clone().expect("a body").value,
        large.as_bytes()
    );
    let ack = discovery::DeltaDiscoveryRequest {
        response_nonce: all.nonce,
        ..request
    };
    requests.send(ack).await.expect("open");
    let acks = || running.connections.totals().acks[Kind::Cluster.index()];
    eventually("acknowledged", || acks() == 1).await;
    running.publish(2, &[(Kind::Cluster, "b", &large)]);
    let removal = within(responses.message())
        .await
        .expect("open")
        .expect("a response");
    assert_eq!(
        (removal.removed_resources, removal.resources),
        (vec!["a".to_string()], vec![])
    );
    let end = async { within(responses.message()).await };
    let (end, ()) = tokio::join!(end, running.stop());
    assert_eq!(end.expect("status OK"), None);
}

#[tokio::test]
async fn t08_a_stream_without_a_node_is_refused() {
    let running = Running::new(Limits::default(), None).await;
    let mut client = Sotw::open(&running).await;
    client
        .send(Kind::Cluster, discovery::DiscoveryRequest::default())
        .await;
    let status = client.next().await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("node.id"), "{status:?}");
    assert_eq!(running.connections.totals().refused, 1);
}

#[tokio::test]
async fn f06_a_server_that_is_not_ready_refuses_streams() {
    let not_ready = Refusal::NotReady("waiting for Marathon".into());
    let running = Running::new(Limits::default(), Some(not_ready)).await;
    let mut client = Sotw::open(&running).await;
    let first = discovery::DiscoveryRequest {
        node: node(),
        ..Default::default()
    };
    client.send(Kind::Cluster, first).await;
    let status = client.next().await.expect_err("refused");
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "not ready: waiting for Marathon");
}

#[tokio::test]
async fn f06_streams_beyond_the_limit_are_refused_and_places_come_back() {
    let running = Running::new(
        Limits {
            max_streams: 1,
            ..Limits::default()
        },
        None,
    )
    .await;
    let first = Sotw::open(&running).await;
    let mut second = Sotw::open(&running).await;
    let status = second.next().await.expect_err("refused");
    assert_eq!(status.code(), Code::ResourceExhausted);
    drop(first);
    eventually("a place is free", || running.connections.totals().open == 0).await;
    let _third = Sotw::open(&running).await;
    eventually("taken", || running.connections.totals().open == 1).await;
}

#[tokio::test]
async fn a_silent_stream_is_closed() {
    let limits = Limits {
        first_request: Duration::from_millis(20),
        ..Limits::default()
    };
    let running = Running::new(limits, None).await;
    let mut client = Sotw::open(&running).await;
    let status = client.next().await.expect_err("closed");
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn f08_requests_up_to_the_limit_are_read_and_larger_ones_end_the_stream() {
    let running = Running::new(Limits::default(), None).await;
    running.publish(1, &[]);
    for (bytes, accepted) in [(6 << 20, true), (17 << 20, false)] {
        let mut client = Sotw::open(&running).await;
        let first = discovery::DiscoveryRequest {
            node: node(),
            resource_names: vec!["n".repeat(bytes)],
            ..Default::default()
        };
        client.send(Kind::Cluster, first).await;
        assert_eq!(client.next().await.is_ok(), accepted, "{bytes} bytes");
    }
}

#[tokio::test]
async fn f03_a_client_that_does_not_read_holds_back_nobody_and_jumps_to_the_latest() {
    let running = Running::new(Limits::default(), None).await;
    let first = || discovery::DiscoveryRequest {
        node: node(),
        ..Default::default()
    };
    let mut slow = Sotw::open(&running).await;
    let mut quick = Sotw::open(&running).await;
    slow.send(Kind::Cluster, first()).await;
    quick.send(Kind::Cluster, first()).await;
    let version = |n: u64| format!("{n}{}", "x".repeat(500_000));
    for n in 0..20 {
        running.publish(n, &[(Kind::Cluster, "a", &version(n))]);
        let got = quick.next().await.expect("open").expect("a response");
        assert_eq!(got.resources[0].value, version(n).as_bytes());
        let ack = discovery::DiscoveryRequest {
            response_nonce: got.nonce,
            ..Default::default()
        };
        quick.send(Kind::Cluster, ack).await;
    }
    let pushed = running.connections.totals().pushes[Kind::Cluster.index()];
    assert!(
        pushed <= 20 + 3,
        "{pushed} pushes: the slow client got a queue"
    );
    let mut seen = 0;
    while let Some(got) = slow.next().await.expect("open") {
        seen += 1;
        if got.resources[0].value == version(19).as_bytes() {
            break;
        }
        let ack = discovery::DiscoveryRequest {
            response_nonce: got.nonce,
            ..Default::default()
        };
        slow.send(Kind::Cluster, ack).await;
    }
    assert!(seen <= 3, "{seen} responses to get to the latest");
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    use envoy_types::pb::envoy::service::runtime::v3::runtime_discovery_service_client::RuntimeDiscoveryServiceClient;
    let running = Running::new(Limits::default(), None).await;
    let address = format!("http://{}", running.address);
    let mut client = RuntimeDiscoveryServiceClient::connect(address)
        .await
        .expect("connects");
    let requests = tokio_stream::pending::<discovery::DiscoveryRequest>();
    let opened = within(client.stream_runtime(requests)).await;
    let status = match opened {
        Ok(opened) => within(opened.into_inner().message())
            .await
            .expect_err("refused"),
        Err(status) => status,
    };
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn t02_a_per_type_stream_implies_its_type() {
    use envoy_types::pb::envoy::service::cluster::v3::cluster_discovery_service_client::ClusterDiscoveryServiceClient;
    let running = Running::new(Limits::default(), None).await;
    running.publish(1, &[(Kind::Cluster, "a", "1")]);
    let address = format!("http://{}", running.address);
    let mut client = ClusterDiscoveryServiceClient::connect(address)
        .await
        .expect("connects");
    let first = discovery::DeltaDiscoveryRequest {
        node: node(),
        ..Default::default()
    };
    let (requests, stream) = mpsc::channel(1);
    requests.send(first).await.expect("open");
    let opened = within(client.delta_clusters(ReceiverStream::new(stream)))
        .await
        .expect("opens");
    let got = within(opened.into_inner().message())
        .await
        .expect("open")
        .expect("a response");
    assert_eq!(
        (&*got.type_url, got.resources.len()),
        (Kind::Cluster.type_url(), 1)
    );
}
