//! Files, directories and standard input; workloads; the mesh config.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use analysis::{Draft, Placement};
use model::Mesh;
use serde_json::Value;

use super::Failure;

/// What surrounds the objects.
#[derive(Debug, clap::Args)]
pub(crate) struct Surroundings {
    /// Apps, pods and groups as Marathon's API shows them (JSON). Without it, hosts that the
    /// objects name are taken as given.
    #[arg(long, value_name = "FILE")]
    workloads: Vec<PathBuf>,
    /// A mesh config file.
    #[arg(long = "meshConfig", value_name = "FILE", alias = "mesh-config")]
    mesh_config: Option<PathBuf>,
    /// The domain of the mesh's host names.
    #[arg(long)]
    domain: Option<String>,
}

// === impl Surroundings ===

impl Surroundings {
    /// A draft of these texts.
    pub(super) fn draft(&self, texts: &[Text]) -> Result<Draft, Failure> {
        let default = Mesh::default();
        let mut draft = Draft {
            mesh: Mesh {
                domain: self.domain.clone().unwrap_or(default.domain),
                ..Mesh::default()
            },
            mesh_config: self.mesh_config()?,
            ..Draft::default()
        };
        draft.read(texts.iter().map(|text| (&*text.name, &*text.content)));
        match self.workloads.is_empty() {
            true => draft.assume(),
            false => draft.workloads = self.workloads()?.workloads(),
        }
        Ok(draft)
    }

    fn mesh_config(&self) -> Result<Value, Failure> {
        let Some(path) = &self.mesh_config else {
            return Ok(Value::Null);
        };
        serde_yaml::from_str(&text(path)?)
            .map_err(|error| Failure::Input(format!("{}: {error}", path.display())))
    }

    fn workloads(&self) -> Result<Placement, Failure> {
        let mut placement = Placement::default();
        for path in &self.workloads {
            let wrong = |why: String| Failure::Input(format!("{}: {why}", path.display()));
            let document: Value =
                serde_json::from_str(&text(path)?).map_err(|error| wrong(error.to_string()))?;
            placement
                .add(&document)
                .map_err(|error| wrong(error.to_string()))?;
        }
        Ok(placement)
    }
}

/// A file with Istio objects.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) name: String,
    pub(super) content: String,
}

/// The files that are named, and all below directories that are named; `-` is standard input.
pub(super) fn texts(paths: &[PathBuf]) -> Result<Vec<Text>, Failure> {
    if paths.is_empty() {
        return Err(Failure::Usage(
            "name files or directories, or - for standard input".to_owned(),
        ));
    }
    let mut texts = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            texts.push(stdin()?);
            continue;
        }
        let mut files = Vec::new();
        match path.is_dir() {
            true => below(path, &mut files)?,
            false => files.push(path.clone()),
        }
        for file in files {
            texts.push(Text {
                content: text(&file)?,
                name: file.display().to_string(),
            });
        }
    }
    Ok(texts)
}

fn stdin() -> Result<Text, Failure> {
    let mut content = String::new();
    let read = io::stdin().read_to_string(&mut content);
    read.map_err(|error| Failure::Input(format!("standard input: {error}")))?;
    Ok(Text {
        name: "<stdin>".to_owned(),
        content,
    })
}

/// As the directory source: YAML and JSON, in order, hidden files left out.
fn below(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let wrong = |error: io::Error| Failure::Input(format!("{}: {error}", dir.display()));
    let entries = fs::read_dir(dir).map_err(wrong)?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(wrong)?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy());
        if name.is_none_or(|name| name.starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            below(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|kind| kind == "yaml" || kind == "yml" || kind == "json")
        {
            files.push(path);
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::Input(format!("{}: {error}", path.display())))
}
