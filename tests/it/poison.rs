//! Poisoned objects, one at a time, beside a serving mesh: nothing else is affected.
//!
//! Poison comes by rule from objects that are in order: every part of them is given a value of
//! another type. What only its meaning makes wrong is listed in `tests/poison/aimed.yaml`.

use std::collections::BTreeMap;

use api::event::{Change, Event, SourceId, Update};
use api::istio::Object;
use bytes::Bytes;
use index::{Index, Settings};
use model::{Diagnostic, Mesh, Severity, World};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::golden::world;

/// One wrong version of an object.
struct Poison {
    object: Object,
    what: String,
    code: String,
}

#[derive(Deserialize)]
struct Aimed {
    object: String,
    at: Vec<Value>,
    value: Value,
    code: String,
}

fn good() -> Vec<Object> {
    let text = include_str!("../poison/good.yaml");
    let (objects, problems) = ::watch::directory::read([("good.yaml", text)]);
    assert!(problems.is_empty(), "{problems:?}");
    objects
}

/// Every part of every object, with a value of another type.
fn by_rule(object: &Object) -> Vec<Poison> {
    let mut places = Vec::new();
    walk(&object.spec, &mut Vec::new(), &mut places);
    let poisons = places.into_iter().map(|(at, old)| {
        let value = match old {
            Value::Array(_) | Value::Object(_) => json!("poison"),
            _ => json!({ "poison": [1] }),
        };
        poisoned(object, &at, value, "PH0301")
    });
    poisons.collect()
}

fn walk(value: &Value, at: &mut Vec<Value>, places: &mut Vec<(Vec<Value>, Value)>) {
    let mut below = |key: Value, inner: &Value| {
        at.push(key);
        places.push((at.clone(), inner.clone()));
        walk(inner, at, places);
        at.pop();
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(k, v)| below(json!(k), v)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, v)| below(json!(i), v)),
        _ => {}
    }
}

fn aimed(objects: &[Object]) -> Vec<Poison> {
    let all: Vec<Aimed> = serde_yaml::from_str(include_str!("../poison/aimed.yaml")).unwrap();
    let poisons = all.into_iter().map(|aimed| {
        let object = objects
            .iter()
            .find(|object| *object.key.name == aimed.object);
        let object = object.unwrap_or_else(|| panic!("{}: no such object", aimed.object));
        poisoned(object, &aimed.at, aimed.value, &aimed.code)
    });
    poisons.collect()
}

fn poisoned(object: &Object, at: &[Value], value: Value, code: &str) -> Poison {
    let mut object = object.clone();
    let what = format!("{} {} = {value}", object.key, path(at));
    let mut place = &mut object.spec;
    for key in at {
        place = match key {
            Value::String(key) => &mut place[key.as_str()],
            key => &mut place[usize::try_from(key.as_u64().unwrap()).unwrap()],
        };
    }
    *place = value;
    Poison {
        object,
        what,
        code: code.to_owned(),
    }
}

/// As reports write it: `spec.http[0].timeout`.
fn path(at: &[Value]) -> String {
    let mut path = "spec".to_owned();
    for key in at {
        match key {
            Value::String(key) => path += &format!(".{key}"),
            index => path += &format!("[{index}]"),
        }
    }
    path
}

/// A control plane without its sockets, and what it serves.
struct Serving {
    index: Index,
    world: World,
}

/// What proxies get, by node, kind and name.
type Served = BTreeMap<(String, envoy::Kind, String), Bytes>;

// === impl Serving ===

impl Serving {
    fn start(objects: &[Object]) -> Serving {
        let sources: [SourceId; 2] = ["files".into(), "marathon".into()];
        let mut index = Index::new(Settings {
            mesh: Mesh::default(),
            sources: sources.to_vec(),
        });
        let mut say = |source: usize, change| {
            let source = sources[source].clone();
            index.apply(Update { source, change });
        };
        say(1, Change::Workload(Event::Init));
        for workload in world::workloads() {
            say(1, Change::Workload(Event::InitApply(workload)));
        }
        say(1, Change::Workload(Event::InitDone));
        say(0, Change::Config(Event::Init));
        for object in objects {
            say(0, Change::Config(Event::InitApply(object.clone())));
        }
        say(0, Change::Config(Event::InitDone));
        let world = World::clone(&index.publish().unwrap().world);
        Serving { index, world }
    }

