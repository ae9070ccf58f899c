//! Tracing: which requests get a span, what is in it, and where it goes.
//!
//! Without a provider Envoy adds only `x-request-id`; with Zipkin's it adds the `x-b3-*` headers,
//! even while the collector is away. `shared_span_context` stays at Envoy's default: the two
//! proxies on the way of a request share a span, as in Istio 1.0.

use model::reporting::{Tag, Tracing};
use model::route::Share;
use pb::hcm::http_connection_manager as hcm;
use pb::tag::custom_tag;

use crate::{collector, message, names, pb};

const PROVIDER: &str = "envoy.tracers.zipkin";
const ENDPOINT: &str = "/api/v2/spans";

pub(super) fn build(tracing: &Tracing) -> hcm::Tracing {
    let max = tracing
        .max_path_tag_length
        .or(tracing.collector.max_tag_length);
    hcm::Tracing {
        client_sampling: percent(Share::ALL),
        random_sampling: percent(tracing.sampling),
        overall_sampling: percent(Share::ALL),
        max_path_tag_length: max.and_then(message::number),
        custom_tags: tracing.tags.iter().map(tag).collect(),
        provider: Some(provider(tracing)),
        no_context_propagation: !tracing.propagate,
        ..Default::default()
    }
}

/// Who makes request ids, where that is not Envoy's default; Envoy also samples by them.
pub(super) fn request_id(tracing: &Tracing) -> Option<pb::hcm::RequestIdExtension> {
    let config = pb::request_id::UuidRequestIdConfig {
        use_request_id_for_trace_sampling: message::no(),
        ..Default::default()
    };
    (!tracing.sample_by_request_id).then(|| pb::hcm::RequestIdExtension {
        typed_config: Some(message::any(&config)),
    })
}

fn provider(tracing: &Tracing) -> pb::trace::tracing::Http {
    use pb::trace::tracing::http::ConfigType;
    let cluster = match tracing.report_spans {
        true => collector::name(&tracing.collector),
        // Spans are made, so that headers are; and they go nowhere.
        false => names::BLACK_HOLE.to_owned(),
    };
    let config = pb::trace::ZipkinConfig {
        collector_cluster: cluster,
        collector_endpoint: ENDPOINT.to_owned(),
        collector_endpoint_version: pb::trace::zipkin_config::CollectorEndpointVersion::HttpJson
            .into(),
        collector_hostname: tracing.collector.host.to_string(),
        ..Default::default()
    };
    pb::trace::tracing::Http {
        name: PROVIDER.to_owned(),
        config_type: Some(ConfigType::TypedConfig(message::any(&config))),
    }
}

fn tag((name, value): (&String, &Tag)) -> pb::tag::CustomTag {
    let value = match value {
        Tag::Literal(value) => custom_tag::Type::Literal(custom_tag::Literal {
            value: value.clone(),
        }),
        Tag::Environment { name, default } => {
            custom_tag::Type::Environment(custom_tag::Environment {
                name: name.clone(),
                default_value: default.clone(),
            })
        }
        Tag::Header { name, default } => custom_tag::Type::RequestHeader(custom_tag::Header {
            name: name.clone(),
            default_value: default.clone(),
        }),
    };
    pb::tag::CustomTag {
        tag: name.clone(),
        r#type: Some(value),
    }
}

fn percent(share: Share) -> Option<pb::percent::Percent> {
    Some(pb::percent::Percent {
        value: f64::from(share.millionths()) / 10_000.0,
    })
}
