//! Traffic policies in clusters and endpoints.

use model::traffic_policy::*;
use model::*;
use serde_json::{Value, json};

use crate::Kind;
use crate::fixtures::policies::*;
use crate::fixtures::*;

const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

fn cluster_on(port: u16, protocol: &str, policy: TrafficPolicy) -> Value {
    let draft = Draft::default().service("db", &[(port, protocol)]);
    let draft = with_policy(draft, "db", policy);
    let rendered = render(&draft.world(), &sidecar("web", &[]));
    assert_eq!(rendered.codes(), [""; 0]);
    let name = format!("outbound|{port}||db.marathon.slave.mesos");
    rendered.get(Kind::Cluster, &name).clone()
}

fn cluster(policy: TrafficPolicy) -> Value {
    cluster_on(9080, "http", policy)
}

#[test]
fn load_balancers() {
    for (algorithm, policy) in [
        (Algorithm::RoundRobin, "ROUND_ROBIN"),
        (Algorithm::LeastRequest, "LEAST_REQUEST"),
        (Algorithm::Random, "RANDOM"),
    ] {
        let cluster = cluster(by(algorithm));
        // ROUND_ROBIN is the first, and not shown.
        let shown = cluster
            .get("lb_policy")
            .map_or("ROUND_ROBIN", |v| v.as_str().unwrap());
        assert_eq!(shown, policy);
        assert_eq!(cluster["type"], "EDS");
    }
}

#[test]
fn passthrough_goes_where_the_caller_addressed_it() {
    let draft = Draft::default().service("db", &[(9080, "http")]);
    let draft = with_policy(draft, "db", by(Algorithm::Passthrough));
    let rendered = render(&draft.world(), &sidecar("web", &[]));
    let name = "outbound|9080||db.marathon.slave.mesos";
    let cluster = rendered.get(Kind::Cluster, name);
    assert_eq!(cluster["type"], "ORIGINAL_DST");
    assert_eq!(cluster["lb_policy"], "CLUSTER_PROVIDED");
    assert!(cluster.get("eds_cluster_config").is_none());
    assert!(!rendered.has(Kind::Endpoint, name));
}

#[test]
fn hashes_are_told_by_the_cluster() {
    let attributes = json!([{"name": "SameSite", "value": "Strict"}]);
    for (key, expected) in [
        (
            HashKey::Header("x-user".into()),
            json!({"header": {"header_name": "x-user"}}),
        ),
        (
            HashKey::SourceIp,
            json!({"connection_properties": {"source_ip": true}}),
        ),
        (
            HashKey::QueryParameter("q".into()),
            json!({"query_parameter": {"name": "q"}}),
        ),
        (
            cookie("user", Some(60)),
            json!({"cookie": {"name": "user", "ttl": "60s", "path": "/",
                "attributes": attributes}}),
        ),
    ] {
        let cluster = cluster(hash(key));
        assert_eq!(cluster["lb_policy"], "RING_HASH");
        assert_eq!(
            cluster["ring_hash_lb_config"],
            json!({"minimum_ring_size": "1024"})
        );
        let options = &cluster["typed_extension_protocol_options"][OPTIONS];
        assert_eq!(options["hash_policy"], json!([expected]));
        assert!(options["explicit_http_config"]["http_protocol_options"].is_object());
    }
    let maglev = HashTable::Maglev { size: Some(65_537) };
    let key = HashKey::SourceIp;
    let cluster = cluster(by(Algorithm::ConsistentHash { key, table: maglev }));
    assert_eq!(cluster["lb_policy"], "MAGLEV");
    assert_eq!(cluster["maglev_lb_config"], json!({"table_size": "65537"}));
}

#[test]
fn new_endpoints_warm_up() {
    let expected = json!({"slow_start_config": {
        "slow_start_window": "300s",
        "aggression": {"default_value": 1.5, "runtime_key": "upstream.warmup.aggression"},
        "min_weight_percent": {"value": 5.0},
    }});
    let robin = cluster(warm(Algorithm::RoundRobin));
    assert_eq!(robin["round_robin_lb_config"], expected);
    let least = cluster(warm(Algorithm::LeastRequest));
    assert_eq!(least["least_request_lb_config"], expected);
}

