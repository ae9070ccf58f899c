//! Whether a condition of a delegate can be within one of its root.

use model::route::{HttpMatch, StringMatch};

/// Istio's rule: what both speak of must be narrower, or equal, in the delegate.
pub(super) fn between(root: &HttpMatch, own: &HttpMatch) -> bool {
    let texts = [
        (&root.uri, &own.uri),
        (&root.scheme, &own.scheme),
        (&root.method, &own.method),
        (&root.authority, &own.authority),
    ];
    let differ = |a: Option<&str>, b: Option<&str>| a.zip(b).is_some_and(|(a, b)| a != b);
    let (port, own_port) = (root.port, own.port);
    let labels = &own.source_labels;
    texts.iter().any(|(a, b)| wider(a.as_ref(), b.as_ref()))
        || named(&root.headers, &own.headers)
        || named(&root.without_headers, &own.without_headers)
        || named(&root.query_params, &own.query_params)
        || both_paths(root, own) && root.ignore_uri_case != own.ignore_uri_case
        || port.zip(own_port).is_some_and(|(a, b)| a != b)
        || differ(
            root.source_namespace.as_deref(),
            own.source_namespace.as_deref(),
        )
        || labels
            .iter()
            .any(|(key, value)| differ(root.source_labels.get(key), Some(value)))
        || !(root.gateways.is_empty() || own.gateways.iter().all(|g| root.gateways.contains(g)))
}

/// The case of a path matters only where there are two paths to compare.
fn both_paths(root: &HttpMatch, own: &HttpMatch) -> bool {
    root.uri.is_some() && own.uri.is_some()
}

fn named(root: &[(String, StringMatch)], own: &[(String, StringMatch)]) -> bool {
    own.iter().any(|(name, condition)| {
        let same = root.iter().find(|(other, _)| other == name);
        same.is_some_and(|(_, outer)| wider(Some(outer), Some(condition)))
    })
}

/// Whether the delegate's condition takes what the root's does not, as far as can be told: of
/// regular expressions nothing can, unless they are equal.
fn wider(root: Option<&StringMatch>, own: Option<&StringMatch>) -> bool {
    let (Some(root), Some(own)) = (root, own) else {
        return false;
    };
    match (root, own) {
        (root, own) if root == own => false,
        (StringMatch::Present, _) => false,
        (StringMatch::Prefix(root), StringMatch::Prefix(own) | StringMatch::Exact(own)) => {
            !own.starts_with(root.as_str())
        }
        _ => true,
    }
}
