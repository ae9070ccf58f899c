//! B7: nothing changes, so nothing may be sent, and nothing should be computed.

use anyhow::Result;

use super::lane::{Pair, row};
use crate::report::{Figures, Report};
use crate::rig::Rig;

pub(super) fn run(rig: &mut Rig, pair: &mut Pair, report: &mut Report) -> Result<()> {
    let span = rig.plan.span;
    let before: Vec<_> = pair
        .lanes
        .iter_mut()
        .map(|lane| (lane.fleet.board.take(), lane.usage.now()).1)
        .collect();
    std::thread::sleep(span);
    let mut sides = Vec::new();
    let mut share = 0.0;
    for (lane, before) in pair.lanes.iter_mut().zip(before).rev() {
        let spent = lane.usage.now().since(before, span);
        let (arrivals, _) = lane.fleet.board.take();
        let mut figures = Figures::default();
        figures.set(
            "cpu % of a core",
            spent.server.as_secs_f64() / span.as_secs_f64() * 100.0,
        );
        figures.set("messages", arrivals.len() as f64);
        figures.set("streams lost", lane.fleet.board.lost.get() as f64);
        sides.push(figures);
        share = spent.client_share();
    }
    let mut row = row("idle", rig, pair.proxies(), "cpu % of a core");
    row.client_share = share;
    row.server = sides.pop().unwrap_or_default();
    row.floor = sides.pop();
    report.row(&row)
}
