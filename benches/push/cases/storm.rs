//! B4: all proxies connect at the same moment.

use std::time::Duration;

use anyhow::Result;

use super::lane::{Seen, Usage, millis, row};
use crate::fleet::Fleet;
use crate::report::Report;
use crate::rig::{CALM, Rig, Side};

pub(super) fn run(rig: &mut Rig, proxies: usize, report: &mut Report) -> Result<()> {
    let mut seen = [Seen::default(), Seen::default()];
    let mut refused = [0_u32; 2];
    // Each round connects everything; a few tell as much as many changes do.
    for _ in 0..rig.plan.rounds.div_ceil(2) {
        let mut all = true;
        for (side, seen) in [Side::Server, Side::Floor].into_iter().zip(&mut seen) {
            let (complete, lost) = storm(rig, side, proxies, seen);
            all &= complete;
            refused[usize::from(side == Side::Floor)] += lost;
        }
        if !all {
            break;
        }
    }
    let [server, floor] = seen;
    let mut row = row("storm", rig, proxies, "median of last ms");
    row.client_share = server.spent.client_share();
    row.server = server.figures(proxies);
    row.server.set("streams lost", f64::from(refused[0]));
    let mut floor = floor.figures(proxies);
    floor.set("streams lost", f64::from(refused[1]));
    row.floor = Some(floor);
    report.row(&row)
}

/// Connects a new fleet; whether all of it was configured, and how many streams were lost.
fn storm(rig: &Rig, side: Side, proxies: usize, seen: &mut Seen) -> (bool, u32) {
    let fleet = Fleet::new(&rig.crew(proxies, false));
    let mut usage = Usage::new(rig.pid(side));
    let before = usage.now();
    let from = fleet.connect(rig.address(side));
    let all = fleet.configured(rig.plan.limit);
    let wall = Duration::from_nanos(fleet.board.now() - from);
    std::thread::sleep(CALM);
    seen.spent.add(usage.now().since(before, wall));
    let completions = fleet.board.completions();
    for at in &completions {
        seen.latency.add(millis(at - from));
    }
    (completions.len()..proxies).for_each(|_| seen.latency.add_lost());
    let last = completions
        .iter()
        .max()
        .filter(|_| all)
        .map_or(f64::INFINITY, |at| millis(at - from));
    seen.last.add(last);
    seen.arrivals.extend(fleet.board.take().0);
    seen.rounds += 1;
    let lost = fleet.board.lost.get() as u32;
    fleet.disconnect();
    // What a server does when proxies leave belongs to no measurement.
    std::thread::sleep(CALM);
    (all, lost)
}
