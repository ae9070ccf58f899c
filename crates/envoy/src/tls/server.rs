//! TLS of the connections that a listener takes.

use model::tls::{
    Cipher, ClientCheck, ServerIdentity, ServerTls, TlsVersion, VerifyClient, Versions,
};

use super::secret::Secret;
use super::{MESH_VERSIONS, by_name, combined, exactly, parameters, socket, uri_prefix};
use crate::{message, pb};

/// What a listener offers: HTTP of both versions.
pub(crate) const ALPN_HTTP: &[&str] = &["h2", "http/1.1"];

/// All that the TLS of a filter chain depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServerKey<'a> {
    pub(crate) tls: &'a ServerTls,
    /// The protocols that are offered; none for plain TCP.
    pub(crate) alpn: &'a [&'a str],
    /// The secrets of the proxy's identity in the mesh, and whom the mesh trusts.
    pub(crate) identity: Identity<'a>,
}

/// Who a proxy is in the mesh, as a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity<'a> {
    pub(crate) pair: &'a str,
    pub(crate) root: &'a str,
    /// Clients must be of one of these domains; empty demands nothing.
    pub(crate) trust_domains: &'a [String],
    /// The oldest version that the mesh speaks.
    pub(crate) min: TlsVersion,
}

/// The transport socket of a filter chain.
pub(crate) fn server(key: &ServerKey<'_>) -> pb::core::TransportSocket {
    let (tls, mesh) = (key.tls, key.tls.identity == ServerIdentity::Mesh);
    let pairs = match &tls.identity {
        ServerIdentity::Mesh => vec![key.identity.pair.to_owned()],
        ServerIdentity::Files(pairs) => {
            let secrets = pairs.iter().cloned().map(Secret::KeyPair);
            secrets.map(|secret| secret.name()).collect()
        }
    };
    let (required, check) = match &tls.clients {
        VerifyClient::Skip => (false, None),
        VerifyClient::Optional(check) => (false, Some(check)),
        VerifyClient::Require(check) => (true, Some(check)),
    };
    let parameters = match (mesh, tls.ciphers.is_empty()) {
        (true, true) if tls.versions == Versions::default() => {
            let min = Some(key.identity.min);
            parameters(
                Versions {
                    min,
                    ..MESH_VERSIONS
                },
                &Cipher::of_mesh(),
            )
        }
        _ => parameters(tls.versions, &tls.ciphers),
    };
    socket(&pb::tls::DownstreamTlsContext {
        require_client_certificate: match required {
            true => message::yes(),
            false => message::no(),
        },
        common_tls_context: Some(pb::tls::CommonTlsContext {
            tls_params: Some(parameters),
            tls_certificate_sds_secret_configs: pairs.into_iter().map(by_name).collect(),
            validation_context_type: check.map(|check| validation(check, &key.identity)),
            alpn_protocols: key.alpn.iter().map(|name| (*name).to_owned()).collect(),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn validation(
    check: &ClientCheck,
    identity: &Identity<'_>,
) -> pb::tls::common_tls_context::ValidationContextType {
    use pb::tls::certificate_validation_context::TrustChainVerification;
    let ca = check.ca.as_ref();
    let root = match ca {
        None => identity.root.to_owned(),
        Some(_) => Secret::roots(ca, check.revoked.as_ref()).name(),
    };
    // Whoever has a root of the mesh is of the mesh, unless the root is shared with others.
    let domains = match (ca, check.subject_alt_names.as_slice()) {
        (None, []) => identity.trust_domains,
        _ => &[],
    };
    let domains = domains
        .iter()
        .map(|domain| uri_prefix(&format!("spiffe://{domain}/")));
    let names = check.subject_alt_names.iter().map(|name| exactly(name));
    let trust = match check.accept_untrusted {
        true => TrustChainVerification::AcceptUntrusted,
        false => TrustChainVerification::VerifyTrustChain,
    };
    let context = pb::tls::CertificateValidationContext {
        match_typed_subject_alt_names: domains.chain(names).collect(),
        verify_certificate_spki: check
            .key_hashes
            .iter()
            .map(|hash| hash.as_str().to_owned())
            .collect(),
        verify_certificate_hash: check
            .fingerprints
            .iter()
            .map(|print| print.as_str().to_owned())
            .collect(),
        trust_chain_verification: trust.into(),
        ..Default::default()
    };
    combined(context, root)
}
