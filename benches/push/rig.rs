//! All that a measurement needs: a mesh, the server that runs it, and the floor beside it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use generate::Shape;
use serde_json::json;
use tempfile::TempDir;

use crate::board::Mark;
use crate::fleet::{Crew, Fleet};
use crate::marathon::Marathon;
use crate::options::Plan;
use crate::recording::{Change, Recording};
use crate::request;
use crate::resource::Mode;
use crate::server::{Floor, Launch, Pilothouse};
use crate::wire::put_number;

pub(crate) struct Rig {
    pub(crate) plan: Plan,
    pub(crate) shape: Shape,
    pub(crate) mode: Mode,
    pub(crate) server: Pilothouse,
    pub(crate) floor: Floor,
    pub(crate) launch: Launch,
    marathon: Marathon,
    /// Ends with the rig.
    _directory: TempDir,
    recording: PathBuf,
    /// All that a new proxy gets.
    pub(crate) full_bytes: usize,
    /// Counts the changes; each makes something that was not there before.
    round: usize,
    /// The marks of the changes that the floor replays.
    replayed: Vec<Mark>,
}

/// Which of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Floor,
}

/// For the server to calm down after a measurement: ACKs are read, and the source of endpoints,
/// which gathers what comes within 100 ms of an event, follows the next one at once.
pub(crate) const CALM: Duration = Duration::from_millis(150);

/// The service whose route is edited; it has nothing else that is special.
const EDITED: usize = 1;

// === impl Rig ===

impl Rig {
    pub(crate) fn build(plan: &Plan, services: usize, mode: Mode) -> Result<Rig> {
        let shape = Shape {
            services,
            endpoints: plan.endpoints,
            subsets: plan.subsets,
        };
        let (directory, marathon) = (mesh(plan, shape)?, Marathon::start(shape)?);
        let launch = Launch {
            binary: plan.pilothouse.clone(),
            config_dir: directory.path().to_owned(),
            marathon: marathon.url(),
            debounce: plan.debounce,
            log: plan.output.join("pilothouse.log"),
        };
        let mut server = Pilothouse::start(&launch)?;
        server.ready(plan.limit)?;
        let recording = plan
            .output
            .join(format!("{}-{services}.recording", mode.name()));
        let mut world = World {
            shape,
            marathon: marathon.clone(),
            directory: launch.config_dir.clone(),
            round: 0,
        };
        let (replayed, full_bytes) = record(plan, &server, &mut world, mode, &recording)?;
        let floor = Floor::start(&recording)?;
        let round = world.round;
        Ok(Rig {
            plan: plan.clone(),
            shape,
            mode,
            server,
            floor,
            launch,
            marathon,
            _directory: directory,
            recording,
            full_bytes,
            round,
            replayed,
        })
    }

    /// A new process of both servers, with equal input.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.restart_server()?;
        self.floor = Floor::start(&self.recording)?;
        Ok(())
    }

    pub(crate) fn restart_server(&mut self) -> Result<()> {
        self.server = Pilothouse::start(&self.launch)?;
        self.server.ready(self.plan.limit)?;
        Ok(())
    }

    pub(crate) fn crew(&self, proxies: usize, remembers: bool) -> Crew {
        Crew {
            mode: self.mode,
            nodes: nodes(self.shape, proxies, self.plan.extensions),
            remembers,
            records: false,
        }
    }

    /// All proxies connected and configured, or an error.
    pub(crate) fn connected(&self, side: Side, proxies: usize) -> Result<Fleet> {
        let fleet = Fleet::new(&self.crew(proxies, false));
        fleet.connect(self.address(side));
        ensure!(
            fleet.configured(self.plan.limit),
            "only {} of {proxies} proxies were configured in {:?}",
            fleet.board.complete.get(),
            self.plan.limit
        );
        Ok(fleet)
    }

    pub(crate) fn address(&self, side: Side) -> std::net::SocketAddr {
        match side {
            Side::Server => self.server.ads,
            Side::Floor => self.floor.ads,
        }
    }

    pub(crate) fn pid(&self, side: Side) -> u32 {
        match side {
            Side::Server => self.server.pid(),
            Side::Floor => self.floor.pid(),
        }
    }

    /// How the next change will be recognised. It happens with [`Rig::apply`].
    pub(crate) fn next(&mut self, side: Side, change: Change) -> Mark {
        self.round += 1;
        match side {
            Side::Server => mark(change, self.round, self.shape),
            Side::Floor => Mark {
                change: self.round as u64,
                ..self.replayed[change as usize].clone()
            },
        }
    }

    /// Makes the change that was asked for last.
    pub(crate) fn apply(&mut self, side: Side, change: Change) -> Result<()> {
        match side {
            Side::Server => self.world().apply(change),
            Side::Floor => self.floor.change(change as usize),
        }
    }

    fn world(&self) -> World {
        World {
            shape: self.shape,
            marathon: self.marathon.clone(),
            directory: self.launch.config_dir.clone(),
            round: self.round,
        }
    }
}

