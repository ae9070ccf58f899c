//! Outlier detection, ports, tunnels and TLS, and rules beside each other.

use super::*;

#[test]
fn outlier_detection_has_its_ranges() {
    for (field, bad) in [
        ("interval", json!({"interval": "0s"})),
        ("baseEjectionTime", json!({"baseEjectionTime": "1us"})),
        ("maxEjectionPercent", json!({"maxEjectionPercent": 101})),
        ("minHealthPercent", json!({"minHealthPercent": -1})),
    ] {
        refused(
            "PH0355",
            &format!("outlierDetection.{field}"),
            json!({"outlierDetection": bad}),
        );
    }
    let local = json!({"consecutiveLocalOriginFailures": 3});
    assert_eq!(codes(&with(json!({"outlierDetection": local}))), ["PH0368"]);
    let codes_of = json!({"outlierDetectionHttpErrorCodes": ["500"]});
    assert_eq!(
        codes(&with(json!({"outlierDetection": codes_of}))),
        ["PH0368"]
    );
}

#[test]
fn what_says_nothing_is_refused() {
    refused("PH0359", "", json!({}));
    refused("PH0359", "connectionPool", json!({"connectionPool": {}}));
    let port = json!({"portLevelSettings": [{"port": {"number": 80}}]});
    refused("PH0359", "portLevelSettings[0]", port);
}

#[test]
fn ports_have_policies_of_their_own() {
    let random = json!({"simple": "RANDOM"});
    let port = |number: u16| json!({"port": {"number": number}, "loadBalancer": random});
    let world = with(json!({"portLevelSettings": [port(9080), port(80)]}));
    let ports: Vec<u16> = world.destination_rules[0]
        .policies
        .by_port
        .keys()
        .copied()
        .collect();
    assert_eq!(ports, [80, 9080]);
    let at = "portLevelSettings[1].port.number";
    refused(
        "PH0357",
        at,
        json!({"portLevelSettings": [port(80), port(80)]}),
    );
    refused(
        "PH0357",
        "portLevelSettings[0].port.number",
        json!({"portLevelSettings": [{"loadBalancer": random}]}),
    );
}

#[test]
fn tunnels_and_budgets() {
    let tunnel = json!({"tunnel": {"targetHost": "a.example.com", "targetPort": 80}});
    let all = with(tunnel).destination_rules[0].policies.all.clone();
    assert_eq!(
        all.tunnel.map(|t| (t.post, t.port.get())),
        Some((false, 80))
    );
    let budget = with(json!({"retryBudget": {"percent": 25, "minRetryConcurrency": 5}}));
    let budget = budget.destination_rules[0]
        .policies
        .all
        .retry_budget
        .unwrap();
    assert_eq!((budget.share.millionths(), budget.minimum), (250_000, 5));
    let protocol = with(json!({"proxyProtocol": {"version": "V2"}}));
    let protocol = protocol.destination_rules[0].policies.all.proxy_protocol;
    assert_eq!(protocol, Some(ProxyProtocol::V2));
    let target = json!({"targetHost": "a.example.com", "targetPort": 80});
    for (field, bad) in [
        (
            "tunnel.targetPort",
            json!({"tunnel": {"targetHost": "a.example.com"}}),
        ),
        (
            "tunnel.targetHost",
            json!({"tunnel": {"targetHost": "*", "targetPort": 80}}),
        ),
        (
            "tunnel.protocol",
            json!({"tunnel": {"protocol": "GET", "targetHost": "a", "targetPort": 80}}),
        ),
        ("tunnel", json!({"tunnel": target, "proxyProtocol": {}})),
        (
            "proxyProtocol.version",
            json!({"proxyProtocol": {"version": "V3"}}),
        ),
    ] {
        refused("PH0358", field, bad);
    }
    refused(
        "PH0354",
        "retryBudget.percent",
        json!({"retryBudget": {"percent": 101}}),
    );
}

#[test]
fn the_first_policy_of_a_host_holds() {
    let random = json!({"loadBalancer": {"simple": "RANDOM"}});
    let robin = json!({"loadBalancer": {"simple": "ROUND_ROBIN"}});
    let objects = vec![
        subsets("a", "reviews", &["v1"]),
        rule("b", random),
        rule("c", robin),
    ];
    let world = world_of(vec![reviews(1)], objects);
    let [merged] = &*world.destination_rules else {
        panic!("{:?}", world.destination_rules);
    };
    assert_eq!(&*merged.object.name, "a");
    assert_eq!(
        merged.policy(80, Some("v1")).algorithm(),
        Some(&Algorithm::Random)
    );
    let found = diagnostic(&world, "PH0360");
    assert_eq!(&*found.object.as_ref().unwrap().name, "c");
}

