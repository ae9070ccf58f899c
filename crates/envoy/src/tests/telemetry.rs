//! Access logs and tracing: the mesh's, and what Telemetry makes of them.

use model::telemetry::Mode;
use model::{Labels, PathNormalization, Reporting};
use serde_json::{Value, json};

use super::validate::{bootstrap, validate};
use crate::Kind;
use crate::fixtures::extensions::*;
use crate::fixtures::rendered::Rendered;
use crate::fixtures::*;

fn draft() -> Draft {
    let mut draft = bookinfo();
    draft.mesh.providers = [log_provider("json"), log_provider("envoy")].into();
    draft
}

fn reviews(draft: Draft) -> Rendered {
    let rendered = render(&draft.world(), &sidecar("reviews", &[(9080, 9080, "http")]));
    assert_eq!(rendered.diagnostics, []);
    validate("telemetry", &bootstrap(&rendered.resources));
    rendered
}

fn manager<'a>(rendered: &'a Rendered, listener: &str) -> &'a Value {
    let listener = &rendered.resources[&(Kind::Listener, listener.to_owned())];
    &listener["filter_chains"][0]["filters"][0]["typed_config"]
}

const OUTBOUND: &str = "0.0.0.0_9080";
const INBOUND: &str = "172.17.0.9_9080";

fn paths(rendered: &Rendered, listener: &str) -> Vec<String> {
    let logs = manager(rendered, listener)["access_log"]
        .as_array()
        .cloned();
    let logs = logs.unwrap_or_default();
    logs.iter()
        .map(|log| log["typed_config"]["path"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn spans_go_to_zipkin_in_a_cluster_of_its_own() {
    let mut plain = draft();
    plain.mesh.reporting = reporting("/dev/stdout");
    let rendered = reviews(plain);
    let tracing = &manager(&rendered, OUTBOUND)["tracing"];
    assert_eq!(tracing["random_sampling"]["value"], 100.0);
    assert_eq!(tracing["provider"]["name"], "envoy.tracers.zipkin");
    let config = &tracing["provider"]["typed_config"];
    assert_eq!(config["collector_cluster"], "zipkin");
    // Both proxies of a request share a span, as in Istio 1.0.
    assert!(config.get("shared_span_context").is_none());
    let zipkin = &rendered.resources[&(Kind::Cluster, "zipkin".to_owned())];
    assert_eq!(zipkin["type"], "STRICT_DNS");
    assert_eq!(
        reviews(draft())
            .resources
            .get(&(Kind::Cluster, "zipkin".to_owned())),
        None
    );
}

#[test]
fn a_collector_that_is_a_service_is_reached_like_one() {
    let name = "outbound|9411||jaeger.marathon.slave.mesos";
    let mut away = draft();
    away.mesh.reporting.tracing = Some(tracing("jaeger.marathon.slave.mesos").into());
    let there = away.clone().service("jaeger", &[(9411, "http")]);
    for (draft, kind) in [(away, "STRICT_DNS"), (there, "EDS")] {
        let rendered = reviews(draft);
        assert_eq!(
            rendered.resources[&(Kind::Cluster, name.to_owned())]["type"],
            kind
        );
        let provider = &manager(&rendered, OUTBOUND)["tracing"]["provider"];
        assert_eq!(provider["typed_config"]["collector_cluster"], name);
    }
}

#[test]
fn a_listener_logs_what_no_chain_takes() {
    let mut draft = draft();
    draft.mesh.reporting = reporting("/dev/stdout");
    let rendered = reviews(draft);
    let listener = &rendered.resources[&(Kind::Listener, "virtualInbound".to_owned())];
    let filter = &listener["access_log"][0]["filter"]["response_flag_filter"];
    assert_eq!(filter["flags"], json!(["NR"]));
}

#[test]
fn nearer_telemetry_decides_which_logs_there_are() {
    let mut draft = draft();
    let mut wide = telemetry("wide", "istio-system");
    wide.access_logging.push(logging(Mode::Both, "json"));
    let mut near = telemetry("near", "default");
    near.selector = Labels::from_iter([("istio", "reviews")]);
    let mut errors = logging(Mode::Server, "envoy");
    errors.filter = Some("response.code >= 400".into());
    near.access_logging.push(errors);
    draft.telemetries = vec![wide.clone(), near.clone()];
    let rendered = reviews(draft.clone());
    assert_eq!(paths(&rendered, OUTBOUND), ["/tmp/json.log"]);
    assert_eq!(paths(&rendered, INBOUND), ["/tmp/envoy.log"]);
    let filter = &manager(&rendered, INBOUND)["access_log"][0]["filter"];
    let expression = &filter["extension_filter"]["typed_config"]["expression"];
    assert_eq!(expression, "response.code >= 400");
    near.access_logging[0].disabled = true;
    draft.telemetries = vec![wide, near];
    assert_eq!(paths(&reviews(draft), INBOUND), [""; 0]);
}

#[test]
fn nearer_telemetry_replaces_parts_of_tracing() {
    let mut draft = draft();
    draft.mesh.reporting.tracing = Some(tracing("zipkin.example.com").into());
    let mut own = telemetry("own", "default");
    let mut rule = sampled(Mode::Client, 12.5);
    rule.report_spans = Some(false);
    rule.sample_by_request_id = Some(false);
    rule.propagate = Some(false);
    own.tracing.push(rule);
    draft.telemetries = vec![own];
    let rendered = reviews(draft);
    let client = manager(&rendered, OUTBOUND);
    assert_eq!(client["tracing"]["random_sampling"]["value"], 12.5);
    assert_eq!(client["tracing"]["no_context_propagation"], true);
    let config = &client["tracing"]["provider"]["typed_config"];
    assert_eq!(config["collector_cluster"], "BlackHoleCluster");
    let ids = &client["request_id_extension"]["typed_config"];
    assert_eq!(ids["use_request_id_for_trace_sampling"], false);
    let server = &manager(&rendered, INBOUND)["tracing"];
    assert_eq!(server["random_sampling"]["value"], 100.0);
}

#[test]
fn telemetry_of_elsewhere_changes_nothing() {
    let mut draft = draft();
    let plain = reviews(draft.clone()).resources;
    let mut other = telemetry("other", "other");
    other.access_logging.push(logging(Mode::Both, "json"));
    let mut selecting = telemetry("selecting", "default");
    selecting.selector = version("v9");
    selecting.access_logging = other.access_logging.clone();
    draft.telemetries = vec![other, selecting];
    assert_eq!(reviews(draft).resources, plain);
}

#[test]
fn paths_are_normalized_as_far_as_the_mesh_says() {
    let cases = [
        (PathNormalization::None, false, false, Value::Null),
        (PathNormalization::Base, true, false, Value::Null),
        (PathNormalization::MergeSlashes, true, true, Value::Null),
        (
            PathNormalization::DecodeAndMergeSlashes,
            true,
            true,
            json!("UNESCAPE_AND_FORWARD"),
        ),
    ];
    for (paths, normalize, merge, escaped) in cases {
        let mut draft = draft();
        draft.mesh.path_normalization = paths;
        draft.mesh.reporting = Reporting::default();
        let rendered = reviews(draft);
        let manager = manager(&rendered, OUTBOUND);
        assert_eq!(manager["normalize_path"], normalize, "{paths:?}");
        assert_eq!(
            manager["merge_slashes"].as_bool().unwrap_or_default(),
            merge
        );
        let action = manager["path_with_escaped_slashes_action"].clone();
        match escaped {
            Value::Null => assert_ne!(action, "UNESCAPE_AND_FORWARD"),
            escaped => assert_eq!(action, escaped),
        }
    }
}
