//! Services whose callers and servers do not speak the same transport: what
//! `/debug/authenticationz` calls a conflict, told before somebody looks there.

use std::collections::{BTreeMap, BTreeSet};

use model::authentication::Policies;
use model::authentication::transport::{Fit, Sends, Transport};
use model::{ChangeSet, Diagnostic, Endpoint, Hostname, ObjectRef, Placement, Service, World};

use crate::codes;
use crate::report::Report;

/// What was found, by host, so that endpoints that come and go cost only their own service.
#[derive(Debug, Default)]
pub(crate) struct TransportFindings {
    policies: Policies,
    by_host: BTreeMap<Hostname, Vec<Diagnostic>>,
}

// === impl TransportFindings ===

impl TransportFindings {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Diagnostic> {
        self.by_host.values().flatten()
    }

    /// Looks at what changed, or at everything; tells whether anything is different.
    pub(crate) fn refresh(&mut self, world: &World, changes: &ChangeSet, every: bool) -> bool {
        if every {
            self.policies = Policies::new(&world.authentication, &world.mesh);
            let hosts = world.services.keys().chain(self.by_host.keys());
            let hosts: BTreeSet<Hostname> = hosts.cloned().collect();
            return self.look(world, &hosts);
        }
        let endpoints = changes.endpoints.iter().map(|key| &key.host);
        let hosts = changes.services.iter().chain(endpoints);
        let hosts: BTreeSet<Hostname> = hosts.cloned().collect();
        self.look(world, &hosts)
    }

    fn look(&mut self, world: &World, hosts: &BTreeSet<Hostname>) -> bool {
        let mut changed = false;
        for host in hosts {
            let service = world.services.get(host);
            let found = service
                .map(|service| of_service(world, &self.policies, service))
                .unwrap_or_default();
            let before = match found.is_empty() {
                true => self.by_host.remove(host),
                false => self.by_host.insert(host.clone(), found.clone()),
            };
            changed |= before.unwrap_or_default() != found;
        }
        changed
    }
}

fn of_service(world: &World, policies: &Policies, service: &Service) -> Vec<Diagnostic> {
    if service.location == Placement::External {
        return Vec::new();
    }
    let object = ObjectRef {
        kind: "Service",
        namespace: service.namespace.clone(),
        name: service.host.as_str().into(),
    };
    let mut report = Report::new(object, None, "");
    for port in &service.ports {
        // Nobody can fail to reach nobody; and what endpoints outside of the registry take, no
        // policy tells.
        let endpoints = world.endpoints_of(&service.host, port.number);
        let known = |endpoint: &Endpoint| world.instances.contains_key(&endpoint.instance);
        if endpoints.iter().any(known) {
            let transport = Transport::of(world, policies, service, port);
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
