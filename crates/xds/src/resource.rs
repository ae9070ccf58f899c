//! One encoded resource and its content version.
//!
//! A resource is encoded once by whoever compiles it and shared by all proxies that need it. Its
//! version is a hash of its content, so two replicas that compile the same input agree on it and a
//! proxy that reconnects to another replica is sent nothing that it has.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint};
use xxhash_rust::xxh3::Xxh3;

use crate::kind::Kind;

/// The content version of a resource or of a set: xxh3-128, written as 32 hex digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u128);

/// A resource ready to be sent: the bytes of `Any.value`, under a name.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The resource's own name; for EDS the name of its cluster.
    pub name: Arc<str>,
    /// Hash of type and body.
    pub version: Version,
    /// The encoded message, shared by every stream that sends it.
    pub body: Bytes,
    /// The clusters this resource sends traffic to, when the compiler says so.
    ///
    /// A listener or route with a list waits only for those clusters to be warm; one without
    /// (`None`) may name any cluster and waits for all that are under way. It is drawn from the
    /// body, so it is no part of the version.
    pub clusters: Option<Arc<[Arc<str>]>>,
}

// === impl Resource ===

impl Resource {
    /// A resource that may refer to any cluster.
    pub fn new(kind: Kind, name: impl Into<Arc<str>>, body: impl Into<Bytes>) -> Arc<Resource> {
        Arc::new(Resource::build(kind, name.into(), body.into(), None))
    }

    /// A listener or route of which the clusters it refers to are known.
    pub fn referring(
        kind: Kind,
        name: impl Into<Arc<str>>,
        body: impl Into<Bytes>,
        clusters: impl IntoIterator<Item = Arc<str>>,
    ) -> Arc<Resource> {
        let clusters = clusters.into_iter().collect();
        Arc::new(Resource::build(
            kind,
            name.into(),
            body.into(),
            Some(clusters),
        ))
    }

    fn build(
        kind: Kind,
        name: Arc<str>,
        body: Bytes,
        clusters: Option<Arc<[Arc<str>]>>,
    ) -> Resource {
        let version = Version::of_body(kind, &body);
        Resource {
            name,
            version,
            body,
            clusters,
        }
    }

    /// What the resource adds to the version of a set that holds it.
    fn weight(&self) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(self.name.as_bytes());
        hash.update(&[0]);
        hash.update(&self.version.0.to_le_bytes());
        hash.digest128()
    }

    /// What answers a name that we do not know: an empty load assignment or route configuration.
    ///
    /// Envoy holds a cluster or listener back until its EDS or RDS is answered, and ignores
    /// `removed_resources` for names in use; an empty resource always ends the wait. The name is
    /// field 1 in both messages, so this module needs no Envoy types.
    pub(crate) fn empty(kind: Kind, name: &Arc<str>) -> Option<Arc<Resource>> {
        if !matches!(kind, Kind::Endpoint | Kind::Route) {
            return None;
        }
        let mut body = Vec::with_capacity(name.len() + 6);
        encode_key(1, WireType::LengthDelimited, &mut body);
        encode_varint(name.len() as u64, &mut body);
        body.extend_from_slice(name.as_bytes());
        Some(Resource::referring(kind, Arc::clone(name), body, []))
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Resource) -> bool {
        self.name == other.name && self.version == other.version
    }
}

impl Eq for Resource {}

// === impl Version ===

impl Version {
    /// Length of a version as text.
    pub(crate) const TEXT: usize = 32;