/// What changes are made to.
struct World {
    shape: Shape,
    marathon: Marathon,
    directory: PathBuf,
    round: usize,
}

// === impl World ===

impl World {
    fn apply(&self, change: Change) -> Result<()> {
        match change {
            Change::Endpoint => self
                .marathon
                .move_instance(moved(self.round, self.shape), self.round),
            Change::Route => edit(&self.directory, self.round)?,
        }
        Ok(())
    }
}

/// The service that moves in a round: another one each time.
fn moved(round: usize, shape: Shape) -> usize {
    round % shape.services
}

fn mark(change: Change, round: usize, shape: Shape) -> Mark {
    let (resource, needles) = match change {
        Change::Endpoint => {
            let service = moved(round, shape);
            let (address, port) = Shape::moved_to(service, round);
            // `SocketAddress.port_value` is field 3. On the same agent a proxy sees the first, elsewhere the second.
            let mut field = Vec::new();
            put_number(&mut field, 3, u64::from(port));
            (
                format!("outbound|9080||{}", generate::host(service)),
                vec![address.into_bytes(), field],
            )
        }
        Change::Route => ("9080".to_owned(), vec![prefix(round).into_bytes()]),
    };
    Mark {
        change: round as u64,
        resource: resource.into_bytes(),
        needles,
    }
}

fn prefix(round: usize) -> String {
    format!("/edit-{round}/")
}

/// The directory with the mesh's Istio objects.
fn mesh(plan: &Plan, shape: Shape) -> Result<TempDir> {
    let directory = tempfile::Builder::new()
        .prefix("mesh-")
        .tempdir_in(&plan.output)?;
    let mut text = String::new();
    for document in shape.documents() {
        text.push_str("---\n");
        text.push_str(&serde_yaml::to_string(&document)?);
    }
    fs::write(directory.path().join("mesh.yaml"), text)?;
    edit(directory.path(), 0)?;
    Ok(directory)
}

/// Writes the one VirtualService that is edited, at once as editors do.
fn edit(directory: &std::path::Path, round: usize) -> Result<()> {
    let to = json!([{"destination": {"host": generate::host(EDITED)}}]);
    let spec = json!({"hosts": [generate::host(EDITED)], "http": [{"match": [{"uri": {"prefix": prefix(round)}}], "route": to}, {"route": to}]});
    let text = serde_yaml::to_string(&generate::document("VirtualService", "edited", spec))?;
    let new = directory.join(".edited.new");
    fs::write(&new, text)?;
    Ok(fs::rename(new, directory.join("edited.yaml"))?)
}

fn nodes(shape: Shape, proxies: usize, extensions: bool) -> Vec<Bytes> {
    let places: Vec<_> = shape.places().collect();
    let node = |i: usize| {
        let place = &places[i % places.len()];
        // Beyond one for each instance, addresses keep the ids apart.
        let address = if i < places.len() {
            place.address.clone()
        } else {
            format!("10.254.{}.{}", i / 250, 1 + i % 250)
        };
        let id = format!("sidecar~{address}~{}~marathon.slave.mesos", place.instance);
        let metadata = [
            ("HOST", &*place.agent),
            ("INTERCEPTION_MODE", "REDIRECT"),
            ("MESOS_TASK_ID", &place.instance),
            ("NAMESPACE", "default"),
        ];
        request::node(&id, &metadata, extensions).into()
    };
    (0..proxies).map(node).collect()
}

/// Keeps what one proxy is sent: everything, and each kind of change.
fn record(
    plan: &Plan,
    server: &Pilothouse,
    world: &mut World,
    mode: Mode,
    path: &std::path::Path,
) -> Result<(Vec<Mark>, usize)> {
    let crew = Crew {
        mode,
        nodes: nodes(world.shape, 1, false),
        remembers: false,
        records: true,
    };
    let fleet = Fleet::new(&crew);
    fleet.connect(server.ads);
    ensure!(
        fleet.configured(plan.limit),
        "the first proxy got no complete configuration within {:?}; the server's log is {}",
        plan.limit,
        plan.output.join("pilothouse.log").display()
    );
    std::thread::sleep(CALM);
    let full = fleet.recorded();
    let (mut changes, mut marks) = (Vec::new(), Vec::new());
    for change in Change::ALL {
        world.round += 1;
        fleet.board.unmark();
        let mark = mark(change, world.round, world.shape);
        fleet.board.mark(mark.clone());
        world.apply(change)?;
        let seen = fleet.board.wait(|board| &board.sighted, 1, plan.limit);
        ensure!(
            seen,
            "the first proxy never saw the change {change:?} in {}",
            String::from_utf8_lossy(&mark.resource)
        );
        std::thread::sleep(CALM);
        changes.push(fleet.recorded());
        marks.push(mark);
    }
    let recording = Recording {
        mode,
        full,
        changes,
    };
    recording
        .save(path)
        .context("the recording cannot be kept")?;
    Ok((marks, recording.size()))
}
