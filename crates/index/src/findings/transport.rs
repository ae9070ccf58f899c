//! Services whose callers and servers do not speak the same transport: what
//! `/debug/authenticationz` calls a conflict, told before somebody looks there.

use std::collections::{BTreeMap, BTreeSet};

use model::authentication::Policies;
use model::authentication::transport::{Fit, Sends, Transport};
use model::{ChangeSet, Diagnostic, Endpoint, Hostname, ObjectRef, Placement, Service};

use super::Known;
use crate::codes;
use crate::report::Report;
use crate::ruling::{Touched, Turned};

/// What was found, by host, so that endpoints that come and go cost only their own service.
#[derive(Debug, Default)]
pub(super) struct TransportFindings {
    policies: Policies,
    by_host: BTreeMap<Hostname, Vec<Diagnostic>>,
}

// === impl TransportFindings ===

impl TransportFindings {
    pub(super) fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.by_host.values().flatten()
    }

    /// Those that hold in the World that was looked at last.
    pub(super) fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Looks at the services that a change concerns; `true` if any finding became another.
    pub(super) fn refresh(
        &mut self,
        known: &Known<'_>,
        touched: &Touched,
        changes: &ChangeSet,
    ) -> bool {
        let world = known.world;
        if changes.mesh || touched.authentication {
            self.policies = Policies::new(&world.authentication, &world.mesh);
            let hosts = world.services.keys().chain(self.by_host.keys());
            let hosts: BTreeSet<Hostname> = hosts.cloned().collect();
            return self.look(known, hosts);
        }
        let endpoints = changes.endpoints.iter().map(|key| &key.host);
        let hosts = changes.services.iter().chain(endpoints);
        let mut hosts: BTreeSet<Hostname> = hosts.cloned().collect();
        let rules = touched.destination_rules.iter().flat_map(Turned::values);
        for ruled in rules.map(|rule| &rule.host) {
            match ruled.is_wildcard() {
                true => {
                    let services = world.services.keys();
                    hosts.extend(services.filter(|host| ruled.covers(host)).cloned());
                }
                false => {
                    hosts.insert(ruled.clone());
                }
            }
        }
        self.look(known, hosts)
    }

    fn look(&mut self, known: &Known<'_>, hosts: BTreeSet<Hostname>) -> bool {
        let mut changed = false;
        for host in hosts {
            let service = known.world.services.get(&host);
            let found = service.map(|service| of_service(known, &self.policies, service));
            changed |= super::keep(&mut self.by_host, host, found.unwrap_or_default());
        }
        changed
    }
}

fn of_service(known: &Known<'_>, policies: &Policies, service: &Service) -> Vec<Diagnostic> {
    let world = known.world;
    if service.location == Placement::External {
        return Vec::new();
    }
    let object = ObjectRef {
        kind: "Service",
        namespace: service.namespace.clone(),
        name: service.host.as_str().into(),
    };
    let mut report = Report::new(object, None, "");
    let rule = known.rules.of_service(service, world);
    for port in &service.ports {
        // Nobody can fail to reach nobody; and what endpoints outside of the registry take, no
        // policy tells.
        let endpoints = world.endpoints_of(&service.host, port.number);
        let known = |endpoint: &Endpoint| world.instances.contains_key(&endpoint.instance);
        if endpoints.iter().any(known) {
            let transport = Transport::by(rule, world, policies, service, port);
            check(&transport, port.number, &mut report);
        }
    }
    report.into_diagnostics()
}

fn check(transport: &Transport<'_>, port: u16, report: &mut Report) {
    let effect = match transport.fit() {
        Fit::Works => return,
        Fit::Fails => "requests get 503",
        Fit::Partly => "requests to some of the instances get 503",
    };
    let named = |object: Option<&ObjectRef>, none: &str| {
        object.map_or_else(|| none.to_owned(), ObjectRef::to_string)
    };
    let policy = named(transport.server.policy, "the mesh config");
    let rule = named(transport.client.rule, "no destination rule says so");
    let field = format!("port {port}");
    match transport.client.sends {
        Sends::Mutual => report.warn(
            codes::PLAINTEXT_SERVERS,
            field,
            format!("callers send mutual TLS ({rule}), and instances take plaintext only"),
            effect,
            "let a policy demand mutual TLS of the service, or take it out of the rule",
        ),
        // Whoever chooses by what is taken is never wrong.
        Sends::Automatic => {}
        Sends::Plaintext | Sends::Tls => report.warn(
            codes::PLAINTEXT_CALLERS,
            field,
            format!("{policy} demands mutual TLS, and callers do not send it ({rule})"),
            effect,
            "set trafficPolicy.tls.mode to ISTIO_MUTUAL in a rule of exactly this host",
        ),
    }
}
