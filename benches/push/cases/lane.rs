//! A server and the fleet that is connected to it, and what they use while something happens.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use crate::board::{Arrival, Board, Sighting};
use crate::fleet::Fleet;
use crate::process::Meter;
use crate::recording::Change;
use crate::report::{Figures, Row};
use crate::resource::Kind;
use crate::rig::{CALM, Rig, Side};
use crate::stat::Samples;

pub(super) struct Lane {
    pub(super) side: Side,
    pub(super) fleet: Fleet,
    pub(super) usage: Usage,
}

/// The server's lane and the floor's.
pub(super) struct Pair {
    pub(super) lanes: [Lane; 2],
}

/// Processor time of a server, and of this process beside it.
pub(super) struct Usage {
    server: Meter,
    client: Meter,
}

/// What was used in some span.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Spent {
    pub(super) server: Duration,
    pub(super) client: Duration,
    pub(super) wall: Duration,
}

/// What some rounds of one lane gave.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) latency: Samples,
    /// Of the last proxy of each round.
    pub(super) last: Samples,
    pub(super) spent: Spent,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) rounds: usize,
}

// === impl Pair ===

impl Pair {
    pub(super) fn connect(rig: &Rig, proxies: usize) -> Result<Pair> {
        let lane = |side| -> Result<Lane> {
            Ok(Lane {
                side,
                fleet: rig.connected(side, proxies)?,
                usage: Usage::new(rig.pid(side)),
            })
        };
        let lanes = [lane(Side::Server)?, lane(Side::Floor)?];
        std::thread::sleep(CALM);
        Ok(Pair { lanes })
    }

    pub(super) fn proxies(&self) -> usize {
        self.lanes[0].fleet.size
    }
}

// === impl Lane ===

impl Lane {
    /// One change, from its cause until all proxies have it; false if one never got it.
    pub(super) fn round(&mut self, rig: &mut Rig, change: Change, seen: &mut Seen) -> Result<bool> {
        let board = self.fleet.board.clone();
        board.take();
        board.unmark();
        board.mark(rig.next(self.side, change));
        let before = self.usage.now();
        let from = board.now();
        rig.apply(self.side, change)?;
        let all = board.wait(|board| &board.sighted, self.fleet.size, rig.plan.limit);
        let wall = Duration::from_nanos(board.now() - from);
        std::thread::sleep(CALM);
        let spent = self.usage.now().since(before, wall);
        let (arrivals, sightings) = board.take();
        let mut latency = Samples::default();
        sightings
            .iter()
            .for_each(|s| latency.add(millis(s.at.saturating_sub(from))));
        (latency.len()..self.fleet.size).for_each(|_| latency.add_lost());
        seen.last.add(latency.max());
        seen.latency.extend(&latency);
        seen.spent.add(spent);
        seen.arrivals.extend(arrivals);
        seen.rounds += 1;
        Ok(all)
    }
}

// === impl Usage ===

impl Usage {
    pub(super) fn new(server: u32) -> Usage {
        Usage {
            server: Meter::new(server),
            client: Meter::new(std::process::id()),
        }
    }

    pub(super) fn now(&mut self) -> Spent {
        Spent {
            server: self.server.total(),
            client: self.client.total(),
            wall: Duration::ZERO,
        }
    }
}

// === impl Spent ===

impl Spent {
    pub(super) fn since(self, before: Spent, wall: Duration) -> Spent {
        Spent {
            server: self.server.saturating_sub(before.server),
            client: self.client.saturating_sub(before.client),
            wall,
        }
    }

    pub(super) fn add(&mut self, other: Spent) {
        self.server += other.server;
        self.client += other.client;
        self.wall += other.wall;
    }

    /// How much of the machine the client took while the latency ran.
    pub(super) fn client_share(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (self.client.as_secs_f64() / (self.wall.as_secs_f64() * cores as f64)).min(1.0)
    }
}

// === impl Seen ===

impl Seen {
    /// Per proxy and round: time, bytes, messages, and the resources of each type that were sent.
    pub(super) fn figures(self, proxies: usize) -> Figures {
        let share = (proxies * self.rounds.max(1)) as f64;
        let mut figures = Figures {
            latency: self.latency,
            values: Vec::new(),
        };
        figures.set("median of last ms", self.last.median());
        figures.set(
            "cpu/proxy ms",
            self.spent.server.as_secs_f64() * 1000.0 / share,
        );
        traffic(&mut figures, &self.arrivals, share);
        figures
    }
}

/// What was sent, divided by `share`.
pub(super) fn traffic(figures: &mut Figures, arrivals: &[Arrival], share: f64) {
    figures.set(
        "bytes/proxy",
        arrivals.iter().map(|a| a.bytes).sum::<usize>() as f64 / share,
    );
    figures.set("messages/proxy", arrivals.len() as f64 / share);
    for kind in Kind::ALL {
        let of_kind = || arrivals.iter().filter(|a| a.kind == kind);
        if of_kind().next().is_some() {
            figures.set(
                kind.short(),
                of_kind().map(|a| a.resources + a.removed).sum::<usize>() as f64 / share,
            );
        }
    }
}

/// A row without figures yet.
pub(super) fn row(case: &str, rig: &Rig, proxies: usize, figure: &'static str) -> Row {
    let mode = rig.mode.name();
    let debounce = rig
        .plan
        .debounce
        .map_or("shipped".into(), |time| format!("{} ms", time.as_millis()));
    let settings = vec![
        ("debounce", Value::from(debounce)),
        ("extensions", rig.plan.extensions.into()),
    ];
    Row {
        settings,
        case: case.into(),
        services: rig.shape.services,
        proxies,
        mode,
        figure,
        ..Row::default()
    }
}

pub(super) fn millis(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// Waits until nothing has arrived for some time; what did until then.
pub(super) fn until_quiet(
    board: &Board,
    quiet: Duration,
    patience: Duration,
) -> (Vec<Arrival>, Vec<Sighting>) {
    let (mut arrivals, mut sightings) = (Vec::new(), Vec::new());
    let (begin, mut last) = (Instant::now(), Instant::now());
    while last.elapsed() < quiet && begin.elapsed() < patience {
        std::thread::sleep(CALM);
        let (arrived, sighted) = board.take();
        if !arrived.is_empty() {
            last = Instant::now();
        }
        arrivals.extend(arrived);
        sightings.extend(sighted);
    }
    (arrivals, sightings)
}
