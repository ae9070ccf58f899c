//! Certificates of the connection to Marathon, read once at the start.

use std::path::Path;

use reqwest::{Certificate, ClientBuilder, Identity};

use super::client::BuildError;
use super::failure::causes;
use super::options::Tls;

#[derive(Default)]
pub(super) struct Files {
    authorities: Option<Vec<Certificate>>,
    identity: Option<Identity>,
}

// === impl Files ===

impl Files {
    pub(super) fn read(tls: &Tls) -> Result<Files, BuildError> {
        let mut files = Files::default();
        if let Some(path) = &tls.authorities {
            let bundle = Certificate::from_pem_bundle(&content(path)?);
            let bundle = bundle.map_err(|error| unusable(path, causes(error)))?;
            if bundle.is_empty() {
                return Err(unusable(path, "it has no certificate in PEM".into()));
            }
            files.authorities = Some(bundle);
        }
        if let Some((certificate, key)) = &tls.identity {
            let mut pem = content(certificate)?;
            pem.push(b'\n');
            pem.extend(content(key)?);
            let identity = Identity::from_pem(&pem);
            // The error might repeat a part of the key.
            let why = |_| unusable(key, "it and the certificate are no pair in PEM".into());
            files.identity = Some(identity.map_err(why)?);
        }
        Ok(files)
    }

    /// Without https no authorities are loaded, or the client could not be made on a system that
    /// has none.
    pub(super) fn apply(&self, builder: ClientBuilder, secure: bool) -> ClientBuilder {
        let builder = match (&self.authorities, secure) {
            (Some(bundle), _) => builder.tls_certs_only(bundle.iter().cloned()),
            (None, true) => builder,
            (None, false) => builder.tls_certs_only([]),
        };
        match &self.identity {
            Some(identity) => builder.identity(identity.clone()),
            None => builder,
        }
    }
}

fn content(path: &Path) -> Result<Vec<u8>, BuildError> {
    std::fs::read(path).map_err(|error| unusable(path, error.to_string()))
}

fn unusable(path: &Path, why: String) -> BuildError {
    BuildError::Tls {
        path: path.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_certificates_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        let tls = |authorities: bool| match authorities {
            true => Tls {
                authorities: Some(file.clone()),
                identity: None,
            },
            false => Tls {
                authorities: None,
                identity: Some((file.clone(), file.clone())),
            },
        };
        for authorities in [true, false] {
            let _ = std::fs::remove_file(&file);
            let told = |tls: &Tls| Files::read(tls).err().map(|error| error.to_string());
            let missing = told(&tls(authorities)).unwrap();
            assert!(missing.contains("ca.pem"), "{missing}");
            std::fs::write(&file, "s3cret").unwrap();
            let wrong = told(&tls(authorities)).unwrap();
            assert!(
                wrong.contains("ca.pem") && !wrong.contains("s3cret"),
                "{wrong}"
            );
        }
        assert!(Files::read(&Tls::default()).is_ok());
    }
}
