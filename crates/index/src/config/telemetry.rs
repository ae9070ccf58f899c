//! `Telemetry` to what proxies report.

mod metrics;

use std::sync::Arc;

use api::istio;
use api::istio::telemetry::{AccessLogging, ModeMatch, ProviderRef};
use model::reporting::Provider;
use model::route::Share;
use model::telemetry::{LoggingRule, Mode, Telemetry, TracingRule};

use super::object::Context;
use super::{cel, reference, selector};
use crate::report::Report;
use crate::{codes, mesh};

pub(super) fn convert(
    spec: istio::telemetry::Telemetry,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Telemetry> {
    let references = spec.target_ref.is_some() || !spec.target_refs.is_empty();
    selector::no_references(codes::BAD_TELEMETRY, references, report);
    if !spec.metrics.is_empty() {
        metrics::check(&spec.metrics, report);
        report.warn(
            codes::TELEMETRY_IGNORED,
            "spec.metrics",
            "Istio's metrics come from a filter that only its own build of Envoy has",
            "the section has no effect; the others of the object have",
            "use the statistics of Envoy itself, at /stats/prometheus of each proxy",
        );
    }
    let tracing = spec.tracing.into_iter().enumerate();
    let tracing: Vec<TracingRule> = tracing
        .filter_map(|(at, rule)| {
            self::tracing(rule, &format!("spec.tracing[{at}]"), context, report)
        })
        .collect();
    let logging = spec.access_logging.into_iter().enumerate();
    let access_logging: Vec<LoggingRule> = logging
        .filter_map(|(at, rule)| {
            self::logging(rule, &format!("spec.accessLogging[{at}]"), context, report)
        })
        .collect();
    let selected = spec.selector.unwrap_or_default().match_labels;
    Some(Telemetry {
        object: reference(&context.object.key),
        selector: selector::read(selected, "spec.selector.matchLabels", report),
        tracing,
        access_logging,
    })
}

fn tracing(
    rule: istio::telemetry::Tracing,
    field: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<TracingRule> {
    let mode = mode(rule.conditions.as_ref(), field, report)?;
    let names = providers(&rule.providers, field, context, report, |provider| {
        matches!(provider, Provider::Tracer(_))
    })?;
    if names.len() > 1 {
        let why = "spans go to one collector only";
        let remedy = "name one provider";
        report.refuse(
            codes::BAD_TELEMETRY,
            format!("{field}.providers"),
            why,
            remedy,
        );
        return None;
    }
    let collector = names
        .first()
        .and_then(|name| match context.mesh.providers.get(name)? {
            Provider::Tracer(collector) => Some(collector.clone()),
            Provider::Log(_) => None,
        });
    let sampling = rule.random_sampling_percentage;
    if sampling.is_some_and(|percent| Share::percent(percent).is_none()) {
        let field = format!("{field}.randomSamplingPercentage");
        report.refuse(
            codes::BAD_TELEMETRY,
            field,
            "it is not a percentage",
            "use 0 to 100",
        );
        return None;
    }
    if rule.enable_istio_tags == Some(true) {
        report.warn(
            codes::TELEMETRY_IGNORED,
            format!("{field}.enableIstioTags"),
            "Istio's own tags of spans are not among what proxies get",
            "spans have Envoy's tags, and those of customTags",
            "name the tags that you need in customTags",
        );
    }
    let tags = format!("{field}.customTags");
    Some(TracingRule {
        mode,
        collector,
        sampling: sampling.and_then(Share::percent),
        report_spans: rule.disable_span_reporting.map(|disabled| !disabled),
        propagate: rule.disable_context_propagation.map(|disabled| !disabled),
        sample_by_request_id: rule.use_request_id_for_trace_sampling,
        tags: mesh::tags(&rule.custom_tags, &tags, codes::BAD_TELEMETRY, report),
    })
}

fn logging(
    rule: AccessLogging,
    field: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<LoggingRule> {
    let mode = mode(rule.conditions.as_ref(), field, report)?;
    let providers = providers(&rule.providers, field, context, report, |provider| {
        matches!(provider, Provider::Log(_))
    })?;
    let filter = rule.filter.map(|filter| filter.expression);
    let filter = filter.filter(|expression| !expression.is_empty());
    if let Some(Err(why)) = filter.as_deref().map(cel::check) {
        report.refuse(
            codes::BAD_EXPRESSION,
            format!("{field}.filter.expression"),
            why,
            "write an expression of CEL over Envoy's attributes, like response.code >= 400",
        );
        return None;
    }
    Some(LoggingRule {
        mode,
        providers,
        disabled: rule.disabled.unwrap_or_default(),
        filter: filter.map(Into::into),
    })
}

fn mode(conditions: Option<&ModeMatch>, field: &str, report: &mut Report) -> Option<Mode> {
    let name = conditions.and_then(|conditions| conditions.mode.as_deref());
    Some(match name.unwrap_or("CLIENT_AND_SERVER") {
        "CLIENT_AND_SERVER" => Mode::Both,
        "CLIENT" => Mode::Client,
        "SERVER" => Mode::Server,
        other => {
            let why = format!("{other:?} is no mode");
            let remedy = "use CLIENT, SERVER or CLIENT_AND_SERVER";
            report.refuse(
                codes::BAD_TELEMETRY,
                format!("{field}.match.mode"),
                why,
                remedy,
            );
            return None;
        }
    })
}

/// The names of known providers; `None`, and told, if one is unknown.
fn providers(
    wanted: &[ProviderRef],
    field: &str,
    context: &Context<'_>,
    report: &mut Report,
    is: fn(&Provider) -> bool,
) -> Option<Vec<Arc<str>>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for (at, provider) in wanted.iter().enumerate() {
        let name = provider.name.as_str();
        if !context.mesh.providers.get(name).is_some_and(is) {
            report.warn(
                codes::UNKNOWN_PROVIDER,
                format!("{field}.providers[{at}].name"),
                format!("the mesh config has no provider {name:?} of this kind"),
                "this rule has no effect; the others of the object have",
                "define it in extensionProviders of the mesh config, or name another",
            );
            return None;
        }
        names.push(name.into());
    }
    Some(names)
}
