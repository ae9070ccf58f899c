//! Rules for routes and virtual hosts.

#[cfg(test)]
use std::collections::BTreeSet;

use pb::matcher::string_matcher::MatchPattern;
use pb::route::header_matcher::HeaderMatchSpecifier;
use pb::route::query_parameter_matcher::QueryParameterMatchSpecifier;
use pb::route::route::Action;
use pb::route::route_action::{ClusterSpecifier, HostRewriteSpecifier};
use pb::route::{RouteAction, RouteMatch};

use super::regex;
use crate::finding::Refusal;
use crate::pb;

/// What the route configurations allow.
const MAX_BODY: usize = 1024 * 1024;
const MAX_QUERY_NAME: usize = 1024;

/// Takes out virtual hosts that would make Envoy refuse all routes of the port. There are none by
/// construction, for domains are taken before they are given; tests hold that.
#[cfg(test)]
pub(crate) fn virtual_hosts(routes: &mut pb::route::RouteConfiguration) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut taken = BTreeSet::new();
    routes
        .virtual_hosts
        .retain(|host| match domains(host, &mut taken) {
            Ok(()) => true,
            Err(refusal) => {
                refusals.push(refusal.within(&format!("virtual_hosts[{}]", host.name)));
                false
            }
        });
    refusals
}

#[cfg(test)]
fn domains(host: &pb::route::VirtualHost, taken: &mut BTreeSet<String>) -> Result<(), Refusal> {
    if host.domains.is_empty() {
        return Err(Refusal::new("domains", "there are none"));
    }
    let lower = host
        .domains
        .iter()
        .map(|domain| domain.to_ascii_lowercase());
    let own: BTreeSet<String> = lower.collect();
    if own.len() < host.domains.len() || own.iter().any(|domain| taken.contains(domain)) {
        return Err(Refusal::new("domains", "one of them is there twice"));
    }
    taken.extend(own);
    Ok(())
}