#[test]
fn pools_limit_connections_and_requests() {
    let cluster = cluster(pooled(full_pool(Upstream::Declared)));
    assert_eq!(cluster["connect_timeout"], "0.030s");
    assert_eq!(
        cluster["circuit_breakers"]["thresholds"],
        json!([{"max_connections": 100, "max_pending_requests": 1, "max_requests": 2,
            "max_retries": 4, "track_remaining": true}])
    );
    assert_eq!(
        cluster["upstream_connection_options"]["tcp_keepalive"],
        json!({"keepalive_probes": 3, "keepalive_time": 7200, "keepalive_interval": 75})
    );
    assert_eq!(
        cluster["typed_extension_protocol_options"][OPTIONS]["common_http_protocol_options"],
        json!({"idle_timeout": "360s", "max_connection_duration": "3600s",
            "max_requests_per_connection": 3})
    );
}

#[test]
fn the_version_towards_endpoints() {
    let http2 = json!({"max_concurrent_streams": 5,
        "connection_keepalive": {"interval": "15s", "timeout": "5s"}});
    let options = |port, protocol, upstream| {
        let cluster = cluster_on(port, protocol, pooled(full_pool(upstream)));
        cluster["typed_extension_protocol_options"]
            .get(OPTIONS)
            .cloned()
    };
    let explicit = |options: Option<Value>| options.unwrap()["explicit_http_config"].clone();
    let upgraded = json!({"http2_protocol_options": http2});
    assert_eq!(explicit(options(80, "http", Upstream::Upgrade)), upgraded);
    assert_eq!(explicit(options(80, "grpc", Upstream::Declared)), upgraded);
    let plain = json!({"http_protocol_options": {}});
    assert_eq!(explicit(options(80, "http", Upstream::Declared)), plain);
    let own = options(80, "http", Upstream::OfCaller).unwrap();
    assert_eq!(
        own["use_downstream_protocol_config"]["http2_protocol_options"],
        http2
    );
    assert_eq!(options(80, "tcp", Upstream::Upgrade), None);
}

#[test]
fn outliers_are_ejected_for_errors_alone() {
    let detecting = |outlier| {
        blocks(PortPolicy {
            outlier_detection: Some(std::sync::Arc::new(outlier)),
            ..PortPolicy::default()
        })
    };
    let full = cluster(detecting(outlier()));
    assert_eq!(
        full["outlier_detection"],
        json!({
            "enforcing_consecutive_5xx": 0,
            "consecutive_gateway_failure": 7, "enforcing_consecutive_gateway_failure": 100,
            "split_external_local_origin_errors": true,
            "consecutive_local_origin_failure": 3,
            "enforcing_consecutive_local_origin_failure": 100,
            "enforcing_local_origin_success_rate": 0,
            "enforcing_success_rate": 0,
            "interval": "10s", "base_ejection_time": "180s", "max_ejection_percent": 50,
        })
    );
    assert_eq!(
        full["common_lb_config"]["healthy_panic_threshold"],
        json!({"value": 20.0})
    );
    let bare = cluster(detecting(OutlierDetection::default()));
    assert_eq!(
        bare["outlier_detection"],
        json!({"enforcing_success_rate": 0})
    );
    // The threshold of zero is there, for Envoy's own is half.
    assert!(
        bare["common_lb_config"]
            .get("healthy_panic_threshold")
            .is_some()
    );
}

#[test]
fn the_header_that_tells_who_calls_goes_around_the_connection() {
    let cluster = cluster(TrafficPolicy {
        proxy_protocol: Some(ProxyProtocol::V2),
        ..TrafficPolicy::default()
    });
    let socket = &cluster["transport_socket"];
    assert_eq!(
        socket["name"],
        "envoy.transport_sockets.upstream_proxy_protocol"
    );
    let config = &socket["typed_config"];
    assert_eq!(config["config"]["version"], "V2");
    let inner = &config["transport_socket"]["name"];
    assert_eq!(inner, "envoy.transport_sockets.raw_buffer");
}

#[test]
fn a_policy_that_envoy_would_refuse_names_its_rule() {
    let table = HashTable::Maglev { size: Some(4) };
    let key = HashKey::SourceIp;
    let draft = Draft::default()
        .service("db", &[(80, "http")])
        .service("ok", &[(80, "http")]);
    let draft = with_policy(draft, "db", by(Algorithm::ConsistentHash { key, table }));
    let rendered = render(&draft.world(), &sidecar("web", &[]));
    assert!(!rendered.has(Kind::Cluster, "outbound|80||db.marathon.slave.mesos"));
    assert!(rendered.has(Kind::Cluster, "outbound|80||ok.marathon.slave.mesos"));
    assert_eq!(rendered.codes(), ["PH0407"]);
    assert_eq!(
        &*rendered.diagnostics[0].object.as_ref().unwrap().name,
        "db"
    );
}

