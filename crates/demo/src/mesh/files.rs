//! The files of a mesh: configuration that people edit, bootstraps and logs of the Envoys.
//!
//! ```text
//! <root>/config/    the directory that the control plane reads; empty it, edit it, copy into it
//! <root>/samples/   the Istio files of the Bookinfo sample, to copy from
//! <root>/envoy/     <name>.bootstrap.json and <name>.log of every Envoy
//! <root>/lock       held by the process whose directory this is
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use crate::samples::{NETWORKING, Sample};

/// Where a mesh keeps its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Below the system's directory for temporary files.
    Temporary,
    /// Here, so that people find it. A neighbour `<name>-<pid>` is taken if it is in use.
    At(PathBuf),
}

/// The files of one mesh; removed on drop.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    /// Given up by the kernel when the process ends, however it ends.
    _lock: File,
}

impl Files {
    /// Creates the directories and writes the samples.
    pub fn create(place: &Place) -> io::Result<Self> {
        let root = match place {
            Place::Temporary => tempfile::Builder::new()
                .prefix("pilothouse-demo-")
                .tempdir()?
                .keep(),
            Place::At(path) => claim(std::path::absolute(path)?)?,
        };
        let lock = File::create(root.join(LOCK))?;
        lock.try_lock()?;
        let files = Self { root, _lock: lock };
        for dir in [files.config(), files.samples(), files.envoy()] {
            fs::create_dir_all(dir)?;
        }
        for sample in NETWORKING {
            fs::write(files.samples().join(sample.name()), sample.text)?;
        }
        Ok(files)
    }

    /// The directory that holds all the others.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the control plane reads.
    pub fn config(&self) -> PathBuf {
        self.root.join("config")
    }

    /// The mesh config, which is not there at first.
    pub fn mesh_config(&self) -> PathBuf {
        self.root.join("mesh.yaml")
    }

    /// The Istio files of the sample.
    pub fn samples(&self) -> PathBuf {
        self.root.join("samples")
    }

    /// Bootstraps and logs.
    pub fn envoy(&self) -> PathBuf {
        self.root.join("envoy")
    }

    /// Writes a configuration file in one step: a reader sees the old or the new text, never half.
    pub fn apply(&self, name: &str, text: &str) -> io::Result<()> {
        let draft = self.root.join(format!("{name}.draft"));
        fs::write(&draft, text)?;
        fs::rename(draft, self.config().join(name))
    }

    /// Writes a file of the sample under its own name.
    pub fn apply_sample(&self, sample: Sample) -> io::Result<()> {
        self.apply(sample.name(), sample.text)
    }

    /// Removes a configuration file.
    pub fn delete(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.config().join(name))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // An Envoy that is being killed may still add a line to its log.
        for _ in 0..3 {
            if fs::remove_dir_all(&self.root).is_ok() || !self.root.exists() {
                return;
            }
        }
    }
}

const LOCK: &str = "lock";

/// Creates the directory. One that a killed demo has left behind is emptied; one that is in use, or
/// was not made by a demo at all, stays untouched, and a neighbour is created.
fn claim(path: PathBuf) -> io::Result<PathBuf> {
    let abandoned = |path: &Path| {
        let lock = File::open(path.join(LOCK));
        lock.is_ok_and(|lock| lock.try_lock().is_ok())
    };
    if abandoned(&path) {
        fs::remove_dir_all(&path)?;
    } else if path.exists() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!("{name}-{}", process::id()));
        fs::create_dir(&beside)?;
        return Ok(beside);
    }
    fs::create_dir_all(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_and_go_as_a_whole() {
        let files = Files::create(&Place::Temporary).unwrap();
        let root = files.root().to_owned();
        files.apply("reviews.yaml", "one").unwrap();
        files.apply("reviews.yaml", "two").unwrap();
        let file = files.config().join("reviews.yaml");
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::read_dir(files.config()).unwrap().count(), 1);
        files.delete("reviews.yaml").unwrap();
        assert!(!file.exists());
        assert!(files.delete("reviews.yaml").is_err());
        drop(files);
        assert!(!root.exists());
    }

    #[test]
    fn a_directory_left_behind_is_taken_over() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("demo");
        fs::create_dir_all(path.join("config")).unwrap();
        fs::write(path.join("config/old.yaml"), "x").unwrap();
        fs::write(path.join(LOCK), "").unwrap();
        let files = Files::create(&Place::At(path.clone())).unwrap();
        assert_eq!(files.root(), path);
        assert!(!path.join("config/old.yaml").exists());
    }

    #[test]
    fn a_directory_in_use_stays_untouched() {
        let home = tempfile::tempdir().unwrap();
        let place = Place::At(home.path().join("demo"));
        let first = Files::create(&place).unwrap();
        first.apply("mine.yaml", "x").unwrap();
        let second = Files::create(&place).unwrap();
        assert_ne!(first.root(), second.root());
        drop(second);
        assert!(first.config().join("mine.yaml").exists());
    }

    #[test]
    fn a_directory_of_somebody_else_stays_untouched() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("demo");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("mine"), "x").unwrap();
        let files = Files::create(&Place::At(path.clone())).unwrap();
        assert_ne!(files.root(), path);
        drop(files);
        assert_eq!(fs::read_to_string(path.join("mine")).unwrap(), "x");
    }
}
