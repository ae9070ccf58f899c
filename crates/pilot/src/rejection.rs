//! What Envoys refused, in the operator's terms: which object it came from, and what follows.

use model::{Diagnostic, ObjectRef, Severity};
use tracing::error;
use xds::{Kind, Rejection, Suspect};

/// An Envoy refused a resource.
pub(crate) const REJECTED: &str = "PH0501";

/// A refusal goes to the log once, when it happens.
pub(crate) fn log(rejection: &Rejection, origins: impl Fn(Kind, &str) -> Vec<ObjectRef>) {
    let (proxy, kind, message) = (
        &*rejection.node.id,
        rejection.kind.short(),
        &*rejection.message,
    );
    if rejection.guilty.is_empty() {
        error!(
            code = REJECTED,
            proxy,
            kind,
            error = message,
            "Envoy refused a response; its parts are sent one by one"
        );
    }
    for guilty in &rejection.guilty {
        let (resource, version) = (&*guilty.name, guilty.version.to_string());
        let objects = list(&origins(rejection.kind, resource));
        let withheld = rejection.withheld.contains(&guilty.name);
        if rejection.kind == Kind::Secret {
            let remedy = Kind::Secret.remedy();
            error!(
                code = REJECTED,
                proxy,
                resource,
                objects,
                error = message,
                remedy,
                "Envoy cannot use files of its machine; connections that need them fail"
            );
            continue;
        }
        error!(
            code = REJECTED,
            proxy,
            kind,
            resource,
            version,
            objects,
            withheld,
            error = message,
            "Envoy refused a resource; the last good one stays in force until its content changes"
        );
    }
}

/// The same as a finding, as long as it holds.
pub(crate) fn finding(suspect: &Suspect, origins: &[ObjectRef]) -> Diagnostic {
    let others = match suspect.withheld {
        true => format!(
            "it is kept from all Envoys of version {}",
            suspect.envoy_version
        ),
        false => "other proxies get it".into(),
    };
    let proxies: Vec<&str> = suspect.proxies.iter().map(String::as_str).collect();
    Diagnostic {
        code: REJECTED,
        severity: Severity::Error,
        object: origins.first().cloned(),
        field: format!("{} {}", suspect.kind.short(), suspect.name),
        location: None,
        why: format!("{} refused it: {}", proxies.join(", "), suspect.message),
        effect: format!("these proxies keep the last good content; {others}"),
        remedy: match origins {
            [] => {
                "report this as a defect of Pilothouse, with /debug/config_dump of the proxy".into()
            }
            objects => format!("correct {}; an edit heals it", list(objects)),
        },
    }
}

fn list(objects: &[ObjectRef]) -> String {
    let names: Vec<String> = objects.iter().map(ObjectRef::to_string).collect();
    names.join(", ")
}
