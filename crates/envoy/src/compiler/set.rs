//! Sets of resources that many proxies run, and how they are told apart.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use model::{Capture, Labels, Reporting, Spot};

use crate::built::Built;
use crate::endpoint::Standpoint;
use crate::patch::Patches;
use crate::route::Source;
use crate::{Kind, Resource};

/// Names one set of resources of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SetKey(pub(super) Scope);

impl SetKey {
    /// Whom the set is for, before patches.
    pub(super) fn scope(&self) -> &Scope {
        match &self.0 {
            Scope::Patched(inner, _) => inner,
            plain => plain,
        }
    }

    /// What the set makes of a resource.
    pub(super) fn finish(&self, built: Built) -> Built {
        match &self.0 {
            Scope::Patched(_, patches) => patches.apply(built),
            _ => built,
        }
    }
}

/// How a set became different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetChange {
    pub(crate) set: SetKey,
    pub(crate) kind: Kind,
    /// What is new or has another body. Sorted by name.
    pub(crate) upserts: Vec<Resource>,
    /// The names of what is no longer there. Sorted.
    pub(crate) removals: Vec<Arc<str>>,
    /// Nobody uses the set any more, and it is no longer kept.
    pub(crate) gone: bool,
}

/// Whom a set is for, which is all that it depends on beside the World. What hides comes after what
/// it hides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Scope {
    /// The clusters of services, for everyone.
    Clusters,
    /// The clusters that sidecars have beside these.
    SidecarClusters,
    /// The files of certificates, for everyone.
    Secrets,
    /// Endpoints as seen from machines that run none of them.
    Endpoints,
    /// What is seen otherwise from a place.
    EndpointsFrom(Spot),
    /// Endpoints that are preferred by where the caller is: all of them, as seen from a place.
    EndpointsNear(Option<Spot>, Arc<Standpoint>),
    /// Outbound listeners, as seen from machines that run no endpoints; of proxies that tell this of
    /// requests, or what the mesh does.
    Listeners(Capture, Option<Arc<Reporting>>),
    /// What is otherwise for redirected connections at a place.
    ListenersFrom(Spot, Option<Arc<Reporting>>),
    /// What is otherwise for callers of whom this holds, redirected at a place or not.
    ListenersOf(
        Capture,
        Option<Spot>,
        Arc<BTreeSet<Source>>,
        Option<Arc<Reporting>>,
    ),
    /// The routes of sidecars that complete names with this domain, for callers of whom nothing
    /// holds that conditions ask.
    Routes(Arc<str>),
    /// What is otherwise for callers of whom this holds.
    RoutesOf(Arc<str>, Arc<BTreeSet<Source>>),
    /// The routes of gateways with these labels, in this namespace.
    GatewayRoutes(Labels, Arc<str>),
    /// All of another set, for proxies with these patches.
    Patched(Box<Scope>, Patches),
}

// === impl SetKey ===

impl SetKey {
    /// Of all resources in the set.
    pub(crate) fn kind(&self) -> Kind {
        match self.scope() {
            Scope::Clusters | Scope::SidecarClusters => Kind::Cluster,
            Scope::Endpoints | Scope::EndpointsFrom(_) | Scope::EndpointsNear(..) => Kind::Endpoint,
            Scope::Listeners(..) | Scope::ListenersFrom(..) | Scope::ListenersOf(..) => {
                Kind::Listener
            }
            Scope::Routes(_) | Scope::RoutesOf(..) | Scope::GatewayRoutes(..) => Kind::Route,
            Scope::Secrets => Kind::Secret,
            Scope::Patched(inner, _) => SetKey((**inner).clone()).kind(),
        }
    }

    /// The set of which this one holds only what differs.
    pub(super) fn base(&self) -> Option<SetKey> {
        match &self.0 {
            Scope::EndpointsFrom(_) => Some(SetKey(Scope::Endpoints)),
            Scope::ListenersFrom(_, reporting) => {
                let base = Scope::Listeners(Capture::Redirect, reporting.clone());
                Some(SetKey(base))
            }
            Scope::RoutesOf(domain, _) => Some(SetKey(Scope::Routes(domain.clone()))),
            _ => None,
        }
    }
}

impl fmt::Display for SetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Scope::Clusters => f.write_str("clusters"),
            Scope::SidecarClusters => f.write_str("clusters of sidecars"),
            Scope::Secrets => f.write_str("secrets"),
            Scope::Endpoints => f.write_str("endpoints"),
            Scope::EndpointsFrom(spot) => write!(f, "endpoints from {spot}"),
            Scope::EndpointsNear(Some(spot), from) => {
                write!(f, "endpoints near {from} on {spot}")
            }
            Scope::EndpointsNear(None, from) => write!(f, "endpoints near {from}"),
            Scope::Listeners(Capture::Redirect, reporting) => {
                write!(f, "redirected listeners{}", aside(reporting))
            }
            Scope::Listeners(Capture::Explicit { outbound }, reporting) => {
                write!(f, "listeners on {outbound}{}", aside(reporting))
            }
            Scope::ListenersFrom(spot, reporting) => {
                write!(f, "redirected listeners from {spot}{}", aside(reporting))
            }
            Scope::ListenersOf(capture, spot, class, reporting) => {
                f.write_str("listeners")?;
                if let Capture::Explicit { outbound } = capture {
                    write!(f, " on {outbound}")?;
                }
                if let Some(spot) = spot {
                    write!(f, " from {spot}")?;
                }
                write!(f, "{} for", aside(reporting))?;
                let mut sources = class.iter();
                sources.try_for_each(|source| write!(f, " {source}"))
            }
            Scope::Routes(domain) => write!(f, "routes in {domain}"),
            Scope::RoutesOf(domain, class) => {
                write!(f, "routes in {domain} for")?;
                let mut sources = class.iter();
                sources.try_for_each(|source| write!(f, " {source}"))
            }
            Scope::Patched(inner, _) => write!(f, "{}, patched", SetKey((**inner).clone())),
            Scope::GatewayRoutes(labels, namespace) => {
                write!(f, "routes of gateways in {namespace} with")?;
                let mut labels = labels.iter();
                labels.try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
        }
    }
}

fn aside(reporting: &Option<Arc<Reporting>>) -> &'static str {
    match reporting {
        Some(_) => " with telemetry of their own",
        None => "",
    }
}
