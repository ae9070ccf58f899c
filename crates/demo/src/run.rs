//! `pilothouse demo`: starts a mesh for people, tells what to try, and ends without a trace.

use std::io::{self, IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::AdsMode;
use crate::check::check;
use crate::mesh::{Mesh, Options, PATIENCE, Place, Progress};
use crate::samples::{DESTINATION_RULES, GATEWAY};

mod edits;
mod hints;

/// The directory that people find their files in.
const DIRECTORY: &str = ".demo";

/// What fits beside the rest on one line.
const WIDTH: usize = 60;

/// The flags of `pilothouse demo`.
#[derive(Debug, Clone, Parser)]
pub struct Args {
    /// Check every traffic step, print a table, and end; non-zero if a step fails.
    #[arg(long)]
    pub check: bool,

    /// After a check, keep the mesh running until Ctrl-C.
    #[arg(long, requires = "check")]
    pub keep: bool,

    /// How Envoys are served: changes only (delta) or all of a type each time (sotw).
    #[arg(long, value_enum, default_value_t = Ads::Delta, value_name = "MODE")]
    pub ads: Ads,

    /// Where the configuration to edit and the logs are, while the demo runs.
    #[arg(long, default_value = DIRECTORY, value_name = "DIR")]
    pub dir: PathBuf,
}

/// The two variants of the discovery protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ads {
    /// Incremental.
    Delta,
    /// State of the world.
    Sotw,
}

/// Runs the demo until it is done or a signal comes.
pub fn main(args: Args) -> anyhow::Result<ExitCode> {
    log_quietly();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(args))
}

/// Warnings only: the demo's own lines are what people read. `RUST_LOG` overrides.
fn log_quietly() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // Somebody else's logging in this process is as good.
    let _ = log.try_init();
}

async fn run(args: Args) -> anyhow::Result<ExitCode> {
    // Before anything is started, so that no signal finds us unprepared.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mesh = Mesh::start(options(&args)).await?;
    let code = tokio::select! {
        code = show(&mesh, &args) => code,
        _ = interrupt.recv() => Ok(ExitCode::SUCCESS),
        _ = terminate.recv() => Ok(ExitCode::SUCCESS),
        _ = hangup.recv() => Ok(ExitCode::SUCCESS),
    };
    say("\nstopping");
    mesh.stop().await;
    code
}

fn options(args: &Args) -> Options {
    Options {
        ads: match args.ads {
            Ads::Delta => AdsMode::Delta,
            Ads::Sotw => AdsMode::Sotw,
        },
        place: Place::At(args.dir.clone()),
        // The check begins before the first file.
        config: if args.check {
            Vec::new()
        } else {
            vec![GATEWAY, DESTINATION_RULES]
        },
        ..Options::default()
    }
}

/// Ends with the check, or never.
async fn show(mesh: &Mesh, args: &Args) -> anyhow::Result<ExitCode> {
    say(&format!("files: {}", mesh.files().root().display()));
    mesh.ready(PATIENCE * 2, progress_line).await?;
    say("");
    if args.check {
        let report = check(mesh, |row| {
            let result = if row.passed { "PASS" } else { "FAIL" };
            say(&format!("{result} {}", row.step));
        });
        let report = report.await?;
        say(&format!("\n{report}"));
        let code = if report.passed() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
        if !args.keep {
            return Ok(code);
        }
    }
    // Before the hints: whoever reads them may be fast.
    let edits = edits::Edits::since_now(mesh).await?;
    say(&hints::hints(mesh));
    edits.follow().await?;
    Ok(ExitCode::SUCCESS)
}

/// One line that grows on a terminal; a line for each state elsewhere.
fn progress_line(progress: &Progress) {
    let Progress {
        running,
        launched,
        waiting,
    } = progress;
    // The first clause names it; the rest is for error messages.
    let next = waiting.first().and_then(|text| text.split(';').next());
    let next: String = next.unwrap_or("ready").chars().take(WIDTH).collect();
    let text = match waiting.first() {
        None => format!("{running} workloads run, all Envoys are up to date"),
        Some(_) => format!("{running} of {launched} workloads run; waiting for {next}"),
    };
    if io::stdout().is_terminal() {
        // A terminal that is gone is no reason to stop.
        let _ = write!(io::stdout(), "\r\x1b[K{text}");
        let _ = io::stdout().flush();
    } else {
        say(&text);
    }
}

/// To standard output; a reader that has gone away is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}
