//! What files would do, told on the command line: `analyze`, `validate`, `translate`.
//!
//! None of them needs a server, a Marathon or an apiserver; `translate --diff` asks one that runs.
//! Exit codes are those of `docs/cli.md`, which scripts rely on.

mod analyze;
mod diff;
mod input;
mod output;
mod translate;
mod validate;

use std::process::ExitCode;

pub(crate) use analyze::Args as Analyze;
pub(crate) use translate::Args as Translate;
pub(crate) use validate::Args as Validate;

/// A difference was found.
const DIFFERENT: u8 = 2;
/// The command line is wrong.
pub(crate) const USAGE: u8 = 64;
/// A file cannot be read, or a document is not what it should be.
const BAD_INPUT: u8 = 65;
/// The server does not answer.
const UNREACHABLE: u8 = 69;
/// Something was found.
const FINDINGS: u8 = 79;

/// Why a command could not do its work; each has an exit code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Input(String),
    #[error("{0}")]
    Server(String),
    #[error("standard output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

// === impl Failure ===

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::Input(_) => BAD_INPUT,
            Failure::Server(_) => UNREACHABLE,
            Failure::Output(_) => 1,
        }
    }
}

/// The subcommands whose usage errors exit with [`USAGE`].
pub(crate) const NAMES: [&str; 3] = ["analyze", "validate", "translate"];

pub(crate) fn analyze(args: &Analyze) -> ExitCode {
    end(analyze::run(args))
}

pub(crate) fn validate(args: &Validate) -> ExitCode {
    end(validate::run(args))
}

pub(crate) fn translate(args: &Translate) -> ExitCode {
    end(translate::run(args))
}

fn end(result: Result<u8, Failure>) -> ExitCode {
    let code = result.unwrap_or_else(|failure| {
        eprintln!("pilothouse: {failure}");
        failure.code()
    });
    ExitCode::from(code)
}
