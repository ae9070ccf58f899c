//! Rules about source files that a reader relies on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const LONGEST: usize = 400;

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    assert!(
        silent.is_empty(),
        "without a first line of //!: {silent:#?}"
    );
}

#[test]
fn no_source_file_outgrows_its_name() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (path, code_lines(&text)))
        .filter(|(_, lines)| *lines > LONGEST)
        .collect();
    assert!(
        long.is_empty(),
        "more than {LONGEST} lines before their tests; split them: {long:#?}"
    );
}

/// A file that no `mod` names is never compiled, and rots.
#[test]
fn every_source_file_is_reachable() {
    let files: BTreeSet<PathBuf> = sources().into_iter().map(|(path, _)| path).collect();
    let lost: Vec<_> = files
        .iter()
        .filter(|path| !is_root(path) && !is_declared(path))
        .collect();
    assert!(lost.is_empty(), "declared by no mod: {lost:#?}");
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let marks = ["todo!", "unimplemented!", "dbg!(", "FIXME", "XXX"];
    let mut left = Vec::new();
    for (path, text) in sources()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("it/tidy.rs"))
    {
        left.extend(
            marks
                .iter()
                .filter(|mark| text.contains(**mark))
                .map(|mark| (path.clone(), *mark)),
        );
    }
    assert!(left.is_empty(), "{left:#?}");
}

/// Lines before the tests at the end of a file.
fn code_lines(text: &str) -> usize {
    text.lines()
        .take_while(|line| *line != "mod tests {")
        .count()
}

fn is_root(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    matches!(name, "lib.rs" | "main.rs" | "build.rs")
        || path
            .parent()
            .is_some_and(|dir| dir == root().join("benches"))
}

/// `a/b.rs` is declared in `a.rs`, `a/lib.rs`, `a/main.rs` or `a/mod.rs`.
fn is_declared(path: &Path) -> bool {
    let dir = path.parent().unwrap();
    let word = path.file_stem().unwrap().to_str().unwrap();
    let parents = [
        dir.with_extension("rs"),
        dir.join("lib.rs"),
        dir.join("main.rs"),
        dir.join("mod.rs"),
    ];
    parents
        .iter()
        .filter_map(|parent| std::fs::read_to_string(parent).ok())
        .any(|text| {
            text.lines().any(|line| {
                let line = line
                    .trim_start()
                    .trim_start_matches("pub(crate) ")
                    .trim_start_matches("pub(super) ");
                line.trim_start_matches("pub ")
                    .starts_with(&format!("mod {word};"))
            })
        })
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for top in ["crates", "tests", "benches"] {
        walk(&root().join(top), &mut found);
    }
    assert!(found.len() > 50, "the walk finds the sources");
    found
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}
