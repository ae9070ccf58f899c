//! Random traffic policies.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use model::locality::*;
use model::tls::{ClientTls, MeshTls, OriginTls};
use model::traffic_policy::*;
use model::{Locality, LocalityBalance};
use proptest::prelude::*;
use proptest::sample::select;

/// Mostly none, as in real meshes.
pub(super) fn policies() -> impl Strategy<Value = Policies> {
    let port = (select(&[80u16, 443, 6379, 9080][..]), block());
    let by_port = prop::collection::btree_map(select(&[80u16, 443, 6379, 9080][..]), block(), 0..2);
    let tunnelled = prop::option::weighted(0.2, tunnel());
    let all = (
        block(),
        prop::option::weighted(0.1, proxy_protocol()),
        tunnelled,
    );
    prop_oneof![
        2 => Just(Policies::default()),
        2 => (all, by_port).prop_map(|((port, proxy_protocol, tunnel), by_port)| Policies {
            all: TrafficPolicy { port, proxy_protocol, tunnel, ..TrafficPolicy::default() },
            by_port,
        }),
        1 => port.prop_map(|(port, block)| Policies {
            by_port: [(port, block)].into(),
            ..Policies::default()
        }),
    ]
}

fn block() -> impl Strategy<Value = PortPolicy> {
    (
        prop::option::weighted(0.4, balancer()),
        prop::option::weighted(0.3, pool()),
        prop::option::weighted(0.3, outlier()),
        prop::option::weighted(0.2, select(tls())),
    )
        .prop_map(|(balancer, pool, outlier, tls)| PortPolicy {
            load_balancer: balancer.map(Arc::new),
            connection_pool: pool.map(Arc::new),
            outlier_detection: outlier.map(Arc::new),
            tls: tls.map(Arc::new),
        })
}

fn balancer() -> impl Strategy<Value = LoadBalancer> {
    let hash = |key, table| Algorithm::ConsistentHash { key, table };
    let algorithms = vec![
        None,
        Some(Algorithm::RoundRobin),
        Some(Algorithm::Random),
        Some(Algorithm::Passthrough),
        Some(hash(HashKey::SourceIp, HashTable::Maglev { size: None })),
        Some(hash(
            HashKey::Header("x-user".to_owned()),
            HashTable::Ring {
                minimum: Some(1024),
            },
        )),
        // One that Envoy would refuse.
        Some(hash(HashKey::SourceIp, HashTable::Maglev { size: Some(4) })),
    ];
    let localities = prop::option::weighted(0.5, select(localities()));
    (select(algorithms), localities).prop_map(|(algorithm, locality)| LoadBalancer {
        algorithm,
        locality,
        ..LoadBalancer::default()
    })
}

pub(super) fn localities() -> Vec<LocalityBalance> {
    let part = |text: &str| Place::parse(text).unwrap();
    let label = |label: &str, value: Option<&str>| Preference {
        label: label.to_owned(),
        value: value.map(str::to_owned),
    };
    vec![
        LocalityBalance::Off,
        LocalityBalance::Failover(vec![Failover {
            from: "eu".into(),
            to: "us".into(),
        }]),
        LocalityBalance::Distribute(vec![Distribution {
            from: part("eu/*"),
            to: vec![(part("eu"), 70), (part("us"), 30)],
        }]),
        LocalityBalance::Priority(vec![label("version", None)]),
        LocalityBalance::Priority(vec![
            label(ZONE_LABELS[0], None),
            label("version", Some("v1")),
        ]),
    ]
}

/// Nowhere, or one of three places.
pub(super) fn place(at: usize) -> Locality {
    let (region, zone) = [("", ""), ("eu", "eu-1"), ("eu", "eu-2"), ("us", "us-1")][at];
    Locality {
        region: region.into(),
        zone: zone.into(),
        ..Locality::default()
    }
}

pub(super) fn locality() -> impl Strategy<Value = Locality> {
    (0..4usize).prop_map(place)
}

fn tls() -> Vec<ClientTls> {
    vec![
        ClientTls::Disable,
        ClientTls::Mesh(MeshTls::default()),
        ClientTls::Origin(OriginTls::default()),
    ]
}

fn pool() -> impl Strategy<Value = ConnectionPool> {
    let upstream = select(&[Upstream::Declared, Upstream::Upgrade, Upstream::OfCaller][..]);
    let seconds = || prop::option::weighted(0.5, (1..3u64).prop_map(Duration::from_secs));
    let all = (1..3u32, upstream, seconds(), seconds());
    all.prop_map(|(limit, upstream, idle, lifetime)| ConnectionPool {
        max_connections: NonZeroU32::new(limit),
        upstream,
        tcp_idle_timeout: idle,
        max_connection_duration: lifetime,
        ..ConnectionPool::default()
    })
}

fn outlier() -> impl Strategy<Value = OutlierDetection> {
    (1..3u64).prop_map(|seconds| OutlierDetection {
        interval: Some(Duration::from_secs(seconds)),
        ..OutlierDetection::default()
    })
}

fn tunnel() -> impl Strategy<Value = Arc<Tunnel>> {
    any::<bool>().prop_map(|post| {
        Arc::new(Tunnel {
            post,
            host: "far.example.com".to_owned(),
            port: NonZeroU16::new(443).unwrap(),
        })
    })
}

fn proxy_protocol() -> impl Strategy<Value = ProxyProtocol> {
    select(&[ProxyProtocol::V1, ProxyProtocol::V2][..])
}
