//! What the flags mean: checked once, then passed down as values.

mod kube;
mod marathons;
mod mesh_file;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::{Diagnostic, Inclusion, Mesh};
use reqwest::Url;
use watch::marathon;

pub use self::kube::KubeOptions;
pub use self::marathons::NamedOptions;
pub use self::mesh_file::MeshFile;
use crate::Args;

/// Everything that a control plane needs to start.
#[derive(Debug, Clone)]
pub struct Config {
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    pub monitoring: Option<SocketAddr>,
    pub mesh: Mesh,
    /// What is wrong with the mesh config; told among the diagnostics.
    pub findings: Vec<Diagnostic>,
    /// What the mesh is read from, again after every change.
    pub mesh_file: Option<MeshFile>,
    /// None: no registry.
    pub marathons: Vec<NamedOptions>,
    /// Where the last good lists are kept.
    pub snapshot: Option<PathBuf>,
    pub directory: Option<PathBuf>,
    /// Where Istio objects come from, besides the directory.
    pub kube: Option<KubeOptions>,
    pub debounce_after: Duration,
    pub debounce_max: Duration,
    pub drain_time: Duration,
    pub limits: xds::Limits,
    /// What the operator should know about the flags; logged at start.
    pub warnings: Vec<String>,
}

/// Flags that contradict each other, or files that they name and that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "there is nothing to serve: give --mesosMaster URL, --marathon NAME=URL, --kubeconfig FILE, --kubeAPI URL, or --configDir DIR"
    )]
    NoSource,
    #[error(
        "--registries Mesos needs --mesosMaster: the base URL of Marathon, like http://marathon.mesos:8080"
    )]
    NoMarathon,
    #[error("a URL of {flag} cannot be read: {why}. Write it like http://marathon.mesos:8080")]
    MarathonUrl { flag: String, why: String },
    #[error(
        "Marathon cannot be reached with these flags: {0}. Correct --mesosMaster, --marathon or --marathonCaFile and the like"
    )]
    Marathon(#[from] marathon::BuildError),
    #[error("--kubeAPI cannot be used: {0}")]
    KubeApi(String),
    #[error("--marathon {0} is given twice, or has a name that another source has: choose another")]
    MarathonName(String),
    #[error(
        "--marathonUser needs --marathonPassword or --marathonPasswordFile, and they need the user"
    )]
    HalfCredentials,
    #[error(
        "--marathonOption {0}: no Marathon has that name; --mesosMaster makes the one called marathon"
    )]
    NoSuchMarathon(String),
    #[error("--marathonOption {0}: certFile and keyFile go together")]
    HalfIdentity(String),
    #[error("{0} both tell who we are to Marathon: give one of them")]
    TwoCredentials(String),
    #[error(
        "the mesh config {path:?} cannot be used: {why}. Correct the file or the flag --meshConfig"
    )]
    MeshConfig { path: PathBuf, why: String },
}

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
            findings: Vec::new(),
            mesh_file: None,
            marathons: Vec::new(),
            snapshot: None,
            directory: None,
            kube: None,
            debounce_after: Duration::from_millis(20),
            debounce_max: Duration::from_secs(1),
            drain_time: Duration::from_secs(2),
            limits: xds::Limits::default(),
            warnings: Vec::new(),
        }
    }

    /// The same with workloads from the Marathon at `url`.
    ///
    /// # Errors
    /// The text is no URL.
    pub fn with_marathon(self, url: &str) -> Result<Config, ConfigError> {
        let marathons = vec![NamedOptions::default_of([parse_url("--mesosMaster", url)?])];
        Ok(Config { marathons, ..self })
    }
}

impl TryFrom<Args> for Config {
    type Error = ConfigError;

