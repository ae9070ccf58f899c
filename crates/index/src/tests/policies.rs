//! Traffic policies: what is read, what is refused, and what merging makes of them.

mod rules;

use model::traffic_policy::*;
use model::{LocalityBalance, World};
use serde_json::{Value, json};

use super::fixtures::*;

fn rule(name: &str, policy: Value) -> api::istio::Object {
    let spec = json!({"host": "reviews", "trafficPolicy": policy});
    object("DestinationRule", name, spec)
}

fn with(policy: Value) -> World {
    world_of(vec![reviews(1)], vec![rule("r", policy)])
}

/// The policy of a rule that must be in force, without anything to say about it.
#[track_caller]
fn policy(policy: Value) -> PortPolicy {
    let world = with(policy);
    // That nobody ends the TLS of a rule is told elsewhere.
    let mut told = codes(&world);
    told.retain(|found| *found != crate::codes::PLAINTEXT_SERVERS);
    assert_eq!(told, [""; 0], "{:#?}", world.diagnostics);
    world.destination_rules[0].policies.all.port.clone()
}

#[track_caller]
fn refused(code: &str, field: &str, policy: Value) {
    let world = with(policy.clone());
    let found = diagnostic(&world, code);
    let full = format!("spec.trafficPolicy.{field}");
    assert_eq!(
        found.field.trim_end_matches('.'),
        full.trim_end_matches('.'),
        "{policy}"
    );
    assert!(world.destination_rules.is_empty(), "{policy}");
}

fn algorithm(balancer: Value) -> Option<Algorithm> {
    policy(json!({"loadBalancer": balancer}))
        .load_balancer
        .unwrap()
        .algorithm
        .clone()
}

#[test]
fn load_balancers_have_names_and_numbers() {
    for (simple, expected) in [
        (json!("ROUND_ROBIN"), Some(Algorithm::RoundRobin)),
        (json!("LEAST_CONN"), Some(Algorithm::LeastRequest)),
        (json!("LEAST_REQUEST"), Some(Algorithm::LeastRequest)),
        (json!("RANDOM"), Some(Algorithm::Random)),
        (json!("PASSTHROUGH"), Some(Algorithm::Passthrough)),
        (json!("UNSPECIFIED"), None),
        (json!(2), Some(Algorithm::Random)),
    ] {
        assert_eq!(
            algorithm(json!({"simple": simple.clone()})),
            expected,
            "{simple}"
        );
    }
    refused(
        "PH0350",
        "loadBalancer.simple",
        json!({"loadBalancer": {"simple": "random"}}),
    );
    let both = json!({"simple": "RANDOM", "consistentHash": {"useSourceIp": true}});
    refused("PH0350", "loadBalancer", json!({"loadBalancer": both}));
}

#[test]
fn a_hash_goes_by_one_thing() {
    let cookie = json!({"httpCookie": {"name": "user", "ttl": "0s", "path": "/p",
        "attributes": [{"name": "SameSite", "value": "Strict"}]}});
    let ring = |minimum| HashTable::Ring { minimum };
    for (hash, key, table) in [
        (
            json!({"httpHeaderName": "x-user"}),
            HashKey::Header("x-user".into()),
            ring(Some(1024)),
        ),
        (
            json!({"use_source_ip": true, "minimum_ring_size": "2048"}),
            HashKey::SourceIp,
            ring(Some(2048)),
        ),
        (
            json!({"httpQueryParameterName": "q", "ringHash": {}}),
            HashKey::QueryParameter("q".into()),
            ring(None),
        ),
        (
            json!({"httpQueryParameterName": "q", "ringHash": {"minimumRingSize": 64}}),
            HashKey::QueryParameter("q".into()),
            ring(Some(64)),
        ),
        (
            json!({"useSourceIp": true, "maglev": {"tableSize": 65537}}),
            HashKey::SourceIp,
            HashTable::Maglev { size: Some(65537) },
        ),
        (
            cookie,
            HashKey::Cookie(Cookie {
                name: "user".into(),
                path: "/p".into(),
                lifetime: Some(std::time::Duration::ZERO),
                attributes: vec![("SameSite".into(), "Strict".into())],
            }),
            ring(Some(1024)),
        ),
    ] {
        let expected = Algorithm::ConsistentHash { key, table };
        assert_eq!(
            algorithm(json!({"consistentHash": hash.clone()})),
            Some(expected),
            "{hash}"
        );
    }
}

