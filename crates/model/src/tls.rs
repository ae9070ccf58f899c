//! TLS as objects ask for it: what a client of a service speaks, and what a server demands.
//!
//! Certificates and keys are named by the files that hold them on the proxy's machine. Their
//! content never comes here.

mod parts;

use std::sync::Arc;

pub use parts::{Cipher, FilePath, Fingerprint, InvalidTls, KeyHash, ServerName};

/// How connections to a service are made: `tls` of a `DestinationRule`'s traffic policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClientTls {
    /// `DISABLE`: plaintext.
    Disable,
    /// `SIMPLE` and `MUTUAL`: files that the rule names.
    Origin(OriginTls),
    /// `ISTIO_MUTUAL`: the proxy's own identity in the mesh.
    Mesh(MeshTls),
}

/// TLS to a server outside of the mesh's identities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OriginTls {
    /// What the client presents; `None` for `SIMPLE`.
    pub key_pair: Option<KeyPair>,
    pub verify: VerifyServer,
    /// `None`: the host of each request.
    pub server_name: Option<ServerName>,
}

/// How a client checks a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VerifyServer {
    /// Not at all.
    Skip,
    Check {
        /// `None`: the roots of the proxy's system.
        ca: Option<FilePath>,
        revoked: Option<FilePath>,
        /// One of them must be in the certificate; empty: the host of each request must be.
        subject_alt_names: Vec<Arc<str>>,
    },
}

/// TLS between workloads of the mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MeshTls {
    /// Empty: the accounts of the service.
    pub subject_alt_names: Vec<Arc<str>>,
    /// `None`: a name that tells the service and the port.
    pub server_name: Option<ServerName>,
}

/// A certificate chain and its key, as files on the proxy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPair {
    pub chain: FilePath,
    pub key: FilePath,
}

/// How connections are terminated: `tls` of a gateway's server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerTls {
    pub identity: ServerIdentity,
    pub clients: VerifyClient,
    pub versions: Versions,
    /// Empty: Envoy's own choice.
    pub ciphers: Vec<Cipher>,
}

/// What a server presents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServerIdentity {
    /// One or two pairs (RSA and ECDSA); never empty.
    Files(Vec<KeyPair>),
    /// The proxy's own identity in the mesh: `ISTIO_MUTUAL`.
    Mesh,
}

/// What a server demands of clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VerifyClient {
    /// `SIMPLE`: nothing.
    Skip,
    /// `OPTIONAL_MUTUAL`: a certificate is checked if there is one.
    Optional(ClientCheck),
    /// `MUTUAL` and `ISTIO_MUTUAL`.
    Require(ClientCheck),
}

/// How a client's certificate is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ClientCheck {
    /// `None`: the root of the mesh.
    pub ca: Option<FilePath>,
    pub revoked: Option<FilePath>,
    /// One of them must be in the certificate; empty demands none.
    pub subject_alt_names: Vec<Arc<str>>,
    /// One of these or of the fingerprints must be the certificate's; both empty demand none.
    pub key_hashes: Vec<KeyHash>,
    pub fingerprints: Vec<Fingerprint>,
    /// A chain that leads to no known root is taken as well.
    pub accept_untrusted: bool,
}

/// The oldest and the newest version that is spoken; `None` leaves it to the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Versions {
    /// By default 1.2.
    pub min: Option<TlsVersion>,
    /// By default Envoy's, which is 1.3 for servers.
    pub max: Option<TlsVersion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    V1_0,
    V1_1,
    V1_2,
    V1_3,
}

/// The files of a proxy's identity in the mesh.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityFiles {
    pub pair: KeyPair,
    pub root: FilePath,
}

// === impl TlsVersion ===

impl TlsVersion {
    /// As Istio writes it; `TLS_AUTO` is no version.
    pub fn parse(text: &str) -> Option<TlsVersion> {
        match text {
            "TLSV1_0" => Some(TlsVersion::V1_0),
            "TLSV1_1" => Some(TlsVersion::V1_1),
            "TLSV1_2" => Some(TlsVersion::V1_2),
            "TLSV1_3" => Some(TlsVersion::V1_3),
            _ => None,
        }
    }
}

// === impl VerifyServer ===

impl Default for VerifyServer {
    fn default() -> VerifyServer {
        VerifyServer::Check {
            ca: None,
            revoked: None,
            subject_alt_names: Vec::new(),
        }
    }
}

// === impl IdentityFiles ===

impl Default for IdentityFiles {
    /// Where Istio 1.0 puts them.
    fn default() -> IdentityFiles {
        let file = |name: &str| FilePath::literal(&format!("/etc/certs/{name}.pem"));
        IdentityFiles {
            pair: KeyPair {
                chain: file("cert-chain"),
                key: file("key"),
            },
            root: file("root-cert"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_age_and_named_as_istio_does() {
        let names = ["TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"];
        let versions = names.map(|name| TlsVersion::parse(name).unwrap());
        assert!(versions.is_sorted());
        assert_eq!(TlsVersion::parse("TLS_AUTO"), None);
    }

    #[test]
    fn an_identity_is_where_istio_1_0_has_it() {
        let files = IdentityFiles::default();
        assert_eq!(files.pair.chain.as_str(), "/etc/certs/cert-chain.pem");
        assert_eq!(files.pair.key.as_str(), "/etc/certs/key.pem");
        assert_eq!(files.root.as_str(), "/etc/certs/root-cert.pem");
    }
}
