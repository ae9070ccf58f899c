//! Which pages of other origins may read answers.

use api::istio::{self, UnmatchedPreflights};
use model::route::{Cors, StringMatch};

use super::{matches, share};
use crate::codes;
use crate::config::names;
use crate::report::Report;

/// What `Access-Control-Allow-Methods` can list.
const METHODS: &[&str] = &[
    "*", "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];

pub(super) fn convert(policy: istio::CorsPolicy, at: &str, report: &mut Report) -> Cors {
    let origins = origins(&policy, at, report);
    for (i, method) in policy.allow_methods.iter().enumerate() {
        if !METHODS.contains(&method.as_str()) {
            let why = format!("{method:?} is not a method");
            let remedy = format!("use some of {}", METHODS.join(", "));
            report.refuse(
                codes::BAD_CORS,
                format!("{at}.allowMethods[{i}]"),
                why,
                remedy,
            );
        }
    }
    check_headers(&policy.allow_headers, &format!("{at}.allowHeaders"), report);
    check_headers(
        &policy.expose_headers,
        &format!("{at}.exposeHeaders"),
        report,
    );
    if policy.max_age.is_some_and(|age| age.subsec_nanos() > 0) {
        let why = "browsers count maxAge in whole seconds";
        report.refuse(
            codes::BAD_CORS,
            format!("{at}.maxAge"),
            why,
            "write it like 24h or 600s",
        );
    }
    Cors {
        origins,
        methods: policy.allow_methods,
        headers: policy.allow_headers,
        expose: policy.expose_headers,
        max_age: policy.max_age,
        credentials: policy.allow_credentials,
        ignore_unmatched: policy.unmatched_preflights == UnmatchedPreflights::Ignore,
    }
}

/// `allowOrigins` wins over the plain names of Istio 1.0. The name `*` stands for every origin:
/// Envoy's filter asks whether a condition accepts just that text.
fn origins(policy: &istio::CorsPolicy, at: &str, report: &mut Report) -> Vec<StringMatch> {
    let plain = &policy.allow_origin;
    if plain.is_empty() && policy.allow_origins.is_empty() {
        report.warn(
            codes::NO_EFFECT,
            at,
            "the policy names no origins, so it allows none",
            "no page of another origin may read answers",
            "name them in allowOrigins, such as exact: https://shop.example.com",
        );
    }
    if policy.allow_origins.is_empty() {
        return plain.iter().cloned().map(StringMatch::Exact).collect();
    }
    if !plain.is_empty() {
        share::superseded(&format!("{at}.allowOrigin"), "allowOrigins", report);
    }
    let mut origins = Vec::new();
    for (i, origin) in policy.allow_origins.iter().enumerate() {
        let field = format!("{at}.allowOrigins[{i}]");
        match matches::string(origin.clone(), &field, report) {
            Some(StringMatch::Present) => {
                let why = "a condition on an origin says exact, prefix or regex";
                let remedy = "write exact: \"*\" where every origin may";
                report.refuse(codes::BAD_CORS, field, why, remedy);
            }
            converted => origins.extend(converted),
        }
    }
    origins
}

fn check_headers(headers: &[String], at: &str, report: &mut Report) {
    for (i, name) in headers.iter().enumerate() {
        if !names::is_header(name) {
            let why = format!("{name:?} is not the name of a header");
            report.refuse(
                codes::BAD_CORS,
                format!("{at}[{i}]"),
                why,
                "name one header",
            );
        }
    }
}