    fn try_from(args: Args) -> Result<Config, ConfigError> {
        let mut marathons = marathons::read(&args)?;
        let kube = kube::read(&args.kube)?;
        if marathons.is_empty() && args.config_dir.is_none() && kube.is_none() {
            return Err(ConfigError::NoSource);
        }
        let mesh_file = MeshFile::of(&args);
        let (mesh, findings) = mesh_file.read()?;
        let domains = std::iter::once(&mesh.domain).chain(&mesh.other_domains);
        for marathon in &mut marathons {
            marathon.options.domains = domains.clone().cloned().collect();
        }
        Ok(Config {
            http: args.http_addr.0,
            grpc: args.grpc_addr.0,
            monitoring: args.monitoring_addr.0,
            mesh,
            findings,
            mesh_file: Some(mesh_file),
            marathons,
            snapshot: args.snapshot_file.clone(),
            warnings: warnings(&args),
            limits: limits(&args),
            directory: args.config_dir,
            kube,
            debounce_after: args.debounce_after,
            debounce_max: args.debounce_max.max(args.debounce_after),
            drain_time: args.drain_time,
        })
    }
}

fn limits(args: &Args) -> xds::Limits {
    xds::Limits {
        max_streams: args.max_streams,
        max_streams_per_peer: args.max_streams_per_peer,
        max_initial_bytes: args.max_initial_mib << 20,
        max_connection_age: args.max_connection_age,
        ..xds::Limits::default()
    }
}

fn parse_url(flag: &str, text: &str) -> Result<Url, ConfigError> {
    // Not the text itself: user and password may stand in it.
    Url::parse(text).map_err(|e| ConfigError::MarathonUrl {
        flag: flag.to_owned(),
        why: e.to_string(),
    })
}

