//! B6: from the start of the process until it is ready, and until a first proxy has everything.

use anyhow::{Result, ensure};

use super::lane::{Usage, row};
use crate::fleet::Fleet;
use crate::process::Memory;
use crate::report::{Figures, Report};
use crate::rig::{Rig, Side};
use crate::server::Pilothouse;
use crate::stat::Samples;

pub(super) fn run(rig: &mut Rig, report: &mut Report) -> Result<()> {
    let (mut ready, mut first, mut cpu, mut memory) = (
        Samples::default(),
        Samples::default(),
        Samples::default(),
        Samples::default(),
    );
    for _ in 0..rig.plan.rounds {
        let mut server = Pilothouse::start(&rig.launch)?;
        ready.add(server.ready(rig.plan.limit)?.as_secs_f64() * 1000.0);
        let pid = server.pid();
        memory.add(Memory::of(pid).now);
        cpu.add(Usage::new(pid).now().server.as_secs_f64() * 1000.0);
        let fleet = Fleet::new(&rig.crew(1, false));
        fleet.connect(server.ads);
        ensure!(
            fleet.configured(rig.plan.limit),
            "the first proxy was not configured in {:?}",
            rig.plan.limit
        );
        first.add(server.age().as_secs_f64() * 1000.0);
        fleet.disconnect();
        rig.server = server;
    }
    let mut row = row("cold-start", rig, 1, "ready ms");
    row.server = Figures::default();
    row.server.set("ready ms", ready.median());
    row.server.set("slowest ready ms", ready.max());
    row.server.set("first proxy complete ms", first.median());
    row.server.set("cpu until ready ms", cpu.median());
    row.server.set("memory when ready MB", memory.median());
    debug_assert_eq!(rig.pid(Side::Server), rig.server.pid());
    report.row(&row)
}