    /// The version as text, without an allocation.
    pub(crate) fn text(self) -> [u8; Version::TEXT] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        std::array::from_fn(|at| DIGITS[(self.0 >> (124 - 4 * at)) as usize & 15])
    }

    /// The version of one resource: its type and its bytes.
    pub fn of_body(kind: Kind, body: &[u8]) -> Version {
        let mut hash = Xxh3::new();
        hash.update(kind.type_url().as_bytes());
        hash.update(&[0]);
        hash.update(body);
        Version(hash.digest128())
    }

    /// The version of a set: the sum over its members.
    ///
    /// A sum, so that a set which is changed a little learns its version from the change alone,
    /// and equal content has one version whatever way led to it.
    pub fn of_set<'a>(members: impl IntoIterator<Item = &'a Arc<Resource>>) -> Version {
        members
            .into_iter()
            .fold(Version::default(), |sum, resource| sum.with(resource))
    }

    /// The version of the set that this is the version of, and `member`.
    pub(crate) fn with(self, member: &Resource) -> Version {
        Version(self.0.wrapping_add(member.weight()))
    }

    /// The version of the set that this is the version of, less `member`.
    pub(crate) fn without(self, member: &Resource) -> Version {
        Version(self.0.wrapping_sub(member.weight()))
    }

    /// The version of two sets taken together, the first under the second.
    pub(crate) fn of_pair(under: Version, over: Version) -> Version {
        let mut hash = Xxh3::new();
        hash.update(&under.0.to_le_bytes());
        hash.update(&over.0.to_le_bytes());
        Version(hash.digest128())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The text is no version of ours: a proxy that comes from another control plane.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a version of ours: {0:?} (expected 32 hex digits)")]
pub struct ForeignVersion(pub String);

impl FromStr for Version {
    type Err = ForeignVersion;

    fn from_str(text: &str) -> Result<Version, ForeignVersion> {
        let ours = text.len() == Version::TEXT
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !ours {
            return Err(ForeignVersion(text.to_string()));
        }
        u128::from_str_radix(text, 16)
            .map(Version)
            .map_err(|_| ForeignVersion(text.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
    use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
    use prost::Message;

    #[test]
    fn s09_version_is_the_content_and_nothing_else() {
        let one = Resource::new(Kind::Cluster, "a", "body");
        let again = Resource::new(Kind::Cluster, "b", "body");
        assert_eq!(one.version, again.version);
        assert_ne!(
            one.version,
            Resource::new(Kind::Cluster, "a", "Body").version
        );
        assert_ne!(
            one.version,
            Resource::new(Kind::Listener, "a", "body").version
        );
    }

    /// Pinned, because replicas of different builds must agree: a change here makes every proxy
    /// re-read everything once.
    #[test]
    fn s09_version_is_the_same_in_every_process() {
        let resource = Resource::new(Kind::Cluster, "a", "body");
        assert_eq!(
            resource.version.to_string(),
            "f3f7b331814530de093790a5a14ae229"
        );
    }

    #[test]
    fn version_round_trips_as_text_and_refuses_others() {
        let version = Resource::new(Kind::Route, "a", "x").version;
        assert_eq!(version.to_string().as_bytes(), version.text());
        assert_eq!(version.to_string().parse(), Ok(version));
        for foreign in ["", "7", "+0000000000000000000000000000000", &"F".repeat(32)] {
            assert_eq!(
                foreign.parse::<Version>(),
                Err(ForeignVersion(foreign.to_string()))
            );
        }
    }

    #[test]
    fn empty_answers_decode_as_the_message_of_that_name() {
        let name: Arc<str> = "outbound|80||a".into();
        let empty = Resource::empty(Kind::Endpoint, &name).expect("EDS has an empty answer");
        let message = ClusterLoadAssignment::decode(empty.body.clone()).expect("decodes");
        assert_eq!(
            message,
            ClusterLoadAssignment {
                cluster_name: name.to_string(),
                ..Default::default()
            }
        );
        let empty = Resource::empty(Kind::Route, &name).expect("RDS has an empty answer");
        let message = RouteConfiguration::decode(empty.body.clone()).expect("decodes");
        assert_eq!(
            message,
            RouteConfiguration {
                name: name.to_string(),
                ..Default::default()
            }
        );
        assert!(Resource::empty(Kind::Secret, &name).is_none());
    }
}