#[test]
fn a_bad_hash_is_refused() {
    let hash = |hash: Value| json!({"loadBalancer": {"consistentHash": hash}});
    for (code, field, bad) in [
        ("PH0351", "", json!({})),
        ("PH0351", "", json!({"useSourceIp": false})),
        (
            "PH0351",
            "",
            json!({"useSourceIp": true, "httpHeaderName": "x"}),
        ),
        (
            "PH0351",
            "httpHeaderName",
            json!({"httpHeaderName": "x user"}),
        ),
        (
            "PH0351",
            "httpCookie.name",
            json!({"httpCookie": {"ttl": "1s"}}),
        ),
        (
            "PH0351",
            "httpCookie.attributes[0].name",
            json!({"httpCookie": {"name": "c", "attributes": [{"value": "v"}]}}),
        ),
        (
            "PH0352",
            "minimumRingSize",
            json!({"useSourceIp": true, "minimumRingSize": 8388609}),
        ),
        (
            "PH0352",
            "",
            json!({"useSourceIp": true, "ringHash": {}, "maglev": {}}),
        ),
        (
            "PH0352",
            "maglev.tableSize",
            json!({"useSourceIp": true, "maglev": {"tableSize": 65536}}),
        ),
        (
            "PH0352",
            "maglev.tableSize",
            json!({"useSourceIp": true, "maglev": {"tableSize": 5000077}}),
        ),
    ] {
        refused(
            code,
            &format!("loadBalancer.consistentHash.{field}"),
            hash(bad),
        );
    }
}

#[test]
fn warm_up_needs_a_duration_and_an_algorithm() {
    let balancer = |value: Value| json!({"loadBalancer": value});
    let full = json!({"duration": "300s", "minimumPercent": 5.0, "aggression": 5.0});
    let warmup = policy(balancer(json!({"warmup": full})))
        .load_balancer
        .unwrap()
        .warmup
        .unwrap();
    assert_eq!(warmup.window.as_secs(), 300);
    assert_eq!(warmup.minimum.unwrap().millionths(), 50_000);
    assert_eq!(warmup.aggression.unwrap().value(), 5.0);
    let older = policy(balancer(
        json!({"simple": "ROUND_ROBIN", "warmupDurationSecs": "10s"}),
    ));
    assert_eq!(
        older
            .load_balancer
            .unwrap()
            .warmup
            .unwrap()
            .window
            .as_secs(),
        10
    );
    for (field, bad) in [
        (
            "warmup.minimumPercent",
            json!({"duration": "300s", "minimumPercent": 150.0}),
        ),
        ("warmup.duration", json!({"minimumPercent": 5.0})),
        (
            "warmup.aggression",
            json!({"duration": "300s", "aggression": -0.1}),
        ),
    ] {
        refused(
            "PH0362",
            &format!("loadBalancer.{field}"),
            balancer(json!({"warmup": bad})),
        );
    }
    let world = with(balancer(
        json!({"simple": "RANDOM", "warmup": {"duration": "1s"}}),
    ));
    assert_eq!(codes(&world), ["PH0368"]);
}

#[test]
fn localities_are_distributed_or_fail_over() {
    let setting = |setting: Value| json!({"outlierDetection": {}, "loadBalancer": {"localityLbSetting": setting}});
    let locality = |value: Value| {
        policy(setting(value))
            .load_balancer
            .unwrap()
            .locality
            .clone()
    };
    assert_eq!(
        locality(json!({"enabled": false})),
        Some(LocalityBalance::Off)
    );
    assert_eq!(locality(json!({})), Some(LocalityBalance::default()));
    let distribute = json!({"distribute": [{"from": "eu/*", "to": {"eu/a": 80, "eu/b": "20"}}]});
    assert!(
        matches!(locality(distribute), Some(LocalityBalance::Distribute(list))
        if list[0].to.iter().map(|(_, share)| *share).collect::<Vec<_>>() == [80, 20])
    );
    let failover = json!({"failover": [{"from": "eu", "to": "us"}]});
    assert!(matches!(locality(failover), Some(LocalityBalance::Failover(list)) if list.len() == 1));
    let priority = json!({"failoverPriority": ["topology.kubernetes.io/region", "tier=gold"]});
    assert!(
        matches!(locality(priority), Some(LocalityBalance::Priority(list))
        if list[1].value.as_deref() == Some("gold"))
    );
    let at = "loadBalancer.localityLbSetting";
    for (field, bad) in [
        (
            "",
            json!({"distribute": [{"from": "*", "to": {"*": 100}}],
            "failover": [{"from": "a", "to": "b"}]}),
        ),
        (
            "distribute[0].to",
            json!({"distribute": [{"from": "eu", "to": {"eu": 99}}]}),
        ),
        (
            "distribute[0].from",
            json!({"distribute": [{"from": "*/eu", "to": {"eu": 100}}]}),
        ),
        (
            "distribute[1].from",
            json!({"distribute": [
            {"from": "eu/*", "to": {"eu": 100}}, {"from": "eu/a", "to": {"eu": 100}}]}),
        ),
        (
            "failover[0]",
            json!({"failover": [{"from": "eu", "to": "eu"}]}),
        ),
        (
            "failover[0].to",
            json!({"failover": [{"from": "eu", "to": "us/*"}]}),
        ),
        (
            "failoverPriority[1]",
            json!({"failoverPriority": ["a", "a=1"]}),
        ),
    ] {
        refused("PH0353", &format!("{at}.{field}"), setting(bad));
    }
    let without = json!({"loadBalancer": {"localityLbSetting":
        {"failover": [{"from": "eu", "to": "us"}]}}});
    assert_eq!(codes(&with(without)), ["PH0361"]);
}

