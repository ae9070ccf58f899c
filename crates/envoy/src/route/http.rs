//! The HTTP rules of a virtual service, as routes.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use model::route::{Action, ConnectionMatch, GatewayRef, HttpMatch, HttpRoute, VirtualService};
use model::{Diagnostic, Hostname, Labels, ObjectRef};

use super::{action, cors, decorator, dynamic, fault, matcher, retry};
use crate::finding::{self, Refusal, Text, code};
use crate::registry::Registry;
use crate::{filter, lint, names, pb};

/// Where routes will be used, as far as conditions can be decided before any request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The places that the routes are for: the mesh, or gateways.
    pub(super) gateways: &'a [&'a GatewayRef],
    /// The port of the listener.
    pub(super) port: u16,
    pub(super) caller: Caller<'a>,
}

/// Who sends the requests, as far as conditions ask.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller<'a> {
    /// The workload beside one proxy.
    Workload {
        labels: &'a Labels,
        namespace: &'a str,
    },
    /// All workloads for which exactly these hold, of what conditions ask.
    Class(&'a BTreeSet<Source>),
}

impl Caller<'static> {
    /// A caller of whom nothing holds that conditions ask.
    pub(crate) const NOBODY: Caller<'static> = Caller::Class(&NOTHING);
}

static NOTHING: BTreeSet<Source> = BTreeSet::new();

/// What a condition asks of the caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Source {
    labels: Labels,
    namespace: Option<Arc<str>>,
}

/// A route, and whether it takes every request.
pub(super) struct Built {
    pub(super) route: pb::route::Route,
    pub(super) takes_all: bool,
}

/// One route for each rule and condition, in order, up to the first that takes every request. A
/// rule that Envoy would refuse is left out with a diagnostic, lest all routes of the port be lost.
pub(super) fn routes(
    service: &VirtualService,
    place: Place<'_>,
    registry: &Registry,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Built> {
    let mut routes = Vec::new();
    for rule in &service.http {
        for (at, condition) in conditions(rule) {
            if condition.is_some_and(|c| !place.admits(c)) {
                continue;
            }
            match build(service, rule, condition, place, registry) {
                Ok((built, unknown)) => {
                    diagnostics.extend(unknown_conditions(service, rule, unknown));
                    let last = built.takes_all;
                    routes.push(built);
                    if last {
                        return routes;
                    }
                }
                Err(refusal) => diagnostics.push(refused(service, rule, &field(rule, at), refusal)),
            }
        }
    }
    routes
}

fn field(rule: &HttpRoute, condition: Option<usize>) -> String {
    match condition {
        Some(at) => format!("spec.http[{}].match[{at}]", rule.position),
        None => format!("spec.http[{}]", rule.position),
    }
}

/// The conditions of a rule with their index; a rule without any holds always.
fn conditions(rule: &HttpRoute) -> impl Iterator<Item = (Option<usize>, Option<&HttpMatch>)> {
    let always = rule.matches.is_empty().then_some((None, None));
    let listed = rule.matches.iter().enumerate();
    always
        .into_iter()
        .chain(listed.map(|(at, condition)| (Some(at), Some(condition))))
}

fn build(
    service: &VirtualService,
    rule: &HttpRoute,
    condition: Option<&HttpMatch>,
    place: Place<'_>,
    registry: &Registry,
) -> Result<(Built, Vec<String>), Refusal> {
    let resolve = |to: &model::route::Destination| -> (Hostname, u16) {
        let (host, port) = registry.resolve(to, place.port);
        (host.clone(), port)
    };
    let sticky = is_sticky(rule, place, registry);
    let retry = retry::build(rule.retries.as_ref(), sticky, &registry.world.mesh);
    let built = action::build(rule, retry.policy, &resolve, place.port)?;
    let condition_message = condition.map_or_else(super::any_path, matcher::build);
    let path = path(&condition_message);
    let operation = match &built.target {
        Some((host, port)) => names::operation(host, *port, &path),
        None => names::operation(&service.object.name, place.port, &path),
    };
    let mut route = pb::route::Route {
        name: name(rule, condition),
        stat_prefix: condition
            .and_then(|condition| condition.stat_prefix.clone())
            .unwrap_or_default(),
        r#match: Some(condition_message),
        decorator: Some(decorator(operation)),
        typed_per_filter_config: filters(rule)?,
        request_headers_to_add: built.edits.request_add,
        request_headers_to_remove: built.edits.request_remove,
        response_headers_to_add: built.edits.response_add,
        response_headers_to_remove: built.edits.response_remove,
        action: Some(built.action),
        ..Default::default()
    };
    if let Some(port) = dynamic::port(rule, place.port, registry) {
        dynamic::complete(&mut route, port);
    }
    lint::route(&route)?;
    let takes_all = condition.is_none_or(matcher::holds_always);
    Ok((Built { route, takes_all }, retry.unknown))
}

/// Whether all requests of a rule go to one cluster, and there by a hash.
fn is_sticky(rule: &HttpRoute, place: Place<'_>, registry: &Registry) -> bool {
    let Action::Forward(to) = &rule.action else {
        return false;
    };
    let mut weighing = to.iter().filter(|one| one.weight > 0 || to.len() == 1);
    let (Some(only), None) = (weighing.next(), weighing.next()) else {
        return false;
    };
    let (host, port) = registry.resolve(&only.destination, place.port);
    registry.is_sticky(host, port, only.destination.subset.as_deref())
}

/// The name of the rule, with that of the condition behind it.
fn name(rule: &HttpRoute, condition: Option<&HttpMatch>) -> String {
    let condition = condition.and_then(|condition| condition.name.as_deref());
    match (rule.name.as_deref(), condition) {
        (Some(rule), Some(condition)) => format!("{rule}.{condition}"),
        (rule, condition) => rule.or(condition).unwrap_or_default().to_owned(),
    }
}

/// What the rule configures for filters of the connection manager.
fn filters(rule: &HttpRoute) -> Result<HashMap<String, pb::Any>, Refusal> {
    let fault = fault::build(&rule.fault)?.map(|fault| (filter::FAULT.to_owned(), fault));
    let cors = rule.cors.as_ref().map(cors::build);
    let cors = cors.map(|cors| (filter::CORS.to_owned(), cors));
    Ok(fault.into_iter().chain(cors).collect())
}

/// The path as operations show it.
fn path(condition: &pb::route::RouteMatch) -> String {
    use pb::route::route_match::PathSpecifier;
    match &condition.path_specifier {
        Some(PathSpecifier::Prefix(prefix)) => format!("{prefix}*"),
        Some(PathSpecifier::Path(path)) => path.clone(),
        Some(PathSpecifier::SafeRegex(regex)) => regex.regex.clone(),
        _ => "/*".to_owned(),
    }
}

fn refused(
    service: &VirtualService,
    rule: &HttpRoute,
    field: &str,
    refusal: Refusal,
) -> Diagnostic {
    let why = format!("Envoy would refuse this route: {}", refusal.why);
    let text = Text {
        why,
        effect: "the route is left out; requests that it would take go to the next route that \
                 matches, or get 404"
            .to_owned(),
        remedy: format!("correct {field}.{}", refusal.field),
    };
    let refusal = refusal.within(field);
    let object = Some(written_in(service, rule));
    finding::error(code::ROUTE_REFUSED, object, refusal.field, text)
}

/// The object that holds the text of a rule.
fn written_in(service: &VirtualService, rule: &HttpRoute) -> ObjectRef {
    rule.delegate.as_ref().unwrap_or(&service.object).clone()
}

fn unknown_conditions(
    service: &VirtualService,
    rule: &HttpRoute,
    unknown: Vec<String>,
) -> Option<Diagnostic> {
    if unknown.is_empty() {
        return None;
    }
    let text = Text {
        why: format!("Envoy knows no retry condition {}", unknown.join(", ")),
        effect: "these conditions are ignored, the others apply".to_owned(),
        remedy: "use Envoy's names, such as 5xx, connect-failure or a status code".to_owned(),
    };
    Some(finding::warning(
        code::UNKNOWN_RETRY_CONDITION,
        Some(written_in(service, rule)),
        format!("spec.http[{}].retries.retryOn", rule.position),
        text,
    ))
}

// === impl Place ===

impl Place<'_> {
    /// Whether a condition can hold here at all.
    fn admits(&self, condition: &HttpMatch) -> bool {
        if condition.port.is_some_and(|port| port != self.port) {
            return false;
        }
        let named = condition
            .gateways
            .iter()
            .any(|g| self.gateways.contains(&g));
        if !condition.gateways.is_empty() && !named {
            return false;
        }
        // Callers from outside have no labels: where a gateway is named, they are not asked for.
        let outside = named && !self.gateways.contains(&&GatewayRef::Mesh);
        outside || self.admits_source(condition)
    }

    fn admits_source(&self, condition: &HttpMatch) -> bool {
        self.caller.is(&Source::of(condition))
    }
}

