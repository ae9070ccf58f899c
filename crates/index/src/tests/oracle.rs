//! After any history, the incremental World equals one that is built from the final state alone.

use api::event::Event;
use api::istio::{Object, ObjectKey};
use api::marathon::{Workload, WorkloadKey};
use model::{ChangeSet, World};
use proptest::prelude::*;
use serde_json::json;

use super::fixtures::*;
use crate::Index;

#[derive(Debug, Clone)]
enum Word {
    Workload(usize, WorkloadState),
    DeleteWorkload(usize),
    Config(usize, u8),
    DeleteConfig(usize),
    /// A list of some of the present things, in place of the source's words so far.
    Resync(Vec<bool>),
    Publish,
}

#[derive(Debug, Clone, Copy)]
struct WorkloadState {
    service: u8,
    version: u8,
    instances: u8,
    port: u16,
    sick: bool,
}

const NAMES: [&str; 4] = ["reviews", "reviews-v2", "details", "shop"];

/// The one that is an app.
const APP: usize = 3;

fn workload_of(name: usize, state: WorkloadState) -> Workload {
    let is_app = name == APP;
    let name = NAMES[name];
    let service =
        ["reviews", "details", "reviews,details", "not a name"][usize::from(state.service)];
    let labels = json!({"istio": service, "version": format!("v{}", state.version)});
    if is_app {
        return app_of(name, labels, state);
    }
    let instances = (0..state.instances).map(|i| {
        let mut instance = pod_instance(name, u32::from(i) + 1, u32::from(i % 2) + 1, state.port);
        if state.sick && i == 0 {
            instance["containers"][0]["endpoints"][0]["healthy"] = json!(false);
        }
        instance
    });
    pod_workload(
        pod(pod_spec(name, labels, state.port), instances.collect()),
        vec![],
    )
}

/// An app whose health Marathon checks itself, or Mesos.
fn app_of(name: &str, labels: serde_json::Value, state: WorkloadState) -> Workload {
    let tasks = (0..state.instances).map(|i| task(name, u32::from(i) + 1, json!([31000])));
    let mappings = json!([{"containerPort": state.port, "hostPort": 0, "name": "http"}]);
    let mut app = app(name, "container/bridge", mappings, tasks.collect());
    app["labels"] = labels;
    app["healthChecks"] = json!([{"protocol": if state.sick { "HTTP" } else { "MESOS_HTTP" }}]);
    app_workload(app, vec![])
}

