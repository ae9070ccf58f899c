//! Every document of `tests/validation` is judged as its folder says.
//!
//! What is in `valid` is in force, if with warnings; what is in `invalid` is refused, at least in
//! part, with the code that its first comment names. Each document is alone, as for
//! `pilothouse validate`.

use std::fs;
use std::path::Path;

use analysis::Draft;
use model::{Diagnostic, Severity};

/// The documents of a folder: `file name`, and text.
fn documents(folder: &str) -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("validation")
        .join(folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        for document in text.split("\n---\n") {
            let value: serde_json::Value = serde_yaml::from_str(document)
                .unwrap_or_else(|error| panic!("{file}: {error}\n{document}"));
            let name = value["metadata"]["name"].as_str().unwrap_or_default();
            found.push((format!("{folder}/{file} {name}"), document.to_owned()));
        }
    }
    found.sort();
    found
}

fn errors(name: &str, document: &str) -> Vec<Diagnostic> {
    let mut draft = Draft::default();
    draft.read([(name, document)]);
    let mut found = draft.validate();
    found.retain(|finding| finding.severity == Severity::Error);
    found
}

#[test]
fn valid_documents_are_taken() {
    let documents = documents("valid");
    assert!(documents.len() >= 25, "{} documents", documents.len());
    let mut wrong = Vec::new();
    for (name, document) in documents {
        for error in errors(&name, &document) {
            wrong.push(format!(
                "{name}: {} {}: {}",
                error.code, error.field, error.why
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn invalid_documents_are_refused_with_the_code_that_they_name() {
    let documents = documents("invalid");
    assert!(documents.len() >= 30, "{} documents", documents.len());
    let mut wrong = Vec::new();
    for (name, document) in documents {
        let expected = document
            .lines()
            .find_map(|line| line.strip_prefix("# PH"))
            .and_then(|rest| rest.get(..4))
            .unwrap_or_else(|| panic!("{name}: no comment names a code"));
        let found: Vec<&str> = errors(&name, &document).iter().map(|e| e.code).collect();
        if !found.contains(&&*format!("PH{expected}")) {
            wrong.push(format!("{name}: expected PH{expected}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
