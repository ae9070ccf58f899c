//! Who a proxy is in the mesh, as a server: its secrets and whom it trusts.

use model::tls::TlsVersion;
use model::{Mesh, ProxyIdentity};

use super::secret::{IDENTITY, ROOT, Secret};
use super::server::Identity;

/// The names of a proxy's own secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnIdentity {
    pair: String,
    root: String,
    trust_domains: Vec<String>,
    min: TlsVersion,
}

// === impl OwnIdentity ===

impl OwnIdentity {
    /// Clusters are the same for all proxies, so `default` and `ROOTCA` are what a proxy shows as
    /// a client. What it shows as a server has another name where the files are others.
    pub(crate) fn new(mesh: &Mesh, files: &ProxyIdentity) -> OwnIdentity {
        let (pair, root) = server_secrets(files);
        OwnIdentity {
            pair: pair.map_or_else(|| IDENTITY.to_owned(), |secret| secret.name()),
            root: root.map_or_else(|| ROOT.to_owned(), |secret| secret.name()),
            trust_domains: mesh.trust_domains().map(str::to_owned).collect(),
            min: match mesh.min_tls {
                model::TlsVersion::V1_2 => TlsVersion::V1_2,
                model::TlsVersion::V1_3 => TlsVersion::V1_3,
            },
        }
    }

    pub(crate) fn view(&self) -> Identity<'_> {
        Identity {
            pair: &self.pair,
            root: &self.root,
            trust_domains: &self.trust_domains,
            min: self.min,
        }
    }

    /// The secrets of a proxy whose files are not where all others have them.
    pub(crate) fn secrets(files: &ProxyIdentity) -> Vec<Secret> {
        let usual = ProxyIdentity::default();
        let mut secrets = Vec::new();
        if files.client != usual.client {
            secrets.extend(Secret::of_identity(&files.client));
        }
        let (pair, root) = server_secrets(files);
        secrets.extend(pair);
        secrets.extend(root);
        secrets
    }
}

fn server_secrets(files: &ProxyIdentity) -> (Option<Secret>, Option<Secret>) {
    let (client, server) = (&files.client, &files.server);
    let pair = (server.pair != client.pair).then(|| Secret::KeyPair(server.pair.clone()));
    let root = (server.root != client.root).then(|| Secret::roots(Some(&server.root), None));
    (pair, root)
}