fn place(region: &str, zone: &str) -> Locality {
    Locality {
        region: region.into(),
        zone: zone.into(),
        ..Locality::default()
    }
}

/// For each group of endpoints its zone, priority and weight, as a caller in `eu/eu-1` sees them.
fn seen(policy: TrafficPolicy) -> Vec<(String, u64, u64)> {
    let mut draft = Draft::default().service("db", &[(80, "http")]);
    let places = [
        ("eu", "eu-1"),
        ("eu", "eu-2"),
        ("us", "us-1"),
        ("ap", "ap-1"),
    ];
    for (n, (region, zone)) in places.into_iter().enumerate() {
        let reach = Reach::everywhere(at(&format!("10.0.0.{n}:80")));
        let tier = Labels::from_iter([("tier", if n == 2 { "gold" } else { "iron" })]);
        draft = draft.endpoint_with("db", 80, tier, reach, |endpoint| {
            endpoint.locality = place(region, zone);
        });
    }
    let mut proxy = sidecar("web", &[]);
    let instance = proxy.instance.as_deref().cloned().unwrap();
    proxy.instance = Some(std::sync::Arc::new(Instance {
        locality: place("eu", "eu-1"),
        ..instance
    }));
    let rendered = render(&with_policy(draft, "db", policy).world(), &proxy);
    let assignment = rendered.get(Kind::Endpoint, "outbound|80||db.marathon.slave.mesos");
    let groups = assignment["endpoints"].as_array().unwrap().iter();
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    groups
        .map(|group| {
            let zone = group["locality"]["zone"].as_str().unwrap().to_owned();
            let weight = number(&group["load_balancing_weight"]);
            (zone, number(&group["priority"]), weight)
        })
        .collect()
}

fn located(locality: Option<LocalityBalance>, detects: bool) -> TrafficPolicy {
    let mut policy = balanced(LoadBalancer {
        locality,
        ..LoadBalancer::default()
    });
    policy.port.outlier_detection = detects.then(|| std::sync::Arc::new(outlier()));
    policy
}

#[track_caller]
fn assert_seen(policy: TrafficPolicy, expected: &[(&str, u64, u64)]) {
    let seen = seen(policy);
    let seen: Vec<_> = seen
        .iter()
        .map(|(zone, p, w)| (zone.as_str(), *p, *w))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn with_outlier_detection_the_nearest_comes_first() {
    let expected = [
        ("eu-1", 0, 1),
        ("eu-2", 1, 1),
        ("ap-1", 2, 1),
        ("us-1", 2, 1),
    ];
    assert_seen(located(None, true), &expected);
    let failover = vec![model::locality::Failover {
        from: "eu".into(),
        to: "us".into(),
    }];
    let expected = [
        ("eu-1", 0, 1),
        ("eu-2", 1, 1),
        ("us-1", 2, 1),
        ("ap-1", 3, 1),
    ];
    assert_seen(
        located(Some(LocalityBalance::Failover(failover)), true),
        &expected,
    );
}

#[test]
fn without_outlier_detection_or_switched_off_all_are_equal() {
    let expected = [
        ("ap-1", 0, 1),
        ("eu-1", 0, 1),
        ("eu-2", 0, 1),
        ("us-1", 0, 1),
    ];
    assert_seen(located(None, false), &expected);
    assert_seen(located(Some(LocalityBalance::Off), true), &expected);
}

#[test]
fn shares_go_to_the_places_that_are_named() {
    let to = distribute("eu/*", &[("eu/eu-1", 80), ("us", 20)]);
    assert_seen(
        located(Some(to), false),
        &[("eu-1", 0, 80), ("us-1", 0, 20)],
    );
    let elsewhere = distribute("us/*", &[("us", 100)]);
    let expected = [
        ("ap-1", 0, 1),
        ("eu-1", 0, 1),
        ("eu-2", 0, 1),
        ("us-1", 0, 1),
    ];
    assert_seen(located(Some(elsewhere), false), &expected);
}

#[test]
fn labels_that_agree_come_first() {
    let prefer = |label: &str, value: Option<&str>| model::locality::Preference {
        label: label.to_owned(),
        value: value.map(str::to_owned),
    };
    let region = prefer("topology.kubernetes.io/region", None);
    let gold = prefer("tier", Some("gold"));
    // The first label that does not agree decides, whatever comes after it.
    let expected = [
        ("us-1", 0, 1),
        ("ap-1", 1, 1),
        ("eu-1", 1, 1),
        ("eu-2", 1, 1),
    ];
    let balance = LocalityBalance::Priority(vec![gold, region]);
    assert_seen(located(Some(balance), true), &expected);
}
