//! The one binary, `pilothouse`, and its subcommands.

mod get;
mod inspect;
mod marathon_sim;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A control plane for Envoy on Apache Mesos and Marathon.
#[derive(Parser)]
#[command(name = "pilothouse", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve xDS to Envoy from Marathon and Istio configuration.
    Discovery(Box<pilot::Args>),
    /// Run a whole mesh on this machine: simulated Marathon, Bookinfo, real Envoys.
    Demo(demo::Args),
    /// Run a small DC/OS cluster of network namespaces on this machine.
    Rig(rig::Args),
    /// Pretend to be a Marathon with agents: REST, events, failovers, faults.
    MarathonSim(Box<marathon_sim::Args>),
    Get(get::Args),
    Analyze(inspect::Analyze),
    Validate(inspect::Validate),
    Translate(inspect::Translate),
}

fn main() -> ExitCode {
    let (line, dropped) = pilot::strip_legacy_flags(std::env::args());
    let command = match Cli::try_parse_from(&line) {
        Ok(cli) => cli.command,
        Err(error) => return misused(&line, &error),
    };
    let result = match command {
        Command::Discovery(args) => discovery(*args, &dropped),
        Command::Demo(args) => demo::main(args),
        Command::Rig(args) => rig::main(args),
        Command::MarathonSim(args) => marathon_sim::main(&args),
        Command::Get(args) => get::main(&args),
        Command::Analyze(args) => Ok(inspect::analyze(&args)),
        Command::Validate(args) => Ok(inspect::validate(&args)),
        Command::Translate(args) => Ok(inspect::translate(&args)),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("pilothouse: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Help is no error; commands that scripts run have a code of their own for misuse.
fn misused(line: &[String], error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let is_inspect = |name: &String| inspect::NAMES.contains(&name.as_str());
    match (error.use_stderr(), line.get(1).is_some_and(is_inspect)) {
        (false, _) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(inspect::USAGE),
        (true, false) => ExitCode::from(2),
    }
}

fn discovery(args: pilot::Args, dropped: &[String]) -> anyhow::Result<ExitCode> {
    pilot::init_logging(args.log_format);
    for flag in dropped {
        tracing::warn!("{flag} of the old Pilot has no meaning here and is ignored");
    }
    let config = pilot::Config::try_from(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(pilot::run(config))?;
    Ok(ExitCode::SUCCESS)
}
