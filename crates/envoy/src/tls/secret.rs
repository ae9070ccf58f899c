//! Secrets: files on the proxy's machine, under the names by which clusters and listeners ask.
//!
//! The names follow Istio's, so that a dump reads alike: `default` and `ROOTCA` for the proxy's
//! identity in the mesh, `file-cert:<chain>~<key>` and `file-root:<ca>` for what objects name. They
//! are a closed grammar, and only names that some object leads to are answered.

use std::collections::BTreeSet;

use model::tls::{
    ClientCheck, ClientTls, FilePath, IdentityFiles, KeyPair, ServerIdentity, ServerTls,
    VerifyClient, VerifyServer,
};

use model::{DestinationRule, World};

use crate::built::Built;
use crate::pb;

/// The proxy's own certificate and key.
pub(super) const IDENTITY: &str = "default";
/// The root that the mesh's certificates lead to.
pub(super) const ROOT: &str = "ROOTCA";
/// The roots of the machine, where Debian, Ubuntu and Alpine have them.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// One secret, which is all that its name and its content depend on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Secret {
    /// The certificate and key of the proxy's identity.
    Identity(KeyPair),
    /// The root of the mesh.
    Root(FilePath),
    KeyPair(KeyPair),
    Roots {
        ca: FilePath,
        revoked: Option<FilePath>,
    },
    /// The roots of the proxy's system.
    System {
        revoked: Option<FilePath>,
    },
}

/// Secrets that resources ask for, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Secrets(pub(crate) BTreeSet<Secret>);

// === impl Secret ===

impl Secret {
    /// Those that are checked against; by default those of the system.
    pub(crate) fn roots(ca: Option<&FilePath>, revoked: Option<&FilePath>) -> Secret {
        let revoked = revoked.cloned();
        match ca {
            Some(ca) => Secret::Roots {
                ca: ca.clone(),
                revoked,
            },
            None => Secret::System { revoked },
        }
    }

    /// Certificate, key and root of a proxy.
    pub(crate) fn of_identity(files: &IdentityFiles) -> [Secret; 2] {
        [
            Secret::Identity(files.pair.clone()),
            Secret::Root(files.root.clone()),
        ]
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Secret::Identity(_) => IDENTITY.to_owned(),
            Secret::Root(_) => ROOT.to_owned(),
            Secret::KeyPair(pair) => format!("file-cert:{}~{}", pair.chain, pair.key),
            Secret::Roots { ca, revoked } => root_name(ca.as_str(), revoked.as_ref()),
            Secret::System { revoked } => root_name("system", revoked.as_ref()),
        }
    }

    pub(crate) fn build(&self) -> Built {
        use pb::tls::secret::Type;
        let content = match self {
            Secret::Identity(pair) | Secret::KeyPair(pair) => {
                Type::TlsCertificate(pb::tls::TlsCertificate {
                    certificate_chain: Some(file(pair.chain.as_str())),
                    private_key: Some(file(pair.key.as_str())),
                    ..Default::default()
                })
            }
            Secret::Root(ca) => roots(ca.as_str(), None),
            Secret::Roots { ca, revoked } => roots(ca.as_str(), revoked.as_ref()),
            Secret::System { revoked } => roots(SYSTEM_ROOTS, revoked.as_ref()),
        };
        Built::secret(&pb::tls::Secret {
            name: self.name(),
            r#type: Some(content),
        })
    }
}

fn root_name(ca: &str, revoked: Option<&FilePath>) -> String {
    match revoked {
        None => format!("file-root:{ca}"),
        // Beyond Istio's names: what is revoked belongs to the root, or a missing list would make
        // Envoy refuse the whole listener.
        Some(revoked) => format!("file-root:{ca}~{revoked}"),
    }
}

fn roots(ca: &str, revoked: Option<&FilePath>) -> pb::tls::secret::Type {
    pb::tls::secret::Type::ValidationContext(pb::tls::CertificateValidationContext {
        trusted_ca: Some(file(ca)),
        crl: revoked.map(|revoked| file(revoked.as_str())),
        ..Default::default()
    })
}

fn file(path: &str) -> pb::core::DataSource {
    use pb::core::data_source::Specifier;
    pb::core::DataSource {
        specifier: Some(Specifier::Filename(path.to_owned())),
        ..Default::default()
    }
}

// === impl Secrets ===

impl Secrets {
    /// What any proxy may ask for: its identity, where most have it, and what objects name.
    pub(crate) fn of(world: &World) -> Secrets {
        let mut secrets = Secrets(Secret::of_identity(&IdentityFiles::default()).into());
        for rule in world.destination_rules.iter() {
            secrets.add_rule(rule);
        }
        secrets
    }

    /// What clusters ask for because of a rule.
    pub(crate) fn add_rule(&mut self, rule: &DestinationRule) {
        let of_subsets = rule.subsets.iter().map(|subset| &subset.policies);
        for policies in std::iter::once(&rule.policies).chain(of_subsets) {
            let each = std::iter::once(&policies.all.port).chain(policies.by_port.values());
            let each = each.filter_map(|port| port.tls.as_deref());
            each.for_each(|tls| self.add_client(tls));
        }
    }

    /// What clusters with this TLS ask for, beside the proxy's identity.
    pub(crate) fn add_client(&mut self, tls: &ClientTls) {
        let ClientTls::Origin(tls) = tls else {
            return;
        };
        self.0.extend(tls.key_pair.clone().map(Secret::KeyPair));
        if let VerifyServer::Check { ca, revoked, .. } = &tls.verify {
            self.0.insert(Secret::roots(ca.as_ref(), revoked.as_ref()));
        }
    }

    /// What filter chains with this TLS ask for, beside the proxy's identity.
    pub(crate) fn add_server(&mut self, tls: &ServerTls) {
        if let ServerIdentity::Files(pairs) = &tls.identity {
            self.0.extend(pairs.iter().cloned().map(Secret::KeyPair));
        }
        let check = match &tls.clients {
            VerifyClient::Skip => None,
            VerifyClient::Optional(check) | VerifyClient::Require(check) => Some(check),
        };
        if let Some(ClientCheck {
            ca: Some(ca),
            revoked,
            ..
        }) = check
        {
            self.0.insert(Secret::roots(Some(ca), revoked.as_ref()));
        }
    }
}
