//! Names in documents: hosts, gateways, headers, subsets.

use model::Hostname;
use model::route::GatewayRef;

use super::object::Context;
use crate::report::Report;
use crate::{codes, naming};

/// A host as Istio objects name it: short names are completed with the domain of their namespace,
/// names in other domains of the mesh are moved to its own, all others are taken as they are.
pub(super) fn host(
    text: &str,
    field: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Hostname> {
    match parse_host(text, context) {
        Ok(host) => Some(host),
        Err(why) => {
            report.refuse(codes::BAD_HOST, field, why, HOST_REMEDY);
            None
        }
    }
}

pub(super) const HOST_REMEDY: &str =
    "use a name like reviews, reviews.marathon.slave.mesos, *.example.com or *";

pub(super) fn parse_host(text: &str, context: &Context<'_>) -> Result<Hostname, String> {
    let (mesh, namespace) = (context.mesh, &context.object.key.namespace);
    let is_short = !text.is_empty() && !text.contains('.') && !text.contains('*');
    let parsed = match is_short {
        true => Hostname::parse(&format!("{text}.{}", naming::domain_of(namespace, mesh))),
        false => match naming::in_own_domain(text, mesh) {
            Some(own) => Hostname::parse(&own),
            None => Hostname::parse(text),
        },
    };
    parsed.map_err(|error| match text {
        "" => "the host is empty".to_owned(),
        _ => error.to_string(),
    })
}

/// `mesh`, `name`, `namespace/name`, or the form of Istio 1.0, `name.namespace.svc…`.
pub(super) fn gateway(
    text: &str,
    field: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<GatewayRef> {
    let own = &*context.object.key.namespace;
    let (namespace, name) = match text.split_once('/') {
        Some((".", name)) => (own, name),
        Some((namespace, name)) => (namespace, name),
        None if text == "mesh" => return Some(GatewayRef::Mesh),
        None => match text.split_once('.') {
            Some((name, rest)) => (rest.split('.').next().unwrap_or(own), name),
            None => (own, text),
        },
    };
    if namespace.is_empty() || name.is_empty() || name.contains('/') {
        report.refuse(
            codes::BAD_GATEWAY_REF,
            field,
            format!("{text:?} does not name a gateway"),
            "write mesh, the name of a gateway, or namespace/name",
        );
        return None;
    }
    Some(GatewayRef::Gateway {
        namespace: namespace.into(),
        name: name.into(),
    })
}

/// Subset names become part of cluster names, so they are DNS labels, as in Istio.
pub(super) fn is_subset(name: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// Whether a text is a header name: a token of RFC 9110.
pub(super) fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
