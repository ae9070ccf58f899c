//! B2 and B3: one endpoint moves, or one VirtualService is edited, and all proxies learn of it.

use anyhow::Result;

use super::lane::{Pair, Seen, row};
use crate::recording::Change;
use crate::report::Report;
use crate::rig::Rig;

pub(super) fn run(
    rig: &mut Rig,
    pair: &mut Pair,
    change: Change,
    report: &mut Report,
) -> Result<()> {
    let proxies = pair.proxies();
    let mut seen = [Seen::default(), Seen::default()];
    let rounds = rig.plan.rounds;
    // The first round is for warming up, unless there is only one.
    for round in 0..=rounds {
        let mut all = true;
        for (lane, seen) in pair.lanes.iter_mut().zip(&mut seen) {
            if round == 1 {
                *seen = Seen::default();
            }
            all &= lane.round(rig, change, seen)?;
        }
        // Who lost one change will not be faster with the next, only take the same time again.
        if !all {
            break;
        }
    }
    let case = match change {
        Change::Endpoint => "endpoint-change",
        Change::Route => "route-change",
    };
    let [server, floor] = seen;
    let mut row = row(case, rig, proxies, "p99");
    row.client_share = server.spent.client_share();
    row.server = server.figures(proxies);
    row.floor = Some(floor.figures(proxies));
    report.row(&row)
}
