//! What the flags mean: checked once, then passed down as values.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::istio::MeshConfig;
use model::{Mesh, OutboundPolicy};

use reqwest::Url;
use watch::marathon::{self, Credentials};

use crate::Args;

/// Everything that a control plane needs to start.
#[derive(Debug, Clone)]
pub struct Config {
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    pub monitoring: Option<SocketAddr>,
    pub mesh: Mesh,
    /// `None`: no registry.
    pub marathon: Option<marathon::Options>,
    pub directory: Option<PathBuf>,
    pub debounce_after: Duration,
    pub debounce_max: Duration,
    pub drain_time: Duration,
    /// What the operator should know about the flags; logged at start.
    pub warnings: Vec<String>,
}

/// Flags that contradict each other, or files that they name and that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("there is nothing to serve: give --mesosMaster URL, --configDir DIR, or both")]
    NoSource,
    #[error(
        "--registries Mesos needs --mesosMaster: the base URL of Marathon, like http://marathon.mesos:8080"
    )]
    NoMarathon,
    #[error("--mesosMaster {url:?} is not a URL: {why}. Write it like http://marathon.mesos:8080")]
    MarathonUrl { url: String, why: String },
    #[error("Marathon cannot be reached with these flags: {0}. Correct --mesosMaster")]
    Marathon(#[from] marathon::BuildError),
    #[error("--marathonUser and --marathonPassword belong together: give both or none")]
    HalfCredentials,
    #[error(
        "the mesh config {path:?} cannot be used: {why}. Correct the file or the flag --meshConfig"
    )]
    MeshConfig { path: PathBuf, why: String },
}

const DEFAULT_MESH_CONFIG: &str = "/etc/istio/config/mesh";

// === impl Config ===

impl Config {
    /// The configuration of a control plane on loopback with free ports, for tests and the demo.
    pub fn local() -> Config {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Config {
            http: any,
            grpc: any,
            monitoring: None,
            mesh: Mesh::default(),
            marathon: None,
            directory: None,
            debounce_after: Duration::from_millis(20),
            debounce_max: Duration::from_secs(1),
            drain_time: Duration::from_secs(2),
            warnings: Vec::new(),
        }
    }

    /// The same with workloads from the Marathon at `url`.
    ///
    /// # Errors
    /// The text is no URL.
    pub fn with_marathon(self, url: &str) -> Result<Config, ConfigError> {
        let marathon = Some(marathon::Options::new([parse_url(url)?]));
        Ok(Config { marathon, ..self })
    }
}

impl TryFrom<Args> for Config {
    type Error = ConfigError;

    fn try_from(args: Args) -> Result<Config, ConfigError> {
        let marathon = marathon(&args)?;
        if marathon.is_none() && args.config_dir.is_none() {
            return Err(ConfigError::NoSource);
        }
        Ok(Config {
            http: args.http_addr.0,
            grpc: args.grpc_addr.0,
            monitoring: args.monitoring_addr.0,
            mesh: mesh(&args)?,
            marathon,
            warnings: warnings(&args),
            directory: args.config_dir,
            debounce_after: args.debounce_after,
            debounce_max: args.debounce_max.max(args.debounce_after),
            drain_time: args.drain_time,
        })
    }
}

fn marathon(args: &Args) -> Result<Option<marathon::Options>, ConfigError> {
    if args.mesos_master.is_empty() {
        return if args.registries.is_empty() {
            Ok(None)
        } else {
            Err(ConfigError::NoMarathon)
        };
    }
    let credentials = match (&args.marathon_user, &args.marathon_password) {
        (Some(user), Some(password)) => Some(Credentials {
            user: user.clone(),
            password: password.clone(),
        }),
        (None, None) => None,
        _ => return Err(ConfigError::HalfCredentials),
    };
    let urls = args
        .mesos_master
        .iter()
        .map(|url| parse_url(url))
        .collect::<Result<Vec<Url>, _>>()?;
    Ok(Some(marathon::Options {
        credentials,
        ..marathon::Options::new(urls)
    }))
}

