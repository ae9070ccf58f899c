//! What is measured: flags as typed, and the plan that they make.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

use crate::resource::Mode;

/// Measures the control plane as a fleet of proxies sees it, beside a server that only replays.
#[derive(Debug, Parser)]
#[command(name = "push")]
pub(crate) struct Args {
    /// The cases to run; all if none is given.
    pub(crate) cases: Vec<Case>,

    /// Small sizes, briefly: under a minute.
    #[arg(long)]
    pub(crate) quick: bool,

    /// The binary under test; by default the one beside this program.
    #[arg(long, env = "PILOTHOUSE", value_name = "FILE")]
    pub(crate) pilothouse: Option<PathBuf>,

    /// Numbers of services.
    #[arg(long, short = 's', value_delimiter = ',', value_name = "N")]
    pub(crate) services: Vec<usize>,

    /// Numbers of proxies.
    #[arg(long, short = 'n', value_delimiter = ',', value_name = "N")]
    pub(crate) proxies: Vec<usize>,

    /// Endpoints of each service.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) endpoints: usize,

    /// Subsets of each service.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) subsets: usize,

    /// Variants of the protocol; both if none is given.
    #[arg(long, value_delimiter = ',')]
    pub(crate) modes: Vec<Mode>,

    /// Rounds of each measurement, alternating with the floor.
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<usize>,

    /// The server's --debounceAfter and --debounceMax; as shipped if not given.
    #[arg(long, value_name = "MILLISECONDS")]
    pub(crate) debounce: Option<u64>,

    /// Nodes carry the list of extensions that Envoy sends: 60 KB each.
    #[arg(long)]
    pub(crate) extensions: bool,

    /// Endpoint changes a second that churn tries; by default 10, 50 and 200.
    #[arg(long, value_delimiter = ',', value_name = "RATE", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) churn: Vec<u32>,

    /// The longest time in seconds for one measurement; what has not happened then never will.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) limit: Option<u64>,

    /// Serves as the floor, from a recording.
    #[arg(long, hide = true)]
    pub(crate) floor: Option<PathBuf>,
}

/// The cases, by the numbers of the project's performance suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// B6: from the start of the process to the first complete proxy.
    Cold,
    /// B4: all proxies connect at once.
    Storm,
    /// B2: one endpoint moves.
    Endpoint,
    /// B3: one VirtualService is edited.
    Route,
    /// B7: nothing happens.
    Idle,
    /// B8: endpoints move all the time.
    Churn,
    /// B9: one proxy reads nothing.
    Slow,
    /// B5: memory at the start, with proxies, after changes.
    Memory,
    /// B4: all proxies reconnect to a new process with equal input.
    Reconnect,
}

/// What is measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) cases: Vec<Case>,
    pub(crate) quick: bool,
    pub(crate) pilothouse: PathBuf,
    pub(crate) services: Vec<usize>,
    pub(crate) proxies: Vec<usize>,
    pub(crate) endpoints: usize,
    pub(crate) subsets: usize,
    pub(crate) modes: Vec<Mode>,
    pub(crate) rounds: usize,
    pub(crate) debounce: Option<Duration>,
    pub(crate) extensions: bool,
    pub(crate) limit: Duration,
    /// How long nothing may happen, and how long churn lasts.
    pub(crate) span: Duration,
    /// Endpoint changes per second.
    pub(crate) churn: Vec<u32>,
    /// Where results and recordings go.
    pub(crate) output: PathBuf,
}

// === impl Plan ===

impl Plan {
    pub(crate) fn has(&self, case: Case) -> bool {
        self.cases.contains(&case)
    }

    /// The same at one size, with what is not usual: no debounce, and nodes of Envoy's own size.
    pub(crate) fn variants(&self) -> Vec<Plan> {
        let biggest = |all: &[usize], usual: usize| vec![representative(all, usual)];
        let base = Plan {
            services: biggest(&self.services, 1000),
            proxies: biggest(&self.proxies, 100),
            ..self.clone()
        };
        let of = |wanted: &[Case]| {
            self.cases
                .iter()
                .copied()
                .filter(|case| wanted.contains(case))
                .collect()
        };
        let mut variants = Vec::new();
        if self.debounce.is_none() {
            let cases = of(&[Case::Endpoint, Case::Route]);
            variants.push(Plan {
                debounce: Some(Duration::ZERO),
                cases,
                ..base.clone()
            });
        }
        if !self.extensions {
            let cases = of(&[Case::Storm, Case::Reconnect]);
            variants.push(Plan {
                extensions: true,
                cases,
                ..base
            });
        }
        variants.retain(|variant| !variant.cases.is_empty());
        variants
    }

    /// Cases that take long are measured at one size only: this one.
    pub(crate) fn is_representative(&self, services: usize, proxies: usize) -> bool {
        services == representative(&self.services, 1000)
            && proxies == representative(&self.proxies, 100)
    }
}

impl TryFrom<&Args> for Plan {
    type Error = anyhow::Error;

    fn try_from(args: &Args) -> Result<Plan> {
        let target = target()?;
        let pilothouse = args
            .pilothouse
            .clone()
            .unwrap_or_else(|| target.join("pilothouse"));
        ensure!(
            pilothouse.is_file(),
            "{} is not there: build it with cargo build --release --bin pilothouse",
            pilothouse.display()
        );
        let given = |given: &[usize], quick: &[usize], full: &[usize]| match (given, args.quick) {
            ([], true) => quick.to_vec(),
            ([], false) => full.to_vec(),
            _ => given.to_vec(),
        };
        let by_mode = |quick: u64, full: u64| if args.quick { quick } else { full };
        let seconds = |quick, full| Duration::from_secs(by_mode(quick, full));
        Ok(Plan {
            cases: if args.cases.is_empty() {
                Case::value_variants().to_vec()
            } else {
                args.cases.clone()
            },
            quick: args.quick,
            pilothouse,
            services: given(&args.services, &[100], &[100, 1000, 5000]),
            proxies: given(&args.proxies, &[10, 100], &[10, 100, 1000]),
            endpoints: args.endpoints,
            subsets: args.subsets,
            modes: if args.modes.is_empty() {
                Mode::ALL.to_vec()
            } else {
                args.modes.clone()
            },
            rounds: args.rounds.unwrap_or(by_mode(3, 7) as usize).max(1),
            debounce: args.debounce.map(Duration::from_millis),
            extensions: args.extensions,
            limit: args.limit.map_or(seconds(5, 60), Duration::from_secs),
            span: seconds(2, 60),
            churn: match (&args.churn[..], args.quick) {
                ([], true) => vec![50],
                ([], false) => vec![10, 50, 200],
                (rates, _) => rates.to_vec(),
            },
            output: target.parent().unwrap_or(&target).join("bench"),
        })
    }
}

/// The usual size if it is among those that are asked for, else the largest.
fn representative(all: &[usize], usual: usize) -> usize {
    if all.contains(&usual) {
        return usual;
    }
    all.iter().copied().max().unwrap_or(usual)
}

/// The folder of this program: `target/release`.
fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().unwrap_or(Path::new(".")).to_owned())
}
