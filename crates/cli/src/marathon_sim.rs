//! `pilothouse marathon-sim`: a Marathon to play with, without Mesos.
//!
//! Tasks are pretended: nothing is executed. What clients see (REST, event
//! stream, leader and standby, tokens) is what a Marathon of the chosen version
//! shows; `/sim` on the same port plays crashes, lost agents and faults.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use simulator::{Account, Agent, Auth, Failover, Kill, Launch, Network, Options, Proof, Simulator};

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Address of the REST API; further ones are standbys of the same cluster.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ADDR",
        default_value = "127.0.0.1:8080"
    )]
    listen: Vec<SocketAddr>,

    /// Agents by address, each with the name that Marathon shows if it is another.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "IP[=NAME]",
        default_value = "127.0.0.1"
    )]
    agents: Vec<AgentArg>,

    /// Region and zone of the agents, in their order; one for all, or one each.
    #[arg(long, value_delimiter = ',', value_name = "REGION/ZONE")]
    domain: Vec<Domain>,

    /// Container networks and the addresses that their tasks get; dual=9.1.0.0+fd01:: has IPv6, too.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAME=BASE[+BASE6]",
        default_value = "dcos=9.0.0.0"
    )]
    network: Vec<NetworkArg>,

    /// The Marathon to play: 1.4, 1.5, 1.7, 1.8 or 1.11.
    #[arg(long, default_value = "1.8.222")]
    version: String,

    /// Name of the framework, part of Mesos-DNS names.
    #[arg(long, default_value = "marathon")]
    framework_name: String,

    /// Seconds between two heartbeats of an event stream.
    #[arg(long, default_value_t = 10)]
    heartbeat: u64,

    /// Tasks wait in TASK_STAGING and TASK_KILLING for `PUT /sim/tasks/ID`.
    #[arg(long)]
    manual: bool,

    /// Compress answers for clients that accept it.
    #[arg(long)]
    gzip: bool,

    /// Ask for basic authentication.
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Vec<Pair<':'>>,

    /// A DC/OS service account with its public key, for logins by JWT.
    #[arg(long, value_name = "UID=FILE")]
    service_account: Vec<Pair<'='>>,

    /// Seed of all generated ids.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(args))?;
    Ok(ExitCode::SUCCESS)
}

async fn run(args: &Args) -> Result<()> {
    let simulator = Simulator::start(args.options()?).await.context(
        "the simulated Marathon cannot start: change --listen or stop what listens there",
    )?;
    for member in 0..args.listen.len() {
        let role = if member == 0 { "leader" } else { "standby" };
        println!("{} ({role})", simulator.url_of(member));
    }
    println!("control: {}/sim (docs/simulator.md)", simulator.url());
    tokio::signal::ctrl_c().await?;
    simulator.shutdown().await;
    Ok(())
}

impl Args {
    fn options(&self) -> Result<Options> {
        let (listen, standbys) = self.listen.split_first().context("--listen is empty")?;
        Ok(Options {
            listen: *listen,
            standbys: standbys.to_vec(),
            agents: self.agents()?,
            networks: self.network.iter().map(|n| n.0.clone()).collect(),
            heartbeat: Duration::from_secs(self.heartbeat),
            launch: if self.manual {
                Launch::Manual
            } else {
                Launch::Immediate
            },
            kill: if self.manual {
                Kill::Manual
            } else {
                Kill::Immediate
            },
            version: self.version.clone(),
            framework_name: self.framework_name.clone(),
            gzip: self.gzip,
            auth: self.auth()?,
            seed: self.seed,
            // As in the field: an election takes a moment, the old leader is
            // restarted, and health checks need an interval.
            failover: Failover {
                leaderless: 2_000,
                down: 5_000,
                unready: 1,
                refill: Some(10_000),
                ..Failover::default()
            },
            ..Options::default()
        })
    }

    fn agents(&self) -> Result<Vec<Agent>> {
        let (domains, agents) = (self.domain.len(), self.agents.len());
        anyhow::ensure!(
            domains <= 1 || domains == agents,
            "{domains} values of --domain for {agents} agents: give none, one, or one for each"
        );
        let domain = |index: usize| self.domain.get(index).or(self.domain.first());
        let agents = self.agents.iter().enumerate().map(|(index, agent)| Agent {
            hostname: agent.name.clone(),
            region: domain(index).map(|d| d.region.clone()),
            zone: domain(index).map(|d| d.zone.clone()),
            ..Agent::at(agent.ip)
        });
        Ok(agents.collect())
    }

