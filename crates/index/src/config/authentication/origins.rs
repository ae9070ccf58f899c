//! What a policy demands of requests: whose tokens, and for which paths.

use std::collections::BTreeSet;

use api::istio::{Policy, PolicyJwt, TriggerPath, TriggerRule};
use model::end_user::origins::{Origin, Path, Trigger};
use model::end_user::{Issuer, Origins};

use super::policy::ignored;
use crate::codes;
use crate::config::object::Context;
use crate::config::regex;
use crate::config::request_authentication::{Place, TIMEOUT, keys};
use crate::report::Report;

/// `None` where nothing is demanded.
pub(super) fn convert(
    spec: &Policy,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Origins> {
    binding(spec, report);
    if spec.origins.is_empty() {
        if spec.origin_is_optional == Some(true) {
            let why = "there are no origins, so tokens are not looked at";
            ignored("spec.originIsOptional".to_owned(), why, report);
        }
        return None;
    }
    let mut all = Vec::new();
    let mut names = BTreeSet::new();
    for (at, method) in spec.origins.iter().enumerate() {
        let mut place = Place {
            field: format!("spec.origins[{at}]"),
            report,
        };
        let Some(jwt) = &method.jwt else {
            let remedy = "write jwt with an issuer and keys";
            place.refuse("jwt", "a method of origins is jwt", remedy);
            continue;
        };
        place.field.push_str(".jwt");
        if !names.insert(&jwt.issuer) {
            let why = format!("the issuer {:?} is named twice", jwt.issuer);
            place.refuse("issuer", why, "write one origin for each issuer");
        }
        let triggers = triggers(&jwt.trigger_rules, &mut place);
        let issuer = issuer(jwt, context, &mut place);
        all.extend(issuer.map(|issuer| Origin { issuer, triggers }));
    }
    let origins = Origins {
        all,
        optional: spec.origin_is_optional.unwrap_or_default(),
    };
    fit(&origins, report);
    Some(origins)
}

/// Rules ask for the principals of peers and of tokens by names of their own, so there is nothing
/// to choose.
fn binding(spec: &Policy, report: &mut Report) {
    let field = "spec.principalBinding";
    let Some(name) = spec.principal_binding.as_ref() else {
        return;
    };
    let of_origin = *name == "USE_ORIGIN" || *name == 1;
    if !of_origin && *name != "USE_PEER" && *name != 0 {
        let why = format!("{name} is neither USE_PEER nor USE_ORIGIN");
        report.refuse(codes::BAD_TOKENS, field, why, "write one of the two");
    }
    if of_origin && spec.origins.is_empty() {
        let why = "there are no origins whose principal could be used";
        ignored(field.to_owned(), why, report);
    }
}

fn issuer(jwt: &PolicyJwt, context: &Context<'_>, place: &mut Place<'_>) -> Option<Issuer> {
    if jwt.issuer.is_empty() {
        let remedy = "write the issuer as the tokens have it";
        place.refuse("issuer", "there is no issuer", remedy);
    }
    let headers = jwt.jwt_headers.iter().enumerate();
    let headers = headers.map(|(at, name)| {
        let header = place.header(&format!("jwtHeaders[{at}]"), name);
        // In this header a token is never alone.
        let prefix = match name.eq_ignore_ascii_case("authorization") {
            true => "Bearer ",
            false => "",
        };
        (header, prefix.into())
    });
    let headers = headers.collect();
    let given = (jwt.jwks.as_deref(), jwt.jwks_uri.as_deref());
    Some(Issuer {
        name: jwt.issuer.as_str().into(),
        audiences: place.texts("audiences", &jwt.audiences),
        headers,
        params: place.texts("jwtParams", &jwt.jwt_params),
        cookies: Vec::new(),
        // As Istio had it: what served before the tokens were checked went by them.
        forward: true,
        payload_header: None,
        claim_headers: Vec::new(),
        listed_claims: Vec::new(),
        required: false,
        keys: keys::read(given, TIMEOUT, context, place)?,
    })
}

/// Empty if one of them holds for every path.
fn triggers(rules: &[TriggerRule], place: &mut Place<'_>) -> Vec<Trigger> {
    let mut always = false;
    let mut triggers = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let at = format!("triggerRules[{at}]");
        always |= rule.included_paths.is_empty() && rule.excluded_paths.is_empty();
        let included = paths(&rule.included_paths, &format!("{at}.includedPaths"), place);
        let excluded = paths(&rule.excluded_paths, &format!("{at}.excludedPaths"), place);
        triggers.push(Trigger { included, excluded });
    }
    triggers.sort();
    triggers.dedup();
    match always {
        true => Vec::new(),
        false => triggers,
    }
}

fn paths(listed: &[TriggerPath], part: &str, place: &mut Place<'_>) -> Vec<Path> {
    let mut read = Vec::new();
    for (at, path) in listed.iter().enumerate() {
        match self::path(path) {
            Ok(path) => read.push(path),
            Err(why) => {
                let remedy = "write one of exact, prefix, suffix and regex";
                place.refuse(&format!("{part}[{at}]"), why, remedy);
            }
        }
    }
    read
}

fn path(path: &TriggerPath) -> Result<Path, String> {
    let (path, text) = match (&path.exact, &path.prefix, &path.suffix, &path.regex) {
        (Some(text), None, None, None) => (Path::Exact(text.clone()), text),
        (None, Some(text), None, None) => (Path::Prefix(text.clone()), text),
        (None, None, Some(text), None) => (Path::Suffix(text.clone()), text),
        (None, None, None, Some(text)) => (Path::Regex(text.clone()), text),
        _ => return Err("a path is said in one way".to_owned()),
    };
    match &path {
        _ if text.is_empty() => return Err("the value is empty".to_owned()),
        Path::Regex(_) => {
            regex::check(text)?;
        }
        _ if text.contains(['?', '#']) => {
            return Err(format!(
                "{text:?} has more than a path: queries are not compared"
            ));
        }
        _ => {}
    }
    Ok(path)
}

/// What Envoy is told are cases: the first whose paths fit says whose tokens are looked at.
fn fit(origins: &Origins, report: &mut Report) {
    if origins.cases() > Origins::MAX_CASES {
        report.refuse(
            codes::BAD_TOKENS,
            "spec.origins",
            format!(
                "the triggerRules make {} different cases, of which {} can be told apart",
                origins.cases(),
                Origins::MAX_CASES
            ),
            "give issuers the same triggerRules, or name fewer",
        );
    }
    let triggers = origins.triggers();
    let mut paths = triggers
        .iter()
        .flat_map(|all| all.iter().flat_map(Trigger::paths));
    let regex = paths.any(|path| matches!(path, Path::Regex(_)));
    if regex && origins.only_trigger().is_none() {
        report.refuse(
            codes::BAD_TOKENS,
            "spec.origins",
            "a regex in one of several different triggerRules could not be kept from the query",
            "write exact, prefix or suffix, or one rule that is the same for all origins that have \
             rules",
        );
    }
}
