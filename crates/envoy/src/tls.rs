//! TLS: what clusters present and check, and what listeners do.
//!
//! Certificates are secrets that the proxy asks for by name, on the stream on which all else comes,
//! and that name files on its own machine. Unlike a file that a listener names itself, one that is
//! missing does not make Envoy refuse the listener and go on with an older, open one: connections
//! fail, and one that is replaced by renaming is read again. Keys never travel.
//!
//! ```text
//! ClientTls ─► client ─► transport socket of a cluster ───────┐
//! ServerTls ─► server ─► transport socket of a filter chain ──┼─► names of secrets ─► secret
//! ```

mod client;
mod identity;
mod secret;
mod server;

use model::tls::{Cipher, TlsVersion, Versions};
use prost::Name;

use crate::canonical::Canonical;
use crate::{message, pb};

#[cfg(test)]
mod tests;

pub(crate) use client::{ClientKey, client, follows_host};
pub(crate) use identity::OwnIdentity;
pub(crate) use secret::{Secret, Secrets};
pub(crate) use server::{ALPN_HTTP, Identity, ServerKey, server};

/// The name under which Envoy finds TLS.
const SOCKET: &str = "envoy.transport_sockets.tls";
/// By default on both sides, as in Istio.
const MIN_VERSION: TlsVersion = TlsVersion::V1_2;
/// What the mesh's workloads speak among themselves.
const MESH_VERSIONS: Versions = Versions {
    min: Some(MIN_VERSION),
    max: Some(TlsVersion::V1_3),
};

fn socket<M: Canonical + Name>(context: &M) -> pb::core::TransportSocket {
    use pb::core::transport_socket::ConfigType;
    pb::core::TransportSocket {
        name: SOCKET.to_owned(),
        config_type: Some(ConfigType::TypedConfig(message::any(context))),
    }
}

/// A secret that is to be asked for.
fn by_name(name: String) -> pb::tls::SdsSecretConfig {
    pb::tls::SdsSecretConfig {
        name,
        sds_config: Some(message::ads()),
    }
}

fn parameters(versions: Versions, ciphers: &[Cipher]) -> pb::tls::TlsParameters {
    use pb::tls::tls_parameters::TlsProtocol;
    let protocol = |version| match version {
        TlsVersion::V1_0 => TlsProtocol::TlSv10,
        TlsVersion::V1_1 => TlsProtocol::TlSv11,
        TlsVersion::V1_2 => TlsProtocol::TlSv12,
        TlsVersion::V1_3 => TlsProtocol::TlSv13,
    };
    let max = versions.max.map_or(TlsProtocol::TlsAuto, protocol);
    pb::tls::TlsParameters {
        tls_minimum_protocol_version: protocol(versions.min.unwrap_or(MIN_VERSION)).into(),
        tls_maximum_protocol_version: max.into(),
        cipher_suites: ciphers.iter().map(Cipher::to_string).collect(),
        ..Default::default()
    }
}

/// What of a certificate must be right beside its chain, which a secret tells how to check.
fn combined(
    check: pb::tls::CertificateValidationContext,
    root: String,
) -> pb::tls::common_tls_context::ValidationContextType {
    use pb::tls::common_tls_context::{
        CombinedCertificateValidationContext, ValidationContextType,
    };
    if check == Default::default() {
        return ValidationContextType::ValidationContextSdsSecretConfig(by_name(root));
    }
    ValidationContextType::CombinedValidationContext(CombinedCertificateValidationContext {
        default_validation_context: Some(check),
        validation_context_sds_secret_config: Some(by_name(root)),
        ..Default::default()
    })
}

/// Exactly this name in a certificate, of the type that it looks like.
fn exactly(name: &str) -> pb::tls::SubjectAltNameMatcher {
    use pb::matcher::string_matcher::MatchPattern;
    matcher(name, MatchPattern::Exact(name.to_string()))
}

/// A URI in a certificate that begins so.
fn uri_prefix(prefix: &str) -> pb::tls::SubjectAltNameMatcher {
    use pb::matcher::string_matcher::MatchPattern;
    matcher(prefix, MatchPattern::Prefix(prefix.to_owned()))
}

fn matcher(
    name: &str,
    pattern: pb::matcher::string_matcher::MatchPattern,
) -> pb::tls::SubjectAltNameMatcher {
    use pb::tls::subject_alt_name_matcher::SanType;
    let san_type = if name.contains("://") {
        SanType::Uri
    } else if name.parse::<std::net::IpAddr>().is_ok() {
        SanType::IpAddress
    } else if name.contains('@') {
        SanType::Email
    } else {
        SanType::Dns
    };
    pb::tls::SubjectAltNameMatcher {
        san_type: san_type.into(),
        matcher: Some(pb::matcher::StringMatcher {
            match_pattern: Some(pattern),
            ..Default::default()
        }),
        ..Default::default()
    }
}
