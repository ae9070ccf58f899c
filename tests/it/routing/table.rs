//! The files of `tests/traffic`: documents with `apiVersion` are objects, lists are requests.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::row::Row;

/// All objects, and all requests in order of the files.
pub(super) struct Table {
    /// By file name.
    pub(super) objects: Vec<(String, String)>,
    pub(super) rows: Vec<Row>,
}

impl Table {
    /// Of one folder. `LOCAL_PORT` in the files stands for the port of a backend on this machine.
    pub(super) fn read(folder: &str, local: u16) -> Table {
        let mut table = Table {
            objects: Vec::new(),
            rows: Vec::new(),
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("traffic");
        for file in files(&root.join(folder)) {
            let name = file.strip_prefix(&root).unwrap().to_str().unwrap();
            let text = std::fs::read_to_string(&file).unwrap();
            table.add(name, &text.replace("LOCAL_PORT", &local.to_string()));
        }
        table
    }

    fn add(&mut self, name: &str, text: &str) {
        let mut objects = String::new();
        for document in serde_yaml::Deserializer::from_str(text) {
            let document = Value::deserialize(document).unwrap_or_else(|e| panic!("{name}: {e}"));
            if document.get("apiVersion").is_some() {
                objects.push_str(&format!(
                    "---\n{}",
                    serde_yaml::to_string(&document).unwrap()
                ));
                continue;
            }
            let rows: Vec<Row> =
                serde_json::from_value(document).unwrap_or_else(|e| panic!("{name}: {e}"));
            let numbered = (1..).zip(rows);
            let begun = self.rows.len();
            self.rows
                .extend(numbered.map(|(n, row)| row.placed(name, begun + n)));
        }
        self.objects.push((name.replace('/', "-"), objects));
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|kind| kind == "yaml"))
        .collect();
    all.sort();
    all
}