    fn say(&mut self, event: Event<Object>) {
        self.index.apply(Update {
            source: "files".into(),
            change: Change::Config(event),
        });
        if let Some(published) = self.index.publish() {
            self.world = World::clone(&published.world);
        }
    }

    fn served(&self) -> Served {
        let mut served = Served::new();
        let study = analysis::Study {
            world: self.world.clone().into(),
            mesh_findings: Vec::new(),
        };
        for name in [
            "sidecar productpage",
            "sidecar reviews-v1",
            "gateway ingressgateway",
        ] {
            let proxy = world::proxy(&study, name, &serde_json::Map::new());
            for resource in study.compile(&proxy).resources {
                let key = (name.to_owned(), resource.kind, resource.name.to_string());
                served.insert(key, resource.body);
            }
        }
        served
    }

    /// Findings that are not about this object.
    fn about_others(&self, object: &Object) -> Vec<&Diagnostic> {
        let found = self.world.diagnostics.iter();
        found.filter(|finding| !is_about(finding, object)).collect()
    }
}

fn is_about(finding: &Diagnostic, object: &Object) -> bool {
    finding
        .object
        .as_ref()
        .is_some_and(|o| o.kind == object.key.kind.name() && o.name == object.key.name)
}

/// What is wrong with the way in which a poison was taken; `None` if nothing is.
fn harm(serving: &mut Serving, before: &Served, poison: &Poison) -> Option<String> {
    let object = &poison.object;
    serving.say(Event::Apply(object.clone()));
    let codes: Vec<&str> = serving
        .world
        .diagnostics
        .iter()
        .filter(|finding| is_about(finding, object) && finding.severity == Severity::Error)
        .map(|finding| finding.code)
        .collect();
    if !codes.contains(&&*poison.code) {
        return Some(format!("errors are {codes:?}, not {}", poison.code));
    }
    let others = serving.about_others(object);
    if !others.is_empty() {
        return Some(format!("others are blamed: {others:?}"));
    }
    if serving.served() != *before {
        return Some("the last good version is not what is served".to_owned());
    }
    None
}

#[test]
fn only_the_poisoned_object_is_affected_and_a_fix_heals_it() {
    let objects = good();
    let mut poisons: Vec<Poison> = objects.iter().flat_map(by_rule).collect();
    poisons.extend(aimed(&objects));
    assert!(poisons.len() >= 200, "only {} poisons", poisons.len());
    let mut serving = Serving::start(&objects);
    assert!(
        serving.world.diagnostics.is_empty(),
        "{:?}",
        serving.world.diagnostics
    );
    let before = serving.served();
    let mut wrong = Vec::new();
    for poison in &poisons {
        let harmed = harm(&mut serving, &before, poison);
        wrong.extend(harmed.map(|why| format!("{}: {why}", poison.what)));
        let good = objects.iter().find(|good| good.key == poison.object.key);
        serving.say(Event::Apply(good.unwrap().clone()));
        if !serving.world.diagnostics.is_empty() {
            wrong.push(format!("{}: not healed", poison.what));
        }
    }
    assert!(
        serving.served() == before,
        "what is served has become another"
    );
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        poisons.len(),
        wrong.join("\n")
    );
}

/// Without a last good version, the mesh is as if the object were not there.
#[test]
fn an_object_that_was_never_good_is_as_if_it_were_not_there() {
    let objects = good();
    let mut wrong = Vec::new();
    for object in &objects {
        let rest: Vec<Object> = objects.iter().filter(|o| *o != object).cloned().collect();
        let mut serving = Serving::start(&rest);
        let without = serving.served();
        for poison in by_rule(object).iter().step_by(5) {
            serving.say(Event::Apply(poison.object.clone()));
            if serving.served() != without {
                wrong.push(poison.what.clone());
            }
        }
        serving.say(Event::Delete(object.key.clone()));
        assert!(serving.served() == without);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
