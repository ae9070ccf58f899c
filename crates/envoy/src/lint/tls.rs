//! Rules for TLS contexts and secrets.

use model::tls::{Cipher, ServerName};
use pb::tls::common_tls_context::ValidationContextType;
use prost::{Message, Name};

use crate::finding::Refusal;
use crate::pb;

/// TLS in a cluster or in a filter chain; sockets of other kinds have no rules.
pub(super) fn socket(socket: Option<&pb::core::TransportSocket>) -> Result<(), Refusal> {
    use pb::core::transport_socket::ConfigType;
    let Some(ConfigType::TypedConfig(any)) = socket.and_then(|s| s.config_type.as_ref()) else {
        return Ok(());
    };
    let checked = if let Some(context) = unpacked::<pb::tls::UpstreamTlsContext>(any) {
        upstream(&context)
    } else if let Some(context) = unpacked::<pb::tls::DownstreamTlsContext>(any) {
        downstream(&context)
    } else {
        Ok(())
    };
    checked.map_err(|refusal| refusal.within("transport_socket"))
}

pub(crate) fn secret(secret: &pb::tls::Secret) -> Result<(), Refusal> {
    use pb::tls::secret::Type;
    if secret.name.is_empty() {
        return Err(Refusal::new("name", "it is empty"));
    }
    match &secret.r#type {
        Some(Type::TlsCertificate(pair)) => {
            match pair.certificate_chain.is_some() && pair.private_key.is_some() {
                true => Ok(()),
                false => Err(Refusal::new("tls_certificate", "chain or key is missing")),
            }
        }
        Some(Type::ValidationContext(context)) => match context.trusted_ca {
            Some(_) => Ok(()),
            None => Err(Refusal::new("trusted_ca", "it is missing")),
        },
        _ => Err(Refusal::new("type", "it is neither a pair nor a root")),
    }
}

fn unpacked<M: Message + Name + Default>(any: &pb::Any) -> Option<M> {
    let ours = any.type_url == M::type_url();
    ours.then(|| M::decode(any.value.as_slice()).ok()).flatten()
}

fn upstream(context: &pb::tls::UpstreamTlsContext) -> Result<(), Refusal> {
    if !context.sni.is_empty() && ServerName::parse(&context.sni).is_err() {
        return Err(Refusal::new(
            "sni",
            "it is longer than 255 bytes, or no name",
        ));
    }
    context.common_tls_context.as_ref().map_or(Ok(()), common)
}

fn downstream(context: &pb::tls::DownstreamTlsContext) -> Result<(), Refusal> {
    let Some(shared) = &context.common_tls_context else {
        return Err(Refusal::new("common_tls_context", "it is missing"));
    };
    let named = shared.tls_certificate_sds_secret_configs.len() + shared.tls_certificates.len();
    if named == 0 {
        return Err(Refusal::new("tls_certificates", "a server needs one"));
    }
    common(shared)
}

fn common(context: &pb::tls::CommonTlsContext) -> Result<(), Refusal> {
    let parameters = context.tls_params.iter();
    let mut suites = parameters.flat_map(|parameters| &parameters.cipher_suites);
    if let Some(unknown) = suites.find(|suite| Cipher::parse(suite).is_none()) {
        let why = format!("{unknown:?} is not known");
        return Err(Refusal::new("cipher_suites", why));
    }
    match &context.validation_context_type {
        Some(ValidationContextType::ValidationContext(check)) => match unrooted(check) {
            true => Err(Refusal::new(
                "trusted_ca",
                "names are checked without a root",
            )),
            false => Ok(()),
        },
        _ => Ok(()),
    }
}

fn unrooted(check: &pb::tls::CertificateValidationContext) -> bool {
    check.trusted_ca.is_none() && !check.match_typed_subject_alt_names.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message;

    fn socket_of<M: crate::canonical::Canonical + Name>(context: &M) -> pb::core::TransportSocket {
        pb::core::TransportSocket {
            name: "tls".to_owned(),
            config_type: Some(pb::core::transport_socket::ConfigType::TypedConfig(
                message::any(context),
            )),
        }
    }

    fn refused(socket: &pb::core::TransportSocket) -> String {
        let refusal = super::socket(Some(socket)).unwrap_err();
        refusal.field
    }

    #[test]
    fn what_envoy_refuses_of_a_context_is_refused() {
        let long = pb::tls::UpstreamTlsContext {
            sni: "x".repeat(256),
            ..Default::default()
        };
        assert_eq!(refused(&socket_of(&long)), "transport_socket.sni");
        let bare = pb::tls::DownstreamTlsContext {
            common_tls_context: Some(Default::default()),
            ..Default::default()
        };
        assert_eq!(
            refused(&socket_of(&bare)),
            "transport_socket.tls_certificates"
        );
        let odd = pb::tls::UpstreamTlsContext {
            common_tls_context: Some(pb::tls::CommonTlsContext {
                tls_params: Some(pb::tls::TlsParameters {
                    cipher_suites: vec!["ROT13".to_owned()],
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(refused(&socket_of(&odd)), "transport_socket.cipher_suites");
    }

    #[test]
    fn a_secret_is_whole() {
        let half = pb::tls::Secret {
            name: "default".to_owned(),
            r#type: Some(pb::tls::secret::Type::TlsCertificate(Default::default())),
        };
        assert!(secret(&half).is_err());
        assert!(secret(&pb::tls::Secret::default()).is_err());
    }
}