#[test]
fn hosts_and_labels_that_nobody_has_are_told() {
    let nobody = object("DestinationRule", "n", json!({"host": "reviws"}));
    let idle = subsets("r", "reviews", &["v1", "v9"]);
    let world = world_of(vec![reviews(1)], vec![nobody, idle]);
    assert_eq!(codes(&world), ["PH0364", "PH0365"]);
    assert_eq!(diagnostic(&world, "PH0364").field, "spec.subsets[1].labels");
    assert!(
        diagnostic(&world, "PH0365")
            .remedy
            .contains("did you mean reviews")
    );
    // A wildcard is known if it covers anything; while no instance runs, nothing is said.
    let wide = object(
        "DestinationRule",
        "w",
        json!({"host": "*.marathon.slave.mesos"}),
    );
    assert_eq!(codes(&world_of(vec![reviews(1)], vec![wide])), [""; 0]);
}

#[test]
fn tls_has_modes() {
    use model::tls::{ClientTls, VerifyServer};
    let tls = |tls: Value| policy(json!({"tls": tls})).tls.unwrap();
    assert_eq!(*tls(json!({"mode": "DISABLE"})), ClientTls::Disable);
    assert_eq!(*tls(json!({})), ClientTls::Disable);
    let mesh = tls(json!({"mode": "ISTIO_MUTUAL", "sni": "a.example.com"}));
    assert!(matches!(&*mesh, ClientTls::Mesh(tls) if tls.server_name.is_some()));
    let simple = tls(json!({"mode": 1, "caCertificates": "/ca.pem", "caCrl": "/crl.pem"}));
    assert!(
        matches!(&*simple, ClientTls::Origin(tls) if tls.key_pair.is_none()
        && matches!(&tls.verify, VerifyServer::Check { ca: Some(_), revoked: Some(_), .. }))
    );
    let mutual = tls(json!({"mode": "MUTUAL", "clientCertificate": "/c.pem",
        "private_key": "/k.pem", "subjectAltNames": ["a"]}));
    assert!(matches!(&*mutual, ClientTls::Origin(tls) if tls.key_pair.is_some()));
    for (field, bad) in [
        ("mode", json!({"mode": "simple"})),
        (
            "privateKey",
            json!({"mode": "MUTUAL", "clientCertificate": "/c.pem"}),
        ),
        (
            "credentialName",
            json!({"mode": "SIMPLE", "credentialName": "c"}),
        ),
        (
            "sni",
            json!({"mode": "ISTIO_MUTUAL", "sni": "a".repeat(256)}),
        ),
        (
            "subjectAltNames[0]",
            json!({"mode": "SIMPLE", "subjectAltNames": [""]}),
        ),
        (
            "caCertificates",
            json!({"mode": "SIMPLE", "caCertificates": "/ca.pem", "insecureSkipVerify": true}),
        ),
    ] {
        refused("PH0356", &format!("tls.{field}"), json!({"tls": bad}));
    }
    let ignored = json!({"mode": "ISTIO_MUTUAL", "caCertificates": "/ca.pem"});
    assert_eq!(codes(&with(json!({"tls": ignored}))), ["PH0368", "PH0613"]);
    for open in [
        json!({"mode": "SIMPLE"}),
        json!({"mode": "SIMPLE", "insecureSkipVerify": true}),
    ] {
        assert_eq!(codes(&with(json!({"tls": open}))), ["PH0366"]);
    }
}

#[test]
fn a_rule_that_hides_the_tls_of_a_wider_one_is_told() {
    let wide = json!({"host": "*.marathon.slave.mesos",
        "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}});
    let wide = object("DestinationRule", "wide", wide);
    let exact = object("DestinationRule", "exact", json!({"host": "reviews"}));
    let world = world_of(vec![reviews(1)], vec![wide.clone(), exact]);
    assert_eq!(codes(&world), ["PH0363"]);
    let open = rule("exact", json!({"tls": {"mode": "DISABLE"}}));
    assert_eq!(
        codes(&world_of(vec![reviews(1)], vec![wide, open])),
        [""; 0]
    );
}
