//! What a proxy tells of requests: the mesh's default, or what objects of kind `Telemetry` make of it.
//!
//! The objects that concern a proxy are, from wide to near: that of the root namespace, that of its
//! own, and those that select it. Of tracing, what nearer ones say replaces what wider ones said, part
//! by part. Of access logs, the nearest that names providers decides which ones there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::mesh::Mesh;
use model::reporting::{AccessLog, Provider};
use model::route::Share;
use model::telemetry::{LoggingRule, Mode, TracingRule};
use model::{Proxy, Reporting, Telemetry, Tracing, World};

/// The provider that Istio has without anybody's doing.
const BUILT_IN: &str = "envoy";

/// What one proxy tells, where it is not what the mesh does.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Told {
    /// Of the requests that it sends, and of all that a gateway sees.
    pub(crate) client: Option<Arc<Reporting>>,
    /// Of those that it receives.
    server: Option<Arc<Reporting>>,
}

// === impl Told ===

impl Told {
    pub(crate) fn of(world: &World, proxy: &Proxy) -> Told {
        Told::by(&world.telemetries, &world.mesh, proxy)
    }

    pub(crate) fn by(telemetries: &[Arc<Telemetry>], mesh: &Mesh, proxy: &Proxy) -> Told {
        let concerning = concerning(telemetries, &mesh.root_namespace, proxy);
        if concerning.is_empty() {
            return Told::default();
        }
        let told = |mode| {
            let reporting = reporting(&concerning, mesh, mode);
            (reporting != mesh.reporting).then(|| Arc::new(reporting))
        };
        Told {
            client: told(Mode::Client),
            server: told(Mode::Server),
        }
    }

    pub(crate) fn as_client(&self) -> Option<&Reporting> {
        self.client.as_deref()
    }

    pub(crate) fn as_server(&self) -> Option<&Reporting> {
        self.server.as_deref()
    }
}

/// From wide to near. Of those that select a proxy only the oldest counts, as in Istio.
fn concerning<'a>(
    telemetries: &'a [Arc<Telemetry>],
    root: &str,
    proxy: &Proxy,
) -> Vec<&'a Telemetry> {
    let whole = |namespace: &str| {
        let mut all = telemetries.iter();
        all.find(|t| *t.object.namespace == *namespace && t.selector.is_empty())
    };
    let mut selecting = telemetries.iter().filter(|telemetry| {
        let own = telemetry.object.namespace == proxy.namespace;
        own && !telemetry.selector.is_empty() && telemetry.selector.selects(&proxy.labels)
    });
    let own = (*proxy.namespace != *root).then(|| whole(&proxy.namespace));
    [whole(root), own.flatten(), selecting.next()]
        .into_iter()
        .flatten()
        .map(|telemetry| &**telemetry)
        .collect()
}

fn reporting(concerning: &[&Telemetry], mesh: &Mesh, mode: Mode) -> Reporting {
    let tracing = concerning.iter().flat_map(|telemetry| &telemetry.tracing);
    let tracing = tracing.filter(|rule| rule.mode.covers(mode));
    let logging = concerning
        .iter()
        .flat_map(|telemetry| &telemetry.access_logging);
    let logging: Vec<&LoggingRule> = logging.filter(|rule| rule.mode.covers(mode)).collect();
    Reporting {
        access_logs: access_logs(&logging, mesh),
        tracing: self::tracing(tracing, mesh),
    }
}

fn tracing<'a>(rules: impl Iterator<Item = &'a TracingRule>, mesh: &Mesh) -> Option<Arc<Tracing>> {
    let mut told = mesh.reporting.tracing.as_deref().cloned();
    let mut rules = rules.peekable();
    if rules.peek().is_none() {
        return mesh.reporting.tracing.clone();
    }
    let mut pending: Vec<&TracingRule> = Vec::new();
    for rule in rules {
        pending.push(rule);
        match (&mut told, &rule.collector) {
            (Some(told), Some(collector)) => told.collector = collector.clone(),
            (None, Some(collector)) => {
                told = Some(Tracing {
                    collector: collector.clone(),
                    sampling: Share::ALL,
                    tags: BTreeMap::new(),
                    max_path_tag_length: None,
                    report_spans: true,
                    propagate: true,
                    sample_by_request_id: true,
                });
            }
            _ => {}
        }
    }
    let mut told = told?;
    for rule in pending {
        told.sampling = rule.sampling.unwrap_or(told.sampling);
        told.report_spans = rule.report_spans.unwrap_or(told.report_spans);
        told.propagate = rule.propagate.unwrap_or(told.propagate);
        told.sample_by_request_id = rule
            .sample_by_request_id
            .unwrap_or(told.sample_by_request_id);
        if !rule.tags.is_empty() {
            told.tags.clone_from(&rule.tags);
        }
    }
    Some(Arc::new(told))
}

fn access_logs(rules: &[&LoggingRule], mesh: &Mesh) -> Vec<AccessLog> {
    if rules.is_empty() {
        return mesh.reporting.access_logs.clone();
    }
    let default = match mesh.default_providers.access_logging.as_slice() {
        [] => vec![BUILT_IN.into()],
        named => named.to_vec(),
    };
    let naming = rules.iter().rev().find(|rule| !rule.providers.is_empty());
    let in_scope = naming.map_or(&default, |rule| &rule.providers);
    let mut logs: BTreeMap<Arc<str>, Option<Arc<str>>> = BTreeMap::new();
    let mut wider = &default;
    for rule in rules {
        if !rule.providers.is_empty() {
            wider = &rule.providers;
        }
        for provider in wider.iter().filter(|provider| in_scope.contains(provider)) {
            match rule.disabled {
                true => {
                    logs.remove(provider);
                }
                false => {
                    logs.insert(provider.clone(), rule.filter.clone());
                }
            }
        }
    }
    let logs = logs.into_iter();
    logs.filter_map(|(provider, filter)| match mesh.providers.get(&provider)? {
        Provider::Log(log) => Some(AccessLog {
            filter,
            ..log.clone()
        }),
        Provider::Tracer(_) => None,
    })
    .collect()
}
