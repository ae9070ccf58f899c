//! What was left out for a proxy, and why.

use model::{Diagnostic, Gateway, ObjectRef, Service, Severity};

/// The stable codes of this crate's diagnostics.
pub mod code {
    /// A route would be refused by Envoy, with all other routes of its port; it is left out.
    pub const ROUTE_REFUSED: &str = "PH0401";
    /// Two listeners want one address; the first is kept.
    pub const ADDRESS_CONFLICT: &str = "PH0402";
    /// Two services cannot be told apart on one port; the first is kept.
    pub const SERVICE_CONFLICT: &str = "PH0403";
    /// A server of a gateway cannot be served.
    pub const SERVER_NOT_SERVED: &str = "PH0404";
    /// A retry condition that Envoy does not know; it is ignored.
    pub const UNKNOWN_RETRY_CONDITION: &str = "PH0405";
    /// A domain that another virtual host of the port has; it is left out.
    pub const DUPLICATE_DOMAIN: &str = "PH0406";
    /// A resource that Envoy would refuse although its sources are in order: a defect of ours.
    pub const RESOURCE_REFUSED: &str = "PH0407";
    /// The address of an application is the one on which its proxy must listen.
    pub const APPLICATION_ADDRESS: &str = "PH0408";
    /// A server of a gateway that no route applies to; its connections are closed.
    pub const SERVER_WITHOUT_ROUTE: &str = "PH0420";
    /// Two servers of a port have the same server name; the first keeps it.
    pub const SERVER_NAME_TAKEN: &str = "PH0421";

    /// A policy asks something of requests, on a port that takes none.
    pub const RULE_OF_REQUESTS: &str = "PH0430";

    /// The value of a patch is not the message that it must be.
    pub const PATCH_UNREADABLE: &str = "PH0450";
    /// Envoy would refuse a resource with a patch; it is served without.
    pub const PATCH_DROPPED: &str = "PH0451";

    /// All of them.
    pub const ALL: &[&str] = &[
        ROUTE_REFUSED,
        ADDRESS_CONFLICT,
        SERVICE_CONFLICT,
        SERVER_NOT_SERVED,
        UNKNOWN_RETRY_CONDITION,
        DUPLICATE_DOMAIN,
        RESOURCE_REFUSED,
        APPLICATION_ADDRESS,
        RULE_OF_REQUESTS,
        PATCH_UNREADABLE,
        PATCH_DROPPED,
        SERVER_WITHOUT_ROUTE,
        SERVER_NAME_TAKEN,
    ];
}

/// Why Envoy would refuse something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub(crate) struct Refusal {
    /// The part at fault, within what was checked; empty for the whole.
    pub(crate) field: String,
    pub(crate) why: String,
}

/// What a diagnostic tells beside its code and its place.
pub(crate) struct Text {
    pub(crate) why: String,
    pub(crate) effect: String,
    pub(crate) remedy: String,
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn new(field: impl Into<String>, why: impl Into<String>) -> Refusal {
        Refusal {
            field: field.into(),
            why: why.into(),
        }
    }

    /// The same, seen from what holds the part that was checked.
    pub(crate) fn within(self, outer: &str) -> Refusal {
        let field = match self.field.is_empty() {
            true => outer.to_owned(),
            false => format!("{outer}.{}", self.field),
        };
        Refusal { field, ..self }
    }
}

pub(crate) fn warning(
    code: &'static str,
    object: Option<ObjectRef>,
    field: String,
    text: Text,
) -> Diagnostic {
    Diagnostic {
        code,
        severity: Severity::Warning,
        object,
        field,
        location: None,
        why: text.why,
        effect: text.effect,
        remedy: text.remedy,
    }
}

pub(crate) fn error(
    code: &'static str,
    object: Option<ObjectRef>,
    field: String,
    text: Text,
) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        ..warning(code, object, field, text)
    }
}

pub(crate) fn service(service: &Service) -> Option<ObjectRef> {
    Some(ObjectRef {
        kind: "Service",
        namespace: service.namespace.clone(),
        name: service.host.as_str().into(),
    })
}

/// A server of a gateway that cannot be served.
pub(crate) fn server(gateway: &Gateway, position: usize, text: Text) -> Diagnostic {
    let field = format!("spec.servers[{position}]");
    let object = Some(gateway.object.clone());
    warning(code::SERVER_NOT_SERVED, object, field, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented() {
        let page = include_str!("../../../docs/diagnostics.md");
        for code in code::ALL {
            assert!(page.contains(&format!("| {code} |")), "{code}");
        }
    }
}
