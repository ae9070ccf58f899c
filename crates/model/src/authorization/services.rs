//! Istio's first authorization is for services: which of them it guards, and what it asks of the
//! workload itself. Both are known before any request.

use std::sync::Arc;

use super::Wildcard;
use crate::{Hostname, Instance, Proxy, Role};

/// The services that are guarded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reach {
    All,
    Only(Named),
    AllBut(Named),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Named {
    /// Without wildcards in the middle of the list: each is one service.
    pub services: Vec<Wildcard>,
    pub namespaces: Vec<Arc<str>>,
}

/// What a rule asks of the workload that it is for: one of these.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OfWorkload {
    pub part: Part,
    pub values: Vec<Wildcard>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// One of its services, in full.
    Service,
    /// One of its services, without the domain.
    Name,
    Namespace,
    Account,
    Label(Arc<str>),
}

/// The label of a workload that names its account.
const ACCOUNT: &str = "istio.io/service-account";

// === impl Reach ===

impl Reach {
    /// A gateway is guarded only where it is named: what is for a whole mesh or namespace is for
    /// the services behind it, as it was in Istio 1.0.
    pub fn is_for(&self, proxy: &Proxy) -> bool {
        let Some(instance) = proxy.instance.as_deref() else {
            return false;
        };
        let mut hosts = instance.hosts.iter();
        hosts.any(|host| match self {
            Reach::Only(named) if proxy.role == Role::Router => named.has_service(host, instance),
            _ if proxy.role == Role::Router => false,
            Reach::All => true,
            Reach::Only(named) => named.has(host, instance),
            Reach::AllBut(named) => !named.has(host, instance),
        })
    }
}

// === impl Named ===

impl Named {
    fn has(&self, host: &Hostname, instance: &Instance) -> bool {
        self.namespaces.contains(&instance.namespace) || self.has_service(host, instance)
    }

    fn has_service(&self, host: &Hostname, instance: &Instance) -> bool {
        one_of(&self.services, &names(host, instance))
    }
}

// === impl OfWorkload ===

impl OfWorkload {
    pub fn holds(&self, instance: &Instance) -> bool {
        let hosts = instance.hosts.iter();
        let own: Vec<String> = match &self.part {
            Part::Service => hosts.flat_map(|host| names(host, instance)).collect(),
            Part::Name => hosts.map(|host| short(host).0.to_owned()).collect(),
            Part::Namespace => vec![instance.namespace.to_string()],
            Part::Account => {
                let account = instance.labels.get(ACCOUNT);
                vec![account.unwrap_or("default").to_owned()]
            }
            Part::Label(name) => {
                let value = instance.labels.get(name);
                value.map(str::to_owned).into_iter().collect()
            }
        };
        one_of(&self.values, &own)
    }
}

fn one_of(values: &[Wildcard], own: &[String]) -> bool {
    own.iter()
        .any(|own| values.iter().any(|value| value.matches(own)))
}

fn short(host: &Hostname) -> (&str, &str) {
    let host = host.as_str();
    host.split_once('.').unwrap_or((host, ""))
}

/// A service as it is discovered, and as rules name it that were written for Kubernetes.
fn names(host: &Hostname, instance: &Instance) -> Vec<String> {
    let (name, domain) = short(host);
    let namespace = &instance.namespace;
    vec![
        host.as_str().to_owned(),
        format!("{name}.{namespace}.svc.cluster.local"),
        format!("{name}.{namespace}.svc.{domain}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attachment, InstanceId, Labels, Locality};

    fn reviews() -> Instance {
        let labels = [("version", "v1"), (ACCOUNT, "books")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Instance {
            id: InstanceId::from("reviews.instance-1"),
            workload: "/reviews".into(),
            namespace: "default".into(),
            labels: Labels::from(std::collections::BTreeMap::from(labels)),
            agent: None,
            attachment: Attachment::Routed,
            address: None,
            locality: Locality::default(),
            hosts: Arc::from([Hostname::parse("reviews.marathon.slave.mesos").unwrap()]),
            ports: Vec::new(),
        }
    }

    #[test]
    fn a_workload_has_one_of_the_values() {
        let asked = |part, value: &str| OfWorkload {
            part,
            values: vec![Wildcard::Exact("other".into()), Wildcard::parse(value)],
        };
        let label = |name: &str| Part::Label(name.into());
        for (part, value, holds) in [
            (Part::Service, "reviews.marathon.slave.mesos", true),
            (Part::Service, "reviews.default.svc.cluster.local", true),
            (Part::Service, "*.svc.marathon.slave.mesos", true),
            (Part::Service, "reviews.other.svc.cluster.local", false),
            (Part::Service, "reviews", false),
            (Part::Name, "reviews", true),
            (Part::Namespace, "default", true),
            (Part::Account, "books", true),
            (Part::Account, "default", false),
            (label("version"), "v*", true),
            (label("version"), "v2", false),
            (label("team"), "*", false),
        ] {
            let asked = asked(part, value);
            assert_eq!(asked.holds(&reviews()), holds, "{asked:?}");
        }
    }
}
