//! EnvoyFilter: changes to what was generated, in Envoy's own words.
//!
//! A patch is kept as it was written: only `envoy` knows Envoy's messages, and reads its value.

use std::sync::Arc;

use crate::{Cidr, Labels, ObjectRef};

/// The patches of one object, in the order in which they apply.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvoyFilter {
    pub object: ObjectRef,
    /// Of proxies of the namespace, or of all if the namespace is the root. Empty selects all.
    pub selector: Labels,
    /// Lower ones apply first; among equals, older objects do.
    pub priority: i32,
    pub patches: Vec<Patch>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Patch {
    /// `spec.configPatches[0]`
    pub field: Arc<str>,
    pub target: Target,
    pub context: Context,
    pub listener: ListenerMatch,
    pub routes: RoutesMatch,
    pub cluster: ClusterMatch,
    pub operation: Operation,
    /// The message in proto-JSON; empty for removals.
    pub value: Arc<str>,
}

/// What a patch changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    Listener,
    FilterChain,
    ListenerFilter,
    NetworkFilter,
    HttpFilter,
    RouteConfiguration,
    VirtualHost,
    HttpRoute,
    Cluster,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    #[default]
    Any,
    SidecarInbound,
    SidecarOutbound,
    Gateway,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    Merge,
    /// Merges, and what is a list takes the place of the list that was there.
    MergeReplacingLists,
    Add,
    Remove,
    InsertBefore,
    InsertAfter,
    InsertFirst,
    Replace,
}

/// Conditions on listeners and what is in them. Absent ones hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerMatch {
    pub port: Option<u16>,
    /// To any of which the listener is bound; none asks nothing.
    pub addresses: Vec<Cidr>,
    pub name: Option<Arc<str>>,
    pub listener_filter: Option<Arc<str>>,
    pub chain: ChainMatch,
    /// The name of a network filter.
    pub filter: Option<Arc<str>>,
    /// The name of an HTTP filter.
    pub sub_filter: Option<Arc<str>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainMatch {
    pub name: Option<Arc<str>>,
    pub sni: Option<Arc<str>>,
    pub transport_protocol: Option<Arc<str>>,
    pub application_protocols: Vec<Arc<str>>,
    pub destination_port: Option<u16>,
}

/// Conditions on route configurations and what is in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutesMatch {
    pub port: Option<u16>,
    /// The name of a gateway's port that decrypts; other routes belong to no single port.
    pub port_name: Option<Arc<str>>,
    /// That gateway: its namespace and its name.
    pub gateway: Option<(Arc<str>, Arc<str>)>,
    pub name: Option<Arc<str>>,
    pub virtual_host: Option<Arc<str>>,
    pub domain: Option<Arc<str>>,
    pub route: Option<Arc<str>>,
    pub action: Option<RouteAction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteAction {
    Route,
    Redirect,
    DirectResponse,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterMatch {
    pub port: Option<u16>,
    pub service: Option<Arc<str>>,
    pub subset: Option<Arc<str>>,
    pub name: Option<Arc<str>>,
}

// === impl EnvoyFilter ===

impl EnvoyFilter {
    /// Whether it changes what a proxy of this namespace with these labels gets.
    pub fn selects(&self, root: &str, namespace: &str, labels: &Labels) -> bool {
        self.object.reaches(namespace, root) && self.selector.selects(labels)
    }
}

// === impl Context ===

impl Context {
    /// Whether a patch for this context applies in another.
    pub fn covers(self, other: Context) -> bool {
        self == Context::Any || self == other
    }
}
