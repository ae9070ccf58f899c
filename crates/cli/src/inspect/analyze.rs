//! `pilothouse analyze`: what is wrong with these files, alone and together.

use std::path::PathBuf;

use super::Failure;
use super::input::{Surroundings, texts};
use super::output::{self, Form, Threshold};

/// Tell what is wrong with Istio objects, alone and together, without a server.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files and directories with Istio objects; - for standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    surroundings: Surroundings,
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    output: Form,
    /// The least finding that makes the command end with 79.
    #[arg(long, value_enum, default_value_t = Threshold::Error)]
    failure_threshold: Threshold,
}

pub(super) fn run(args: &Args) -> Result<u8, Failure> {
    let draft = args.surroundings.draft(&texts(&args.files)?)?;
    let objects = draft.objects.len();
    let findings = draft.study().diagnostics();
    Ok(output::report(
        &findings,
        objects,
        args.output,
        args.failure_threshold,
    )?)
}
