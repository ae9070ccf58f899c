//! Routes and conditions that earlier ones leave nothing for.
//!
//! Routes are tried in order, so a condition that an earlier one includes can never be the first to
//! hold. What is told here is certain; of regular expressions only equal ones are compared.

use std::sync::LazyLock;

use model::route::{HttpMatch, HttpRoute, StringMatch};

use crate::codes;
use crate::report::Report;

/// The condition of a route that has none.
static ALWAYS: LazyLock<HttpMatch> = LazyLock::new(HttpMatch::default);

pub(crate) fn check(routes: &[HttpRoute], report: &mut Report) {
    let mut before: Vec<(String, &HttpMatch)> = Vec::new();
    for route in routes {
        let own = conditions(route);
        let count = own.len();
        let mut hidden = Vec::new();
        for (field, condition) in own {
            let by = before
                .iter()
                .find(|(_, earlier)| covers(earlier, condition));
            hidden.extend(by.map(|(by, _)| (field.clone(), by.clone())));
            before.push((field, condition));
        }
        // What comes from a delegate stands in another document, which is checked by itself.
        if route.delegate.is_none() {
            tell(route, count, hidden, report);
        }
    }
}

fn conditions(route: &HttpRoute) -> Vec<(String, &HttpMatch)> {
    let at = match &route.delegate {
        Some(delegate) => format!("{delegate} spec.http[{}]", route.position),
        None => format!("spec.http[{}]", route.position),
    };
    if route.matches.is_empty() {
        return vec![(at, &ALWAYS)];
    }
    let blocks = route.matches.iter().enumerate();
    blocks
        .map(|(i, block)| (format!("{at}.match[{i}]"), block))
        .collect()
}

/// One finding for a route of which nothing is left, else one for each condition.
fn tell(route: &HttpRoute, conditions: usize, hidden: Vec<(String, String)>, report: &mut Report) {
    let whole = hidden.len() == conditions;
    let remedy = "put the narrower condition first, or remove it";
    for (field, by) in hidden {
        let (field, what) = match whole {
            true => (format!("spec.http[{}]", route.position), "the route is"),
            false => (field, "the condition is"),
        };
        report.warn(
            codes::UNREACHABLE,
            field,
            format!("{what} never reached: {by} takes all its requests"),
            "it has no effect; the routes before it have",
            remedy,
        );
        if whole {
            return;
        }
    }
}

/// Whether every request that `narrow` takes is taken by `wide` as well.
fn covers(wide: &HttpMatch, narrow: &HttpMatch) -> bool {
    let one = |a: &Option<StringMatch>, b: &Option<StringMatch>| text(a.as_ref(), b.as_ref());
    covers_uri(wide, narrow)
        && one(&wide.scheme, &narrow.scheme)
        && one(&wide.method, &narrow.method)
        && one(&wide.authority, &narrow.authority)
        && named(&wide.headers, &narrow.headers)
        && named(&wide.query_params, &narrow.query_params)
        && wide
            .without_headers
            .iter()
            .all(|condition| narrow.without_headers.contains(condition))
        && covers_place(wide, narrow)
}

fn covers_place(wide: &HttpMatch, narrow: &HttpMatch) -> bool {
    let gateways = &wide.gateways;
    (wide.port.is_none() || wide.port == narrow.port)
        && wide.source_labels.selects(&narrow.source_labels)
        && (wide.source_namespace.is_none() || wide.source_namespace == narrow.source_namespace)
        && (gateways.is_empty()
            || (!narrow.gateways.is_empty()
                && narrow
                    .gateways
                    .iter()
                    .all(|gateway| gateways.contains(gateway))))
}

fn covers_uri(wide: &HttpMatch, narrow: &HttpMatch) -> bool {
    match &wide.uri {
        None | Some(StringMatch::Present) => return true,
        Some(StringMatch::Prefix(prefix)) if prefix == "/" => return true,
        Some(StringMatch::Regex(regex)) if regex == ".*" => return true,
        _ => {}
    }
    if narrow.ignore_uri_case && !wide.ignore_uri_case {
        return false;
    }
    let fold = |uri: &Option<StringMatch>| match (uri, wide.ignore_uri_case) {
        (Some(StringMatch::Exact(path)), true) => Some(StringMatch::Exact(path.to_lowercase())),
        (Some(StringMatch::Prefix(path)), true) => Some(StringMatch::Prefix(path.to_lowercase())),
        (uri, _) => uri.clone(),
    };
    text(fold(&wide.uri).as_ref(), fold(&narrow.uri).as_ref())
}

fn named(wide: &[(String, StringMatch)], narrow: &[(String, StringMatch)]) -> bool {
    wide.iter().all(|(name, condition)| {
        let same = narrow.iter().find(|(other, _)| other == name);
        same.is_some_and(|(_, other)| text(Some(condition), Some(other)))
    })
}

fn text(wide: Option<&StringMatch>, narrow: Option<&StringMatch>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) if wide == narrow => true,
        (Some(StringMatch::Present), Some(_)) => true,
        (Some(StringMatch::Prefix(p)), Some(StringMatch::Prefix(s) | StringMatch::Exact(s))) => {
            s.starts_with(p.as_str())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(uri: StringMatch) -> HttpMatch {
        HttpMatch {
            uri: Some(uri),
            ..HttpMatch::default()
        }
    }

    fn prefix(text: &str) -> StringMatch {
        StringMatch::Prefix(text.to_owned())
    }

    fn exact(text: &str) -> StringMatch {
        StringMatch::Exact(text.to_owned())
    }

    #[test]
    fn a_wider_path_covers_narrower_ones() {
        for (wide, narrow, expected) in [
            (path(prefix("/")), path(exact("/x")), true),
            (path(prefix("/a")), path(prefix("/ab")), true),
            (path(prefix("/ab")), path(prefix("/a")), false),
            (path(exact("/a")), path(exact("/a")), true),
            (path(prefix("/a")), HttpMatch::default(), false),
            (HttpMatch::default(), path(prefix("/a")), true),
        ] {
            assert_eq!(covers(&wide, &narrow), expected, "{wide:?} {narrow:?}");
        }
    }

    #[test]
    fn more_conditions_are_narrower() {
        let jason = HttpMatch {
            headers: vec![("end-user".into(), exact("jason"))],
            ..HttpMatch::default()
        };
        let anybody = HttpMatch {
            headers: vec![("end-user".into(), StringMatch::Present)],
            ..HttpMatch::default()
        };
        let port = HttpMatch {
            port: Some(80),
            ..HttpMatch::default()
        };
        assert!(covers(&anybody, &jason) && !covers(&jason, &anybody));
        assert!(covers(&ALWAYS, &port) && !covers(&port, &ALWAYS));
    }

    #[test]
    fn the_case_counts_unless_it_is_ignored() {
        let wide = HttpMatch {
            ignore_uri_case: true,
            ..path(prefix("/A"))
        };
        assert!(covers(&wide, &path(exact("/ab"))));
        assert!(!covers(
            &path(exact("/ab")),
            &HttpMatch {
                ignore_uri_case: true,
                ..path(exact("/ab"))
            }
        ));
    }
}
