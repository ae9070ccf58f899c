//! `docs/reference/fields.md`: every field of every kind, and what becomes of it. Held true here.
//!
//! Which fields are read is asked of the types themselves; `tests/fields.yaml` says what is special.
//! A field that works is shown by a golden case, one with a code by a golden case or by the code's
//! page. `FIELDS=update` writes the page.

mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use api::istio;
use serde_json::Value;

/// Each kind that is compiled, with the fields that are read.
fn read() -> BTreeMap<&'static str, BTreeSet<String>> {
    BTreeMap::from([
        ("Gateway", trace::fields::<istio::Gateway>()),
        ("VirtualService", trace::fields::<istio::VirtualService>()),
        ("DestinationRule", trace::fields::<istio::DestinationRule>()),
        ("ServiceEntry", trace::fields::<istio::ServiceEntry>()),
        ("WorkloadEntry", trace::fields::<istio::WorkloadEntry>()),
        ("Sidecar", trace::fields::<istio::Sidecar>()),
        (
            "EnvoyFilter",
            trace::fields::<istio::envoy_filter::EnvoyFilter>(),
        ),
        (
            "AuthorizationPolicy",
            trace::fields::<istio::AuthorizationPolicy>(),
        ),
        (
            "RequestAuthentication",
            trace::fields::<istio::RequestAuthentication>(),
        ),
        ("RbacConfig", trace::fields::<istio::RbacConfig>()),
        ("ClusterRbacConfig", trace::fields::<istio::RbacConfig>()),
        ("ServiceRole", trace::fields::<istio::ServiceRole>()),
        (
            "ServiceRoleBinding",
            trace::fields::<istio::ServiceRoleBinding>(),
        ),
        ("Telemetry", trace::fields::<istio::telemetry::Telemetry>()),
        ("Policy", trace::fields::<istio::Policy>()),
        ("MeshPolicy", trace::fields::<istio::Policy>()),
        (
            "PeerAuthentication",
            trace::fields::<istio::PeerAuthentication>(),
        ),
    ])
}

/// By kind and field: `works`, or `ignored` or `refused` with a code, and a note.
type Special = BTreeMap<String, BTreeMap<String, String>>;

/// By kind: fields that documents have, each with where.
type Shown = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap().to_owned()
}

fn special() -> Special {
    serde_yaml::from_str(include_str!("../fields.yaml")).unwrap()
}

/// What the objects of golden cases and of the codes' pages have.
fn shown() -> Shown {
    let mut shown = Shown::new();
    for (name, text) in texts() {
        let (objects, _) = ::watch::directory::read([("x.yaml", &*text)]);
        for object in objects {
            let mut paths = BTreeSet::new();
            walk(&object.spec, "", &mut paths);
            let fields = shown.entry(object.key.kind.name().to_owned()).or_default();
            for path in paths {
                fields.entry(path).or_default().insert(name.clone());
            }
        }
    }
    shown
}

fn texts() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for path in crate::golden::files() {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        texts.push((name, fs::read_to_string(path).unwrap()));
    }
    for entry in fs::read_dir(root().join("docs/codes")).unwrap() {
        let path = entry.unwrap().path();
        let page = fs::read_to_string(&path).unwrap();
        if let Some(example) = crate::codes::example(&page, "Wrong") {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            texts.push((name, example));
        }
    }
    texts
}

/// The paths of a document; list indices are left out.
fn walk(value: &Value, at: &str, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let path = match at {
                    "" => camel(key),
                    at => format!("{at}.{}", camel(key)),
                };
                paths.insert(path.clone());
                walk(inner, &path, paths);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, at, paths)),
        _ => {}
    }
}

fn camel(key: &str) -> String {
    let mut parts = key.split('_');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.extend(chars);
    }
    out
}

/// A field of a map stands below its key: `headers.request.set` shows `set`, and so does `set.x`.
fn places<'a>(shown: &'a Shown, kind: &str, field: &str) -> impl Iterator<Item = &'a str> {
    let wanted: Vec<String> = field.split('.').map(str::to_owned).collect();
    let fields = shown.get(kind).into_iter().flatten();
    fields
        .filter(move |(path, _)| leads(path, &wanted))
        .flat_map(|(_, names)| names.iter().map(String::as_str))
}

/// Whether a path has these parts, in order, and ends with the last; between them are keys of maps.
fn leads(path: &str, wanted: &[String]) -> bool {
    let mut wanted = wanted.iter().peekable();
    let mut last = false;
    for part in path.split('.') {
        last = wanted.peek().is_some_and(|want| *want == part);
        if last {
            wanted.next();
        }
    }
    last && wanted.peek().is_none()
}

/// One row of the page.
struct Row {
    kind: &'static str,
    field: String,
    fate: String,
    shown_by: Option<String>,
}

/// Parts of a kind that are what another part is; their fields are told once.
const ALIKE: &[(&str, &str)] = &[
    ("DestinationRule", "subsets.trafficPolicy."),
    ("DestinationRule", "trafficPolicy.portLevelSettings."),
];

