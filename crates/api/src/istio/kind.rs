//! The kinds that operators bring, and what becomes of each.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Every kind of an Istio API group that we recognise.
///
/// All served versions of a kind (`v1alpha3`, `v1beta1`, `v1`) are one schema upstream, so the
/// version is not part of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    Gateway,
    VirtualService,
    DestinationRule,
    ServiceEntry,
    WorkloadEntry,
    WorkloadGroup,
    Sidecar,
    EnvoyFilter,
    ProxyConfig,
    PeerAuthentication,
    RequestAuthentication,
    AuthorizationPolicy,
    Telemetry,
    WasmPlugin,
    TrafficExtension,
    Policy,
    MeshPolicy,
    RbacConfig,
    ClusterRbacConfig,
    ServiceRole,
    ServiceRoleBinding,
}

const NETWORKING: &str = "networking.istio.io";
const SECURITY: &str = "security.istio.io";
const AUTHENTICATION: &str = "authentication.istio.io";
const RBAC: &str = "rbac.istio.io";

const TABLE: &[(Kind, &str, &str)] = &[
    (Kind::Gateway, NETWORKING, "Gateway"),
    (Kind::VirtualService, NETWORKING, "VirtualService"),
    (Kind::DestinationRule, NETWORKING, "DestinationRule"),
    (Kind::ServiceEntry, NETWORKING, "ServiceEntry"),
    (Kind::WorkloadEntry, NETWORKING, "WorkloadEntry"),
    (Kind::WorkloadGroup, NETWORKING, "WorkloadGroup"),
    (Kind::Sidecar, NETWORKING, "Sidecar"),
    (Kind::EnvoyFilter, NETWORKING, "EnvoyFilter"),
    (Kind::ProxyConfig, NETWORKING, "ProxyConfig"),
    (Kind::PeerAuthentication, SECURITY, "PeerAuthentication"),
    (
        Kind::RequestAuthentication,
        SECURITY,
        "RequestAuthentication",
    ),
    (Kind::AuthorizationPolicy, SECURITY, "AuthorizationPolicy"),
    (Kind::Telemetry, "telemetry.istio.io", "Telemetry"),
    (Kind::WasmPlugin, "extensions.istio.io", "WasmPlugin"),
    (
        Kind::TrafficExtension,
        "extensions.istio.io",
        "TrafficExtension",
    ),
    (Kind::Policy, AUTHENTICATION, "Policy"),
    (Kind::MeshPolicy, AUTHENTICATION, "MeshPolicy"),
    (Kind::RbacConfig, RBAC, "RbacConfig"),
    (Kind::ClusterRbacConfig, RBAC, "ClusterRbacConfig"),
    (Kind::ServiceRole, RBAC, "ServiceRole"),
    (Kind::ServiceRoleBinding, RBAC, "ServiceRoleBinding"),
];

// === impl Kind ===

impl Kind {
    /// Finds the kind of a document by its API group and `kind`.
    pub fn find(group: &str, name: &str) -> Option<Kind> {
        TABLE
            .iter()
            .find(|(_, g, n)| *g == group && *n == name)
            .map(|(kind, _, _)| *kind)
    }

    /// The word after `kind:`.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// The API group, without a version.
    pub fn group(self) -> &'static str {
        self.row().1
    }

    /// All kinds.
    pub fn all() -> impl ExactSizeIterator<Item = Kind> {
        TABLE.iter().map(|(kind, _, _)| *kind)
    }

    /// The word in the paths of an apiserver, and before the group in the name of the definition.
    pub fn plural(self) -> String {
        let word = self.name().to_ascii_lowercase();
        match word.strip_suffix('y') {
            Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
            _ => format!("{word}s"),
        }
    }

    /// Whether objects of this kind live outside of namespaces.
    pub fn is_cluster_scoped(self) -> bool {
        matches!(self, Kind::MeshPolicy | Kind::ClusterRbacConfig)
    }

    /// Whether the group is one of Istio's, so that an unknown kind in it deserves a warning.
    pub fn is_istio_group(group: &str) -> bool {
        group.ends_with(".istio.io")
    }

    fn row(self) -> &'static (Kind, &'static str, &'static str) {
        TABLE
            .iter()
            .find(|(kind, _, _)| *kind == self)
            .expect("every kind has a row")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_group_and_name_and_prints_as_written() {
        for (kind, group, name) in TABLE {
            assert_eq!(Kind::find(group, name), Some(*kind));
            assert_eq!(kind.to_string(), *name);
            assert_eq!(kind.group(), *group);
        }
        assert_eq!(Kind::find("gateway.networking.k8s.io", "Gateway"), None);
    }
}
