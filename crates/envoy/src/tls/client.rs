//! TLS towards the endpoints of a cluster.

use model::tls::{Cipher, ClientTls, MeshTls, OriginTls, VerifyServer, Versions};

use super::secret::{IDENTITY, ROOT, Secret};
use super::{MESH_VERSIONS, by_name, combined, exactly, parameters, socket};
use crate::pb;

/// All that the TLS of a cluster depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientKey<'a> {
    pub(crate) tls: &'a ClientTls,
    /// Whether the cluster speaks HTTP/2 whatever its callers speak.
    pub(crate) http2: bool,
    /// The name that workloads of the mesh ask each other for; see
    /// [`names::mesh_server_name`](crate::names::mesh_server_name).
    pub(crate) server_name: &'a str,
    /// The identities that the service's instances have: SPIFFE URIs, sorted. Never empty, for
    /// Envoy would then take every server of the mesh.
    pub(crate) accounts: &'a [String],
}

/// What of TLS follows the host of each request, which the HTTP options of a cluster tell Envoy:
/// `auto_sni` and `auto_san_validation`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct FollowsHost {
    pub(crate) server_name: bool,
    pub(crate) subject_alt_name: bool,
}

/// The transport socket of a cluster; `None` for plaintext.
pub(crate) fn client(key: &ClientKey<'_>) -> Option<pb::core::TransportSocket> {
    let context = match key.tls {
        ClientTls::Disable => return None,
        ClientTls::Mesh(tls) => mesh(key, tls),
        ClientTls::Origin(tls) => origin(key, tls),
    };
    Some(socket(&context))
}

/// Istio's rule: without a name in the settings, that of the request is asked for and checked.
pub(crate) fn follows_host(tls: &ClientTls) -> FollowsHost {
    let ClientTls::Origin(tls) = tls else {
        return FollowsHost::default();
    };
    let server_name = tls.server_name.is_none();
    let subject_alt_name = match &tls.verify {
        VerifyServer::Skip => false,
        VerifyServer::Check {
            subject_alt_names, ..
        } => server_name && subject_alt_names.is_empty(),
    };
    FollowsHost {
        server_name,
        subject_alt_name,
    }
}

/// Both sides show their identity.
fn mesh(key: &ClientKey<'_>, tls: &MeshTls) -> pb::tls::UpstreamTlsContext {
    let names: Vec<&str> = match tls.subject_alt_names.as_slice() {
        [] => key.accounts.iter().map(String::as_str).collect(),
        names => names.iter().map(|name| &**name).collect(),
    };
    let check = pb::tls::CertificateValidationContext {
        match_typed_subject_alt_names: names.into_iter().map(exactly).collect(),
        ..Default::default()
    };
    let mut alpn = vec!["istio".to_owned()];
    if key.http2 {
        alpn.push("h2".to_owned());
    }
    let name = tls.server_name.as_ref();
    pb::tls::UpstreamTlsContext {
        sni: name
            .map_or(key.server_name, |name| name.as_str())
            .to_owned(),
        common_tls_context: Some(pb::tls::CommonTlsContext {
            tls_params: Some(parameters(MESH_VERSIONS, &Cipher::of_mesh())),
            tls_certificate_sds_secret_configs: vec![by_name(IDENTITY.to_owned())],
            validation_context_type: Some(combined(check, ROOT.to_owned())),
            alpn_protocols: alpn,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn origin(key: &ClientKey<'_>, tls: &OriginTls) -> pb::tls::UpstreamTlsContext {
    let validation = match &tls.verify {
        VerifyServer::Skip => None,
        VerifyServer::Check {
            ca,
            revoked,
            subject_alt_names,
        } => {
            let check = pb::tls::CertificateValidationContext {
                match_typed_subject_alt_names: subject_alt_names
                    .iter()
                    .map(|name| exactly(name))
                    .collect(),
                ..Default::default()
            };
            let root = Secret::roots(ca.as_ref(), revoked.as_ref());
            Some(combined(check, root.name()))
        }
    };
    let pair = tls.key_pair.clone().map(Secret::KeyPair);
    pb::tls::UpstreamTlsContext {
        sni: tls
            .server_name
            .as_ref()
            .map(|name| name.as_str().to_owned())
            .unwrap_or_default(),
        common_tls_context: Some(pb::tls::CommonTlsContext {
            tls_params: Some(parameters(Versions::default(), &[])),
            tls_certificate_sds_secret_configs: pair
                .map(|pair| by_name(pair.name()))
                .into_iter()
                .collect(),
            validation_context_type: validation,
            alpn_protocols: match key.http2 {
                true => vec!["h2".to_owned()],
                false => Vec::new(),
            },
            ..Default::default()
        }),
        ..Default::default()
    }
}
