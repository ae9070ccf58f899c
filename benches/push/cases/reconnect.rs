//! B4: the server is replaced by another with equal input, and all proxies reconnect, naming what
//! they hold. Nothing that they hold may be sent again.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::lane::{Usage, row, traffic, until_quiet};
use crate::fleet::Fleet;
use crate::report::{Figures, Report};
use crate::rig::{Rig, Side};

/// After so long without a message, nothing more will come.
const QUIET: Duration = Duration::from_millis(500);

pub(super) fn run(rig: &mut Rig, proxies: usize, report: &mut Report) -> Result<()> {
    let fleet = Fleet::new(&rig.crew(proxies, true));
    fleet.connect(rig.address(Side::Server));
    ensure!(
        fleet.configured(rig.plan.limit),
        "only {} of {proxies} proxies were configured",
        fleet.board.complete.get()
    );
    until_quiet(&fleet.board, QUIET, rig.plan.limit);
    fleet.disconnect();
    rig.restart_server()?;
    let lost = fleet.board.lost.get();
    let mut usage = Usage::new(rig.pid(Side::Server));
    let before = usage.now();
    let from = fleet.connect(rig.address(Side::Server));
    let all = fleet
        .board
        .wait(|board| &board.answered, proxies, rig.plan.limit);
    let wall = Duration::from_nanos(fleet.board.now() - from);
    let (arrivals, _) = until_quiet(&fleet.board, QUIET, rig.plan.limit);
    let spent = usage.now().since(before, wall);
    let mut figures = Figures::default();
    figures.set(
        "all answered ms",
        if all {
            wall.as_secs_f64() * 1000.0
        } else {
            f64::INFINITY
        },
    );
    figures.set(
        "cpu/proxy ms",
        spent.server.as_secs_f64() * 1000.0 / proxies as f64,
    );
    figures.set(
        "resources sent again",
        arrivals.iter().map(|a| a.resources).sum::<usize>() as f64,
    );
    figures.set("streams lost", (fleet.board.lost.get() - lost) as f64);
    traffic(&mut figures, &arrivals, proxies as f64);
    let mut row = row("reconnect", rig, proxies, "all answered ms");
    row.client_share = spent.client_share();
    row.server = figures;
    report.row(&row)
}