fn rows(wrong: &mut Vec<String>) -> Vec<Row> {
    let (special, shown) = (special(), shown());
    let none = BTreeMap::new();
    let mut rows = Vec::new();
    for (kind, fields) in read() {
        let special = special.get(kind).unwrap_or(&none);
        let all: BTreeSet<&String> = fields.iter().chain(special.keys()).collect();
        for field in all {
            let is_alike = |(of, part): &&(&str, &str)| *of == kind && field.starts_with(part);
            if ALIKE.iter().any(|alike| is_alike(&alike)) {
                continue;
            }
            let told = special.get(field).map(String::as_str);
            let (fate, shown_by) = match (told, fields.contains(field)) {
                (None, _) => match evidence(&shown, kind, field, WORKS) {
                    Some(name) => (WORKS, Some(name)),
                    None => {
                        wrong.push(format!(
                            "{kind} {field}: is read, and no golden case shows it"
                        ));
                        continue;
                    }
                },
                (Some(fate), true) if fate.contains("PH0302") => {
                    wrong.push(format!("{kind} {field}: is read, and said not to be"));
                    continue;
                }
                (Some(fate), _) => (fate, evidence(&shown, kind, field, fate)),
            };
            rows.push(Row {
                kind,
                field: field.clone(),
                fate: fate.to_owned(),
                shown_by: shown_by.map(str::to_owned),
            });
        }
    }
    rows
}

const WORKS: &str = "works";

fn page(rows: &[Row]) -> String {
    let mut page = include_str!("fields/head.md").to_owned();
    let mut kind = "";
    for row in rows {
        if row.kind != kind {
            kind = row.kind;
            let _ = write!(
                page,
                "\n## {kind}\n\n| field | fate | shown by |\n|---|---|---|\n"
            );
        }
        let link = row.shown_by.as_ref().map_or(String::new(), |name| {
            let stem = Path::new(name).file_stem().unwrap().display();
            format!("[{stem}](../../{name})")
        });
        let _ = writeln!(page, "| `{}` | {} | {link} |", row.field, row.fate);
    }
    page
}

/// Kind, field and fate of the rows that the page has.
fn written(page: &str) -> BTreeMap<(String, String), String> {
    let mut kind = "";
    let mut written = BTreeMap::new();
    for line in page.lines() {
        kind = line.strip_prefix("## ").unwrap_or(kind);
        if let Some((field, rest)) = line.strip_prefix("| `").and_then(|l| l.split_once("` | ")) {
            let fate = rest.split(" |").next().unwrap_or_default();
            written.insert((kind.to_owned(), field.to_owned()), fate.to_owned());
        }
    }
    written
}

/// The first document that shows the fate of a field.
fn evidence<'a>(shown: &'a Shown, kind: &str, field: &str, fate: &str) -> Option<&'a str> {
    let code = fate
        .split_whitespace()
        .nth(1)
        .filter(|code| code.starts_with("PH"));
    let mut places = places(shown, kind, field);
    match code {
        None => {
            let golden: Vec<&str> = places
                .filter(|name| name.starts_with("tests/golden/"))
                .collect();
            // Rather one that raises nothing.
            let quiet = golden.iter().find(|name| is_quiet(name));
            quiet.or(golden.first()).copied()
        }
        Some(code) => places.find(|name| {
            let text = fs::read_to_string(root().join(name)).unwrap_or_default();
            text.contains(code)
        }),
    }
}

/// Whether a case raises no code.
fn is_quiet(name: &str) -> bool {
    let text = fs::read_to_string(root().join(name)).unwrap_or_default();
    !text.contains("\ndiagnostics:")
}

#[test]
fn every_field_has_a_fate_and_the_page_tells_it() {
    let mut wrong = Vec::new();
    let rows = rows(&mut wrong);
    let path = root().join("docs/reference/fields.md");
    if std::env::var("FIELDS").as_deref() == Ok("update") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, page(&rows)).unwrap();
    }
    let mut told = written(&fs::read_to_string(&path).unwrap_or_default());
    for row in rows {
        let place = format!("{} {}", row.kind, row.field);
        match told.remove(&(row.kind.to_owned(), row.field)) {
            None => wrong.push(format!("{place}: has no row")),
            Some(fate) if fate == row.fate => {}
            Some(fate) => wrong.push(format!(
                "{place}: is said to be {fate:?}, is {:?}",
                row.fate
            )),
        }
    }
    wrong.extend(
        told.keys()
            .map(|(kind, field)| format!("{kind} {field}: is no field")),
    );
    assert!(
        wrong.is_empty(),
        "{} rows; FIELDS=update writes them:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_field_below_a_map_is_found() {
    let leads = |path: &str, field: &str| {
        let wanted: Vec<String> = field.split('.').map(str::to_owned).collect();
        super::fields::leads(path, &wanted)
    };
    assert!(leads("http.match.headers", "http.match.headers"));
    assert!(leads("portLevelMtls.8080.mode", "portLevelMtls.mode"));
    assert!(!leads("http.match.headers.a", "http.match.headers"));
    assert!(!leads("http.timeout", "http.retries"));
}
