//! B5: memory of fresh processes: at the start, with all proxies, after a hundred changes.

use anyhow::Result;

use super::lane::{Lane, Seen, Usage, row, until_quiet};
use crate::process::Memory;
use crate::recording::Change;
use crate::report::{Figures, Report};
use crate::rig::{CALM, Rig, Side};

const CHANGES: usize = 100;

pub(super) fn run(rig: &mut Rig, proxies: usize, report: &mut Report) -> Result<()> {
    rig.restart()?;
    let mut row = row("memory", rig, proxies, "MB/proxy");
    row.server = measure(rig, Side::Server, proxies)?;
    row.floor = Some(measure(rig, Side::Floor, proxies)?);
    report.row(&row)
}

fn measure(rig: &mut Rig, side: Side, proxies: usize) -> Result<Figures> {
    let pid = rig.pid(side);
    std::thread::sleep(CALM);
    let start = Memory::of(pid).now;
    let fleet = rig.connected(side, proxies)?;
    until_quiet(&fleet.board, CALM * 2, rig.plan.limit);
    let settled = Memory::of(pid);
    let mut lane = Lane {
        side,
        fleet,
        usage: Usage::new(pid),
    };
    let changes = if rig.plan.quick {
        CHANGES / 20
    } else {
        CHANGES
    };
    let begin = std::time::Instant::now();
    let mut made = 0;
    while made < changes && begin.elapsed() < rig.plan.limit {
        lane.round(rig, Change::Endpoint, &mut Seen::default())?;
        made += 1;
    }
    let after = Memory::of(pid);
    let mut figures = Figures::default();
    figures.set("start MB", start);
    figures.set("with proxies MB", settled.now);
    figures.set("MB/proxy", (settled.now - start) / proxies as f64);
    figures.set("peak/proxy MB", (settled.peak - start) / proxies as f64);
    figures.set("changes", made as f64);
    figures.set("after changes MB", after.now);
    Ok(figures)
}
