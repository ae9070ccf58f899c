//! Certificates in the form in which workloads have them, made at test time.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

/// A root of a mesh.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: String,
}

/// What one workload has: chain, key and root, as PEM.
pub(super) struct Identity {
    chain: String,
    key: String,
    root: String,
}

impl Authority {
    pub(super) fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().pem();
        Authority {
            issuer: Issuer::new(params, key),
            root,
        }
    }

    /// A certificate of an account in the namespace `default`.
    pub(super) fn issue(&self, account: &str) -> Identity {
        let uri = format!("spiffe://cluster.local/ns/default/sa/{account}");
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        let key = KeyPair::generate().unwrap();
        Identity {
            chain: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
            root: self.root.clone(),
        }
    }
}

impl Identity {
    /// Puts the files into a folder, each by renaming. The root stays if there is one.
    pub(super) fn put(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        let replace = |name: &str, text: &str| {
            let next = folder.join(format!("{name}.next"));
            fs::write(&next, text).unwrap();
            fs::rename(next, folder.join(name)).unwrap();
        };
        replace("key.pem", &self.key);
        replace("cert-chain.pem", &self.chain);
        if !folder.join("root-cert.pem").exists() {
            replace("root-cert.pem", &self.root);
        }
    }
}
