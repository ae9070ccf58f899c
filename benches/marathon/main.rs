//! The Marathon bench: what a list of thousands of tasks costs, and one task that changes.
//!
//! ```text
//! Marathon that holds still ──HTTP──► watch ──► index ──► envoy ──► EDS bytes
//! ```
//!
//! Parts and order are those of the daemon, without its streams. A change of one task must not
//! cost more where there are ten times as many others: the last line is that ratio.

#[path = "../push/marathon.rs"]
mod marathon;

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use envoy::{Compiler, Kind};
use generate::Shape;
use generate::stat::Samples;
use index::{Claim, Index, Published, Settings};
use tokio::sync::{mpsc, watch as channel};
use tokio_util::sync::CancellationToken;

use self::marathon::Marathon;

/// Tasks of an app.
const EACH: usize = 10;
/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures lists and changes of 1,000 and of 10,000 tasks, by turns.
#[derive(Debug, Parser)]
#[command(name = "marathon")]
struct Args {
    /// Changes of one task, for each size.
    #[arg(long, default_value_t = 400)]
    changes: usize,
    /// Complete lists, for each size.
    #[arg(long, default_value_t = 20)]
    lists: u64,
}

/// Source, index and compiler behind one Marathon.
struct Mesh {
    services: usize,
    marathon: Marathon,
    updates: mpsc::Receiver<api::event::Update>,
    status: channel::Receiver<::watch::Status>,
    index: Index,
    compiler: Compiler,
    first: Duration,
    kilobytes: u64,
    _end: tokio_util::sync::DropGuard,
}

#[tokio::main]
async fn main() -> ExitCode {
    match bench(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("marathon: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(args: &Args) -> Result<()> {
    let never = Duration::from_secs(3600);
    let (mut small, mut large) = (
        Mesh::start(100, never).await?,
        Mesh::start(1_000, never).await?,
    );
    for mesh in [&small, &large] {
        let tasks = mesh.services * EACH;
        println!(
            "{tasks} tasks, first list to the first World: {:?}",
            mesh.first
        );
        println!(
            "{tasks} tasks, memory: {:.2} kB a task",
            mesh.kilobytes as f64 / tasks as f64
        );
    }
    let (mut few, mut many) = (Samples::default(), Samples::default());
    // By turns, so that whatever else the machine does meets both.
    for round in 1..=args.changes {
        few.add(small.change(round).await?);
        many.add(large.change(round).await?);
    }
    for (mesh, samples) in [(&small, &few), (&large, &many)] {
        let tasks = mesh.services * EACH;
        let (p50, p99) = (samples.median(), samples.percentile(99.0));
        println!("{tasks} tasks, event to EDS bytes: p50 {p50:.3} ms, p99 {p99:.3} ms");
    }
    println!("ratio of the medians: {:.2}", many.median() / few.median());
    drop((small, large));
    for services in [100, 1_000] {
        let each = lists(services, args.lists).await?;
        let tasks = services * EACH;
        println!("{tasks} tasks, a list read and found unchanged: {each:?}");
    }
    Ok(())
}

/// The mean time of a complete reading that finds nothing new.
async fn lists(services: usize, count: u64) -> Result<Duration> {
    let mut mesh = Mesh::start(services, Duration::from_micros(1)).await?;
    let before = mesh.status.borrow().resyncs;
    let began = Instant::now();
    let done = mesh
        .status
        .wait_for(|status| status.resyncs >= before + count);
    tokio::time::timeout(PATIENCE, done).await??;
    let read = u32::try_from(mesh.status.borrow().resyncs - before)?;
    Ok(began.elapsed() / read)
}

impl Mesh {
    async fn start(services: usize, resync: Duration) -> Result<Mesh> {
        let shape = Shape {
            services,
            endpoints: EACH,
            subsets: 0,
        };
        let marathon = Marathon::start(shape)?;
        let before = resident()?;
        let mut options = ::watch::marathon::Options::new([marathon.url().parse()?]);
        options.timing.resync = resync;
        options.timing.quiet = Duration::ZERO;
        let source = ::watch::marathon::Marathon::new(options, "marathon")?;
        let (updates_tx, updates) = mpsc::channel(1024);
        let (status_tx, status) = channel::channel(source.status());
        let end = CancellationToken::new();
        let began = Instant::now();
        tokio::spawn(source.run(updates_tx, status_tx, end.clone()));
        let mut mesh = Mesh {
            services,
            marathon,
            updates,
            status,
            index: Index::new(Settings {
                mesh: model::Mesh::default(),
                sources: vec!["marathon".into()],
            }),
            compiler: Compiler::default(),
            first: Duration::ZERO,
            kilobytes: 0,
            _end: end.drop_guard(),
        };
        let published = mesh.next().await?;
        mesh.first = began.elapsed();
        let world = published.world;
        mesh.compiler.update(&world, &published.changes);
        let instance = world.instances.keys().next().context("no instance")?;
        let node_id = format!("sidecar~172.17.0.2~{instance}~marathon.slave.mesos");
        let metadata = serde_json::Map::new();
        let claim = Claim {
            node_id: &node_id,
            metadata: &metadata,
        };
        let proxy = index::identify(&world, &claim, IpAddr::from([127, 0, 0, 1]))?;
        let (_, sets) = mesh.compiler.join(&proxy);
        let resources = sets.iter().map(|set| set.upserts.len()).sum::<usize>();
        if resources < services {
            bail!("{resources} resources for {services} services");
        }
        mesh.kilobytes = resident()?.saturating_sub(before);
        Ok(mesh)
    }

    /// The next state that differs for proxies.
    async fn next(&mut self) -> Result<Published> {
        loop {
            let update = tokio::time::timeout(PATIENCE, self.updates.recv()).await?;
            self.index.apply(update.context("the source ended")?);
            while let Ok(update) = self.updates.try_recv() {
                self.index.apply(update);
            }
            if let Some(published) = self.index.publish()
                && !published.changes.is_empty()
            {
                return Ok(published);
            }
        }
    }

    /// Milliseconds from the event of a task that moved to the bytes that tell proxies of it.
    async fn change(&mut self, round: usize) -> Result<f64> {
        let service = round % self.services;
        let began = Instant::now();
        self.marathon.move_instance(service, round);
        let published = self.next().await?;
        let sets = self.compiler.update(&published.world, &published.changes);
        let upserts = sets.iter().flat_map(|set| &set.upserts);
        let endpoints = upserts.filter(|r| r.kind == Kind::Endpoint && !r.body.is_empty());
        if endpoints.count() == 0 {
            bail!("round {round}: no endpoints were sent");
        }
        Ok(began.elapsed().as_secs_f64() * 1000.0)
    }
}

/// What the process holds, in kilobytes.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.context("no VmRSS")?.parse()?)
}