/// Whether Envoy would take this route. Fields are named as in a virtual service.
pub(crate) fn route(route: &pb::route::Route) -> Result<(), Refusal> {
    conditions(route.r#match.as_ref())?;
    let request = (
        &route.request_headers_to_add,
        &route.request_headers_to_remove,
    );
    let response = (
        &route.response_headers_to_add,
        &route.response_headers_to_remove,
    );
    headers("headers.request", request)?;
    headers("headers.response", response)?;
    match &route.action {
        Some(Action::Route(action)) => forward(action),
        Some(Action::DirectResponse(response)) => direct_response(response),
        Some(Action::Redirect(redirect)) => self::redirect(redirect),
        _ => Err(Refusal::new("", "it has no action")),
    }
}

fn conditions(condition: Option<&RouteMatch>) -> Result<(), Refusal> {
    use pb::route::route_match::PathSpecifier;
    let condition = condition.ok_or_else(|| Refusal::new("", "it has no condition"))?;
    if let Some(PathSpecifier::SafeRegex(regex)) = &condition.path_specifier {
        regex::check(&regex.regex).map_err(|r| r.within("uri.regex"))?;
    }
    for header in &condition.headers {
        let field = format!("headers[{}]", header.name);
        if header.name.is_empty() || !is_text(&header.name) {
            return Err(Refusal::new(field, "this is not a name of a header"));
        }
        if let Some(HeaderMatchSpecifier::StringMatch(matcher)) = &header.header_match_specifier {
            string(matcher).map_err(|refusal| refusal.within(&field))?;
        }
    }
    condition.query_parameters.iter().try_for_each(query)
}

fn query(query: &pb::route::QueryParameterMatcher) -> Result<(), Refusal> {
    let field = format!("queryParams[{}]", query.name);
    if query.name.is_empty() || query.name.len() > MAX_QUERY_NAME {
        return Err(Refusal::new(field, "its name is empty or too long"));
    }
    match &query.query_parameter_match_specifier {
        Some(QueryParameterMatchSpecifier::StringMatch(matcher)) => {
            string(matcher).map_err(|refusal| refusal.within(&field))
        }
        _ => Ok(()),
    }
}

fn string(matcher: &pb::matcher::StringMatcher) -> Result<(), Refusal> {
    match &matcher.match_pattern {
        Some(MatchPattern::SafeRegex(regex)) => {
            regex::check(&regex.regex).map_err(|refusal| refusal.within("regex"))
        }
        Some(MatchPattern::Prefix(prefix)) if prefix.is_empty() => {
            Err(Refusal::new("prefix", "it is empty"))
        }
        _ => Ok(()),
    }
}

fn forward(action: &RouteAction) -> Result<(), Refusal> {
    match &action.cluster_specifier {
        Some(ClusterSpecifier::Cluster(name)) if !name.is_empty() => {}
        Some(ClusterSpecifier::WeightedClusters(weighted)) => weights(weighted)?,
        _ => return Err(Refusal::new("route", "it has no destination")),
    }
    if let Some(rewrite) = &action.regex_rewrite {
        let pattern = rewrite.pattern.as_ref().map_or("", |p| &p.regex);
        regex::check(pattern).map_err(|r| r.within("rewrite.uriRegexRewrite.match"))?;
    }
    value("rewrite.uri", &action.prefix_rewrite)?;
    match &action.host_rewrite_specifier {
        Some(HostRewriteSpecifier::HostRewriteLiteral(host)) => value("rewrite.authority", host),
        _ => Ok(()),
    }
}

fn weights(weighted: &pb::route::WeightedCluster) -> Result<(), Refusal> {
    let weight = |c: &pb::route::weighted_cluster::ClusterWeight| {
        c.weight.map_or(0, |weight| u64::from(weight.value))
    };
    let sum: u64 = weighted.clusters.iter().map(weight).sum();
    if sum == 0 || sum > u64::from(u32::MAX) {
        let why = format!(
            "the sum of the weights is {sum}; it must be 1 to {}",
            u32::MAX
        );
        return Err(Refusal::new("route", why));
    }
    for (at, cluster) in weighted.clusters.iter().enumerate() {
        let request = (
            &cluster.request_headers_to_add,
            &cluster.request_headers_to_remove,
        );
        let response = (
            &cluster.response_headers_to_add,
            &cluster.response_headers_to_remove,
        );
        headers(&format!("route[{at}].headers.request"), request)?;
        headers(&format!("route[{at}].headers.response"), response)?;
    }
    Ok(())
}

type Changes<'a> = (&'a Vec<pb::core::HeaderValueOption>, &'a Vec<String>);

fn headers(field: &str, (add, remove): Changes<'_>) -> Result<(), Refusal> {
    let added = add.iter().filter_map(|option| option.header.as_ref());
    for header in added {
        name(field, &header.key)?;
        value(field, &header.value)?;
    }
    remove.iter().try_for_each(|removed| name(field, removed))
}

/// Names are tokens, and neither pseudo headers nor the host may be changed.
fn name(field: &str, name: &str) -> Result<(), Refusal> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let valid = !name.is_empty() && name.bytes().all(token);
    match valid && !name.eq_ignore_ascii_case("host") {
        true => Ok(()),
        false => Err(Refusal::new(
            field,
            format!("{name:?} cannot be changed here"),
        )),
    }
}

fn value(field: &str, value: &str) -> Result<(), Refusal> {
    match is_text(value) {
        true => Ok(()),
        false => Err(Refusal::new(field, "it holds a line end or a null byte")),
    }
}

fn is_text(text: &str) -> bool {
    !text.contains(['\0', '\r', '\n'])
}

fn direct_response(response: &pb::route::DirectResponseAction) -> Result<(), Refusal> {
    use pb::core::data_source::Specifier;
    if !(200..600).contains(&response.status) {
        let why = format!("{} is not between 200 and 599", response.status);
        return Err(Refusal::new("directResponse.status", why));
    }
    let body = response
        .body
        .as_ref()
        .and_then(|body| body.specifier.as_ref());
    let length = match body {
        Some(Specifier::InlineString(text)) => text.len(),
        Some(Specifier::InlineBytes(bytes)) => bytes.len(),
        _ => 0,
    };
    match length <= MAX_BODY {
        true => Ok(()),
        false => Err(Refusal::new("directResponse.body", "it exceeds 1 MiB")),
    }
}

fn redirect(redirect: &pb::route::RedirectAction) -> Result<(), Refusal> {
    use pb::route::redirect_action::{PathRewriteSpecifier, SchemeRewriteSpecifier};
    value("redirect.authority", &redirect.host_redirect)?;
    if let Some(SchemeRewriteSpecifier::SchemeRedirect(scheme)) = &redirect.scheme_rewrite_specifier
    {
        value("redirect.scheme", scheme)?;
    }
    match &redirect.path_rewrite_specifier {
        Some(PathRewriteSpecifier::PathRedirect(path)) => value("redirect.uri", path),
        _ => Ok(()),
    }
}
