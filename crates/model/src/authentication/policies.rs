//! Which object decides, for each port of each workload.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Authentication, Demand, Family, Mode, Scope};
use crate::end_user::Origins;
use crate::mesh::AuthPolicy;
use crate::{Hostname, Instance, InstancePort, Labels, Mesh, ObjectRef};

/// All objects, by what they apply to.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// In order of precedence, by the services they aim at.
    targeted: HashMap<Hostname, Vec<Arc<Authentication>>>,
    /// The first that holds for a whole namespace.
    namespaces: BTreeMap<(Family, Arc<str>), Arc<Authentication>>,
    /// The first that holds for the mesh.
    mesh: BTreeMap<Family, Arc<Authentication>>,
    /// In order of precedence.
    selecting: Vec<Arc<Authentication>>,
    /// Where no object applies.
    default: Demand,
}

/// One port of a workload or of a service, as far as objects look at it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub namespace: &'a str,
    /// `None` for a service as a whole, of which no workload is known.
    pub labels: Option<&'a Labels>,
    /// The services to which the port belongs.
    pub hosts: &'a [Hostname],
    /// The port that callers use.
    pub number: u16,
    pub name: &'a str,
    /// The port of the workload.
    pub target: u16,
}

/// What holds for a port, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effective<'a> {
    pub demand: Demand,
    /// `None`: the mesh's own setting.
    pub policy: Option<&'a ObjectRef>,
}

// === impl Policies ===

impl Policies {
    /// The objects must be in order of precedence.
    pub fn new(objects: &[Arc<Authentication>], mesh: &Mesh) -> Policies {
        let mut policies = Policies {
            default: match mesh.auth_policy {
                AuthPolicy::None => Demand::default(),
                AuthPolicy::MutualTls => Demand::STRICT,
            },
            ..Policies::default()
        };
        for object in objects {
            policies.add(object);
        }
        policies
    }

    /// What a port of an instance demands.
    pub fn of_port(&self, instance: &Instance, port: &InstancePort) -> Effective<'_> {
        self.find(&Asked::of_port(instance, port))
    }

    /// What such a port demands of requests. A later object that decides on connections leaves that
    /// to the older, as in Istio 1.5.
    pub fn origins(&self, asked: &Asked<'_>) -> Option<&Origins> {
        self.first_kinds(asked)?.origins.as_ref()
    }

    /// What ports of an instance demand that no service declares. Only the later family speaks of
    /// them; with the older they are open, as they were in Istio 1.0.
    pub fn undeclared(&self, instance: &Instance) -> Demand {
        self.of_undeclared(&instance.namespace, &instance.labels)
            .map_or_else(Demand::default, |found| found.demand)
    }

    /// The same for workloads with these labels, and why; `None` if nothing speaks of them.
    pub fn of_undeclared(&self, namespace: &str, labels: &Labels) -> Option<Effective<'_>> {
        self.later(&Asked {
            namespace,
            labels: Some(labels),
            hosts: &[],
            number: 0,
            name: "",
            target: 0,
        })
    }

    /// What such a port demands.
    pub fn find(&self, asked: &Asked<'_>) -> Effective<'_> {
        let later = self.later(asked);
        later.or_else(|| self.older(asked)).unwrap_or(Effective {
            demand: self.default,
            policy: None,
        })
    }

    fn add(&mut self, object: &Arc<Authentication>) {
        match &object.scope {
            Scope::Mesh => {
                self.mesh.entry(object.family).or_insert(object.clone());
            }
            Scope::Namespace => {
                let key = (object.family, object.object.namespace.clone());
                self.namespaces.entry(key).or_insert(object.clone());
            }
            Scope::Services(targets) => {
                for target in targets {
                    let aiming = self.targeted.entry(target.host.clone()).or_default();
                    if !aiming.last().is_some_and(|last| Arc::ptr_eq(last, object)) {
                        aiming.push(object.clone());
                    }
                }
            }
            Scope::Workloads { .. } => self.selecting.push(object.clone()),
        }
    }

    fn wider(&self, family: Family, namespace: &str) -> [Option<&Arc<Authentication>>; 2] {
        let own = self.namespaces.get(&(family, namespace.into()));
        [own, self.mesh.get(&family)]
    }

    /// Workload, then namespace, then mesh; what says nothing inherits. The last resort is to take
    /// both, as in Istio.
    fn later(&self, asked: &Asked<'_>) -> Option<Effective<'_>> {
        let selecting = self.selecting.iter().find(|object| selects(object, asked));
        let [namespace, mesh] = self.wider(Family::PeerAuthentication, asked.namespace);
        let applying: Vec<_> = [selecting, namespace, mesh].into_iter().flatten().collect();
        let nearest = applying.first()?;
        let port = selecting.and_then(|object| Some((object, object.by_port.get(&asked.target)?)));
        let whole = applying
            .iter()
            .find_map(|object| Some((*object, object.demand.as_ref()?)));
        let (object, demand) = match port.or(whole) {
            Some((object, demand)) => (object, *demand),
            None => (*nearest, Demand::of(Mode::Permissive)),
        };
        Some(Effective {
            demand,
            policy: Some(&object.object),
        })
    }

    fn older(&self, asked: &Asked<'_>) -> Option<Effective<'_>> {
        let object = self.first_kinds(asked)?;
        Some(Effective {
            demand: object.demand.unwrap_or_default(),
            policy: Some(&object.object),
        })
    }

    /// Service and port, then namespace, then mesh; the first level alone decides. A workload that
    /// belongs to several services does as soon as one of them is aimed at, for all arrive at one
    /// port.
    fn first_kinds(&self, asked: &Asked<'_>) -> Option<&Arc<Authentication>> {
        let aimed = |host: &Hostname| {
            let mut aiming = self.targeted.get(host)?.iter();
            aiming.find(|object| aims(object, host, asked))
        };
        let targeted = asked.hosts.iter().find_map(aimed);
        let [namespace, mesh] = self.wider(Family::Policy, asked.namespace);
        targeted.or(namespace).or(mesh)
    }
}

// === impl Asked ===

impl<'a> Asked<'a> {
    pub fn of_port(instance: &'a Instance, port: &'a InstancePort) -> Asked<'a> {
        Asked {
            namespace: &instance.namespace,
            labels: Some(&instance.labels),
            hosts: &instance.hosts,
            number: port.service_port,
            name: &port.name,
            target: port.target,
        }
    }
}

fn selects(object: &Authentication, asked: &Asked<'_>) -> bool {
    let Scope::Workloads { labels, everywhere } = &object.scope else {
        return false;
    };
    let near = *everywhere || *object.object.namespace == *asked.namespace;
    near && asked.labels.is_some_and(|own| labels.selects(own))
}

fn aims(object: &Authentication, host: &Hostname, asked: &Asked<'_>) -> bool {
    let Scope::Services(targets) = &object.scope else {
        return false;
    };
    let mut targets = targets.iter().filter(|target| target.host == *host);
    *object.object.namespace == *asked.namespace
        && targets.any(|target| target.aims_at(asked.number, asked.name))
}

#[cfg(test)]
mod tests;