// === impl Caller ===

impl Caller<'_> {
    /// Whether what is asked holds.
    pub(super) fn is(&self, asked: &Source) -> bool {
        match self {
            Caller::Workload { labels, namespace } => asked.holds(labels, namespace),
            Caller::Class(holding) => asked.is_anyone() || holding.contains(asked),
        }
    }
}

// === impl Source ===

impl Source {
    fn of(condition: &HttpMatch) -> Source {
        Source {
            labels: condition.source_labels.clone(),
            namespace: condition.source_namespace.clone(),
        }
    }

    pub(super) fn of_connection(condition: &ConnectionMatch) -> Source {
        Source {
            labels: condition.source_labels.clone(),
            namespace: condition.source_namespace.clone(),
        }
    }

    /// What a virtual service asks of callers in the mesh, where it does not take anyone.
    pub(crate) fn all(service: &VirtualService) -> impl Iterator<Item = Source> {
        let conditions = service.http.iter().flat_map(|rule| &rule.matches);
        conditions
            .map(Source::of)
            .filter(|source| !source.is_anyone())
    }

    pub(crate) fn holds(&self, labels: &Labels, namespace: &str) -> bool {
        let wanted = self.namespace.as_deref();
        self.labels.selects(labels) && wanted.is_none_or(|wanted| wanted == namespace)
    }

    pub(super) fn is_anyone(&self) -> bool {
        self.labels.is_empty() && self.namespace.is_none()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        f.write_str(self.namespace.as_deref().unwrap_or("*"))?;
        let mut labels = self.labels.iter();
        labels.try_for_each(|(key, value)| write!(f, " {key}={value}"))?;
        f.write_str("]")
    }
}
