//! One file: a comment, Istio objects, and what proxies get of them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use analysis::Study;
use envoy::Kind;
use model::{Diagnostic, Proxy};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{compare, view, world};

/// A golden case.
pub(super) struct Case {
    /// `<chapter>/<file>`, without its ending.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) comment: String,
    /// The documents with `apiVersion`, as they stand in the file; the others are blank lines.
    objects: String,
    pub(super) views: Vec<View>,
}

/// A document without `apiVersion`: what one proxy gets.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct View {
    #[serde(default = "standard_proxy")]
    pub(super) proxy: String,
    /// Of the node, beside what identifies it.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// A mesh config file; of the whole case.
    mesh: Option<Value>,
    /// Apps and pods beside the standard ones; of the whole case.
    #[serde(default)]
    workloads: Vec<Value>,
    #[serde(default)]
    pub(super) expect: Vec<Expect>,
    /// All codes that the objects raise; of the whole case.
    #[serde(default)]
    diagnostics: BTreeSet<String>,
}

/// One thing to look at, and what it must be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    cluster: Option<String>,
    listener: Option<String>,
    route: Option<String>,
    endpoint: Option<String>,
    secret: Option<String>,
    at: Option<String>,
    pub(super) is: Option<Value>,
    pub(super) has: Option<Value>,
    #[serde(default)]
    absent: bool,
}

fn standard_proxy() -> String {
    "sidecar productpage".to_owned()
}

// === impl Case ===

impl Case {
    pub(super) fn read(path: &Path) -> Result<Case, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let comment: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .map(|line| line.trim_start_matches('#').trim())
            .collect();
        if comment.is_empty() {
            return Err("begin with a comment that says what and why".to_owned());
        }
        let chapter = path.parent().and_then(Path::file_name).unwrap();
        let stem = path.file_stem().unwrap();
        let mut case = Case {
            name: format!("{}/{}", chapter.display(), stem.display()),
            path: path.to_owned(),
            comment: comment.join(" "),
            objects: String::new(),
            views: Vec::new(),
        };
        for document in documents(&text) {
            case.enter(document)?;
        }
        case.complete()
    }

    fn enter(&mut self, document: &str) -> Result<(), String> {
        let value: Value = serde_yaml::from_str(document).map_err(|error| error.to_string())?;
        if value.is_null() || value.get("apiVersion").is_some() {
            self.objects.push_str(document);
            return Ok(());
        }
        // Lines keep their numbers.
        let blank = document.lines().skip(1).map(|_| '\n');
        self.objects.push_str("---\n");
        self.objects.extend(blank);
        let view: View = serde_yaml::from_str(document).map_err(|error| error.to_string())?;
        for expect in &view.expect {
            expect.complete()?;
        }
        self.views.push(view);
        Ok(())
    }

    fn complete(self) -> Result<Case, String> {
        let says = |view: &View| !view.expect.is_empty() || !view.diagnostics.is_empty();
        match self.views.iter().any(says) {
            true => Ok(self),
            false => Err("nothing is expected: add a document with `expect`".to_owned()),
        }
    }

    pub(super) fn study(&self) -> Study {
        let mut meshes = self.views.iter().filter_map(|view| view.mesh.as_ref());
        let mesh = meshes.next_back().unwrap_or(&Value::Null);
        let workloads: Vec<Value> = self
            .views
            .iter()
            .flat_map(|view| view.workloads.clone())
            .collect();
        let file = format!("{}.yaml", self.name);
        world::study(mesh, &workloads, &[(&file, &self.objects)])
    }

    /// What does not hold, in words.
    pub(super) fn check(&self) -> Vec<String> {
        let study = self.study();
        let mut failures = Vec::new();
        for view in &self.views {
            let found = view.resources(&study);
            for expect in &view.expect {
                if let Err(why) = expect.check(&found) {
                    failures.push(format!("{}: {} at {why}", self.name, view.proxy));
                }
            }
        }
        failures.extend(self.check_diagnostics(&study.diagnostics()));
        failures
    }

    fn check_diagnostics(&self, found: &[Diagnostic]) -> Option<String> {
        let codes: BTreeSet<&str> = found.iter().map(|finding| finding.code).collect();
        let expected = self.views.iter().flat_map(|view| &view.diagnostics);
        let expected: BTreeSet<&str> = expected.map(String::as_str).collect();
        if codes == expected {
            return None;
        }
        let mut text = format!(
            "{}: diagnostics are {codes:?}, expected {expected:?}",
            self.name
        );
        for finding in found.iter().filter(|found| !expected.contains(found.code)) {
            let _ = write!(text, "\n{finding}");
        }
        Some(text)
    }
}

