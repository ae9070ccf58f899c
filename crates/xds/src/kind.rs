//! The resource types we serve, and the order in which they may be sent.

use std::fmt;

/// A resource type of the discovery protocol.
///
/// The declaration order is the make-before-break order: a cluster exists before its endpoints,
/// a listener before its routes, and nothing refers to what the proxy has not got yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `envoy.config.cluster.v3.Cluster`
    Cluster,
    /// `envoy.config.endpoint.v3.ClusterLoadAssignment`
    Endpoint,
    /// `envoy.config.listener.v3.Listener`
    Listener,
    /// `envoy.config.route.v3.RouteConfiguration`
    Route,
    /// `envoy.extensions.transport_sockets.tls.v3.Secret`
    Secret,
}

impl Kind {
    /// How many kinds there are; per-kind state is kept in arrays of this length.
    pub const COUNT: usize = 5;

    /// Every kind, in make-before-break order.
    pub const ALL: [Kind; Kind::COUNT] = [
        Kind::Cluster,
        Kind::Endpoint,
        Kind::Listener,
        Kind::Route,
        Kind::Secret,
    ];

    /// What to do about a refusal, where it is not the content that is at fault.
    pub const fn remedy(self) -> Option<&'static str> {
        match self {
            // Envoy 1.40 watches the folder of a certificate and its key, if it is there, for what
            // is renamed into it. Of a root it looks once, and the same content is no news to it.
            Kind::Secret => Some(
                "rename certificate and key into their folder, readable for Envoy, which reads them \
                 then; if the root or the folder was missing, restart this Envoy",
            ),
            _ => None,
        }
    }

    /// The type URL of the resource, as requests, responses and `Any` carry it.
    pub const fn type_url(self) -> &'static str {
        match self {
            Kind::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Kind::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Kind::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Kind::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            Kind::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        }
    }

    /// The kind of a type URL, `None` for a type that we do not serve.
    pub fn from_type_url(url: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// The name people use in status pages and metrics: `CDS`, `EDS`, ...
    pub const fn short(self) -> &'static str {
        match self {
            Kind::Cluster => "CDS",
            Kind::Endpoint => "EDS",
            Kind::Listener => "LDS",
            Kind::Route => "RDS",
            Kind::Secret => "SDS",
        }
    }

    /// Whether an empty first request means "everything".
    ///
    /// Only for clusters and listeners: Envoy opens EDS with no names when its last EDS cluster is
    /// gone, and means nothing by it.
    pub const fn is_legacy_wildcard(self) -> bool {
        matches!(self, Kind::Cluster | Kind::Listener)
    }

    /// Whether a state-of-the-world response must hold the full set, because the client deletes
    /// what is missing. For the other kinds absence deletes nothing.
    pub const fn is_full_set(self) -> bool {
        self.is_legacy_wildcard()
    }

    /// Position in [`Kind::ALL`], for arrays of per-kind state.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t04_type_urls_round_trip() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_type_url(kind.type_url()), Some(kind));
            assert_eq!(Kind::ALL[kind.index()], kind);
        }
        assert_eq!(Kind::from_type_url(""), None);
        assert_eq!(
            Kind::from_type_url("type.googleapis.com/istio.io/debug"),
            None
        );
    }

    #[test]
    fn kinds_are_ordered_make_before_break() {
        let order: Vec<_> = Kind::ALL.iter().map(|kind| kind.short()).collect();
        assert_eq!(order, ["CDS", "EDS", "LDS", "RDS", "SDS"]);
        assert!(Kind::ALL.is_sorted());
    }
}