    fn auth(&self) -> Result<Auth> {
        let basic = self.user.iter();
        let basic = basic.map(|u| (u.left.clone(), u.right.clone())).collect();
        let accounts = self.service_account.iter().map(|account| {
            let file = PathBuf::from(&account.right);
            let pem = std::fs::read_to_string(&file)
                .with_context(|| format!("--service-account: cannot read {}", file.display()))?;
            let uid = account.left.clone();
            let proof = Proof::PublicKey(pem);
            Ok(Account { uid, proof })
        });
        let accounts = accounts.collect::<Result<_>>()?;
        Ok(Auth { basic, accounts })
    }
}

#[derive(Clone, Debug)]
struct AgentArg {
    ip: IpAddr,
    name: String,
}

impl FromStr for AgentArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ip, name) = text.split_once('=').unwrap_or((text, text));
        let parsed = ip.parse().map_err(|e| format!("'{ip}': {e}"))?;
        Ok(AgentArg {
            ip: parsed,
            name: name.to_owned(),
        })
    }
}

#[derive(Clone, Debug)]
struct NetworkArg(Network);

impl FromStr for NetworkArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, base) = text
            .split_once('=')
            .ok_or("expected NAME=BASE, such as dcos=9.0.0.0")?;
        let (base, base6) = match base.split_once('+') {
            Some((base, base6)) => (base, Some(base6)),
            None => (base, None),
        };
        let base6 = base6.map(|text| text.parse().map_err(|e| format!("'{text}': {e}")));
        Ok(NetworkArg(Network {
            name: name.to_owned(),
            base: base.parse().map_err(|e| format!("'{base}': {e}"))?,
            base6: base6.transpose()?,
        }))
    }
}

#[derive(Clone, Debug)]
struct Domain {
    region: String,
    zone: String,
}

impl FromStr for Domain {
    type Err = String;

    /// Regions contain slashes (`aws/eu-central-1/aws/eu-central-1a`), so that
    /// the middle one divides.
    fn from_str(text: &str) -> Result<Self, String> {
        let slashes: Vec<usize> = text.match_indices('/').map(|(at, _)| at).collect();
        let middle = slashes.get(slashes.len() / 2);
        let middle = middle.ok_or("expected REGION/ZONE, such as eu/eu-1")?;
        Ok(Domain {
            region: text[..*middle].to_owned(),
            zone: text[middle + 1..].to_owned(),
        })
    }
}

/// Two values with a character between them.
#[derive(Clone)]
struct Pair<const BETWEEN: char> {
    left: String,
    right: String,
}

impl<const BETWEEN: char> FromStr for Pair<BETWEEN> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The value may be a password: errors must not repeat it.
        let (left, right) = text
            .split_once(BETWEEN)
            .ok_or_else(|| format!("expected two values with '{BETWEEN}' between them"))?;
        let (left, right) = (left.to_owned(), right.to_owned());
        Ok(Pair { left, right })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn options(line: &str) -> Result<Options> {
        let words = std::iter::once("x").chain(line.split_whitespace());
        Line::try_parse_from(words)?.args.options()
    }

    #[test]
    fn flags_become_options() {
        let line = "--listen 127.0.0.1:1,127.0.0.1:2 --agents 10.0.1.91,10.0.1.92=a2.example \
                    --domain aws/eu/aws/eu-1 --network dcos=9.0.0.0,other=10.9.0.0+fd01:: \
                    --version 1.5 --user ada:se:cret";
        let options = options(line).expect("valid");
        assert_eq!(options.standbys, ["127.0.0.1:2".parse().expect("valid")]);
        let names: Vec<_> = options.agents.iter().map(|a| a.hostname.as_str()).collect();
        assert_eq!(names, ["10.0.1.91", "a2.example"]);
        assert_eq!(options.agents[1].region.as_deref(), Some("aws/eu"));
        assert_eq!(options.agents[1].zone.as_deref(), Some("aws/eu-1"));
        assert_eq!(options.networks[1].name, "other");
        assert_eq!(options.networks[0].base6, None);
        assert_eq!(options.networks[1].base6, "fd01::".parse().ok());
        assert_eq!(options.version, "1.5");
        assert_eq!(options.auth.basic, [("ada".into(), "se:cret".into())]);
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for line in [
            "--agents nowhere",
            "--network dcos",
            "--network dcos=9.0.0.0+9.1.0.0",
            "--domain nowhere",
            "--agents 10.0.0.1,10.0.0.2,10.0.0.3 --domain a/b,c/d",
            "--service-account svc=no/such/file",
        ] {
            assert!(options(line).is_err(), "{line}");
        }
        let error = options("--user secret").expect_err("no colon").to_string();
        assert!(error.contains("two values"), "{error}");
    }
}
