//! Golden cases: small objects, and what proxies get of them. `tests/golden/README.md` tells how.
//!
//! ```text
//! *.yaml ─► case ─┬─► world (the standard mesh and these objects) ─► resources
//!                 └─► expectation ──────── compare ──────────────────────┘
//! ```

mod accept; // what all cases give, as Envoy sees it
mod case; // one file
mod compare; // `is` and `has`
mod live; // one Envoy takes all cases one after another
mod update; // rewrites a file, if asked
mod view; // paths into a resource
pub(crate) mod world; // the mesh that every case lives in

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use case::Case;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// All files below `tests/golden/<chapter>/`, in order.
pub(crate) fn files() -> Vec<PathBuf> {
    let below = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let chapters = below(&root()).into_iter().filter(|path| path.is_dir());
    chapters.flat_map(|dir| below(&dir)).collect()
}

/// All cases; of those that cannot be read, why.
fn cases() -> (Vec<Case>, Vec<String>) {
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    for path in files() {
        match Case::read(&path) {
            Ok(case) => cases.push(case),
            Err(why) => wrong.push(format!("{}: {why}", path.display())),
        }
    }
    (cases, wrong)
}

/// The cases of this run: all, or those whose path contains `$GOLDEN_CASE`.
fn chosen() -> Vec<Case> {
    let (mut cases, wrong) = cases();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    if let Ok(part) = std::env::var("GOLDEN_CASE") {
        cases.retain(|case| case.name.contains(&part));
    }
    assert!(!cases.is_empty(), "no case was chosen");
    cases
}

/// Every file is a case, says what it is about, and says it once.
#[test]
fn reads() {
    let (cases, wrong) = cases();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(cases.len() >= 20);
    let comments: BTreeSet<&str> = cases.iter().map(|case| &*case.comment).collect();
    assert_eq!(comments.len(), cases.len(), "two cases have one comment");
}

/// Every case gives what it says.
#[test]
fn hold() {
    let mut failures = Vec::new();
    for case in chosen() {
        let failed = case.check();
        if !failed.is_empty() && std::env::var("GOLDEN").as_deref() == Ok("update") {
            update::rewrite(&case);
        }
        failures.extend(failed);
    }
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "\n{}\n\n{count} expectations failed. GOLDEN=update rewrites them: read the difference.",
        failures.join("\n\n")
    );
}
