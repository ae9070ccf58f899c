//! What policies of Istio 1.0 demand of requests. Paths decide whose tokens are looked at: of the
//! cases that Envoy is told, the first that fits a request holds.

use std::cmp::Reverse;

use model::end_user::Origins;
use model::end_user::origins::{Path, Trigger};
use pb::jwt_authn::jwt_requirement::RequiresType;
use pb::jwt_authn::requirement_rule::RequirementType;
use pb::jwt_authn::{JwtAuthentication, JwtRequirement, JwtRequirementOrList, RequirementRule};
use pb::route::RouteMatch;
use pb::route::route_match::PathSpecifier;

use super::text;
use super::token::{everything, provider, requirement};
use crate::{filter, message, pb};

pub(super) fn filter(origins: &Origins) -> pb::hcm::HttpFilter {
    let providers = origins.all.iter().enumerate();
    let providers = providers.map(|(at, origin)| (name(at), provider(&origin.issuer)));
    let config = JwtAuthentication {
        providers: providers.collect(),
        rules: match origins.only_trigger() {
            Some(trigger) => by_one(origins, trigger),
            None => by_several(origins),
        },
        bypass_cors_preflight: true,
        ..Default::default()
    };
    filter::http_filter(filter::TOKENS, &config)
}

fn name(at: usize) -> String {
    format!("origins-{at}")
}

/// Who has triggers has this one: paths that it leaves out, those that it is for, and the rest.
fn by_one(origins: &Origins, trigger: &Trigger) -> Vec<RequirementRule> {
    let without = requires(origins, &[]);
    let with = requires(origins, &[std::slice::from_ref(trigger)]);
    let mut rules = Vec::new();
    if !trigger.excluded.is_empty() {
        rules.push(rule(at(&trigger.excluded), without.clone()));
    }
    if trigger.included.is_empty() {
        rules.push(rule(everything(), with));
    } else {
        rules.push(rule(at(&trigger.included), with));
        rules.extend(without.map(|without| rule(everything(), Some(without))));
    }
    rules
}

/// A case for each combination of triggers, those of most issuers first: where the triggers of some
/// issuers hold, a case of others does not fit, and one of fewer comes later.
fn by_several(origins: &Origins) -> Vec<RequirementRule> {
    let mut cases: Vec<Vec<(&[Trigger], &Trigger)>> = vec![Vec::new()];
    for triggers in origins.triggers() {
        let longer = cases.iter().flat_map(|case| {
            let each = triggers.iter().map(|trigger| (triggers, trigger));
            each.map(|more| case.iter().copied().chain([more]).collect())
        });
        let longer: Vec<_> = longer.collect();
        cases.extend(longer);
    }
    cases.sort_by_key(|case| Reverse(case.len()));
    let rules = cases.iter().filter_map(|case| {
        let holding: Vec<&[Trigger]> = case.iter().map(|(triggers, _)| *triggers).collect();
        let required = requires(origins, &holding)?;
        let fitting = RouteMatch {
            headers: case.iter().flat_map(|(_, one)| asked(one)).collect(),
            ..everything()
        };
        Some(rule(fitting, Some(required)))
    });
    rules.collect()
}

fn rule(fitting: RouteMatch, required: Option<RequirementType>) -> RequirementRule {
    RequirementRule {
        r#match: Some(fitting),
        requirement_type: required,
    }
}

/// A good token of one of those whose triggers hold, or who have none; `None` if that is nobody.
fn requires(origins: &Origins, holding: &[&[Trigger]]) -> Option<RequirementType> {
    let all = origins.all.iter().enumerate();
    let looked_at = all
        .filter(|(_, origin)| origin.triggers.is_empty() || holding.contains(&&*origin.triggers));
    let named = looked_at.map(|(at, _)| requirement(RequiresType::ProviderName(name(at))));
    let mut requirements: Vec<JwtRequirement> = named.collect();
    if requirements.is_empty() {
        return None;
    }
    if origins.optional {
        let any = RequiresType::AllowMissingOrFailed(pb::Empty {});
        requirements.push(requirement(any));
    }
    Some(RequirementType::Requires(match requirements.len() {
        1 => requirements.remove(0),
        _ => requirement(RequiresType::RequiresAny(JwtRequirementOrList {
            requirements,
        })),
    }))
}

/// One of these paths. Envoy compares them without the query.
fn at(paths: &[Path]) -> RouteMatch {
    let specifier = match paths {
        [Path::Exact(text)] => PathSpecifier::Path(text.clone()),
        [Path::Prefix(text)] => PathSpecifier::Prefix(text.clone()),
        _ => PathSpecifier::SafeRegex(message::regex(&one_of(paths))),
    };
    RouteMatch {
        path_specifier: Some(specifier),
        ..Default::default()
    }
}

/// A match has one path, and as many headers as it likes; as a header the path has its query.
fn asked(trigger: &Trigger) -> impl Iterator<Item = pb::route::HeaderMatcher> {
    use pb::route::header_matcher::HeaderMatchSpecifier;
    let matcher = |paths: &[Path], invert_match| {
        let pattern = text::regex(&format!("(?s)(?:{})(?:\\?.*)?", one_of(paths)));
        (!paths.is_empty()).then(|| pb::route::HeaderMatcher {
            name: ":path".to_owned(),
            header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(pattern)),
            invert_match,
            ..Default::default()
        })
    };
    let (included, excluded) = (&trigger.included, &trigger.excluded);
    [matcher(included, false), matcher(excluded, true)]
        .into_iter()
        .flatten()
}

fn one_of(paths: &[Path]) -> String {
    let each = paths.iter().map(|path| match path {
        Path::Exact(text) => text::escape(text),
        Path::Prefix(text) => format!("{}[^?]*", text::escape(text)),
        Path::Suffix(text) => format!("[^?]*{}", text::escape(text)),
        Path::Regex(pattern) => format!("(?:{pattern})"),
    });
    each.collect::<Vec<_>>().join("|")
}