fn warnings(args: &Args) -> Vec<String> {
    let mut warnings = Vec::new();
    if args.secure_grpc_addr.is_some() {
        warnings.push("--secureGrpcAddr is accepted, but TLS is not served yet: proxies connect to --grpcAddr".into());
    }
    if let Some(vip) = args
        .mesos_vip_domain
        .as_ref()
        .filter(|vip| args.domain.first().is_some_and(|domain| domain != *vip))
    {
        warnings.push(format!(
            "--domain {} and --mesosVIPDomain {vip} differ: host names of services end in {vip}",
            args.domain.first().map_or("", String::as_str)
        ));
    }
    let marathon = &args.marathon;
    if marathon.marathon_selector.is_some() && marathon.inclusion() == Inclusion::Labelled {
        warnings
            .push("--marathonSelector chooses nothing: give --marathonInclude all as well".into());
    }
    if marathon.marathon_password.is_some() && std::env::var_os("MARATHON_PASSWORD").is_none() {
        warnings.push(
            "--marathonPassword can be seen in the list of processes: use --marathonPasswordFile or the environment".into(),
        );
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
            config.marathons[0].options.urls[0].as_str(),
            "http://master.mesos:8080/"
        );
        assert_eq!(config.mesh.domain, "marathon.slave.mesos");
        let path = "/mnt/mesos/sandbox/kubeconfig".into();
        let kube = config.kube.unwrap();
        assert_eq!(kube.access, watch::kube::Access::Kubeconfig(path));
        assert!(kube.install && kube.events);
        assert_eq!(config.warnings, Vec::<String>::new());
    }

    #[test]
    fn an_apiserver_has_urls_or_a_kubeconfig() {
        let kube = |line: &str| config(line).unwrap().kube.unwrap();
        let urls = ["http://a:8080", "https://b"].map(str::to_owned).into();
        assert_eq!(
            kube("--kubeAPI http://a:8080,https://b --kubeTokenFile /t").access,
            watch::kube::Access::Urls {
                urls,
                token_file: Some("/t".into()),
                ca_file: None
            }
        );
        let inside = kube("--kube-api in-cluster --installCRDs=false --kubeEvents=false");
        assert_eq!(inside.access, watch::kube::Access::InCluster);
        assert!(!inside.install && !inside.events);
        assert!(!kube("--kubeconfig /k --disable-install-crds").install);
        assert!(matches!(
            config("--kubeAPI in-cluster,http://a"),
            Err(ConfigError::KubeApi(_))
        ));
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
    fn names_have_flags_and_the_defaults_are_flat() {
        let plain = config("--configDir /c").unwrap().mesh;
        // The mesh config knows one provider by itself, the proxy's own log.
        assert_eq!(
            plain
                .providers
                .keys()
                .map(|name| &**name)
                .collect::<Vec<_>>(),
            ["envoy"]
        );
        let providers = plain.providers.clone();
        let default = Mesh {
            providers,
            ..Mesh::default()
        };
        assert_eq!(plain, default);
        let mesh = config(
            "--configDir /c --domain a.mesos --domain b.mesos --namespaceMode top-group \
             --namespace-mapping /prod/shop=shop,/test=test --hostOwnership group --unreachable drop --ip-family v6",
        )
        .unwrap()
        .mesh;
        assert_eq!(
            (mesh.domain.as_str(), mesh.other_domains.as_slice()),
            ("a.mesos", &["b.mesos".to_owned()][..])
        );
        assert_eq!(mesh.namespaces.mode, model::NamespaceMode::TopGroup);
        assert_eq!(mesh.namespaces.by_group["/prod/shop"], "shop");
        assert_eq!(mesh.ownership, model::Ownership::Group);
        assert_eq!(mesh.unreachable, model::Unreachable::Drop);
        assert_eq!(mesh.ip_family, model::IpFamily::V6);
        for wrong in ["prod=x", "/prod=X", "/prod=", "/prod"] {
            let line = ["discovery", "--namespaceMapping", wrong];
            assert!(Args::try_parse_from(line).is_err(), "{wrong}");
        }
    }

    #[test]
    fn domains_that_are_not_given_follow_from_the_framework() {
        let names = |line: &str| {
            let config = config(&format!("--mesosMaster http://m {line}")).unwrap();
            assert_eq!(config.warnings, [""; 0]);
            assert_eq!(config.marathons[0].options.domains[0], config.mesh.domain);
            (config.mesh.domain, config.mesh.vip_domain)
        };
        let pair = |domain: &str, vip: &str| (domain.to_owned(), vip.to_owned());
        let (plain, mom) = (
            "marathon.l4lb.thisdcos.directory",
            "mom.l4lb.thisdcos.directory",
        );
        assert_eq!(names(""), pair("marathon.slave.mesos", plain));
        assert_eq!(names("--frameworkName Mom"), pair("mom.slave.mesos", mom));
        assert_eq!(
            names("--framework-name mom --domain a.mesos --l4lbDomain b"),
            pair("a.mesos", "b")
        );
        let both = config("--mesosMaster http://m --domain a.mesos --mesosVIPDomain b.mesos");
        assert_eq!(both.unwrap().warnings.len(), 1);
    }

    #[test]
    fn a_marathon_may_have_a_namespace() {
        let line = "--marathon mom=http://a,namespace=mom,http://b --marathon b=http://c";
        let config = config(line).unwrap();
        let by_source = config.mesh.namespaces.by_source;
        assert_eq!(by_source, [("mom".to_owned(), "mom".to_owned())].into());
        assert_eq!(config.marathons[0].options.urls.len(), 2);
        for wrong in [
            "b=namespace=x",
            "b=http://c,namespace=X",
            "b=http://c,namespace=",
        ] {
            let line = ["discovery", "--marathon", wrong];
            assert!(Args::try_parse_from(line).is_err(), "{wrong}");
        }
    }

    #[test]
    fn workloads_are_included_by_label_or_all_of_them() {
        let read = |line: &str| config(&format!("--mesosMaster http://m {line}")).unwrap();
        assert_eq!(read("").mesh.inclusion, Inclusion::Labelled);
        let all = Inclusion::All(model::Selector::default());
        assert_eq!(read("--marathonInclude all").mesh.inclusion, all);
        let some = read("--marathon-include=all --marathon-selector=team==shop");
        let selector = "team==shop".parse().unwrap();
        assert_eq!(some.mesh.inclusion, Inclusion::All(selector));
        assert_eq!(some.warnings, [""; 0]);
        assert_eq!(read("--marathonSelector team").warnings.len(), 1);
        let wrong = ["discovery", "--marathonSelector", "a=b"];
        assert!(Args::try_parse_from(wrong).is_err());
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
            (Duration::from_secs(2), model::OutboundPolicy::RegistryOnly)
        );
    }
}
