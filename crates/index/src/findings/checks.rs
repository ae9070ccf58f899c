//! Checks that Marathon performs itself, at ports that take mutual TLS only.
//!
//! Marathon has no certificate of the mesh. It asks over HTTP in clear, over HTTPS without a
//! certificate of its own, and of TCP it wants nothing but the connection, which the proxy takes
//! before it knows whom from (Marathon's HealthCheckWorker).

use std::collections::{BTreeMap, BTreeSet};

use api::marathon::{Language, Purpose};
use model::Diagnostic;
use model::authentication::{Effective, Mode, Policies};

use crate::codes;
use crate::report::Report;
use crate::ruling::Ruling;
use crate::workloads::{Asked, Probed, Probes, Who};

/// What was found, by app, so that one that changes costs no other.
#[derive(Debug, Default)]
pub(super) struct CheckFindings {
    by_workload: BTreeMap<Who, Vec<Diagnostic>>,
}

// === impl CheckFindings ===

impl CheckFindings {
    pub(super) fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.by_workload.values().flatten()
    }

    /// Looks at the apps that became others, or at all; `true` if any finding became another.
    pub(super) fn refresh(
        &mut self,
        probes: &mut Probes,
        policies: &Policies,
        ruling: &Ruling,
        everywhere: bool,
    ) -> bool {
        let mut apps: BTreeSet<Who> = probes.turned();
        if everywhere {
            apps.extend(probes.all().cloned());
        }
        let mut changed = false;
        for who in apps {
            let probed = probes.get(&who).filter(|app| !is_gateway(app, ruling));
            let found = probed.map(|app| of_app(&who, app, policies));
            changed |= super::keep(&mut self.by_workload, who, found.unwrap_or_default());
        }
        changed
    }
}

/// Policies put no TLS before gateways.
fn is_gateway(app: &Probed, ruling: &Ruling) -> bool {
    let mut gateways = ruling.gateways.iter();
    gateways.any(|gateway| {
        let selector = &gateway.value.selector;
        !selector.is_empty() && selector.selects(&app.labels)
    })
}

fn of_app(who: &Who, app: &Probed, policies: &Policies) -> Vec<Diagnostic> {
    let mut report = Report::new(who.object(&app.namespace), None, "");
    for asked in &app.asked {
        let effective = app.effective(&asked.arrival, policies);
        if let Some(effective) = effective.filter(|found| is_refused(asked, found)) {
            tell(asked, &effective, &mut report);
        }
    }
    report.into_diagnostics()
}

/// A port with `allowTls` takes whoever speaks TLS.
fn is_refused(asked: &Asked, effective: &Effective<'_>) -> bool {
    let demand = effective.demand;
    demand.mode == Mode::Strict && !(demand.anonymous && asked.probe.language == Language::Https)
}

fn tell(asked: &Asked, effective: &Effective<'_>, report: &mut Report) {
    let language = asked.probe.language;
    let (list, refused) = match asked.probe.purpose {
        Purpose::Health => (
            "healthChecks",
            "the proxy refuses the check, and Marathon kills the tasks",
        ),
        Purpose::Readiness => (
            "readinessChecks",
            "the proxy refuses the check, and deployments wait for it for ever",
        ),
    };
    let (how, effect) = match language {
        Language::Http => ("Marathon asks it in clear", refused),
        Language::Https => ("Marathon asks it without a certificate", refused),
        Language::Tcp => (
            "the proxy takes the connection, which is all that Marathon asks for",
            "the check passes while the proxy runs, whatever the application does",
        ),
    };
    let policy = effective.policy.map_or_else(
        || "authPolicy of the mesh config".to_owned(),
        ToString::to_string,
    );
    let port = asked.arrival.number();
    report.warn(
        codes::CHECK_REFUSED,
        format!("{list}[{}].protocol", asked.probe.position),
        format!("{policy} demands mutual TLS of port {port}, and {how}"),
        effect,
        remedy(asked),
    );
}

/// Nobody but Marathon asks for readiness; Mesos' checks of health pass no proxy.
fn remedy(asked: &Asked) -> String {
    let language = asked.probe.language;
    let name = language.name();
    let otherwise = match asked.probe.purpose {
        Purpose::Health => {
            format!("use MESOS_{name} or COMMAND, which run inside the container")
        }
        Purpose::Readiness => format!("check health by MESOS_{name} in its place"),
    };
    let open = match language {
        Language::Tcp => "",
        Language::Http | Language::Https => {
            ", or let a policy take plaintext on this port, such as by portLevelMtls"
        }
    };
    format!(
        "{otherwise}{open}; or leave the port out of interception, and label it \
         istio.io/exclude: \"true\""
    )
}