// === impl View ===

/// Everything that a proxy gets, by kind and name.
pub(super) type Resources = std::collections::BTreeMap<(Kind, String), Value>;

impl View {
    pub(super) fn identify(&self, study: &Study) -> Proxy {
        world::proxy(study, &self.proxy, &self.metadata)
    }

    pub(super) fn resources(&self, study: &Study) -> Resources {
        let compiled = study.compile(&self.identify(study));
        let rendered = compiled.resources.iter().map(|resource| {
            let value = envoy::render::to_json(resource.kind, &resource.body).unwrap();
            ((resource.kind, resource.name.to_string()), value)
        });
        rendered.collect()
    }
}

// === impl Expect ===

impl Expect {
    fn complete(&self) -> Result<(), String> {
        let says = [self.is.is_some(), self.has.is_some(), self.absent];
        if says.iter().filter(|said| **said).count() != 1 {
            return Err("an expectation has one of `is`, `has` and `absent: true`".to_owned());
        }
        let names = self.names();
        if names.iter().flatten().count() != 1 {
            return Err(
                "an expectation names one cluster, listener, route, endpoint or secret".to_owned(),
            );
        }
        view::Path::parse(self.at.as_deref().unwrap_or("")).map(|_| ())
    }

    fn names(&self) -> [Option<(Kind, &str)>; 5] {
        [
            (Kind::Cluster, &self.cluster),
            (Kind::Listener, &self.listener),
            (Kind::Route, &self.route),
            (Kind::Endpoint, &self.endpoint),
            (Kind::Secret, &self.secret),
        ]
        .map(|(kind, name)| Some((kind, name.as_deref()?)))
    }

    fn resource(&self) -> (Kind, &str) {
        let named = self.names().into_iter().flatten().next();
        named.expect("one is named")
    }

    /// What stands where this looks.
    pub(super) fn find<'a>(&self, found: &'a Resources) -> Option<&'a Value> {
        let (kind, name) = self.resource();
        let path = view::Path::parse(self.at.as_deref().unwrap_or("")).expect("was checked");
        path.find(found.get(&(kind, name.to_owned()))?)
    }

    fn check(&self, found: &Resources) -> Result<(), String> {
        let (kind, name) = self.resource();
        let at = self.at.as_deref().unwrap_or("");
        let place = format!("{kind} {name:?} {at}");
        let actual = self.find(found);
        let differences = match (actual, &self.is, &self.has) {
            (None, None, None) => return Ok(()),
            (Some(actual), None, None) => {
                return Err(format!(
                    "{place}\n  must be absent, and is:\n{}",
                    yaml(actual)
                ));
            }
            (None, ..) => return Err(absent(found, kind, name, &place)),
            (Some(actual), Some(expected), _) => compare::is(actual, expected),
            (Some(actual), None, Some(expected)) => compare::has(actual, expected),
        };
        match (differences.is_empty(), actual) {
            (false, Some(actual)) => Err(format!(
                "{place}\n  {}\n  actual:\n{}",
                differences.join("\n  "),
                yaml(actual)
            )),
            _ => Ok(()),
        }
    }
}

fn absent(found: &Resources, kind: Kind, name: &str, place: &str) -> String {
    if let Some(whole) = found.get(&(kind, name.to_owned())) {
        return format!("{place}\n  there is nothing; all of it:\n{}", yaml(whole));
    }
    let others = found.keys().filter(|(other, _)| *other == kind);
    let names: Vec<&str> = others.map(|(_, name)| name.as_str()).collect();
    format!("{place}\n  there is no such {kind}; there are {names:?}")
}

fn yaml(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap()
}

/// The documents of a file, each with the `---` that begins it.
pub(super) fn documents(text: &str) -> Vec<&str> {
    let mut starts = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "---" && at > 0 {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(from, to)| &text[*from..to])
        .collect()
}
