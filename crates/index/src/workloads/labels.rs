//! The mesh's vocabulary of workload labels: membership and weight.

use std::collections::BTreeMap;

use model::Hostname;

use crate::codes;
use crate::report::Report;

/// Comma list of service names; opts the workload in.
const SERVICES: &str = "istio";
/// The same, as environments write it whose labels have no free choice of names.
const SERVICES_ALIAS: &str = "ISTIO_SERVICE_NAME";
const WEIGHT: &str = "istio.io/weight";

/// Keeps the sum over a whole locality below the 32 bits that Envoy has for it.
const WEIGHT_MAX: u32 = 1_000_000;

/// The services that a workload belongs to; `None` if it is not in the mesh.
pub(super) fn hosts(
    labels: &BTreeMap<String, String>,
    domain: &str,
    report: &mut Report,
) -> Option<Vec<Hostname>> {
    let present = |key: &'static str| {
        let value = labels.get(key)?;
        (!value.trim().is_empty()).then_some((key, value.as_str()))
    };
    let (key, value) = present(SERVICES).or_else(|| present(SERVICES_ALIAS))?;
    let mut hosts = Vec::new();
    for name in value.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        match host(name, domain) {
            Ok(host) if hosts.contains(&host) => {}
            Ok(host) => hosts.push(host),
            Err(why) => report.leave_out(
                codes::SERVICE_NAME,
                format!("labels.{key}"),
                why,
                format!("the workload is not part of a service {name:?}; its other names hold"),
                "use letters, digits and inner hyphens, separated by commas",
            ),
        }
    }
    Some(hosts)
}

fn host(name: &str, domain: &str) -> Result<Hostname, String> {
    let suffix = format!(".{}", domain.to_ascii_lowercase());
    let full = match name.to_ascii_lowercase().ends_with(&suffix) {
        true => name.to_owned(),
        false => format!("{name}{suffix}"),
    };
    match Hostname::parse(&full) {
        Ok(host) if host.is_wildcard() => Err(format!("{name:?} has a wildcard")),
        Ok(host) => Ok(host),
        Err(error) => Err(error.to_string()),
    }
}

/// The share of requests that each instance gets, relative to others; 1 unless labelled.
pub(super) fn weight(labels: &BTreeMap<String, String>, report: &mut Report) -> u32 {
    let Some(text) = labels.get(WEIGHT) else {
        return 1;
    };
    match text.trim().parse() {
        Ok(weight @ 1..=WEIGHT_MAX) => weight,
        _ => {
            report.warn(
                codes::LABEL_VALUE,
                format!("labels.{WEIGHT}"),
                format!("{text:?} is not a whole number from 1 to {WEIGHT_MAX}"),
                "each instance counts with weight 1",
                format!("set {WEIGHT} to a number such as 10, or remove it"),
            );
            1
        }
    }
}
