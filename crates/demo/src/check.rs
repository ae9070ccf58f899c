//! The traffic chapters of the guide, checked one by one on a running mesh.
//!
//! Each step edits files in the configuration directory as a person would, waits until every Envoy
//! has acknowledged the edit, and then looks at real pages. A load runs through the gateway all the
//! time: no request of it may fail because of a change.

use std::time::{Duration, Instant};

use crate::client::{Client, Failure, Load, Tally};
use crate::mesh::{Mesh, NotSettled, PATIENCE};

mod look;
mod report;
mod steps;

pub use report::{Report, Row};
pub use steps::{Edit, Expect, STEPS, Step};

/// Requests a second of the load that runs beside the steps.
const LOAD: u32 = 50;
/// An edit reaches all Envoys in well under a second. Half of the edits have to; the others may meet
/// a machine that is busy with something else.
const PROPAGATION: Duration = Duration::from_millis(500);
const PROPAGATION_MAX: Duration = Duration::from_secs(2);

/// Why the check could not be carried out at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The mesh has no way in.
    #[error("the mesh has no {0}: the check needs all pods of the sample")]
    Missing(&'static str),
    /// An HTTP client could not be made.
    #[error(transparent)]
    Client(#[from] Failure),
}

/// Carries out all steps on a mesh that was started without configuration. `watch` hears of every
/// row as it is known.
pub async fn check(mesh: &Mesh, mut watch: impl FnMut(&Row)) -> Result<Report, CheckError> {
    let began = Instant::now();
    let gateway = mesh.gateway().ok_or(CheckError::Missing("gateway"))?;
    let page = mesh.outside("/productpage", crate::bookinfo::PORT);
    let page = page.ok_or(CheckError::Missing("productpage"))?;
    let clients = look::Clients {
        gateway: Client::new(gateway)?,
        page: Client::new(page)?,
    };
    let mut report = Report::default();
    let mut load: Option<Load> = None;
    for step in STEPS {
        if let Some(load) = &load {
            load.step(step.name);
        }
        let row = carry_out(mesh, &clients, step, &mut report.propagation).await;
        watch(&row);
        report.rows.push(row);
        // From the first step on that lets people in.
        if load.is_none() && matches!(step.expect, Expect::Open) {
            load = Some(Load::start(clients.gateway.clone(), LOAD));
        }
    }
    let tally = match load {
        Some(load) => load.finish().await,
        None => Tally::default(),
    };
    for row in closing(mesh, &report.propagation, &tally).await {
        watch(&row);
        report.rows.push(row);
    }
    report.load = tally;
    report.took = began.elapsed();
    Ok(report)
}

async fn carry_out(
    mesh: &Mesh,
    clients: &look::Clients,
    step: &Step,
    propagation: &mut Vec<Duration>,
) -> Row {
    let began = Instant::now();
    let looked = match edit(mesh, step.edits).await {
        Ok(took) => {
            propagation.extend(took);
            look::look(mesh, clients, &step.expect).await
        }
        Err(error) => Err(error.to_string()),
    };
    Row::new(step.name, step.expectation, looked, began.elapsed())
}

async fn edit(mesh: &Mesh, edits: &[Edit]) -> Result<Option<Duration>, NotSettled> {
    if edits.is_empty() {
        return Ok(None);
    }
    let took = mesh.change(PATIENCE, |files| {
        edits.iter().try_for_each(|edit| match edit {
            Edit::Apply(name, sample) => files.apply(name, sample.text),
            Edit::Delete(name) => files.delete(name),
        })
    });
    took.await.map(Some)
}

/// What holds for all steps together.
async fn closing(mesh: &Mesh, propagation: &[Duration], tally: &Tally) -> [Row; 3] {
    let load = if tally.failed == 0 && tally.requests > 0 {
        Ok(tally.to_string())
    } else {
        Err(tally.to_string())
    };
    let loaded = "no request fails because of a change";
    [
        Row::new("load through all steps", loaded, load, Duration::ZERO),
        Row::new(
            "rejections",
            "no Envoy has refused anything",
            rejections(mesh).await,
            Duration::ZERO,
        ),
        Row::new(
            "propagation",
            "all Envoys acknowledge an edit within 0.5 s",
            propagated(propagation),
            Duration::ZERO,
        ),
    ]
}

async fn rejections(mesh: &Mesh) -> Result<String, String> {
    let rejected = mesh.rejected().await;
    let envoys = mesh
        .workloads()
        .iter()
        .filter(|workload| workload.role.is_some())
        .count();
    if rejected.len() < envoys {
        return Err(format!("only {} of {envoys} Envoys answer", rejected.len()));
    }
    let guilty: Vec<String> = rejected
        .iter()
        .filter(|(_, rejected)| rejected.total() > 0)
        .map(|(name, rejected)| format!("{name}: {rejected:?}"))
        .collect();
    if guilty.is_empty() {
        Ok(format!("update_rejected 0 on {envoys} Envoys"))
    } else {
        Err(guilty.join("; "))
    }
}

fn propagated(times: &[Duration]) -> Result<String, String> {
    let Some(max) = times.iter().max() else {
        return Err("nothing was measured".into());
    };
    let median = report::median(times);
    let text = format!(
        "median {} ms, max {} ms over {} edits",
        median.as_millis(),
        max.as_millis(),
        times.len()
    );
    if median < PROPAGATION && *max < PROPAGATION_MAX {
        Ok(text)
    } else {
        Err(text)
    }
}
