//! The Kubernetes benches: how long an edit by kubectl takes to the last of seven Envoys, and what
//! thousands of objects in etcd cost, beside a bare reflector of kube-rs.
//!
//! ```text
//!   rig: etcd ── kube-apiserver ──► pilothouse ──► 7 Envoys          case apply
//!                      ├──────────► pilothouse (own process)         case many
//!                      └──────────► reflector  (own process)
//! ```
//!
//! All parts are real and run in the namespaces of a rig, so this needs root, `make kube` and
//! `make rig-tools`.

mod apply;
mod look;
mod many;
#[cfg(feature = "reflector")]
mod reflector;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use rig::{Options, Rig, Store};

use crate::report::Report;

/// Measures the way from kubectl to Envoy, and the memory of many objects.
#[derive(Debug, Parser)]
#[command(name = "kube")]
struct Args {
    /// The cases to run; all if none is given.
    cases: Vec<Case>,

    /// Fewer edits, objects and rounds.
    #[arg(long)]
    quick: bool,

    /// The binary under test; by default the one beside this program.
    #[arg(long, env = "PILOTHOUSE", value_name = "FILE")]
    pilothouse: Option<PathBuf>,

    /// Edits by kubectl.
    #[arg(long, value_name = "N")]
    edits: Option<usize>,

    /// Virtual services in etcd.
    #[arg(long, value_name = "N")]
    objects: Option<usize>,

    /// A build of this program with the feature `reflector`; by default this one.
    #[arg(long, value_name = "FILE")]
    measure: Option<PathBuf>,

    /// Reflects the virtual services of an apiserver, and nothing else.
    #[arg(long, hide = true)]
    reflector: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Case {
    /// From `kubectl apply` returning to the last Envoy's acknowledgement.
    Apply,
    /// Time to ready and memory with thousands of virtual services.
    Many,
}

fn main() -> ExitCode {
    match bench(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kube: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(args: &Args) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    if let Some(kubeconfig) = &args.reflector {
        return runtime.block_on(reflect(kubeconfig));
    }
    let own = match &args.pilothouse {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("pilothouse"),
    };
    let mut report = Report::open(&own, args.quick)?;
    let of = |given: Option<usize>, whole, quick| {
        given.unwrap_or(if args.quick { quick } else { whole })
    };
    let has = |case| args.cases.is_empty() || args.cases.contains(&case);
    if has(Case::Apply) {
        let edits = of(args.edits, 100, 10);
        runtime.block_on(on_a_rig(&own, async |rig| {
            apply::run(rig, edits, &mut report).await
        }))?;
    }
    if has(Case::Many) {
        let objects = of(args.objects, 5000, 500);
        let rounds = if args.quick { 1 } else { 3 };
        let measure = match &args.measure {
            Some(path) => path.clone(),
            None => std::env::current_exe()?,
        };
        let many = many::Many {
            objects,
            rounds,
            measure,
        };
        runtime.block_on(on_a_rig(&own, async |rig| many.run(rig, &mut report).await))?;
    }
    Ok(())
}

#[cfg(feature = "reflector")]
async fn reflect(kubeconfig: &Path) -> Result<()> {
    reflector::run(kubeconfig).await
}

/// kube-rs' reflector brings features of shared dependencies with it, which every build would pay
/// for.
#[cfg(not(feature = "reflector"))]
async fn reflect(_: &Path) -> Result<()> {
    anyhow::bail!("build the benches with --features reflector")
}

/// Whatever becomes of the case, no trace of the rig stays.
async fn on_a_rig(own: &Path, case: impl AsyncFnOnce(&mut Rig) -> Result<()>) -> Result<()> {
    let options = Options {
        index: None,
        own: own.to_owned(),
        store: Store::Kube,
    };
    let mut rig = Rig::start(options).await.context("the rig")?;
    let done = async {
        rig.listening().await?;
        case(&mut rig).await
    }
    .await;
    rig.stop().await?;
    done
}
