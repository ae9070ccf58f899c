//! The flags of `pilothouse discovery`, exactly as typed.
//!
//! Names are Pilot's, so that the launch lines of old installations work; each has a kebab-case
//! alias. [`crate::Config`] is where they get their meaning.

mod kube;
mod marathon;
mod naming;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, ValueEnum};

pub(crate) use self::kube::KubeArgs;
pub(crate) use self::marathon::{MarathonArgs, OptionKey};
use self::naming::NamingArgs;

/// Serves xDS to Envoy from Marathon and Istio configuration.
#[derive(Debug, Clone, Parser)]
#[command(name = "discovery", rename_all = "camelCase")]
pub struct Args {
    /// HTTP for operators: /ready, /metrics, /debug.
    #[arg(
        long,
        alias = "http-addr",
        default_value = ":15007",
        value_name = "ADDR"
    )]
    pub http_addr: ListenAddr,

    /// Plaintext gRPC for proxies: ADS.
    #[arg(
        long,
        alias = "grpc-addr",
        default_value = ":15010",
        value_name = "ADDR"
    )]
    pub grpc_addr: ListenAddr,

    /// TLS gRPC. Reserved: it is served once the certificate authority is part of Pilothouse.
    #[arg(long, alias = "secure-grpc-addr", value_name = "ADDR")]
    pub secure_grpc_addr: Option<ListenAddr>,

    /// The same handlers as --httpAddr, for monitoring. Empty switches it off.
    #[arg(
        long,
        alias = "monitoring-addr",
        default_value = ":9093",
        value_name = "ADDR"
    )]
    pub monitoring_addr: MaybeListenAddr,

    /// Where workloads come from. Only Mesos is known.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub registries: Vec<Registry>,

    #[command(flatten)]
    pub marathon: MarathonArgs,

    /// The domain of the mesh; short host names are completed with it. Given again, further domains
    /// under which every service is known. By default that of Mesos-DNS for --frameworkName:
    /// marathon.slave.mesos.
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Vec<String>,

    /// The domain of Marathon's services; that of --domain if not given.
    #[arg(
        long = "mesosVIPDomain",
        alias = "mesos-vip-domain",
        value_name = "DOMAIN"
    )]
    pub mesos_vip_domain: Option<String>,

    #[command(flatten)]
    pub naming: NamingArgs,

    /// A file that keeps what all sources said last, so that a restart can serve while they are away.
    #[arg(long, alias = "snapshot-file", value_name = "FILE")]
    pub snapshot_file: Option<PathBuf>,

    /// A directory with Istio YAML, read again whenever it changes.
    #[arg(long, alias = "config-dir", value_name = "DIR")]
    pub config_dir: Option<PathBuf>,

    #[command(flatten)]
    pub kube: KubeArgs,

    /// The mesh config file; the default place may be empty.
    #[arg(
        long,
        alias = "mesh-config",
        default_value = "/etc/istio/config/mesh",
        value_name = "FILE"
    )]
    pub mesh_config: PathBuf,

    /// Lets objects of kind EnvoyFilter change what proxies get. Off, since they can break any proxy
    /// that they select, and depend on the version of Envoy.
    #[arg(long, alias = "enable-envoy-filter")]
    pub enable_envoy_filter: bool,

    /// How long configuration must be quiet before it is served. Endpoints never wait.
    #[arg(long, alias = "debounce-after", default_value = "20ms", value_name = "TIME", value_parser = duration)]
    pub debounce_after: Duration,

    /// The longest time that changes of configuration wait while more of them arrive.
    #[arg(long, alias = "debounce-max", default_value = "1s", value_name = "TIME", value_parser = duration)]
    pub debounce_max: Duration,

    /// Streams open at the same time; more are refused.
    #[arg(
        long,
        alias = "max-streams",
        default_value_t = 20_000,
        value_name = "N"
    )]
    pub max_streams: usize,

    /// Streams open at the same time from one address; 0 for no limit. On bridge networks all
    /// proxies of an agent have its address.
    #[arg(
        long,
        alias = "max-streams-per-peer",
        default_value_t = 0,
        value_name = "N"
    )]
    pub max_streams_per_peer: usize,

    /// First states on their way at the same time, in MiB over all streams; 0 for no limit. Others
    /// wait their turn.
    #[arg(
        long,
        alias = "max-initial-mib",
        default_value_t = 64,
        value_name = "N"
    )]
    pub max_initial_mib: usize,

    /// How long a connection lives, give or take a fifth, before its proxy must choose a replica
    /// anew; 0 for no limit.
    #[arg(long, alias = "max-connection-age", default_value = "30m", value_name = "TIME", value_parser = duration)]
    pub max_connection_age: Duration,

    /// How long streams may take to end at shutdown.
    #[arg(long, alias = "drain-time", default_value = "5s", value_name = "TIME", value_parser = duration)]
    pub drain_time: Duration,

    /// Form of the log.
    #[arg(
        long,
        alias = "log-format",
        default_value = "text",
        value_name = "FORM"
    )]
    pub log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// The registries that Pilot's flag may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    Mesos,
}

