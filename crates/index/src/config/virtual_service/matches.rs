//! The conditions of a route.

use std::collections::BTreeMap;

use api::istio;
use model::Labels;
use model::route::{HttpMatch, StringMatch};

use crate::codes;
use crate::config::object::Context;
use crate::config::{names, regex};
use crate::report::Report;

pub(super) const REGEX_REMEDY: &str =
    "use RE2 syntax: no look-around and no back-references; it must match the whole text";

pub(super) fn convert(
    block: istio::HttpMatch,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> HttpMatch {
    check_effect(&block, at, report);
    let mut field = |value: Option<istio::StringMatch>, name: &str| {
        let converted = string(value?, &format!("{at}.{name}"), report);
        // Every request has a path, a method, an authority and a scheme.
        converted.filter(|m| *m != StringMatch::Present)
    };
    let uri = field(block.uri, "uri");
    let scheme = field(block.scheme, "scheme");
    let method = field(block.method, "method");
    let authority = field(block.authority, "authority");
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    HttpMatch {
        name: given(block.name),
        stat_prefix: given(block.stat_prefix),
        uri,
        ignore_uri_case: block.ignore_uri_case,
        scheme,
        method,
        authority,
        headers: headers(block.headers, &format!("{at}.headers"), report),
        without_headers: headers(
            block.without_headers,
            &format!("{at}.withoutHeaders"),
            report,
        ),
        query_params: strings(block.query_params, &format!("{at}.queryParams"), report),
        port: block.port.filter(|port| *port != 0),
        source_labels: Labels::from(block.source_labels),
        source_namespace: block
            .source_namespace
            .filter(|namespace| !namespace.is_empty())
            .map(Into::into),
        gateways: super::gateways(&block.gateways, &format!("{at}.gateways"), context, report),
    }
}

/// Fields that say nothing together with others.
fn check_effect(block: &istio::HttpMatch, at: &str, report: &mut Report) {
    let by_text = matches!(
        block.uri,
        Some(istio::StringMatch::Exact(_) | istio::StringMatch::Prefix(_))
    );
    if block.ignore_uri_case && !by_text {
        report.warn(
            codes::NO_EFFECT,
            format!("{at}.ignoreUriCase"),
            "the case can be ignored where uri is exact or a prefix only",
            "the field has no effect; the rest of the condition has",
            "remove it; a regex ignores the case when it begins with (?i)",
        );
    }
}

fn headers(
    map: BTreeMap<String, istio::StringMatch>,
    at: &str,
    report: &mut Report,
) -> Vec<(String, StringMatch)> {
    for name in map.keys() {
        if name.starts_with("@request.auth.claims") {
            report.refuse(
                codes::NOT_SUPPORTED,
                format!("{at}[{name:?}]"),
                "routing by the claims of a token needs tokens to be verified, which is not supported",
                "match a header that the service behind the gateway or the client sets",
            );
            continue;
        }
        // Pseudo headers can be matched, though not changed.
        if !names::is_header(name.strip_prefix(':').unwrap_or(name)) {
            report.refuse(
                codes::BAD_HEADER,
                format!("{at}[{name:?}]"),
                format!("{name:?} is not the name of a header"),
                "name a header, such as end-user",
            );
        }
    }
    let lower = map.into_iter().map(|(k, v)| (k.to_ascii_lowercase(), v));
    strings(lower.collect(), at, report)
}

fn strings(
    map: BTreeMap<String, istio::StringMatch>,
    at: &str,
    report: &mut Report,
) -> Vec<(String, StringMatch)> {
    let mut converted = Vec::new();
    for (name, condition) in map {
        let field = format!("{at}[{name:?}]");
        if name.is_empty() {
            let why = "a condition has no name";
            report.refuse(codes::BAD_MATCH, field, why, "name what it asks for");
            continue;
        }
        if let Some(condition) = string(condition, &field, report) {
            converted.push((name, condition));
        }
    }
    converted
}

pub(super) fn string(
    condition: istio::StringMatch,
    field: &str,
    report: &mut Report,
) -> Option<StringMatch> {
    match condition {
        istio::StringMatch::Exact(text) => Some(StringMatch::Exact(text)),
        istio::StringMatch::Present => Some(StringMatch::Present),
        istio::StringMatch::Prefix(text) if text.is_empty() => {
            let why = "an empty prefix matches everything";
            report.refuse(
                codes::BAD_MATCH,
                field,
                why,
                "remove the condition, or fill it in",
            );
            None
        }
        istio::StringMatch::Prefix(text) => Some(StringMatch::Prefix(text)),
        // Istio reads the lone star as "anything"; RE2 would refuse it.
        istio::StringMatch::Regex(text) if text == "*" => Some(StringMatch::Present),
        istio::StringMatch::Regex(text) => {
            if let Err(why) = regex::check(&text) {
                report.refuse(codes::BAD_REGEX, field, why, REGEX_REMEDY);
                return None;
            }
            Some(StringMatch::Regex(text))
        }
    }
}
