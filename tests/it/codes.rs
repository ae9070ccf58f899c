//! Every code has a row and a page, and the pages' examples are true.
//!
//! `docs/codes/PHxxxx.md` shows documents that raise the code and the same documents corrected. They
//! live in the mesh of the golden cases. A document without `apiVersion` is a Marathon workload, or
//! has `mesh:` with a mesh config file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::golden::world;

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap().to_owned()
}

/// The codes of the sources, each with the names of its constants.
fn codes() -> BTreeMap<String, BTreeSet<String>> {
    let mut codes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, text) in sources(&root().join("crates")) {
        for line in text.lines() {
            for code in quoted(line) {
                let names = codes.entry(code.to_owned()).or_default();
                let constant = line
                    .split("const ")
                    .nth(1)
                    .and_then(|c| c.split(':').next());
                names.extend(constant.map(str::to_owned));
            }
        }
    }
    assert!(codes.len() > 50, "the walk finds the codes");
    codes
}

/// The codes that a line has in quotes.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2).filter(|text| {
        text.strip_prefix("PH")
            .is_some_and(|n| n.len() == 4 && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn sources(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

fn page(code: &str) -> Option<String> {
    fs::read_to_string(root().join(format!("docs/codes/{code}.md"))).ok()
}

/// The documents below a heading.
pub(crate) fn example(page: &str, heading: &str) -> Option<String> {
    let part = page.split(&format!("\n## {heading}\n")).nth(1)?;
    let part = part.split("\n## ").next()?;
    let yaml = part.split("```yaml\n").nth(1)?;
    Some(yaml.split("```").next()?.to_owned())
}

/// The codes that documents raise in the standard mesh.
fn raised(documents: &str) -> BTreeSet<&'static str> {
    let (mut objects, mut workloads, mut mesh) = (String::new(), Vec::new(), Value::Null);
    for document in documents.split_inclusive("---\n") {
        let document = document.trim_end_matches("---\n");
        match serde_yaml::from_str::<Value>(document) {
            Ok(value) if value.get("id").is_some() => workloads.push(value),
            Ok(value) if value.get("mesh").is_some() => mesh = value["mesh"].clone(),
            _ => objects = format!("{objects}---\n{document}"),
        }
    }
    let study = world::study(&mesh, &workloads, &[("example.yaml", &objects)]);
    let found = study.diagnostics();
    found.iter().map(|finding| finding.code).collect()
}

#[test]
fn docs_have_a_row_and_a_page_for_every_code() {
    let rows = fs::read_to_string(root().join("docs/diagnostics.md")).unwrap();
    let mut wrong = Vec::new();
    let codes = codes();
    for code in codes.keys() {
        if rows.matches(&format!("\n| {code} |")).count() != 1 {
            wrong.push(format!("{code}: docs/diagnostics.md needs one row for it"));
        }
        let head = format!("# {code}: ");
        if !page(code).is_some_and(|page| page.starts_with(&head)) {
            wrong.push(format!(
                "{code}: docs/codes/{code}.md must begin with {head:?}"
            ));
        }
    }
    for entry in fs::read_dir(root().join("docs/codes")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if stem.starts_with("PH") && !codes.contains_key(stem) {
            wrong.push(format!("{stem}: the page is of a code that does not exist"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_example_is_true_in_both_directions() {
    let mut wrong = Vec::new();
    for (code, names) in codes() {
        let Some(page) = page(&code) else {
            continue;
        };
        match (example(&page, "Wrong"), example(&page, "Right")) {
            (Some(bad), Some(good)) => {
                let codes = raised(&bad);
                if !codes.contains(&*code) {
                    wrong.push(format!("{code}: \"Wrong\" raises {codes:?}"));
                }
                if raised(&good).contains(&*code) {
                    wrong.push(format!("{code}: \"Right\" raises it, too"));
                }
            }
            _ => wrong.extend(untested(&code, &names, &page)),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A page without examples names the file in which the code is tested.
fn untested(code: &str, names: &BTreeSet<String>, page: &str) -> Option<String> {
    let marked = page
        .split("tested in `")
        .nth(1)
        .and_then(|rest| rest.split('`').next());
    let Some(file) = marked else {
        return Some(format!(
            "{code}: neither examples nor a line \"tested in `FILE`\""
        ));
    };
    let text = fs::read_to_string(root().join(file)).unwrap_or_default();
    let is_there = text.contains(code) || names.iter().any(|name| text.contains(name));
    (!is_there).then(|| format!("{code}: {file} does not speak of it"))
}
