//! `tls` of a gateway's server.

use serde::Deserialize;

use super::scalar;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerTls {
    #[serde(alias = "https_redirect")]
    pub https_redirect: Option<bool>,
    pub mode: Option<TlsMode>,
    #[serde(alias = "server_certificate")]
    pub server_certificate: Option<String>,
    #[serde(alias = "private_key")]
    pub private_key: Option<String>,
    #[serde(alias = "ca_certificates")]
    pub ca_certificates: Option<String>,
    #[serde(alias = "ca_crl")]
    pub ca_crl: Option<String>,
    #[serde(alias = "credential_name")]
    pub credential_name: Option<String>,
    #[serde(alias = "credential_names", deserialize_with = "scalar::list")]
    pub credential_names: Vec<String>,
    #[serde(alias = "ca_cert_credential_name")]
    pub ca_cert_credential_name: Option<String>,
    #[serde(alias = "tls_certificates", deserialize_with = "scalar::list")]
    pub tls_certificates: Vec<TlsCertificate>,
    #[serde(alias = "subject_alt_names", deserialize_with = "scalar::list")]
    pub subject_alt_names: Vec<String>,
    #[serde(alias = "verify_certificate_spki", deserialize_with = "scalar::list")]
    pub verify_certificate_spki: Vec<String>,
    #[serde(alias = "verify_certificate_hash", deserialize_with = "scalar::list")]
    pub verify_certificate_hash: Vec<String>,
    #[serde(alias = "min_protocol_version")]
    pub min_protocol_version: Option<String>,
    #[serde(alias = "max_protocol_version")]
    pub max_protocol_version: Option<String>,
    #[serde(alias = "cipher_suites", deserialize_with = "scalar::list")]
    pub cipher_suites: Vec<String>,
    #[serde(alias = "insecure_skip_verify")]
    pub insecure_skip_verify: Option<bool>,
}

/// One of several certificates of a server.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsCertificate {
    #[serde(alias = "server_certificate")]
    pub server_certificate: Option<String>,
    #[serde(alias = "private_key")]
    pub private_key: Option<String>,
}

/// What a server does with TLS. Numbers are those of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ModeText")]
pub enum TlsMode {
    Passthrough,
    Simple,
    Mutual,
    AutoPassthrough,
    IstioMutual,
    OptionalMutual,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ModeText {
    Number(u8),
    Text(String),
}

const MODES: &[(&str, TlsMode)] = &[
    ("PASSTHROUGH", TlsMode::Passthrough),
    ("SIMPLE", TlsMode::Simple),
    ("MUTUAL", TlsMode::Mutual),
    ("AUTO_PASSTHROUGH", TlsMode::AutoPassthrough),
    ("ISTIO_MUTUAL", TlsMode::IstioMutual),
    ("OPTIONAL_MUTUAL", TlsMode::OptionalMutual),
];

impl TryFrom<ModeText> for TlsMode {
    type Error = String;

    fn try_from(text: ModeText) -> Result<TlsMode, String> {
        let found = match &text {
            ModeText::Number(number) => MODES.get(usize::from(*number)),
            ModeText::Text(text) => MODES.iter().find(|(name, _)| name == text),
        };
        let Some((_, mode)) = found else {
            let names: Vec<&str> = MODES.iter().map(|(name, _)| *name).collect();
            return Err(format!("the mode is none of {}", names.join(", ")));
        };
        Ok(*mode)
    }
}
