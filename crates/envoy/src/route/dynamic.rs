//! Routes to names that the proxy resolves as they are asked for.

use std::time::Duration;

use model::Mesh;
use model::route::{Action, HttpRoute};
use pb::route::route_action::{ClusterSpecifier, HostRewriteSpecifier};
use pb::route::weighted_cluster::cluster_weight;

use super::{decorator, everything, retry};
use crate::dynamic::{HTTP_FILTER, PORT_FILTER, is_host};
use crate::registry::Registry;
use crate::{message, names, pb};

/// The port of the first such destination of a rule; `None` if it has none.
pub(super) fn port(rule: &HttpRoute, listener: u16, registry: &Registry) -> Option<u16> {
    let Action::Forward(to) = &rule.action else {
        return None;
    };
    let mut weighing = to.iter().filter(|one| one.weight > 0 || to.len() == 1);
    weighing.find_map(|one| {
        let (host, port) = registry.resolve(&one.destination, listener);
        is_host(registry, host).then_some(port)
    })
}

/// Tells the filters what they need. The port is that of the destination: a host header that names
/// another one would reach any port of the hosts, so it does not match.
pub(super) fn complete(route: &mut pb::route::Route, port: u16) {
    let configs = &mut route.typed_per_filter_config;
    configs.insert(PORT_FILTER.to_owned(), message::any(&to_port(port)));
    let mut renamed = false;
    if let Some(pb::route::route::Action::Route(action)) = &mut route.action {
        if let Some(HostRewriteSpecifier::HostRewriteLiteral(host)) = &action.host_rewrite_specifier
        {
            renamed = true;
            configs.insert(HTTP_FILTER.to_owned(), message::any(&named(host)));
        }
        if let Some(ClusterSpecifier::WeightedClusters(weighted)) = &mut action.cluster_specifier {
            weighted.clusters.iter_mut().for_each(rename);
        }
    }
    if let Some(condition) = route.r#match.as_mut().filter(|_| !renamed) {
        condition.headers.push(of_port(port));
    }
}

/// The route of a service that no virtual service describes.
pub(super) fn default_route(
    cluster: String,
    operation: String,
    port: u16,
    mesh: &Mesh,
) -> pb::route::Route {
    let mut route = everything(names::DEFAULT_ROUTE, cluster);
    route.decorator = Some(decorator(operation));
    if let Some(pb::route::route::Action::Route(action)) = &mut route.action {
        action.timeout = Some(message::duration(Duration::ZERO));
        action.retry_policy = retry::default(false, mesh);
    }
    complete(&mut route, port);
    route
}

/// The host is written anew after the look-up, which must know it.
fn rename(cluster: &mut pb::route::weighted_cluster::ClusterWeight) {
    use cluster_weight::HostRewriteSpecifier;
    let specifier = &cluster.host_rewrite_specifier;
    if let Some(HostRewriteSpecifier::HostRewriteLiteral(host)) = specifier {
        let named = message::any(&named(host));
        let configs = &mut cluster.typed_per_filter_config;
        configs.insert(HTTP_FILTER.to_owned(), named);
    }
}

fn named(host: &str) -> pb::http_dynamic::PerRouteConfig {
    use pb::http_dynamic::per_route_config::HostRewriteSpecifier;
    pb::http_dynamic::PerRouteConfig {
        host_rewrite_specifier: Some(HostRewriteSpecifier::HostRewriteLiteral(host.to_owned())),
    }
}

fn to_port(port: u16) -> pb::set_filter_state::Config {
    use pb::core::substitution_format_string::Format;
    use pb::filter_state::filter_state_value::{Key, Value};
    let text = pb::core::SubstitutionFormatString {
        format: Some(Format::TextFormatSource(message::inline_string(
            port.to_string(),
        ))),
        ..Default::default()
    };
    let value = pb::filter_state::FilterStateValue {
        key: Some(Key::ObjectKey("envoy.upstream.dynamic_port".to_owned())),
        value: Some(Value::FormatString(text)),
        ..Default::default()
    };
    pb::set_filter_state::Config {
        on_request_headers: vec![value],
        ..Default::default()
    }
}

fn of_port(port: u16) -> pb::route::HeaderMatcher {
    use pb::matcher::string_matcher::MatchPattern;
    use pb::route::header_matcher::HeaderMatchSpecifier;
    let pattern = message::regex(&format!("[^:]+(:{port})?"));
    pb::route::HeaderMatcher {
        name: ":authority".to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(
            pb::matcher::StringMatcher {
                match_pattern: Some(MatchPattern::SafeRegex(pattern)),
                ..Default::default()
            },
        )),
        ..Default::default()
    }
}
