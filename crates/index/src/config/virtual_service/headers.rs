//! Changes to headers, limited to what Envoy lets a route change.

use std::collections::BTreeMap;

use api::istio;
use model::HeaderValue;
use model::route::HeaderOperations;

use crate::codes;
use crate::config::names;
use crate::report::Report;

/// Operations on requests, and on their answers.
pub(super) type Both = (HeaderOperations, HeaderOperations);

/// Request and response operations of a route, in both spellings.
pub(super) fn of_route(route: &istio::HttpRoute, at: &str, report: &mut Report) -> Both {
    let legacy = route.legacy_headers();
    convert(route.headers.as_ref(), &legacy, at, report)
}

/// Request and response operations of a destination, in both spellings.
pub(super) fn of_destination(to: &istio::RouteDestination, at: &str, report: &mut Report) -> Both {
    let legacy = to.legacy_headers();
    convert(to.headers.as_ref(), &legacy, at, report)
}

fn convert(
    headers: Option<&istio::Headers>,
    legacy: &istio::Headers,
    at: &str,
    report: &mut Report,
) -> Both {
    let none = istio::Headers::default();
    let headers = headers.unwrap_or(&none);
    let request = Part {
        now: &headers.request,
        legacy: &legacy.request,
        at: format!("{at}.headers.request"),
        legacy_at: [
            format!("{at}.appendRequestHeaders"),
            format!("{at}.removeRequestHeaders"),
        ],
        may_set_host: true,
    };
    let response = Part {
        now: &headers.response,
        legacy: &legacy.response,
        at: format!("{at}.headers.response"),
        legacy_at: [
            format!("{at}.appendResponseHeaders"),
            format!("{at}.removeResponseHeaders"),
        ],
        may_set_host: false,
    };
    (request.convert(report), response.convert(report))
}

/// The operations of one direction.
struct Part<'a> {
    now: &'a istio::HeaderOperations,
    /// As Istio 1.0 and 1.1 spelled them.
    legacy: &'a istio::HeaderOperations,
    at: String,
    /// The fields that add, and that remove.
    legacy_at: [String; 2],
    may_set_host: bool,
}

// === impl Part ===

impl Part<'_> {
    fn convert(&self, report: &mut Report) -> HeaderOperations {
        let [legacy_add, legacy_remove] = &self.legacy_at;
        let mut host = Vec::new();
        let set = self.pairs(
            &self.now.set,
            &format!("{}.set", self.at),
            &mut host,
            report,
        );
        let mut add = self.pairs(
            &self.now.add,
            &format!("{}.add", self.at),
            &mut host,
            report,
        );
        add.extend(self.pairs(&self.legacy.add, legacy_add, &mut host, report));
        add.sort();
        let mut remove = removals(&self.now.remove, &format!("{}.remove", self.at), report);
        remove.extend(removals(&self.legacy.remove, legacy_remove, report));
        if host.len() > 1 {
            report.refuse(
                codes::BAD_HEADER,
                self.at.clone(),
                "the host of requests is set more than once",
                "set it once, by Host or :authority",
            );
        }
        HeaderOperations {
            host: host.pop(),
            set,
            add,
            remove,
        }
    }

    fn pairs(
        &self,
        map: &BTreeMap<String, String>,
        at: &str,
        host: &mut Vec<String>,
        report: &mut Report,
    ) -> Vec<(String, HeaderValue)> {
        let mut pairs = Vec::new();
        for (name, value) in map {
            let field = format!("{at}[{name:?}]");
            if self.may_set_host && is_host(name) {
                host.extend(host_value(value, &field, report));
                continue;
            }
            check_name(name, &field, report);
            if let Some(value) = parse(value, field, report) {
                pairs.push((name.to_ascii_lowercase(), value));
            }
        }
        pairs.sort();
        pairs
    }
}

fn removals(names: &[String], at: &str, report: &mut Report) -> Vec<String> {
    for (i, name) in names.iter().enumerate() {
        check_name(name, &format!("{at}[{i}]"), report);
    }
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

/// Envoy takes the host as it is written, and never as a format.
fn host_value(value: &str, field: &str, report: &mut Report) -> Option<String> {
    let valid = !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic());
    if !valid {
        let why = format!("{value:?} is not a host");
        let remedy = "write a host name, with or without a port";
        report.refuse(codes::BAD_HEADER, field, why, remedy);
    }
    valid.then(|| value.to_owned())
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
}

/// Envoy rejects a whole route configuration in which `:`-headers or Host are modified. Setting
/// the host of a request is possible by other means, so only that passes.
fn check_name(name: &str, field: &str, report: &mut Report) {
    let why = if is_host(name) || name.starts_with(':') {
        format!("Envoy does not let routes change the header {name:?} here")
    } else if !names::is_header(name) {
        format!("{name:?} is not the name of a header")
    } else {
        return;
    };
    let remedy =
        "remove it; set the host of requests with headers.request.set or rewrite.authority";
    report.refuse(codes::BAD_HEADER, field, why, remedy);
}

fn parse(value: &str, field: String, report: &mut Report) -> Option<HeaderValue> {
    let parsed = HeaderValue::parse(value);
    if let Err(error) = &parsed {
        let why = format!("Envoy would not take the value {value:?}: {error}");
        let remedy = "write the value in one line, %% for a percent sign, and no other commands \
                      than Envoy's";
        report.refuse(codes::BAD_HEADER, field, why, remedy);
    }
    parsed.ok()
}
