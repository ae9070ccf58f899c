//! The cases, size by size: each a measurement of the server and of the floor, alternately.

mod churn;
mod cold;
mod idle;
mod lane;
mod memory;
mod one_change;
mod reconnect;
mod slow;
mod storm;

use anyhow::{Result, bail};

use self::lane::Pair;
use crate::options::{Case, Plan};
use crate::recording::Change;
use crate::report::Report;
use crate::resource::Mode;
use crate::rig::Rig;

/// Runs the plan. What fails is told and does not keep the rest from running, but the run fails.
pub(crate) fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut failed = sizes(plan, report);
    // Briefly means the usual settings only.
    for variant in plan.variants().iter().filter(|_| !plan.quick) {
        failed += sizes(variant, report);
    }
    if failed > 0 {
        bail!("{failed} measurements failed; what they said is above");
    }
    Ok(())
}

/// All meshes of a plan; how many measurements failed.
fn sizes(plan: &Plan, report: &mut Report) -> usize {
    let mut failed = 0;
    for services in &plan.services {
        for mode in &plan.modes {
            println!(
                "\n=== {services} services x {} endpoints, {}",
                plan.endpoints,
                mode.name()
            );
            match Rig::build(plan, *services, *mode) {
                Ok(mut rig) => {
                    report.note(&format!("a new proxy is sent {} KB", rig.full_bytes / 1000));
                    failed += size(&mut rig, report);
                }
                Err(error) => {
                    report.note(&format!("FAILED: {error:#}"));
                    failed += 1;
                }
            }
        }
    }
    failed
}

/// All cases of one mesh; how many failed.
fn size(rig: &mut Rig, report: &mut Report) -> usize {
    let plan = rig.plan.clone();
    let mut failed = 0;
    let mut done = |result: Result<()>, report: &Report| {
        if let Err(error) = result {
            report.note(&format!("FAILED: {error:#}"));
            failed += 1;
        }
    };
    if plan.has(Case::Cold) && rig.mode == plan.modes[0] {
        done(cold::run(rig, report), report);
    }
    for proxies in &plan.proxies {
        let full = plan.is_representative(rig.shape.services, *proxies);
        if plan.has(Case::Storm) {
            done(storm::run(rig, *proxies, report), report);
        }
        done(connected(rig, *proxies, report), report);
        if plan.has(Case::Memory) && (full || !plan.quick) {
            done(memory::run(rig, *proxies, report), report);
        }
        // Only delta lets a proxy say what it holds.
        if plan.has(Case::Reconnect) && rig.mode == Mode::Delta && (full || !plan.quick) {
            done(reconnect::run(rig, *proxies, report), report);
        }
    }
    failed
}

/// The cases that need a fleet which has everything.
fn connected(rig: &mut Rig, proxies: usize, report: &mut Report) -> Result<()> {
    let plan = rig.plan.clone();
    let full = plan.is_representative(rig.shape.services, proxies);
    let long = full && rig.mode == plan.modes[0];
    let wanted = |case: Case| {
        plan.has(case)
            && match case {
                Case::Endpoint | Case::Route => true,
                Case::Idle => long || (!plan.quick && proxies >= 1000),
                Case::Churn | Case::Slow => long,
                _ => false,
            }
    };
    if ![
        Case::Endpoint,
        Case::Route,
        Case::Idle,
        Case::Churn,
        Case::Slow,
    ]
    .into_iter()
    .any(wanted)
    {
        return Ok(());
    }
    let mut pair = Pair::connect(rig, proxies)?;
    if wanted(Case::Endpoint) {
        one_change::run(rig, &mut pair, Change::Endpoint, report)?;
    }
    if wanted(Case::Route) {
        one_change::run(rig, &mut pair, Change::Route, report)?;
    }
    if wanted(Case::Idle) {
        idle::run(rig, &mut pair, report)?;
    }
    if wanted(Case::Churn) {
        churn::run(rig, &mut pair, report)?;
    }
    if wanted(Case::Slow) {
        slow::run(rig, &mut pair, report)?;
    }
    Ok(())
}
