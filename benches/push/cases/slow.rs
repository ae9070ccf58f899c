//! B9: one proxy stops reading. The others, and the server's memory, must not notice.

use anyhow::Result;

use super::lane::{Lane, Pair, Seen, row};
use crate::process::Memory;
use crate::recording::Change;
use crate::report::{Figures, Report};
use crate::rig::{Rig, Side};

/// Changes while the proxy does not read. Routes are large, so they would fill buffers soon.
const CHANGES: usize = 40;

pub(super) fn run(rig: &mut Rig, pair: &mut Pair, report: &mut Report) -> Result<()> {
    let proxies = pair.proxies();
    let mut row = row("slow-reader", rig, proxies, "p99 with/without");
    let sides = pair
        .lanes
        .iter_mut()
        .map(|lane| measure(rig, lane, proxies))
        .collect::<Result<Vec<_>>>()?;
    let mut sides = sides.into_iter();
    (row.server, row.floor) = (sides.next().unwrap_or_default(), sides.next());
    report.row(&row)
}

fn measure(rig: &mut Rig, lane: &mut Lane, proxies: usize) -> Result<Figures> {
    let pid = rig.pid(lane.side);
    // The first rounds are slower and use more memory, whoever reads.
    changes(rig, lane)?;
    let begin = Memory::of(pid).now;
    let without = changes(rig, lane)?;
    let settled = Memory::of(pid).now;
    let slow = rig.connected(lane.side, 1)?;
    slow.stall();
    let with = changes(rig, lane)?;
    let after = Memory::of(pid).now;
    slow.disconnect();
    let (quiet, loud) = (
        without.latency.percentile(99.0),
        with.latency.percentile(99.0),
    );
    let mut figures = with.figures(proxies);
    figures.set("p99 without ms", quiet);
    figures.set("p99 with/without", loud / quiet);
    figures.set("growth MB", after - settled);
    figures.set("growth without MB", settled - begin);
    Ok(figures)
}

fn changes(rig: &mut Rig, lane: &mut Lane) -> Result<Seen> {
    let mut seen = Seen::default();
    let count = if rig.plan.quick { CHANGES / 8 } else { CHANGES };
    for i in 0..count {
        // The floor's memory tells nothing, so routes are for the server only.
        if i % 2 == 1
            && lane.side == Side::Server
            && !lane.round(rig, Change::Route, &mut Seen::default())?
        {
            break;
        }
        if !lane.round(rig, Change::Endpoint, &mut seen)? {
            break;
        }
    }
    Ok(seen)
}
