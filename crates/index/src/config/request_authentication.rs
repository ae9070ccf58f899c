//! `RequestAuthentication` to whose tokens are good.
//!
//! A rule that is wrong anywhere refuses the object as a whole, as in Istio.

pub(super) mod keys;

use std::sync::Arc;
use std::time::Duration;

use api::istio;
use model::end_user::{Issuer, RequestAuthentication};

use super::object::Context;
use super::{names, reference, selector};
use crate::codes;
use crate::report::Report;

/// How long proxies wait for keys, if the rule does not say: Istio's default.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn convert(
    spec: istio::RequestAuthentication,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<RequestAuthentication> {
    let references = spec.target_ref.is_some() || !spec.target_refs.is_empty();
    selector::no_references(codes::BAD_TOKENS, references, report);
    let selector = selector::labels(spec.selector, report);
    let rules = spec.jwt_rules.iter().enumerate();
    let issuers = rules.filter_map(|(at, rule)| {
        let mut place = Place {
            field: format!("spec.jwtRules[{at}]"),
            report,
        };
        issuer(rule, context, &mut place)
    });
    Some(RequestAuthentication {
        object: reference(&context.object.key),
        issuers: issuers.collect(),
        selector,
    })
}

/// Where in the object something is read.
pub(super) struct Place<'r> {
    pub(super) field: String,
    pub(super) report: &'r mut Report,
}

// === impl Place ===

impl Place<'_> {
    pub(super) fn refuse(&mut self, part: &str, why: impl Into<String>, remedy: &str) {
        let field = format!("{}.{part}", self.field);
        self.report.refuse(codes::BAD_TOKENS, field, why, remedy);
    }

    /// Texts of a list, none of which may be empty.
    pub(super) fn texts(&mut self, part: &str, texts: &[String]) -> Vec<Arc<str>> {
        if let Some(at) = texts.iter().position(String::is_empty) {
            let why = "the value is empty";
            self.refuse(&format!("{part}[{at}]"), why, "name it, or remove it");
        }
        texts.iter().map(|text| Arc::from(text.as_str())).collect()
    }

    pub(super) fn header(&mut self, part: &str, name: &str) -> Arc<str> {
        if !names::is_header(name) {
            let why = format!("{name:?} is no name of a header");
            self.refuse(part, why, "use letters, digits and hyphens");
        }
        name.into()
    }
}

fn issuer(rule: &istio::JwtRule, context: &Context<'_>, place: &mut Place<'_>) -> Option<Issuer> {
    if rule.issuer.is_empty() {
        let remedy = "write the issuer as the tokens have it";
        place.refuse("issuer", "there is no issuer", remedy);
    }
    let timeout = timeout(rule, place);
    let headers = rule.from_headers.iter().enumerate();
    let headers = headers.map(|(at, header)| {
        let name = place.header(&format!("fromHeaders[{at}].name"), &header.name);
        (name, header.prefix.as_deref().unwrap_or_default().into())
    });
    let headers = headers.collect();
    let claims = rule.output_claim_to_headers.iter().enumerate();
    let claim_headers = claims.map(|(at, claim)| {
        let part = format!("outputClaimToHeaders[{at}]");
        if claim.claim.is_empty() {
            let why = "there is no claim";
            place.refuse(&format!("{part}.claim"), why, "name the claim");
        }
        let header = place.header(&format!("{part}.header"), &claim.header);
        (header, claim.claim.as_str().into())
    });
    let claim_headers = claim_headers.collect();
    let given = (rule.jwks.as_deref(), rule.jwks_uri.as_deref());
    let payload = rule.output_payload_to_header.as_deref();
    Some(Issuer {
        name: rule.issuer.as_str().into(),
        audiences: place.texts("audiences", &rule.audiences),
        headers,
        params: place.texts("fromParams", &rule.from_params),
        cookies: place.texts("fromCookies", &rule.from_cookies),
        forward: rule.forward_original_token.unwrap_or_default(),
        payload_header: payload.map(|name| place.header("outputPayloadToHeader", name)),
        claim_headers,
        listed_claims: place.texts("spaceDelimitedClaims", &rule.space_delimited_claims),
        required: required(rule, place),
        keys: keys::read(given, timeout, context, place)?,
    })
}

fn timeout(rule: &istio::JwtRule, place: &mut Place<'_>) -> Duration {
    let Some(text) = rule.timeout.as_deref() else {
        return TIMEOUT;
    };
    match istio::parse_duration(text) {
        Ok(timeout) if timeout >= Duration::from_millis(1) => return timeout,
        Ok(_) => place.refuse("timeout", "less than 1ms is no time", "write it like 5s"),
        Err(why) => place.refuse("timeout", why, "write it like 5s"),
    }
    TIMEOUT
}

fn required(rule: &istio::JwtRule, place: &mut Place<'_>) -> bool {
    match rule.presence.as_deref() {
        None | Some("OPTIONAL") => false,
        Some("REQUIRED") => true,
        Some(other) => {
            let why = format!("{other:?} is neither OPTIONAL nor REQUIRED");
            place.refuse("presence", why, "write one of the two");
            false
        }
    }
}
