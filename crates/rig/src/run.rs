//! `pilothouse rig`: a cluster by hand.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use demo::bookinfo::{App, PORT, Service, Timeouts, Upstream};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::layout::{DOMAIN, Layout};
use crate::{Options, Rig, Store, remove, shell};

/// A small DC/OS cluster of network namespaces on this machine, with real parts. Needs root.
#[derive(Debug, Parser)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Bring it up, and keep it until Ctrl-C.
    Up {
        /// Of several rigs on this machine.
        #[arg(long, default_value_t = 0)]
        index: u8,
        /// Where Istio's objects are: behind a kube-apiserver, or in files.
        #[arg(long, value_enum, default_value = "kube")]
        store: StoreArg,
    },
    /// Remove every trace of it.
    Down {
        #[arg(long, default_value_t = 0)]
        index: u8,
    },
    /// One Bookinfo service; what the rig's pods run.
    #[command(hide = true)]
    Bookinfo {
        service: String,
        version: String,
        #[arg(long)]
        instance: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StoreArg {
    Kube,
    Directory,
}

impl From<StoreArg> for Store {
    fn from(arg: StoreArg) -> Store {
        match arg {
            StoreArg::Kube => Store::Kube,
            StoreArg::Directory => Store::Directory,
        }
    }
}

/// Runs the subcommand.
pub fn main(args: Args) -> Result<ExitCode> {
    let runtime = Runtime::new()?;
    match args.action {
        Action::Up { index, store } => runtime.block_on(up(index, store.into()))?,
        Action::Down { index } => remove(Layout::new(index))?,
        Action::Bookinfo {
            service,
            version,
            instance,
        } => runtime.block_on(bookinfo(&service, &version, instance))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn up(index: u8, store: Store) -> Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .init();
    let own = std::env::current_exe().context("where this program is")?;
    let options = Options {
        index: Some(index),
        own,
        store,
    };
    let rig = Rig::start(options).await?;
    rig.listening().await?;
    let layout = rig.layout();
    println!(
        "The rig is up. To enter it, as an operator on a master:\n\n    {} {}\n\n\
         In there: dcos marathon pod add FILE, dcos task, dcos task exec TASK COMMAND, kubectl,\n\
         curl localhost:15007/debug/syncz. Files and logs are in {}.\n\
         Ctrl-C ends it; `pilothouse rig down` removes what a crash left.",
        rig.enter().display(),
        shell::file(layout).display(),
        layout.directory().display(),
    );
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    Ok(rig.stop().await?)
}

async fn bookinfo(service: &str, version: &str, instance: String) -> Result<()> {
    let Some(service) = Service::from_labels(service, version) else {
        bail!("Bookinfo has no {service} {version}");
    };
    let app = App {
        service,
        instance,
        // By DNS, like any program on the mesh.
        upstream: Upstream::direct(DOMAIN, Default::default())?,
        timeouts: Timeouts::default(),
    };
    let _running = app.start(([0, 0, 0, 0], PORT).into()).await?;
    std::future::pending().await
}