/// `:15007`, `127.0.0.1:0` or `[::1]:15007`. A bare port listens on every IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddr(pub SocketAddr);

/// A [`ListenAddr`], or nothing for an empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaybeListenAddr(pub Option<SocketAddr>);

// === impl ListenAddr ===

impl FromStr for ListenAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<ListenAddr, String> {
        let address = match text.strip_prefix(':') {
            Some(port) => port
                .parse()
                .ok()
                .map(|port: u16| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
            None => text.parse().ok(),
        };
        address.map(ListenAddr).ok_or_else(|| {
            format!("{text:?} is no address to listen on: write :15007 or 127.0.0.1:15007")
        })
    }
}

impl FromStr for MaybeListenAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<MaybeListenAddr, String> {
        if text.is_empty() {
            return Ok(MaybeListenAddr(None));
        }
        text.parse()
            .map(|ListenAddr(address)| MaybeListenAddr(Some(address)))
    }
}

impl FromStr for Registry {
    type Err = String;

    fn from_str(text: &str) -> Result<Registry, String> {
        match text.to_ascii_lowercase().as_str() {
            "mesos" | "marathon" => Ok(Registry::Mesos),
            _ => Err(format!(
                "{text:?} is no registry of Pilothouse: only Mesos is"
            )),
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    api::istio::parse_duration(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Args {
        Args::try_parse_from(std::iter::once("discovery").chain(line.split_whitespace())).unwrap()
    }

    #[test]
    fn both_spellings_of_a_flag_are_one() {
        let camel = parse(
            "--httpAddr :1 --grpcAddr 127.0.0.1:2 --mesosMaster http://a:8080,http://b:8080 --configDir /c",
        );
        let kebab = parse(
            "--http-addr=:1 --grpc-addr 127.0.0.1:2 --mesos-master http://a:8080,http://b:8080 --config-dir /c",
        );
        assert_eq!(format!("{camel:?}"), format!("{kebab:?}"));
        assert_eq!(camel.http_addr.0, "0.0.0.0:1".parse().unwrap());
        assert_eq!(
            camel.marathon.mesos_master,
            ["http://a:8080", "http://b:8080"]
        );
    }

    #[test]
    fn defaults_are_the_old_installations() {
        let args = parse("");
        assert_eq!(args.http_addr.0.port(), 15007);
        assert_eq!(args.grpc_addr.0.port(), 15010);
        assert_eq!(args.monitoring_addr.0.map(|a| a.port()), Some(9093));
        assert_eq!(args.naming.framework_name, "marathon");
        assert_eq!(parse("--monitoringAddr=").monitoring_addr.0, None);
    }

    #[test]
    fn an_unknown_flag_is_an_error() {
        assert!(Args::try_parse_from(["discovery", "--nonsense"]).is_err());
        assert!(Args::try_parse_from(["discovery", "--registries", "Consul"]).is_err());
    }
}
