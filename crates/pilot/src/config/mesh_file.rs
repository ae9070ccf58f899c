//! The mesh config file: read at start, and again after every change.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{Diagnostic, Mesh, Namespaces};
use serde_json::Value;
use tokio::sync::mpsc;

use super::ConfigError;
use crate::Args;

const DEFAULT: &str = "/etc/istio/config/mesh";

/// A file of a few kilobytes: looking at it costs less than being told of changes, and finds those
/// of mounted volumes as well.
const EVERY: Duration = Duration::from_secs(1);

/// Settings, and what is wrong with them.
pub(crate) type Read = (Mesh, Vec<Diagnostic>);

/// Where the mesh config is, and what flags say already.
#[derive(Debug, Clone)]
pub struct MeshFile {
    path: PathBuf,
    /// One that nobody asked for may be missing.
    required: bool,
    flags: Mesh,
}

// === impl MeshFile ===

impl MeshFile {
    /// One that may be missing, over the defaults.
    pub fn optional(path: PathBuf) -> MeshFile {
        MeshFile {
            path,
            required: false,
            flags: Mesh::default(),
        }
    }

    pub(super) fn of(args: &Args) -> MeshFile {
        MeshFile {
            path: args.mesh_config.clone(),
            required: args.mesh_config != Path::new(DEFAULT),
            flags: flags(args),
        }
    }

    /// Reads it at start.
    pub(super) fn read(&self) -> Result<Read, ConfigError> {
        let text = match std::fs::read_to_string(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && !self.required => Ok(String::new()),
            read => read,
        };
        let read = text.map_err(|e| e.to_string());
        let read = read.and_then(|text| self.parse(&text));
        read.map_err(|why| ConfigError::MeshConfig {
            path: self.path.clone(),
            why,
        })
    }

    fn parse(&self, text: &str) -> Result<Read, String> {
        let document = match text.trim().is_empty() {
            true => Value::Null,
            false => serde_yaml::from_str(text).map_err(|e| e.to_string())?,
        };
        Ok(index::mesh(&document, self.flags.clone()))
    }

    /// Tells every change, until nobody listens. A file that is away for a moment or cannot be read
    /// changes no settings; that it cannot be read is told.
    pub(crate) async fn follow(self, news: mpsc::Sender<Result<Read, String>>) {
        let mut ticks = tokio::time::interval(EVERY);
        // The first look finds what was written while the process started; else it changes nothing.
        let mut known = None;
        loop {
            ticks.tick().await;
            let text = match tokio::fs::read_to_string(&self.path).await {
                Ok(text) => text,
                Err(_) if news.is_closed() => return,
                Err(_) => continue,
            };
            if known.as_ref() != Some(&text) {
                let read = self.parse(&text);
                known = Some(text);
                if news.send(read).await.is_err() {
                    return;
                }
            } else if news.is_closed() {
                return;
            }
        }
    }
}

fn flags(args: &Args) -> Mesh {
    let default = Mesh::default();
    let framework = args.naming.framework_name.to_ascii_lowercase();
    let l4lb = || format!("{framework}.l4lb.thisdcos.directory");
    Mesh {
        domain: args
            .mesos_vip_domain
            .clone()
            .or_else(|| args.domain.first().cloned())
            .unwrap_or_else(|| format!("{framework}.slave.mesos")),
        other_domains: args.domain.iter().skip(1).cloned().collect(),
        vip_domain: args.naming.l4lb_domain.clone().unwrap_or_else(l4lb),
        ip_family: args.naming.ip_family.into(),
        inclusion: args.marathon.inclusion(),
        namespaces: Namespaces {
            mode: args.naming.namespace_mode.into(),
            by_group: by_group(args),
            by_source: by_source(args),
            otherwise: None,
        },
        ownership: args.naming.host_ownership.into(),
        unreachable: args.naming.unreachable.into(),
        envoy_filters: args.enable_envoy_filter,
        credentials: args.naming.credentials_dir.trim_end_matches('/').into(),
        ..default
    }
}

fn by_group(args: &Args) -> std::collections::BTreeMap<String, String> {
    let mappings = args.naming.namespace_mapping.iter();
    mappings
        .map(|mapping| (mapping.group.clone(), mapping.namespace.clone()))
        .collect()
}

fn by_source(args: &Args) -> std::collections::BTreeMap<String, String> {
    let named = args.marathon.named.iter();
    let told = named.filter_map(|m| Some((m.name.clone(), m.namespace.clone()?)));
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_changes_is_read_again_and_a_broken_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mesh.yaml");
        let file = MeshFile::optional(path.clone());
        assert_eq!(
            file.read().unwrap().0.connect_timeout,
            Mesh::default().connect_timeout
        );
        let (news, mut heard) = mpsc::channel(1);
        let following = tokio::spawn(file.follow(news));
        std::fs::write(&path, "connectTimeout: 2s\n").unwrap();
        let (mesh, findings) = heard.recv().await.unwrap().unwrap();
        assert_eq!(mesh.connect_timeout, Duration::from_secs(2));
        assert_eq!(findings, []);
        std::fs::write(&path, "connectTimeout: [\n").unwrap();
        assert!(heard.recv().await.unwrap().is_err());
        // Away is not empty.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "connectTimeout: 3s\n").unwrap();
        let (mesh, _) = heard.recv().await.unwrap().unwrap();
        assert_eq!(mesh.connect_timeout, Duration::from_secs(3));
        drop(heard);
        following.await.unwrap();
    }
}
