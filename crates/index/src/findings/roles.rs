//! Services that a config of roles names, and that are not there: who misspells one leaves it open.

use model::authorization::Wildcard;
use model::authorization::services::Reach;
use model::{Diagnostic, Hostname, World};

use crate::codes;
use crate::report::Report;
use crate::ruling::Ruling;

pub(super) fn of_configs(ruling: &Ruling, world: &World) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for placed in ruling.roles.configs.iter() {
        let config = &placed.value;
        let (named, part, effect) = match &config.reach {
            Some(Reach::Only(named)) => (named, "inclusion", "the service that is meant is open"),
            Some(Reach::AllBut(named)) => (named, "exclusion", "no service is left out by it"),
            Some(Reach::All) | None => continue,
        };
        let mut report = Report::new(config.object.clone(), placed.location.clone(), "");
        for (at, service) in named.services.iter().enumerate() {
            let Wildcard::Exact(name) = service else {
                continue;
            };
            if !is_there(name, world) {
                report.warn(
                    codes::ROLE_SERVICE,
                    format!("spec.{part}.services[{at}]"),
                    format!("there is no service {name}"),
                    effect,
                    "write the name as the service is discovered, such as \
                     reviews.marathon.slave.mesos",
                );
            }
        }
        found.extend(report.into_diagnostics());
    }
    found
}

fn is_there(name: &str, world: &World) -> bool {
    let discovered = Hostname::parse(name).is_ok_and(|host| world.services.contains_key(&host));
    discovered || in_kubernetes(name).is_some_and(|name| has(name, world))
}

/// `name.namespace.svc.domain`.
fn in_kubernetes(name: &str) -> Option<(&str, &str, &str)> {
    let (head, domain) = name.split_once(".svc.")?;
    let (name, namespace) = head.split_once('.')?;
    Some((name, namespace, domain))
}

fn has((name, namespace, domain): (&str, &str, &str), world: &World) -> bool {
    world.services.values().any(|service| {
        let (own, rest) = service.host.as_str().split_once('.').unwrap_or_default();
        own == name
            && *service.namespace == *namespace
            && (domain == "cluster.local" || domain == rest)
    })
}
