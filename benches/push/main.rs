//! The push benches: what one change, one connection and one restart cost, beside the floor.
//!
//! ```text
//!   Marathon (still) ──┐                      ┌── recording ──► floor (own process)
//!   YAML directory  ───┴─► pilothouse (own ───┤                    │
//!                          process)           └─► fleet ◄──────────┘
//!                                                   │
//!                        cases ◄── board ◄──────────┘ ──► report
//! ```
//!
//! The server under test is a process of its own, so that its time and memory are its own. The
//! floor replays what that server sent to one proxy, from shared buffers; the same client measures
//! both, alternately, so that a ratio holds on a busy machine, too.

mod board;
mod cases;
mod fleet;
mod floor;
mod marathon;
mod names;
mod options;
mod proxy;
mod recording;
mod report;
mod request;
mod resource;
mod rig;
mod server;
mod sieve;
mod stream;
mod wire;

use std::process::ExitCode;

use clap::Parser;
use generate::{process, stat};

use crate::options::{Args, Plan};
use crate::report::Report;

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match &args.floor {
        Some(recording) => floor::main(recording),
        None => bench(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("push: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(args: &Args) -> anyhow::Result<()> {
    let plan = Plan::try_from(args)?;
    server::end_with_signals()?;
    let files = process::raise_file_limit();
    let mut report = Report::open(&plan)?;
    report.begin(&plan, files);
    cases::run(&plan, &mut report)?;
    report.end();
    Ok(())
}
