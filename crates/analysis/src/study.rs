//! Objects and workloads, taken together: what is wrong, and what a proxy would get.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use api::event::{Change, Event, SourceId, Update};
use api::istio::{Object, Problem};
use api::marathon::Workload;
use envoy::Compiled;
use index::{Claim, Index, Settings, Unidentified};
use model::{Diagnostic, Instance, Mesh, Proxy, World};
use serde_json::{Map, Value};

use crate::assume;

/// What is to be studied.
#[derive(Debug, Default)]
pub struct Draft {
    /// As flags make it.
    pub mesh: Mesh,
    /// The document of a mesh config file, which changes it.
    pub mesh_config: Value,
    pub objects: Vec<Object>,
    /// What could not be read as an object.
    pub problems: Vec<Problem>,
    pub workloads: Vec<Workload>,
}

/// The mesh that comes of a draft.
#[derive(Debug)]
pub struct Study {
    pub world: Arc<World>,
    /// What the mesh config says in vain.
    pub mesh_findings: Vec<Diagnostic>,
}

// === impl Draft ===

impl Draft {
    /// Takes in the texts of files with Istio objects.
    pub fn read<'a>(&mut self, files: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let (objects, problems) = watch::directory::read(files);
        self.objects.extend(objects);
        self.problems.extend(problems);
    }

    /// Takes in every object of a file, those that stand twice, too.
    pub fn read_each(&mut self, name: &str, text: &str) {
        let (objects, problems) = watch::directory::documents(name, text);
        self.objects.extend(objects);
        self.problems.extend(problems);
    }

    /// Takes as given what the objects name, for want of workloads.
    pub fn assume(&mut self) {
        self.workloads = assume::workloads(&self.objects, &self.mesh.domain);
    }

    /// What is wrong with each object by itself.
    pub fn validate(self) -> Vec<Diagnostic> {
        let (mesh, _) = index::mesh(&self.mesh_config, self.mesh.clone());
        let validated = self.objects.iter();
        let mut all: Vec<Diagnostic> = validated
            .flat_map(|object| index::validate(object, &mesh))
            .collect();
        let draft = Draft {
            objects: Vec::new(),
            workloads: Vec::new(),
            ..self
        };
        all.extend(draft.study().diagnostics());
        all.sort();
        all
    }

    pub fn study(self) -> Study {
        let (files, marathon): (SourceId, SourceId) = ("files".into(), "marathon".into());
        let (mesh, mesh_findings) = index::mesh(&self.mesh_config, self.mesh);
        let mut index = Index::new(Settings {
            mesh,
            sources: vec![files.clone(), marathon.clone()],
        });
        for change in list(self.workloads) {
            index.apply(update(&marathon, Change::Workload(change)));
        }
        for change in list(self.objects) {
            index.apply(update(&files, Change::Config(change)));
        }
        index.apply(update(&files, Change::Problems(self.problems)));
        let published = index.publish().map(|published| published.world);
        Study {
            world: published.unwrap_or_default(),
            mesh_findings,
        }
    }
}

/// A complete list of a source.
fn list<T: api::event::Keyed>(items: Vec<T>) -> impl Iterator<Item = Event<T>> {
    let items = items.into_iter().map(Event::InitApply);
    std::iter::once(Event::Init)
        .chain(items)
        .chain(std::iter::once(Event::InitDone))
}

fn update(source: &SourceId, change: Change) -> Update {
    Update {
        source: source.clone(),
        change,
    }
}

// === impl Study ===

impl Study {
    /// The proxy that claims this node id and metadata.
    ///
    /// # Errors
    /// A server would refuse the node.
    pub fn proxy(
        &self,
        node_id: &str,
        metadata: &Map<String, Value>,
    ) -> Result<Proxy, Unidentified> {
        let peer = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        index::identify(&self.world, &Claim { node_id, metadata }, peer)
    }

    /// The node id of an instance's proxy in that role: `sidecar` or `router`.
    pub fn node_id(&self, role: &str, instance: &Instance) -> String {
        let ip = instance.address.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        format!("{role}~{ip}~{}~{}", instance.id, self.world.mesh.domain)
    }

    pub fn compile(&self, proxy: &Proxy) -> Compiled {
        envoy::compile(&self.world, proxy)
    }

    /// The instances, each with the node id that its proxy would have.
    pub fn nodes(&self) -> impl Iterator<Item = (&Arc<Instance>, String)> {
        let instances = self.world.instances.values();
        instances.map(|instance| (instance, self.node_id(self.role(instance), instance)))
    }

    /// The node id of the first instance of a workload: `/reviews`, or without the slash.
    pub fn node_of(&self, workload: &str) -> Option<String> {
        let wanted = workload.trim_matches('/');
        let mut nodes = self.nodes();
        nodes
            .find(|(instance, _)| instance.workload.trim_matches('/') == wanted)
            .map(|(_, node)| node)
    }

    /// Everything that there is to say: of the objects, and of what is left out for any proxy.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut all = self.world.diagnostics.to_vec();
        all.extend(self.mesh_findings.iter().cloned());
        for (_, node) in self.nodes() {
            if let Ok(proxy) = self.proxy(&node, &Map::new()) {
                all.extend(self.compile(&proxy).diagnostics);
            }
        }
        all.sort();
        all.dedup();
        all
    }

    /// What a gateway selects has a router; everything else has a sidecar.
    fn role(&self, instance: &Instance) -> &'static str {
        let mut gateways = self.world.gateways.iter();
        match gateways.any(|gateway| gateway.selector.selects(&instance.labels)) {
            true => "router",
            false => "sidecar",
        }
    }
}
