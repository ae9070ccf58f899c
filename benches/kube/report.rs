//! Results: for people at once, and as lines of JSON that a later run is compared with.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use generate::stat::finite;
use generate::{process, run};
use serde_json::{Map, Value, json};

/// Where results go.
pub(crate) struct Report {
    file: File,
    path: PathBuf,
    previous: BTreeMap<String, f64>,
    common: Map<String, Value>,
}

/// A result.
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) settings: Vec<(&'static str, Value)>,
    /// What is compared with the last run.
    pub(crate) figure: &'static str,
    pub(crate) value: f64,
    /// All that was measured, by name.
    pub(crate) columns: Vec<(&'static str, Value)>,
}

// === impl Report ===

impl Report {
    pub(crate) fn open(pilothouse: &Path, quick: bool) -> Result<Report> {
        let output = pilothouse.parent().and_then(Path::parent);
        let output = output
            .context("the binary is in a target directory")?
            .join("bench");
        fs::create_dir_all(&output)?;
        let path = output.join("kube.jsonl");
        let previous = run::previous(&fs::read_to_string(&path).unwrap_or_default());
        Ok(Report {
            file: File::options().create(true).append(true).open(&path)?,
            path,
            previous,
            common: run::facts(pilothouse, quick),
        })
    }

    pub(crate) fn row(&mut self, row: &Row) -> Result<()> {
        let load = process::load();
        let settings = row
            .settings
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let key = format!(
            "{} {} build={} cores={}",
            row.case,
            settings.collect::<Vec<_>>().join(" "),
            self.common["build"],
            self.common["cores"]
        );
        println!("\n{key}");
        for (name, value) in &row.columns {
            println!("  {name:<30} {}", percentiles(value));
        }
        let last = self
            .previous
            .get(&key)
            .map(|last| format!(", {:.2}x the last run", row.value / last));
        println!(
            "  {}: {:.2}{}, load {load:.2}, a line of {}",
            row.figure,
            row.value,
            last.unwrap_or_default(),
            self.path.display()
        );
        let mut line = self.common.clone();
        let columns: Vec<Value> = row
            .columns
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        line.extend([
            ("key".to_owned(), json!(key)),
            ("case".to_owned(), json!(row.case)),
            ("figure".to_owned(), json!(row.figure)),
            ("value".to_owned(), finite(row.value)),
            ("load".to_owned(), finite(load)),
            ("measured".to_owned(), json!(columns)),
        ]);
        writeln!(self.file, "{}", Value::Object(line))?;
        Ok(())
    }
}

fn percentiles(value: &Value) -> String {
    let of = |name: &str| {
        value[name]
            .as_f64()
            .map_or("–".to_owned(), |number| format!("{number:.1}"))
    };
    format!(
        "p50 {:>8}  p99 {:>8}  max {:>8}",
        of("p50"),
        of("p99"),
        of("max")
    )
}
