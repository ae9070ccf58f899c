//! Tokens of end users, checked before anything is asked of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::end_user::{Issuer, Keys, RequestAuthentication};
use pb::jwt_authn::jwt_provider::{JwksSourceSpecifier, NormalizePayload};
use pb::jwt_authn::jwt_requirement::RequiresType;
use pb::jwt_authn::{
    JwtAuthentication, JwtClaimToHeader, JwtHeader, JwtProvider, JwtRequirement,
    JwtRequirementAndList, JwtRequirementOrList, RemoteJwks, RequirementRule, requirement_rule,
};

use super::principal::PAYLOAD;
use crate::{filter, message, names, pb};

/// How long proxies go by keys that they were told.
const CACHED: Duration = Duration::from_secs(5 * 60);

/// `None` if no issuer is known.
pub(super) fn filter(policies: &[Arc<RequestAuthentication>]) -> Option<pb::hcm::HttpFilter> {
    let issuers = policies.iter().flat_map(|policy| &policy.issuers);
    let named: Vec<(String, &Issuer)> = issuers
        .enumerate()
        .map(|(at, issuer)| (format!("origins-{at}"), issuer))
        .collect();
    if named.is_empty() {
        return None;
    }
    let each = named
        .iter()
        .map(|(name, issuer)| (name.clone(), provider(issuer)));
    let config = JwtAuthentication {
        providers: HashMap::from_iter(each),
        rules: vec![RequirementRule {
            r#match: Some(everything()),
            requirement_type: Some(requirement_rule::RequirementType::Requires(all(&named))),
        }],
        // Browsers send no token with the question whether they may ask.
        bypass_cors_preflight: true,
        ..Default::default()
    };
    Some(filter::http_filter(filter::TOKENS, &config))
}

pub(super) fn provider(issuer: &Issuer) -> JwtProvider {
    let texts = |list: &[Arc<str>]| list.iter().map(|text| text.to_string()).collect();
    let headers = issuer.headers.iter().map(|(name, prefix)| JwtHeader {
        name: name.to_string(),
        value_prefix: prefix.to_string(),
    });
    let claims = issuer.claim_headers.iter();
    let claims = claims.map(|(header, claim)| JwtClaimToHeader {
        header_name: header.to_string(),
        claim_name: claim.to_string(),
        ..Default::default()
    });
    let listed = (!issuer.listed_claims.is_empty()).then(|| NormalizePayload {
        space_delimited_claims: texts(&issuer.listed_claims),
    });
    JwtProvider {
        issuer: issuer.name.to_string(),
        audiences: texts(&issuer.audiences),
        jwks_source_specifier: Some(keys(&issuer.keys)),
        from_headers: headers.collect(),
        from_params: texts(&issuer.params),
        from_cookies: texts(&issuer.cookies),
        forward: issuer.forward,
        forward_payload_header: issuer
            .payload_header
            .as_deref()
            .unwrap_or_default()
            .to_owned(),
        claim_to_headers: claims.collect(),
        payload_in_metadata: PAYLOAD.to_owned(),
        normalize_payload_in_metadata: listed,
        ..Default::default()
    }
}

fn keys(keys: &Keys) -> JwksSourceSpecifier {
    match keys {
        Keys::Given(text) => {
            JwksSourceSpecifier::LocalJwks(message::inline_string(text.to_string()))
        }
        Keys::Asked {
            uri,
            host,
            port,
            timeout,
        } => {
            use pb::core::http_uri::HttpUpstreamType;
            let cluster = names::outbound_cluster(*port, None, host);
            JwksSourceSpecifier::RemoteJwks(RemoteJwks {
                http_uri: Some(pb::core::HttpUri {
                    uri: uri.to_string(),
                    timeout: Some(message::duration(*timeout)),
                    http_upstream_type: Some(HttpUpstreamType::Cluster(cluster)),
                }),
                cache_duration: Some(message::duration(CACHED)),
                ..Default::default()
            })
        }
    }
}

pub(super) fn everything() -> pb::route::RouteMatch {
    pb::route::RouteMatch {
        path_specifier: Some(pb::route::route_match::PathSpecifier::Prefix(
            "/".to_owned(),
        )),
        ..Default::default()
    }
}

/// A good token of one issuer is enough, and none is as well, unless an issuer's is required. Envoy
/// would refuse the token of one issuer to another that is asked alone, missing or not.
fn all(issuers: &[(String, &Issuer)]) -> JwtRequirement {
    let named = |(name, _): &(String, _)| requirement(RequiresType::ProviderName(name.clone()));
    let required = issuers.iter().filter(|(_, issuer)| issuer.required);
    let mut required: Vec<JwtRequirement> = required.map(named).collect();
    match required.len() {
        0 => {
            let missing = requirement(RequiresType::AllowMissing(pb::Empty {}));
            requirement(RequiresType::RequiresAny(JwtRequirementOrList {
                requirements: issuers.iter().map(named).chain([missing]).collect(),
            }))
        }
        1 => required.remove(0),
        _ => requirement(RequiresType::RequiresAll(JwtRequirementAndList {
            requirements: required,
        })),
    }
}

pub(super) fn requirement(requires: RequiresType) -> JwtRequirement {
    JwtRequirement {
        requires_type: Some(requires),
    }
}
