//! `tls` of a server: what it does with TLS, and with which certificates.

mod versions;

use std::sync::Arc;

use api::istio::{self, TlsMode};
use model::gateway::Security;
use model::tls::{
    Cipher, ClientCheck, FilePath, Fingerprint, KeyHash, KeyPair, ServerIdentity, ServerTls,
    TlsVersion, VerifyClient, Versions,
};
use model::{Hostname, Protocol};

use super::LEFT_OUT;
use crate::codes;
use crate::config::object::Context;
use crate::report::Report;

/// Envoy takes one certificate of each kind of key, and there are two kinds.
const MOST_CERTIFICATES: usize = 2;

/// Reads the `tls` of one server and says what is wrong with it.
pub(super) struct Reader<'a> {
    pub(super) tls: &'a istio::ServerTls,
    /// The path of the server.
    pub(super) at: &'a str,
    /// The folder of credentials on the gateway's machine.
    pub(super) credentials: &'a str,
    pub(super) report: &'a mut Report,
}

/// `None`: the server is left out, and it was said why.
pub(super) fn security(
    protocol: Protocol,
    tls: Option<&istio::ServerTls>,
    at: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Security> {
    let empty = istio::ServerTls::default();
    let says = tls.filter(|tls| **tls != empty);
    let mut reader = Reader {
        tls: tls.unwrap_or(&empty),
        at,
        credentials: &context.mesh.credentials,
        report,
    };
    match protocol {
        Protocol::Https | Protocol::Tls if says.is_none() => {
            let why = format!("a server of protocol {protocol} needs tls");
            reader.unfit(
                "",
                &why,
                "say in tls.mode what to do, such as SIMPLE or PASSTHROUGH",
            )
        }
        Protocol::Https | Protocol::Tls => reader.encrypted(),
        protocol => reader.plain(protocol),
    }
}

// === impl Reader ===

impl Reader<'_> {
    /// Plaintext may redirect, where it is HTTP, and nothing else.
    fn plain(&mut self, protocol: Protocol) -> Option<Security> {
        let redirect = self.tls.https_redirect == Some(true);
        let redirecting = istio::ServerTls {
            https_redirect: self.tls.https_redirect,
            // The first mode is the schema's default, and old documents spell it out.
            mode: self.tls.mode.filter(|mode| *mode == TlsMode::Passthrough),
            ..Default::default()
        };
        if redirecting != *self.tls {
            let why = format!("a server of protocol {protocol} cannot have TLS settings");
            let remedy = "use the protocol HTTPS or TLS, or remove the settings";
            return self.unfit("", &why, remedy);
        }
        if redirect && !protocol.is_http() {
            let why = format!("only HTTP can be redirected to HTTPS, not {protocol}");
            return self.unfit(".httpsRedirect", &why, "remove it");
        }
        Some(match redirect {
            true => Security::Redirect,
            false => Security::Plaintext,
        })
    }

    fn encrypted(&mut self) -> Option<Security> {
        if self.tls.https_redirect == Some(true) {
            let why = "connections of this server are TLS already";
            self.ignored(".httpsRedirect", why, "set it on the server for plaintext");
        }
        match self.tls.mode.unwrap_or(TlsMode::Passthrough) {
            TlsMode::Passthrough => {
                self.passthrough();
                Some(Security::Passthrough)
            }
            TlsMode::AutoPassthrough => {
                self.report.leave_out(
                    codes::TLS_MODE,
                    format!("{}.tls.mode", self.at),
                    "AUTO_PASSTHROUGH joins meshes of several clusters by names in the TLS hello, \
                     which there are none of here",
                    LEFT_OUT,
                    "use PASSTHROUGH with tls routes",
                );
                None
            }
            mode => self
                .terminated(mode)
                .map(|tls| Security::Terminate(Arc::new(tls))),
        }
    }

    fn passthrough(&mut self) {
        let only = istio::ServerTls {
            https_redirect: self.tls.https_redirect,
            mode: self.tls.mode,
            ..Default::default()
        };
        if only != *self.tls {
            let why = "with PASSTHROUGH the proxy neither decrypts nor checks anything";
            self.ignored("", why, "remove what is beside the mode, or use SIMPLE");
        }
    }

    fn terminated(&mut self, mode: TlsMode) -> Option<ServerTls> {
        let identity = match mode {
            TlsMode::IstioMutual => self.of_mesh(),
            _ => self.key_pairs().map(ServerIdentity::Files),
        };
        let clients = self.clients(mode);
        let versions = self.versions();
        Some(ServerTls {
            identity: identity?,
            clients: clients?,
            versions: versions?,
            ciphers: self.ciphers(),
        })
    }

    fn of_mesh(&mut self) -> Option<ServerIdentity> {
        let tls = self.tls;
        let named = [
            given(&tls.server_certificate).is_some(),
            given(&tls.private_key).is_some(),
            given(&tls.ca_certificates).is_some(),
            given(&tls.credential_name).is_some(),
            !tls.credential_names.is_empty(),
            !tls.tls_certificates.is_empty(),
        ];
        if named.contains(&true) {
            let why = "ISTIO_MUTUAL uses the proxy's own certificates";
            return self.unfit("", why, "remove the certificates, or use MUTUAL");
        }
        Some(ServerIdentity::Mesh)
    }

    /// The certificates, which are named in one of four ways.
    fn key_pairs(&mut self) -> Option<Vec<KeyPair>> {
        let tls = self.tls;
        let files = given(&tls.server_certificate).is_some() || given(&tls.private_key).is_some();
        let ways = [
            files,
            given(&tls.credential_name).is_some(),
            !tls.credential_names.is_empty(),
            !tls.tls_certificates.is_empty(),
        ];
        match ways.iter().filter(|way| **way).count() {
            1 => {}
            0 => {
                let why = "the server has no certificate";
                let remedy = "name serverCertificate and privateKey, or a credentialName";
                return self.unfit("", why, remedy);
            }
            _ => {
                let why = "certificates are named in several ways";
                let remedy = "keep one of serverCertificate, credentialName, credentialNames and \
                              tlsCertificates";
                return self.unfit("", why, remedy);
            }
        }
        let pairs = match ways {
            [true, ..] => vec![self.pair(&tls.server_certificate, &tls.private_key, "")],
            [_, true, ..] => vec![self.credential(&tls.credential_name, ".credentialName")],
            [_, _, true, _] => {
                let names = tls.credential_names.iter().enumerate();
                names
                    .map(|(i, name)| {
                        let field = format!(".credentialNames[{i}]");
                        self.credential(&Some(name.clone()), &field)
                    })
                    .collect()
            }
            _ => {
                let all = tls.tls_certificates.iter().enumerate();
                all.map(|(i, one)| {
                    let field = format!(".tlsCertificates[{i}]");
                    self.pair(&one.server_certificate, &one.private_key, &field)
                })
                .collect()
            }
        };
        let mut pairs: Vec<KeyPair> = pairs.into_iter().collect::<Option<_>>()?;
        if pairs.len() > MOST_CERTIFICATES {
            let why = "a server presents two certificates at most, one for each kind of key";
            self.ignored("", why, "keep the two that are meant");
            pairs.truncate(MOST_CERTIFICATES);
        }
        Some(pairs)
    }

    fn pair(
        &mut self,
        chain: &Option<String>,
        key: &Option<String>,
        within: &str,
    ) -> Option<KeyPair> {
        let chain = self.path(chain, &format!("{within}.serverCertificate"));
        let key = self.path(key, &format!("{within}.privateKey"));
        Some(KeyPair {
            chain: chain?,
            key: key?,
        })
    }

    /// Names a folder of files on the gateway's machine: keys never travel.
    fn credential(&mut self, name: &Option<String>, field: &str) -> Option<KeyPair> {
        let name = self.folder(name, field)?;
        let credentials = self.credentials;
        let file = |file: &str| FilePath::parse(&format!("{credentials}/{name}/{file}")).ok();
        Some(KeyPair {
            chain: file("tls.crt")?,
            key: file("tls.key")?,
        })
    }

    fn folder(&mut self, name: &Option<String>, field: &str) -> Option<String> {
        let text = given(name).unwrap_or_default();
        match Hostname::parse(text) {
            Ok(name) if !name.is_wildcard() => Some(text.to_owned()),
            _ => {
                let why = format!("{text:?} is not the name of a credential");
                let remedy = format!(
                    "use letters, digits, dots and inner hyphens; it names a folder of \
                     {} on the gateway's machine",
                    self.credentials
                );
                self.unfit(field, &why, &remedy)
            }
        }
    }

    fn path(&mut self, text: &Option<String>, field: &str) -> Option<FilePath> {
        let Some(text) = given(text) else {
            let why = "the path of the file is missing";
            return self.unfit(field, why, "name a file on the gateway's machine");
        };
        match FilePath::parse(text) {
            Ok(path) => Some(path),
            Err(error) => self.unfit(field, &error.to_string(), "name another file"),
        }
    }

    fn clients(&mut self, mode: TlsMode) -> Option<VerifyClient> {
        let check = self.check(mode)?;
        match mode {
            TlsMode::OptionalMutual => Some(VerifyClient::Optional(check)),
            TlsMode::Mutual | TlsMode::IstioMutual => Some(VerifyClient::Require(check)),
            _ => {
                if given(&self.tls.ca_crl).is_some() {
                    let why = "nothing can be revoked where clients show no certificate";
                    return self.unfit(".caCrl", why, "use MUTUAL, or remove it");
                }
                if check != ClientCheck::default() {
                    let why = "with SIMPLE, clients show no certificate that could be checked";
                    self.ignored("", why, "use MUTUAL, or remove what checks clients");
                }
                Some(VerifyClient::Skip)
            }
        }
    }

    fn check(&mut self, mode: TlsMode) -> Option<ClientCheck> {
        let tls = self.tls;
        let ca = match mode {
            TlsMode::IstioMutual => None,
            _ => self.root(mode)?,
        };
        let revoked = match given(&tls.ca_crl) {
            None => None,
            Some(_) => Some(self.path(&tls.ca_crl, ".caCrl")?),
        };
        let key_hashes = self.each(
            &tls.verify_certificate_spki,
            ".verifyCertificateSpki",
            |t| KeyHash::parse(t).map_err(|e| e.to_string()),
        );
        let fingerprints = self.each(
            &tls.verify_certificate_hash,
            ".verifyCertificateHash",
            |t| Fingerprint::parse(t).map_err(|e| e.to_string()),
        );
        let names = tls.subject_alt_names.iter().filter(|name| !name.is_empty());
        Some(ClientCheck {
            ca,
            revoked,
            subject_alt_names: names.map(|name| name.as_str().into()).collect(),
            key_hashes: key_hashes?,
            fingerprints: fingerprints?,
            accept_untrusted: tls.insecure_skip_verify == Some(true),
        })
    }

    /// What clients' certificates lead to; named like the server's own, or apart from it.
    fn root(&mut self, mode: TlsMode) -> Option<Option<FilePath>> {
        let tls = self.tls;
        if given(&tls.ca_certificates).is_some() {
            return self.path(&tls.ca_certificates, ".caCertificates").map(Some);
        }
        let named = match given(&tls.ca_cert_credential_name) {
            Some(_) => Some((&tls.ca_cert_credential_name, ".caCertCredentialName")),
            None => given(&tls.credential_name).map(|_| (&tls.credential_name, ".credentialName")),
        };
        let checks = matches!(mode, TlsMode::Mutual | TlsMode::OptionalMutual);
        match named {
            Some((name, field)) if checks => {
                let name = self.folder(name, field)?;
                Some(FilePath::parse(&format!("{}/{name}/ca.crt", self.credentials)).ok())
            }
            _ if checks => {
                let why = "nothing says which clients' certificates are good";
                self.unfit(".caCertificates", why, "name the file of the authority")
            }
            _ => Some(None),
        }
    }

    fn each<T>(
        &mut self,
        texts: &[String],
        field: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let mut all = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            match parse(text) {
                Ok(value) => all.push(value),
                Err(why) => {
                    let field = format!("{field}[{i}]");
                    return self.unfit(&field, &why, "correct it, or remove it");
                }
            }
        }
        Some(all)
    }

    fn unfit<T>(&mut self, field: &str, why: &str, remedy: &str) -> Option<T> {
        let field = format!("{}.tls{field}", self.at);
        self.report
            .leave_out(codes::SERVER_TLS, field, why, LEFT_OUT, remedy);
        None
    }

    fn ignored(&mut self, field: &str, why: &str, remedy: &str) {
        let field = format!("{}.tls{field}", self.at);
        let effect = "it is ignored, the rest of the server holds";
        self.report
            .warn(codes::TLS_FIELD_IGNORED, field, why, effect, remedy);
    }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