fn parse_url(text: &str) -> Result<Url, ConfigError> {
    Url::parse(text).map_err(|e| ConfigError::MarathonUrl {
        url: text.to_owned(),
        why: e.to_string(),
    })
}

fn mesh(args: &Args) -> Result<Mesh, ConfigError> {
    let file = mesh_config(&args.mesh_config)?;
    let default = Mesh::default();
    let outbound = match file.outbound_traffic_policy.and_then(|p| p.mode).as_deref() {
        Some("REGISTRY_ONLY") => OutboundPolicy::RegistryOnly,
        _ => OutboundPolicy::AllowAny,
    };
    Ok(Mesh {
        domain: args
            .mesos_vip_domain
            .clone()
            .unwrap_or_else(|| args.domain.clone()),
        outbound,
        connect_timeout: file
            .connect_timeout
            .filter(|t| !t.is_zero())
            .unwrap_or(default.connect_timeout),
        access_log: file.access_log_file.filter(|path| !path.is_empty()),
        ..default
    })
}

/// The file at the default place may be missing; one that was asked for may not.
fn mesh_config(path: &Path) -> Result<MeshConfig, ConfigError> {
    let refuse = |why: String| ConfigError::MeshConfig {
        path: path.to_owned(),
        why,
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e)
            if e.kind() == std::io::ErrorKind::NotFound
                && path == Path::new(DEFAULT_MESH_CONFIG) =>
        {
            return Ok(MeshConfig::default());
        }
        Err(e) => return Err(refuse(e.to_string())),
    };
    if text.trim().is_empty() {
        return Ok(MeshConfig::default());
    }
    serde_yaml::from_str(&text).map_err(|e| refuse(e.to_string()))
}

fn warnings(args: &Args) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(path) = &args.kubeconfig {
        warnings.push(format!(
            "--kubeconfig {} is accepted, but the apiserver is not read yet: Istio objects come from --configDir",
            path.display()
        ));
    }
    if args.secure_grpc_addr.is_some() {
        warnings.push("--secureGrpcAddr is accepted, but TLS is not served yet: proxies connect to --grpcAddr".into());
    }
    if let Some(vip) = args
        .mesos_vip_domain
        .as_ref()
        .filter(|vip| **vip != args.domain)
    {
        warnings.push(format!(
            "--domain {} and --mesosVIPDomain {vip} differ: host names of services end in {vip}",
            args.domain
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn config(line: &str) -> Result<Config, ConfigError> {
        Args::try_parse_from(std::iter::once("discovery").chain(line.split_whitespace()))
            .unwrap()
            .try_into()
    }

    #[test]
    fn the_old_launch_line_starts() {
        let config = config(
            "--httpAddr :15007 --registries Mesos --domain marathon.slave.mesos --mesosVIPDomain marathon.slave.mesos \
             --mesosMaster http://master.mesos:8080 --kubeconfig /mnt/mesos/sandbox/kubeconfig",
        )
        .unwrap();
        assert_eq!(
            config.marathon.unwrap().urls[0].as_str(),
            "http://master.mesos:8080/"
        );
        assert_eq!(config.mesh.domain, "marathon.slave.mesos");
        assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    }

    #[test]
    fn contradictions_are_told() {
        assert!(matches!(config(""), Err(ConfigError::NoSource)));
        assert!(matches!(
            config("--registries Mesos --configDir /c"),
            Err(ConfigError::NoMarathon)
        ));
        assert!(matches!(
            config("--mesosMaster http://m --marathonUser u"),
            Err(ConfigError::HalfCredentials)
        ));
    }

    #[test]
    fn a_mesh_config_that_was_asked_for_must_be_readable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mesh");
        let line = format!("--configDir /c --meshConfig {}", path.display());
        assert!(matches!(config(&line), Err(ConfigError::MeshConfig { .. })));
        std::fs::write(&path, "connectTimeout: 2s\noutboundTrafficPolicy: {mode: REGISTRY_ONLY}\nmixerCheckServer: x\n").unwrap();
        let mesh = config(&line).unwrap().mesh;
        assert_eq!(
            (mesh.connect_timeout, mesh.outbound),
            (Duration::from_secs(2), OutboundPolicy::RegistryOnly)
        );
    }
}
