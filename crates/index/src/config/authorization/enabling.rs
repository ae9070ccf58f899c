//! `RbacConfig` and `ClusterRbacConfig`: which services Istio's first authorization guards.

use api::istio::{RbacConfig, RbacTarget};
use model::authorization::services::{Named, Reach};
use serde_json::Value;

use super::role::{SERVICE, service};
use crate::codes;
use crate::config::object::Context;
use crate::config::reference;
use crate::report::Report;
use crate::roles::Enabling;

/// The only name under which an object counts.
const DEFAULT: &str = "default";
const MODES: [&str; 4] = ["OFF", "ON", "ON_WITH_INCLUSION", "ON_WITH_EXCLUSION"];
const ENFORCEMENTS: [&str; 2] = ["ENFORCED", "PERMISSIVE"];

pub(in crate::config) fn convert(
    spec: RbacConfig,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Enabling> {
    if &*context.object.key.name != DEFAULT {
        report.warn(
            codes::IDLE_ROLE,
            "metadata.name",
            "only the object with the name default counts",
            "the object has no effect",
            "name it default",
        );
        return None;
    }
    let mode = match spec.mode {
        // Unquoted, older YAML reads these two as a truth value.
        Some(Value::Bool(on)) => usize::from(on),
        mode => word(mode.as_ref(), &MODES, "spec.mode", report)?,
    };
    let mut named = |target: &Option<RbacTarget>, part: &str| {
        let field = format!("spec.{part}");
        if target.is_none() {
            let why = format!("the mode {} needs {part}", MODES[mode]);
            let remedy = "name services or namespaces, or choose another mode";
            report.refuse(codes::BAD_AUTHORIZATION, &field, why, remedy);
        }
        named(target.clone().unwrap_or_default(), &field, context, report)
    };
    let reach = match mode {
        0 => None,
        1 => Some(Reach::All),
        2 => Some(Reach::Only(named(&spec.inclusion, "inclusion"))),
        _ => Some(Reach::AllBut(named(&spec.exclusion, "exclusion"))),
    };
    Some(Enabling {
        object: reference(&context.object.key),
        reach,
        permissive: permissive(spec.enforcement_mode.as_ref(), report),
    })
}

fn named(target: RbacTarget, field: &str, context: &Context<'_>, report: &mut Report) -> Named {
    let services = target.services.iter().enumerate().filter_map(|(at, text)| {
        // In Istio these are compared as a whole.
        let read = match text.contains('*') {
            true => Err("a service is named in full here".to_owned()),
            false => service(text, context),
        };
        match read {
            Ok(service) => Some(service),
            Err(why) => {
                let field = format!("{field}.services[{at}]");
                report.refuse(codes::BAD_AUTHORIZATION, field, why, SERVICE);
                None
            }
        }
    });
    Named {
        services: services.collect(),
        namespaces: target
            .namespaces
            .iter()
            .map(|n| n.as_str().into())
            .collect(),
    }
}

/// Whether it is only counted and logged what the object would have done.
pub(super) fn permissive(mode: Option<&Value>, report: &mut Report) -> bool {
    word(mode, &ENFORCEMENTS, "spec.enforcementMode", report) == Some(1)
}

/// A word by its name or by its number; the first, if there is none.
fn word(value: Option<&Value>, words: &[&str], field: &str, report: &mut Report) -> Option<usize> {
    let found = match value {
        None => Some(0),
        Some(Value::Number(number)) => number.as_u64().and_then(|n| usize::try_from(n).ok()),
        Some(value) => words.iter().position(|word| *value == **word),
    };
    let found = found.filter(|at| *at < words.len());
    if found.is_none() {
        let value = value.unwrap_or(&Value::Null);
        let why = format!("{value} is none of {}", words.join(", "));
        report.refuse(codes::BAD_AUTHORIZATION, field, why, "write one of them");
    }
    found
}
