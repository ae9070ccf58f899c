//! The mesh config, knob by knob.

use std::time::Duration;

use model::reporting::{LogFormat, Provider, Tag};
use model::*;
use serde_json::{Value, json};

use super::mesh;
use crate::codes;

fn read(document: Value) -> (Mesh, Vec<(&'static str, String)>) {
    let (mesh, found) = mesh(&document, Mesh::default());
    let found = found.into_iter().map(|d| (d.code, d.field)).collect();
    (mesh, found)
}

#[track_caller]
fn good(document: Value) -> Mesh {
    let (mesh, found) = read(document);
    assert_eq!(found, []);
    mesh
}

#[track_caller]
fn finds(document: Value, code: &'static str, field: &str) -> Mesh {
    let (mesh, found) = read(document);
    assert_eq!(found, [(code, field.to_owned())]);
    mesh
}

#[test]
fn an_empty_file_is_the_default() {
    // Istio has one provider without anybody's doing.
    let providers = good(json!({})).providers;
    let expected = Mesh {
        providers,
        ..Mesh::default()
    };
    assert_eq!(good(Value::Null), expected);
}

#[test]
fn every_knob_of_traffic_turns() {
    let mesh = good(json!({
        "connectTimeout": "2s",
        "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
        "inboundTrafficPolicy": {"mode": "LOCALHOST"},
        "pathNormalization": {"normalization": "MERGE_SLASHES"},
        "proxyListenPort": 16001, "proxyInboundListenPort": 16006,
        "dnsRefreshRate": "5s", "protocolDetectionTimeout": "0s",
        "localityLbSetting": {"enabled": true},
        "defaultHttpRetryPolicy": {"attempts": 5, "perTryTimeout": "1s", "retryOn": "5xx"},
        "defaultServiceExportTo": ["."],
    }));
    assert_eq!(mesh.connect_timeout, Duration::from_secs(2));
    assert_eq!(mesh.outbound, OutboundPolicy::RegistryOnly);
    assert_eq!(mesh.path_normalization, PathNormalization::MergeSlashes);
    assert_eq!((mesh.outbound_port, mesh.inbound_port), (16001, 16006));
    assert_eq!(mesh.dns_refresh, Duration::from_secs(5));
    assert_eq!(mesh.default_retries.unwrap().attempts, 5);
    assert_eq!(mesh.default_exports.services, [".".into()]);
    assert_eq!(mesh.default_exports.virtual_services, ["*".into()]);
}

#[test]
fn every_knob_of_security_turns() {
    let mesh = good(json!({
        "enableAutoMtls": true, "authPolicy": "MUTUAL_TLS", "rootNamespace": "root",
        "trustDomain": "shop", "trustDomainAliases": ["old", "shop"], "h2UpgradePolicy": "UPGRADE",
        "meshMTLS": {"minProtocolVersion": "TLSV1_3"},
    }));
    assert!(mesh.auto_mtls && mesh.upgrade_h2);
    assert_eq!(mesh.auth_policy, AuthPolicy::MutualTls);
    assert_eq!(
        (&*mesh.root_namespace, &*mesh.trust_domain),
        ("root", "shop")
    );
    assert_eq!(mesh.trust_domain_aliases, ["old".into()]);
    assert_eq!(mesh.min_tls, TlsVersion::V1_3);
}

#[test]
fn a_wrong_value_leaves_the_default() {
    let mesh = finds(
        json!({"outboundTrafficPolicy": {"mode": "ALLOW_SOME"}, "connectTimeout": "3s"}),
        codes::MESH_VALUE,
        "outboundTrafficPolicy.mode",
    );
    assert_eq!(mesh.outbound, OutboundPolicy::AllowAny);
    assert_eq!(mesh.connect_timeout, Duration::from_secs(3));
    finds(
        json!({"connectTimeout": "soon"}),
        codes::MESH_VALUE,
        "connectTimeout",
    );
    finds(
        json!({"mixerCheckServer": "x"}),
        codes::MESH_FIELD_IGNORED,
        "mixerCheckServer",
    );
    finds(
        json!({"inboundTrafficPolicy": {"mode": "PASSTHROUGH"}}),
        codes::MESH_FIELD_IGNORED,
        "inboundTrafficPolicy.mode",
    );
    let mesh = finds(
        json!({"proxyInboundListenPort": 15001}),
        codes::MESH_VALUE,
        "proxyInboundListenPort",
    );
    assert_eq!(mesh.inbound_port, 15006);
}

#[test]
fn the_access_log_has_a_file_an_encoding_and_a_format() {
    let format = |document| good(document).reporting.access_logs[0].format.clone();
    let file = "/dev/stdout";
    assert_eq!(format(json!({"accessLogFile": file})), LogFormat::Text);
    assert_eq!(
        format(json!({"accessLogFile": file, "accessLogEncoding": "JSON"})),
        LogFormat::Json
    );
    let text = "[%START_TIME(%Y-%m)%] %REQ(:PATH):20% 100%% %RESPONSE_CODE%\n";
    assert_eq!(
        format(json!({"accessLogFile": file, "accessLogFormat": text})),
        LogFormat::CustomText(text.into())
    );
    let custom = json!({"accessLogFile": file, "accessLogEncoding": "JSON",
        "accessLogFormat": "{\"code\": \"%RESPONSE_CODE%\"}"});
    assert!(matches!(format(custom), LogFormat::CustomJson(fields) if fields.len() == 1));
    assert_eq!(good(json!({"accessLogFile": ""})).reporting.access_logs, []);
}

#[test]
fn operators_that_envoy_does_not_know_are_refused() {
    for wrong in [
        "%NO_SUCH%",
        "%REQ%",
        "%REQ(:PATH",
        "50% done",
        "%REQ(a):x%",
        "%DURATION:5%",
    ] {
        finds(
            json!({"accessLogFile": "/dev/stdout", "accessLogFormat": wrong}),
            codes::MESH_VALUE,
            "accessLogFormat",
        );
    }
}

#[test]
fn tracing_is_on_by_the_switch_and_goes_to_zipkin() {
    let settings = json!({"tracing": {
        "sampling": 10.5, "zipkin": {"address": "zipkin.marathon.slave.mesos:31767"},
        "maxPathTagLength": 99,
        "customTags": {"a": {"literal": {"value": "b"}}, "z": {"header": {"name": "x-zone"}}},
    }});
    let mesh = good(json!({"enableTracing": true, "defaultConfig": settings}));
    let tracing = mesh.reporting.tracing.unwrap();
    assert_eq!(tracing.sampling.millionths(), 105_000);
    assert_eq!(
        (&*tracing.collector.name, tracing.collector.port),
        ("zipkin", 31767)
    );
    assert_eq!(tracing.max_path_tag_length, Some(99));
    assert_eq!(tracing.tags["a"], Tag::Literal("b".into()));
    let off = finds(
        json!({"defaultConfig": settings}),
        codes::MESH_FIELD_IGNORED,
        "defaultConfig.tracing",
    );
    assert_eq!(off.reporting.tracing, None);
    let plain = good(json!({"enableTracing": true}))
        .reporting
        .tracing
        .unwrap();
    assert_eq!(&*plain.collector.host, "zipkin.marathon.slave.mesos");
    assert_eq!(plain.sampling, model::route::Share::ALL);
}

#[test]
fn providers_are_zipkin_or_a_file() {
    let providers = json!([
        {"name": "jaeger", "zipkin": {"service": "jaeger", "port": 9411}},
        {"name": "json", "envoyFileAccessLog": {"path": "/tmp/log", "logFormat": {"labels": {"a": "%PROTOCOL%"}}}},
    ]);
    let default = json!({"tracing": ["jaeger"]});
    let mesh = good(json!({"extensionProviders": providers, "defaultProviders": default}));
    let Provider::Tracer(jaeger) = &mesh.providers["jaeger"] else {
        panic!("{:?}", mesh.providers)
    };
    assert!(jaeger.in_mesh && *jaeger.host == *"jaeger.marathon.slave.mesos");
    assert_eq!(mesh.reporting.tracing.unwrap().collector, *jaeger);
    assert!(matches!(&mesh.providers["json"], Provider::Log(log) if *log.path == *"/tmp/log"));
    finds(
        json!({"extensionProviders": [{"name": "sky"}]}),
        codes::PROVIDER,
        "extensionProviders[0]",
    );
}

#[test]
fn knobs_that_are_not_in_force_are_told() {
    let document = json!({"protocolDetectionTimeout": "1s"});
    let field = "protocolDetectionTimeout";
    finds(document, codes::MESH_FIELD_IGNORED, field);
    let wrong = json!({"defaultHttpRetryPolicy": {"attempts": 1, "retryOn": "sometimes"}});
    finds(wrong, codes::MESH_VALUE, "defaultHttpRetryPolicy.retryOn");
}

#[test]
fn localities_of_the_mesh_are_as_those_of_rules() {
    let off = good(json!({"localityLbSetting": {"enabled": false}}));
    assert_eq!(off.locality, LocalityBalance::Off);
    let to = json!({"eu/*": 80, "us/*": 20});
    let shares = json!({"localityLbSetting": {"distribute": [{"from": "eu/*", "to": to}]}});
    let balance = good(shares).locality;
    assert!(matches!(balance, LocalityBalance::Distribute(list) if list.len() == 1));
    let wrong = json!({"localityLbSetting": {"failover": [{"from": "eu", "to": "eu"}]}});
    let field = "localityLbSetting.failover[0]";
    let mesh = finds(wrong, codes::BAD_LOCALITY, field);
    assert_eq!(mesh.locality, LocalityBalance::default());
}
