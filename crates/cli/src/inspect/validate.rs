//! `pilothouse validate`: whether each object is in order by itself.

use std::path::PathBuf;

use super::Failure;
use super::input::{Surroundings, texts};
use super::output::{self, Form, Threshold};

/// Check each Istio object by itself, as the border does; objects are not compared.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file or directory with Istio objects; - for standard input. May be given again.
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
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
    let mut draft = args.surroundings.draft(&[])?;
    for text in texts(&args.files)? {
        draft.read_each(&text.name, &text.content);
    }
    let objects = draft.objects.len();
    Ok(output::report(
        &draft.validate(),
        objects,
        args.output,
        args.failure_threshold,
    )?)
}
