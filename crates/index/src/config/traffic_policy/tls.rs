//! TLS towards endpoints.
//!
//! Files and secrets are those of the proxy. Whether they are there is not known here.

use api::istio::traffic_policy as api;
use std::sync::Arc;

use model::tls::{
    ClientTls, FilePath, InvalidTls, KeyPair, MeshTls, OriginTls, ServerName, VerifyServer,
};

use super::ignored;
use super::numbers::Field;
use crate::codes;
use crate::report::Report;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Simple,
    Mutual,
    IstioMutual,
}

pub(super) fn convert(tls: api::ClientTls, at: &str, report: &mut Report) -> Option<ClientTls> {
    let field = Field {
        code: codes::BAD_TLS,
        at,
    };
    let mode = mode(tls.mode.as_deref(), &field, report)?;
    tell_ignored(&tls, mode, at, report);
    if matches!(mode, Mode::Simple | Mode::Mutual) {
        check(&tls, mode, &field, report);
    }
    let read = Read {
        field: &field,
        tls: &tls,
    };
    Some(match mode {
        Mode::Disable => ClientTls::Disable,
        Mode::IstioMutual => ClientTls::Mesh(MeshTls {
            subject_alt_names: read.names(report),
            server_name: read.server_name(report),
        }),
        Mode::Simple => ClientTls::Origin(read.origin(None, report)),
        Mode::Mutual => {
            let certificate = read.path("clientCertificate", &tls.client_certificate, report);
            let key = read.path("privateKey", &tls.private_key, report);
            let pair = KeyPair {
                chain: certificate?,
                key: key?,
            };
            ClientTls::Origin(read.origin(Some(pair), report))
        }
    })
}

/// Settings on the way.
struct Read<'a> {
    field: &'a Field<'a>,
    tls: &'a api::ClientTls,
}

impl Read<'_> {
    fn origin(&self, key_pair: Option<KeyPair>, report: &mut Report) -> OriginTls {
        let verify = match self.tls.insecure_skip_verify {
            Some(true) => VerifyServer::Skip,
            _ => VerifyServer::Check {
                ca: self.path("caCertificates", &self.tls.ca_certificates, report),
                revoked: self.path("caCrl", &self.tls.ca_crl, report),
                subject_alt_names: self.names(report),
            },
        };
        OriginTls {
            key_pair,
            verify,
            server_name: self.server_name(report),
        }
    }

    fn path(&self, name: &str, value: &Option<String>, report: &mut Report) -> Option<FilePath> {
        let parsed = FilePath::parse(&filled(value)?);
        self.valid(name, parsed, "name a file on the proxy's machine", report)
    }

    fn server_name(&self, report: &mut Report) -> Option<ServerName> {
        let parsed = ServerName::parse(&filled(&self.tls.sni)?);
        self.valid("sni", parsed, "use a host name", report)
    }

    fn names(&self, report: &mut Report) -> Vec<Arc<str>> {
        let names = &self.tls.subject_alt_names;
        for (i, _) in names.iter().enumerate().filter(|(_, name)| name.is_empty()) {
            let name = format!("subjectAltNames[{i}]");
            let why = "the name is empty".to_owned();
            self.field
                .refuse(&name, why, "remove it, or fill it in", report);
        }
        names.iter().map(|name| name.as_str().into()).collect()
    }

    fn valid<T>(
        &self,
        name: &str,
        parsed: Result<T, InvalidTls>,
        remedy: &str,
        report: &mut Report,
    ) -> Option<T> {
        let refuse = |error: InvalidTls| {
            self.field.refuse(name, error.to_string(), remedy, report);
        };
        parsed.map_err(refuse).ok()
    }
}

/// No mode is the first, as in proto3.
fn mode(mode: Option<&str>, field: &Field<'_>, report: &mut Report) -> Option<Mode> {
    Some(match mode.unwrap_or("DISABLE") {
        "DISABLE" | "0" => Mode::Disable,
        "SIMPLE" | "1" => Mode::Simple,
        "MUTUAL" | "2" => Mode::Mutual,
        "ISTIO_MUTUAL" | "3" => Mode::IstioMutual,
        other => {
            let why = format!("{other:?} is not a mode of TLS");
            let remedy = "use DISABLE, SIMPLE, MUTUAL or ISTIO_MUTUAL";
            field.refuse("mode", why, remedy, report);
            return None;
        }
    })
}

fn check(tls: &api::ClientTls, mode: Mode, field: &Field<'_>, report: &mut Report) {
    let given = |value: &Option<String>| filled(value).is_some();
    if given(&tls.credential_name) {
        let why = "secrets by name are those of gateways; a proxy has files only".to_owned();
        let remedy = "name clientCertificate, privateKey and caCertificates instead";
        field.refuse("credentialName", why, remedy, report);
        return;
    }
    let pair = [
        ("clientCertificate", &tls.client_certificate),
        ("privateKey", &tls.private_key),
    ];
    for (name, value) in pair {
        if mode == Mode::Mutual && !given(value) {
            let why = "MUTUAL needs a certificate and a key".to_owned();
            field.refuse(name, why, "name both files, on the proxy's machine", report);
        }
    }
    if tls.insecure_skip_verify == Some(true) {
        let verified = [
            ("caCertificates", given(&tls.ca_certificates)),
            ("subjectAltNames", !tls.subject_alt_names.is_empty()),
            ("caCrl", given(&tls.ca_crl)),
        ];
        for (name, _) in verified.into_iter().filter(|(_, given)| *given) {
            let why = "insecureSkipVerify verifies nothing, so this would not count".to_owned();
            field.refuse(name, why, "keep one of the two", report);
        }
    }
}

fn tell_ignored(tls: &api::ClientTls, mode: Mode, at: &str, report: &mut Report) {
    let given = |value: &Option<String>| filled(value).is_some();
    let own = given(&tls.client_certificate) || given(&tls.private_key);
    let server = given(&tls.ca_certificates) || given(&tls.ca_crl) || given(&tls.credential_name);
    let mut tell = |fields: &str, why: &str| {
        let remedy = "remove them, or choose another mode";
        ignored(at.to_owned(), &format!("{fields}: {why}"), remedy, report);
    };
    match mode {
        Mode::Disable if own || server => tell("certificates", "DISABLE uses none"),
        Mode::IstioMutual if own || server => {
            tell("certificates", "ISTIO_MUTUAL uses those of the mesh");
        }
        Mode::Simple if own => {
            tell("clientCertificate and privateKey", "SIMPLE shows none");
        }
        _ => {}
    }
    if mode == Mode::IstioMutual && tls.insecure_skip_verify == Some(true) {
        tell("insecureSkipVerify", "ISTIO_MUTUAL always verifies");
    }
}

fn filled(value: &Option<String>) -> Option<String> {
    value.clone().filter(|text| !text.is_empty())
}
