//! What happens to a request.

use std::time::Duration;

use model::Hostname;
use model::route::{Action, Body, HttpRoute, Rewrite, UriRewrite, WeightedDestination};
use pb::route::route_action::{ClusterSpecifier, HostRewriteSpecifier};
use pb::route::weighted_cluster::{ClusterWeight, cluster_weight};
use pb::route::{RouteAction, WeightedCluster, route};

use super::header::{self, Edits};
use super::{mirror, redirect};
use crate::finding::Refusal;
use crate::{message, names, pb};

/// An action, with the header changes of the route it belongs to.
pub(super) struct Built {
    pub(super) action: route::Action,
    pub(super) edits: Edits,
    /// Where all requests go, if that is one place.
    pub(super) target: Option<(Hostname, u16)>,
}

/// Resolves a destination to a host and port.
pub(super) type Resolve<'a> = dyn Fn(&model::route::Destination) -> (Hostname, u16) + 'a;

pub(super) fn build(
    rule: &HttpRoute,
    retry: Option<pb::route::RetryPolicy>,
    resolve: &Resolve<'_>,
    listener: u16,
) -> Result<Built, Refusal> {
    let edits = header::edits(&rule.headers, &rule.response_headers);
    let (action, edits, target) = match &rule.action {
        Action::Forward(to) => return forward(rule, to, edits, retry, resolve),
        Action::Redirect(to) => (
            route::Action::Redirect(redirect::build(to, listener)?),
            edits,
            None,
        ),
        Action::Respond { status, body } => {
            let response = pb::route::DirectResponseAction {
                status: (*status).into(),
                body: body.as_ref().map(data),
                ..Default::default()
            };
            (route::Action::DirectResponse(response), edits, None)
        }
    };
    Ok(Built {
        action,
        edits,
        target,
    })
}

fn data(body: &Body) -> pb::core::DataSource {
    use pb::core::data_source::Specifier;
    match body {
        Body::Text(text) => message::inline_string(text.clone()),
        Body::Bytes(bytes) => pb::core::DataSource {
            specifier: Some(Specifier::InlineBytes(bytes.clone())),
            ..Default::default()
        },
    }
}

fn forward(
    rule: &HttpRoute,
    to: &[WeightedDestination],
    edits: Edits,
    retry_policy: Option<pb::route::RetryPolicy>,
    resolve: &Resolve<'_>,
) -> Result<Built, Refusal> {
    let mut action = RouteAction {
        timeout: Some(message::duration(rule.timeout.unwrap_or(Duration::ZERO))),
        retry_policy,
        request_mirror_policies: mirror::build(&rule.mirrors, resolve),
        ..Default::default()
    };
    let (specifier, edits, target) = clusters(to, edits, resolve)?;
    action.cluster_specifier = Some(specifier);
    let mut host = edits.host.clone();
    if let Some(rewrite) = &rule.rewrite {
        rewrite_uri(rewrite, &mut action);
        host = rewrite.authority.clone().or(host);
    }
    action.host_rewrite_specifier = host.map(HostRewriteSpecifier::HostRewriteLiteral);
    Ok(Built {
        action: route::Action::Route(action),
        edits,
        target,
    })
}

type Clusters = (ClusterSpecifier, Edits, Option<(Hostname, u16)>);

/// Destinations of weight 0 get nothing and are left out. If one is left, it is the only one,
/// whatever its weight, and its header changes are those of the route.
fn clusters(
    to: &[WeightedDestination],
    edits: Edits,
    resolve: &Resolve<'_>,
) -> Result<Clusters, Refusal> {
    let weighted: Vec<_> = match to {
        [only] => vec![only],
        _ => to.iter().filter(|d| d.weight > 0).collect(),
    };
    match weighted.as_slice() {
        [] => Err(Refusal::new("route", "no destination has a weight")),
        [only] => {
            let (host, port) = resolve(&only.destination);
            let cluster = names::outbound_cluster(port, only.destination.subset.as_deref(), &host);
            let later = header::edits(&only.headers, &only.response_headers);
            let target = Some((host, port));
            Ok((
                ClusterSpecifier::Cluster(cluster),
                edits.then(later),
                target,
            ))
        }
        several => {
            let clusters = several.iter().map(|to| weight(to, resolve)).collect();
            let weighted = WeightedCluster {
                clusters,
                ..Default::default()
            };
            Ok((ClusterSpecifier::WeightedClusters(weighted), edits, None))
        }
    }
}

fn weight(to: &WeightedDestination, resolve: &Resolve<'_>) -> ClusterWeight {
    let (host, port) = resolve(&to.destination);
    let edits = header::edits(&to.headers, &to.response_headers);
    ClusterWeight {
        name: names::outbound_cluster(port, to.destination.subset.as_deref(), &host),
        weight: message::number(to.weight),
        request_headers_to_add: edits.request_add,
        request_headers_to_remove: edits.request_remove,
        response_headers_to_add: edits.response_add,
        response_headers_to_remove: edits.response_remove,
        host_rewrite_specifier: edits
            .host
            .map(cluster_weight::HostRewriteSpecifier::HostRewriteLiteral),
        ..Default::default()
    }
}

/// A plain rewrite replaces what the condition matched: the prefix, or the whole path.
fn rewrite_uri(rewrite: &Rewrite, action: &mut RouteAction) {
    match &rewrite.uri {
        Some(UriRewrite::Prefix(prefix)) => action.prefix_rewrite = prefix.clone(),
        Some(UriRewrite::Regex {
            pattern,
            substitution,
        }) => {
            action.regex_rewrite = Some(pb::matcher::RegexMatchAndSubstitute {
                pattern: Some(message::regex(pattern)),
                substitution: substitution.clone(),
            });
        }
        None => {}
    }
}
