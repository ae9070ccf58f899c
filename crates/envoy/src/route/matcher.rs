//! Conditions on requests.

use model::route::{HttpMatch, StringMatch};
use pb::matcher::StringMatcher;
use pb::matcher::string_matcher::MatchPattern;
use pb::route::header_matcher::HeaderMatchSpecifier;
use pb::route::query_parameter_matcher::QueryParameterMatchSpecifier;
use pb::route::route_match::PathSpecifier;
use pb::route::{HeaderMatcher, QueryParameterMatcher, RouteMatch};

use crate::{message, pb};

pub(super) fn build(condition: &HttpMatch) -> RouteMatch {
    RouteMatch {
        path_specifier: Some(path(condition.uri.as_ref())),
        case_sensitive: condition.ignore_uri_case.then(message::no).flatten(),
        headers: headers(condition),
        query_parameters: condition.query_params.iter().map(query).collect(),
        ..Default::default()
    }
}

/// Whether every request holds it, so that what comes after is never tried.
pub(super) fn holds_always(condition: &HttpMatch) -> bool {
    let any_path = match &condition.uri {
        None | Some(StringMatch::Present) => true,
        Some(StringMatch::Prefix(prefix)) => prefix.is_empty() || prefix == "/",
        Some(StringMatch::Regex(regex)) => regex == ".*",
        Some(StringMatch::Exact(_)) => false,
    };
    any_path
        && condition.scheme.is_none()
        && condition.method.is_none()
        && condition.authority.is_none()
        && condition.headers.is_empty()
        && condition.without_headers.is_empty()
        && condition.query_params.is_empty()
}

fn path(uri: Option<&StringMatch>) -> PathSpecifier {
    match uri {
        None | Some(StringMatch::Present) => PathSpecifier::Prefix("/".to_owned()),
        Some(StringMatch::Exact(path)) => PathSpecifier::Path(path.clone()),
        Some(StringMatch::Prefix(prefix)) => PathSpecifier::Prefix(prefix.clone()),
        Some(StringMatch::Regex(regex)) => PathSpecifier::SafeRegex(message::regex(regex)),
    }
}

fn headers(condition: &HttpMatch) -> Vec<HeaderMatcher> {
    let pseudo = [
        (":scheme", &condition.scheme),
        (":method", &condition.method),
        (":authority", &condition.authority),
    ];
    let pseudo = pseudo
        .into_iter()
        .filter_map(|(name, value)| Some(header(name, value.as_ref()?)));
    let with = condition.headers.iter().map(|(n, v)| header(n, v));
    let without = condition.without_headers.iter().map(|(n, v)| not(n, v));
    pseudo.chain(with).chain(without).collect()
}

fn header(name: &str, value: &StringMatch) -> HeaderMatcher {
    HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(match string(value) {
            Some(matcher) => HeaderMatchSpecifier::StringMatch(matcher),
            None => HeaderMatchSpecifier::PresentMatch(true),
        }),
        ..Default::default()
    }
}

fn not(name: &str, value: &StringMatch) -> HeaderMatcher {
    let matcher = header(name, value);
    // Envoy never inverts a condition on a header that is missing unless it counts as empty; for
    // presence itself that would make the condition never hold.
    let present = matches!(
        matcher.header_match_specifier,
        Some(HeaderMatchSpecifier::PresentMatch(_))
    );
    HeaderMatcher {
        invert_match: true,
        treat_missing_header_as_empty: !present,
        ..matcher
    }
}

fn query((name, value): &(String, StringMatch)) -> QueryParameterMatcher {
    QueryParameterMatcher {
        name: name.clone(),
        query_parameter_match_specifier: Some(match string(value) {
            Some(matcher) => QueryParameterMatchSpecifier::StringMatch(matcher),
            None => QueryParameterMatchSpecifier::PresentMatch(true),
        }),
    }
}

/// `None` where presence is enough: every string has the empty prefix, which Envoy refuses.
pub(super) fn string(value: &StringMatch) -> Option<StringMatcher> {
    let pattern = match value {
        StringMatch::Present => return None,
        StringMatch::Prefix(prefix) if prefix.is_empty() => return None,
        StringMatch::Exact(text) => MatchPattern::Exact(text.clone()),
        StringMatch::Prefix(prefix) => MatchPattern::Prefix(prefix.clone()),
        StringMatch::Regex(regex) => MatchPattern::SafeRegex(message::regex(regex)),
    };
    Some(StringMatcher {
        match_pattern: Some(pattern),
        ..Default::default()
    })
}
