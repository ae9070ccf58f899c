//! Certificates as the guide's pods have them: one identity for everybody, three files.

use std::fs;
use std::io;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

/// The identity of every workload, until accounts are told apart.
pub const IDENTITY: &str = "spiffe://cluster.local/ns/default/sa/default";

/// A certificate authority that lives as long as the rig.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// The files could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertError {
    #[error("making a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("writing a certificate: {0}")]
    Write(#[from] io::Error),
}

impl Authority {
    /// A new root.
    pub fn new() -> Result<Authority, CertError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Pilothouse rig");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Authority { issuer })
    }

    /// Writes `cert-chain.pem`, `key.pem` and `root-cert.pem` for [`IDENTITY`], each by a rename, so
    /// that a proxy that watches them never reads a part.
    pub fn write(&self, directory: &Path) -> Result<(), CertError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(IDENTITY.try_into()?)];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let leaf = params.signed_by(&key, &self.issuer)?;
        fs::create_dir_all(directory)?;
        for (name, text) in [
            ("key.pem", key.serialize_pem()),
            ("cert-chain.pem", leaf.pem()),
            ("root-cert.pem", self.issuer.pem()),
        ] {
            let part = directory.join(format!(".{name}"));
            fs::write(&part, text)?;
            fs::rename(&part, directory.join(name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_files_are_pem() {
        let dir = tempfile::tempdir().unwrap();
        Authority::new().unwrap().write(dir.path()).unwrap();
        for (name, begin) in [
            ("cert-chain.pem", "-----BEGIN CERTIFICATE"),
            ("key.pem", "-----BEGIN PRIVATE KEY"),
            ("root-cert.pem", "-----BEGIN CERTIFICATE"),
        ] {
            let text = fs::read_to_string(dir.path().join(name)).unwrap();
            assert!(text.starts_with(begin), "{name}: {text}");
        }
    }
}
