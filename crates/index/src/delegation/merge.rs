//! A delegate's route within the outline of its root.

use model::ObjectRef;
use model::route::{Fault, HeaderOperations, HttpMatch, HttpRoute, StringMatch};

use super::{Outline, conflict};

/// The route with what the root adds; `None` if a condition of it is in none of the root's.
///
/// As Istio merges: what the delegate leaves open is the root's, and names are joined.
pub(super) fn routes(root: &Outline, route: &HttpRoute, delegate: &ObjectRef) -> Option<HttpRoute> {
    let matches = matches(&root.matches, &route.matches)?;
    let own = |ours: &HeaderOperations, theirs: &HeaderOperations| match ours.is_empty() {
        true => theirs.clone(),
        false => ours.clone(),
    };
    let has_headers = !(route.headers.is_empty() && route.response_headers.is_empty());
    let (headers, response_headers) = match has_headers {
        true => (route.headers.clone(), route.response_headers.clone()),
        false => (
            own(&route.headers, &root.headers),
            own(&route.response_headers, &root.response_headers),
        ),
    };
    Some(HttpRoute {
        delegate: Some(delegate.clone()),
        position: route.position,
        name: joined(&root.name, &route.name),
        matches,
        action: route.action.clone(),
        rewrite: route.rewrite.clone().or_else(|| root.rewrite.clone()),
        timeout: route.timeout.or(root.timeout),
        retries: route.retries.clone().or_else(|| root.retries.clone()),
        fault: match route.fault == Fault::default() {
            true => root.fault.clone(),
            false => route.fault.clone(),
        },
        mirrors: match route.mirrors.is_empty() {
            true => root.mirrors.clone(),
            false => route.mirrors.clone(),
        },
        cors: route.cors.clone().or_else(|| root.cors.clone()),
        headers,
        response_headers,
    })
}

fn joined(root: &Option<String>, own: &Option<String>) -> Option<String> {
    match (root, own) {
        (Some(root), Some(own)) => Some(format!("{root}-{own}")),
        (root, own) => root.clone().or_else(|| own.clone()),
    }
}

/// Every condition of the delegate within every one of the root's that it can be within. There must
/// be one for each.
fn matches(root: &[HttpMatch], own: &[HttpMatch]) -> Option<Vec<HttpMatch>> {
    if root.is_empty() || own.is_empty() {
        let either = if root.is_empty() { own } else { root };
        return Some(either.to_vec());
    }
    let mut merged = Vec::new();
    for inner in own {
        let before = merged.len();
        let outer = root.iter().filter(|outer| !conflict::between(outer, inner));
        merged.extend(outer.map(|outer| both(outer, inner)));
        if merged.len() == before {
            return None;
        }
    }
    Some(merged)
}

/// Both conditions at once. Where the two speak of the same thing, the inner one is the narrower.
fn both(outer: &HttpMatch, inner: &HttpMatch) -> HttpMatch {
    let text = |a: &Option<StringMatch>, b: &Option<StringMatch>| b.clone().or_else(|| a.clone());
    HttpMatch {
        name: joined(&outer.name, &inner.name),
        stat_prefix: inner
            .stat_prefix
            .clone()
            .or_else(|| outer.stat_prefix.clone()),
        uri: text(&outer.uri, &inner.uri),
        ignore_uri_case: inner.ignore_uri_case || outer.ignore_uri_case,
        scheme: text(&outer.scheme, &inner.scheme),
        method: text(&outer.method, &inner.method),
        authority: text(&outer.authority, &inner.authority),
        headers: pairs(&outer.headers, &inner.headers),
        without_headers: pairs(&outer.without_headers, &inner.without_headers),
        query_params: pairs(&outer.query_params, &inner.query_params),
        port: inner.port.or(outer.port),
        source_labels: outer
            .source_labels
            .iter()
            .chain(inner.source_labels.iter())
            .collect(),
        source_namespace: inner
            .source_namespace
            .clone()
            .or_else(|| outer.source_namespace.clone()),
        gateways: match inner.gateways.is_empty() {
            true => outer.gateways.clone(),
            false => inner.gateways.clone(),
        },
    }
}

type Named = (String, StringMatch);

fn pairs(outer: &[Named], inner: &[Named]) -> Vec<Named> {
    let is_inner = |name: &str| inner.iter().any(|(own, _)| own == name);
    let only_outer = outer.iter().filter(|(name, _)| !is_inner(name));
    let mut all: Vec<Named> = only_outer.chain(inner).cloned().collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}