#[test]
fn pools_have_limits() {
    let full = policy(json!({"connectionPool": {
        "tcp": {"maxConnections": 100, "connectTimeout": "30ms", "maxConnectionDuration": "1h",
            "idleTimeout": "5m", "tcpKeepalive": {"probes": 3, "time": "7200s", "interval": "75s"}},
        "http": {"http1MaxPendingRequests": 1, "http2MaxRequests": "2",
            "maxRequestsPerConnection": 3, "maxRetries": 4, "idleTimeout": "6m",
            "h2UpgradePolicy": "UPGRADE", "maxConcurrentStreams": 5,
            "http2KeepAlive": {"interval": "15s"}},
    }}));
    let pool = full.connection_pool.unwrap();
    let numbers = [
        pool.max_connections,
        pool.max_pending_requests,
        pool.max_requests,
        pool.max_requests_per_connection,
        pool.max_retries,
        pool.max_concurrent_streams,
    ];
    assert_eq!(numbers.map(|n| n.unwrap().get()), [100, 1, 2, 3, 4, 5]);
    assert_eq!(pool.upstream, Upstream::Upgrade);
    assert_eq!(pool.keepalive.unwrap().time.unwrap().get(), 7200);
    assert_eq!(pool.http2_keepalive.unwrap().timeout.as_secs(), 20);
    // As in Istio, 0 is no limit.
    let none = policy(json!({"connectionPool": {"tcp": {"maxConnections": 0}}}));
    assert_eq!(none.connection_pool.unwrap().max_connections, None);
    for (field, bad) in [
        ("tcp.maxConnections", json!({"tcp": {"maxConnections": -1}})),
        (
            "tcp.connectTimeout",
            json!({"tcp": {"connectTimeout": "0s"}}),
        ),
        (
            "tcp.tcpKeepalive.time",
            json!({"tcp": {"tcpKeepalive": {"time": "1500ms"}}}),
        ),
        (
            "http.maxRetries",
            json!({"http": {"maxRetries": 4294967296u64}}),
        ),
        (
            "http.maxConcurrentStreams",
            json!({"http": {"maxConcurrentStreams": 2147483648u64}}),
        ),
        (
            "http.h2UpgradePolicy",
            json!({"http": {"h2UpgradePolicy": "YES"}}),
        ),
        (
            "http.h2UpgradePolicy",
            json!({"http": {"h2UpgradePolicy": "UPGRADE", "useClientProtocol": true}}),
        ),
    ] {
        refused(
            "PH0354",
            &format!("connectionPool.{field}"),
            json!({"connectionPool": bad}),
        );
    }
}

#[test]
fn errors_of_istio_1_0_are_gateway_errors_alone() {
    let counts = |outlier: Value| {
        let outlier = policy(json!({"outlierDetection": outlier}))
            .outlier_detection
            .unwrap();
        (outlier.consecutive_5xx, outlier.consecutive_gateway)
    };
    assert_eq!(counts(json!({})), (None, None));
    assert_eq!(counts(json!({"consecutiveErrors": 7})), (Some(0), Some(7)));
    assert_eq!(counts(json!({"consecutive5xxErrors": 3})), (Some(3), None));
    let both = json!({"consecutiveGatewayErrors": 2, "consecutive_5xx_errors": 0});
    assert_eq!(counts(both), (Some(0), Some(2)));
    let mixed = json!({"consecutiveErrors": 7, "consecutive5xxErrors": 3});
    assert_eq!(codes(&with(json!({"outlierDetection": mixed}))), ["PH0368"]);
}