/// Objects that refer to others in every way that is told of.
fn referring(which: usize, variant: usize, host: &str) -> Object {
    let pick = |from: [&'static str; 4]| from[variant % 4];
    let to = |host: &str| json!([{"destination": {"host": host}}]);
    match which {
        5 => object(
            "VirtualService",
            "edge",
            json!({"hosts": [pick(["b.com", "a.com", "reviews", "details"])], "gateways": ["g", pick(["mesh", "g", "none", "g"])],
                "http": [{"route": to(pick(["reviews", "revews", "details", "detail"]))}]}),
        ),
        6 => object(
            "VirtualService",
            "root",
            json!({"hosts": [host], "http": [
                {"match": [{"uri": {"prefix": "/a"}}], "delegate": {"name": pick(["part", "part", "none", "a"])}},
                {"route": to(pick(["reviews", "details", "detials", "reviews"]))}]}),
        ),
        7 => {
            let uri = pick(["/a/b", "/a", "/b", "/a/c"]);
            let mut spec =
                json!({"http": [{"match": [{"uri": {"prefix": uri}}], "route": to(host)}]});
            if variant == 3 {
                spec["hosts"] = json!(["details"]);
            }
            object("VirtualService", "part", spec)
        }
        8 => object(
            "DestinationRule",
            "wide",
            json!({"host": pick(["*", "*.marathon.slave.mesos", "*.mesos", "other"]), "subsets": [{"name": "v5", "labels": {"version": "v1"}}],
                "trafficPolicy": {"tls": {"mode": pick(["SIMPLE", "ISTIO_MUTUAL", "DISABLE", "ISTIO_MUTUAL"])}}}),
        ),
        9 => object(
            "Policy",
            "strict",
            json!({"targets": [{"name": pick(["reviews", "details", "nobody", "reviews"]), "ports": [{"number": 9080}]}], "peers": [{"mtls": {}}]}),
        ),
        10 => object(
            "Sidecar",
            "side",
            json!({"workloadSelector": {"labels": {"version": pick(["v1", "v2", "v3", "v1"])}}, "egress": [{"hosts": ["./*"]}]}),
        ),
        14 => object(
            "RbacConfig",
            "default",
            json!({"mode": pick(["ON", "OFF", "ON", "ON_WITH_EXCLUSION"]), "exclusion": {"services": [host]}}),
        ),
        15 => object(
            "ServiceRole",
            "reader",
            json!({"rules": [{"services": [host], "methods": ["GET"]}]}),
        ),
        16 => object(
            "ServiceRoleBinding",
            "readers",
            json!({"subjects": [{"user": pick(["*", "a", "b", "a"])}], "roleRef": {"kind": "ServiceRole", "name": pick(["reader", "reader", "none", "reader"])}}),
        ),
        17 => object(
            "MeshPolicy",
            "default",
            json!({"peers": [{"mtls": {"mode": pick(["STRICT", "PERMISSIVE", "STRICT", "STRICT"])}}]}),
        ),
        11 => object(
            "ServiceEntry",
            "entry",
            json!({"hosts": [pick(["reviews", "revews", "details", "a.com"])], "location": "MESH_EXTERNAL", "resolution": "DNS",
                "ports": [{"number": 80 + variant, "name": "http", "protocol": "HTTP"}]}),
        ),
        12 => object(
            "ServiceEntry",
            "found",
            json!({"hosts": ["b.com", pick(["reviews", "a.com", "c.com", "details"])], "location": "MESH_INTERNAL", "resolution": "STATIC",
                "ports": [{"number": 9080, "name": "http", "protocol": "HTTP"}],
                "workloadSelector": {"labels": {"version": pick(["v1", "v2", "v1", "v3"])}}}),
        ),
        _ => object(
            "WorkloadEntry",
            "machine",
            json!({"address": "10.3.0.9", "labels": {"version": pick(["v1", "v2", "v1", "v3"])},
                "serviceAccount": pick(["one", "one", "two", ""])}),
        ),
    }
}

/// How many objects there are.
const OBJECTS: usize = 18;

/// The variant of every object that is refused.
const BAD: u8 = 4;

/// Objects with a time of creation, whose precedence does not depend on their history.
fn object_of(which: usize, variant: u8) -> Object {
    let host = ["reviews", "details"][usize::from(variant % 2)];
    let mut object = match (which, variant) {
        (0, _) => object(
            "Gateway",
            "g",
            json!({"selector": {"istio": host}, "servers": [
                {"port": {"number": 80 + u16::from(variant), "protocol": "HTTP"}, "hosts": ["*"]}]}),
        ),
        (1 | 2, _) => subsets(
            ["", "one", "two"][which],
            host,
            &["v1", "v2"][..usize::from(variant / 2)],
        ),
        (3 | 4, _) => to_subset(
            ["", "", "", "a", "b"][which],
            ["v1", "v2", "v3", "v4", "v5"][usize::from(variant)],
        ),
        _ => referring(which, usize::from(variant), host),
    };
    if variant == BAD {
        object.spec = json!({"hosts": 7, "host": 7, "servers": 7, "targets": 7, "peers": 7, "egress": 7, "mode": "7", "rules": 7, "subjects": 7});
    }
    object.created = format!(
        "2024-01-0{}T00:00:00Z",
        1 + (which + usize::from(variant)) % 3
    )
    .parse()
    .ok();
    object
}

fn words() -> impl Strategy<Value = Vec<Word>> {
    let state = (
        0..4u8,
        1..3u8,
        0..4u8,
        prop_oneof![Just(9080u16), Just(9081)],
        any::<bool>(),
    )
        .prop_map(|(service, version, instances, port, sick)| WorkloadState {
            service,
            version,
            instances,
            port,
            sick,
        });
    let word = prop_oneof![
        4 => (0..NAMES.len(), state).prop_map(|(n, s)| Word::Workload(n, s)),
        1 => (0..NAMES.len()).prop_map(Word::DeleteWorkload),
        6 => (0..OBJECTS, 0..=BAD).prop_map(|(n, v)| Word::Config(n, v)),
        1 => (0..OBJECTS).prop_map(Word::DeleteConfig),
        1 => proptest::collection::vec(any::<bool>(), NAMES.len() + OBJECTS).prop_map(Word::Resync),
        2 => Just(Word::Publish),
    ];
    proptest::collection::vec(word, 1..60)
}

/// The index under test, and the state that it should be in.
struct History {
    index: Index,
    workloads: Vec<Option<Workload>>,
    /// The last good version, if the latest is bad, and the latest.
    objects: Vec<Option<(Option<Object>, Object)>>,
    last: World,
}

impl History {
    fn apply(&mut self, word: Word) {
        match word {
            Word::Workload(n, state) => {
                let new = workload_of(n, state);
                self.workloads[n] = Some(new.clone());
                self.index.apply(workload(Event::Apply(new)));
            }
            Word::DeleteWorkload(n) => {
                let key: WorkloadKey = workload_of(n, QUIET).key();
                self.workloads[n] = None;
                self.index.apply(workload(Event::Delete(key)));
            }
            Word::Config(n, variant) => {
                let new = object_of(n, variant);
                let good = match self.objects[n].take() {
                    _ if variant != BAD => None,
                    Some((None, latest)) if latest.spec != new.spec => Some(latest),
                    known => known.and_then(|(good, _)| good),
                };
                self.objects[n] = Some((good, new.clone()));
                self.index.apply(config(Event::Apply(new)));
            }
            Word::DeleteConfig(n) => {
                let key: ObjectKey = object_of(n, 0).key;
                self.objects[n] = None;
                self.index.apply(config(Event::Delete(key)));
            }
            Word::Resync(keep) => self.resync(&keep),
            Word::Publish => self.publish(),
        }
    }

    fn resync(&mut self, keep: &[bool]) {
        self.index.apply(workload(Event::Init));
        self.index.apply(config(Event::Init));
        for (n, slot) in self.workloads.iter_mut().enumerate() {
            *slot = slot.take().filter(|_| keep[n]);
            if let Some(kept) = slot {
                self.index.apply(workload(Event::InitApply(kept.clone())));
            }
        }
        for (n, slot) in self.objects.iter_mut().enumerate() {
            *slot = slot.take().filter(|_| keep[NAMES.len() + n]);
            if let Some((_, kept)) = slot {
                self.index.apply(config(Event::InitApply(kept.clone())));
            }
        }
        self.index.apply(workload(Event::InitDone));
        self.index.apply(config(Event::InitDone));
    }

    fn publish(&mut self) {
        if let Some(published) = self.index.publish() {
            let expected = difference(&self.last, &published.world);
            assert_eq!(published.changes, expected);
            self.last = (*published.world).clone();
        }
    }
}

const QUIET: WorkloadState = WorkloadState {
    service: 0,
    version: 1,
    instances: 0,
    port: 9080,
    sick: false,
};

/// What differs, found by comparing everything.
fn difference(old: &World, new: &World) -> ChangeSet {
    fn keys<K: Ord + Clone, V: PartialEq>(
        old: &imbl::OrdMap<K, V>,
        new: &imbl::OrdMap<K, V>,
    ) -> std::collections::BTreeSet<K> {
        let all = old.keys().chain(new.keys());
        all.filter(|k| old.get(*k) != new.get(*k))
            .cloned()
            .collect()
    }
    fn listed<T: PartialEq>(
        old: &[T],
        new: &[T],
        object: impl Fn(&T) -> model::ObjectRef,
        into: &mut std::collections::BTreeSet<model::ObjectRef>,
    ) {
        into.extend(old.iter().filter(|v| !new.contains(v)).map(&object));
        into.extend(new.iter().filter(|v| !old.contains(v)).map(&object));
        let stays = |from: &[T], other: &[T]| -> Vec<model::ObjectRef> {
            let others: Vec<_> = other.iter().map(&object).collect();
            from.iter()
                .map(&object)
                .filter(|o| others.contains(o))
                .collect()
        };
        for (a, b) in stays(old, new).into_iter().zip(stays(new, old)) {
            if a != b {
                into.extend([a, b]);
            }
        }
    }
    let mut config = std::collections::BTreeSet::new();
    listed(
        &old.gateways,
        &new.gateways,
        |v| v.object.clone(),
        &mut config,
    );
    listed(
        &old.virtual_services,
        &new.virtual_services,
        |v| v.object.clone(),
        &mut config,
    );
    listed(
        &old.destination_rules,
        &new.destination_rules,
        |v| v.object.clone(),
        &mut config,
    );
    listed(
        &old.authentication,
        &new.authentication,
        |v| v.object.clone(),
        &mut config,
    );
    listed(
        &old.authorizations,
        &new.authorizations,
        |v| v.object.clone(),
        &mut config,
    );
    listed(
        &old.sidecars,
        &new.sidecars,
        |v| v.object.clone(),
        &mut config,
    );
    ChangeSet {
        services: keys(&old.services, &new.services),
        endpoints: keys(&old.endpoints, &new.endpoints),
        instances: keys(&old.instances, &new.instances),
        config,
        mesh: old.generation == 0,
        diagnostics: old.diagnostics != new.diagnostics,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn incremental_equals_from_scratch(words in words()) {
        let mut history = History {
            index: index(),
            workloads: vec![None; NAMES.len()],
            objects: vec![None; OBJECTS],
            last: World::default(),
        };
        for word in words {
            history.apply(word);
        }
        history.publish();
        let workloads = history.workloads.into_iter().flatten().collect();
        let known = history.objects.into_iter().flatten();
        let objects = known.flat_map(|(good, latest)| good.into_iter().chain([latest])).collect();
        let mut scratch = world_of(workloads, objects);
        scratch.generation = history.last.generation;
        prop_assert_eq!(&history.last, &scratch);
    }
}
