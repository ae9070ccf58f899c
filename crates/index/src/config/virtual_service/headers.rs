//! Changes to headers, limited to what Envoy lets a route change.

use std::collections::BTreeMap;

use api::istio;
use model::route::HeaderOperations;

use crate::codes;
use crate::config::names;
use crate::report::Report;

/// Request and response operations of the `headers` beside a route or destination.
pub(super) fn convert(
    headers: istio::Headers,
    at: &str,
    report: &mut Report,
) -> (HeaderOperations, HeaderOperations) {
    let request = operations(
        headers.request,
        &format!("{at}.headers.request"),
        true,
        report,
    );
    let response = operations(
        headers.response,
        &format!("{at}.headers.response"),
        false,
        report,
    );
    (request, response)
}

fn operations(
    operations: istio::HeaderOperations,
    at: &str,
    may_set_host: bool,
    report: &mut Report,
) -> HeaderOperations {
    let mut pairs = |map: BTreeMap<String, String>, verb: &str| -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = map
            .into_iter()
            .map(|(name, value)| {
                let field = format!("{at}.{verb}[{name:?}]");
                check_name(&name, &field, may_set_host, report);
                check_value(&value, &field, report);
                (name.to_ascii_lowercase(), value)
            })
            .collect();
        pairs.sort();
        pairs
    };
    let set = pairs(operations.set, "set");
    let add = pairs(operations.add, "add");
    for (i, name) in operations.remove.iter().enumerate() {
        check_name(name, &format!("{at}.remove[{i}]"), false, report);
    }
    let remove = operations
        .remove
        .iter()
        .map(|name| name.to_ascii_lowercase());
    HeaderOperations {
        set,
        add,
        remove: remove.collect(),
    }
}

/// Envoy rejects a whole route configuration in which `:`-headers or Host are modified. Setting
/// the host of a request is possible by other means, so only that passes.
fn check_name(name: &str, field: &str, may_be_host: bool, report: &mut Report) {
    let is_host = name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority");
    if is_host && may_be_host {
        return;
    }
    let why = if is_host || name.starts_with(':') {
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

fn check_value(value: &str, field: &str, report: &mut Report) {
    if value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
        let why = "the value has a line break or another control character";
        report.refuse(codes::BAD_HEADER, field, why, "write the value in one line");
    }
}
