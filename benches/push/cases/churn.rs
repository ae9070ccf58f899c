//! B8: endpoints move all the time, another service's each time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::lane::{Lane, Pair, Spent, millis, row, traffic, until_quiet};
use crate::board::Sighting;
use crate::recording::Change;
use crate::report::{Figures, Report};
use crate::rig::Rig;
use crate::stat::Samples;

/// A change that was made: where, and when.
struct Made {
    resource: Vec<u8>,
    at: u64,
}

/// After so long without a message, nothing more will come.
const QUIET: Duration = Duration::from_millis(1500);

pub(super) fn run(rig: &mut Rig, pair: &mut Pair, report: &mut Report) -> Result<()> {
    for rate in rig.plan.churn.clone() {
        let mut sides = Vec::new();
        let mut share = 0.0;
        // The floor first, so that the server's share of the client is the one that is kept.
        for lane in pair.lanes.iter_mut().rev() {
            let (figures, spent) = churn(rig, lane, rate)?;
            sides.push(figures);
            share = spent.client_share();
        }
        let mut row = row(&format!("churn-{rate}"), rig, pair.proxies(), "p99");
        row.client_share = share;
        row.server = sides.pop().unwrap_or_default();
        row.floor = sides.pop();
        report.row(&row)?;
    }
    Ok(())
}

fn churn(rig: &mut Rig, lane: &mut Lane, rate: u32) -> Result<(Figures, Spent)> {
    let board = lane.fleet.board.clone();
    board.take();
    board.unmark();
    let before = lane.usage.now();
    let begin = Instant::now();
    let count = (rig.plan.span.as_secs_f64() * f64::from(rate)) as u32;
    let mut made = BTreeMap::new();
    for i in 0..count {
        let due = begin + Duration::from_secs(1) / rate * i;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mark = rig.next(lane.side, Change::Endpoint);
        made.insert(
            mark.change,
            Made {
                resource: mark.resource.clone(),
                at: board.now(),
            },
        );
        board.mark(mark);
        rig.apply(lane.side, Change::Endpoint)?;
    }
    let wall = begin.elapsed();
    let spent = lane.usage.now().since(before, wall);
    let (arrivals, sightings) = until_quiet(&board, QUIET, rig.plan.limit);
    let proxies = lane.fleet.size;
    let latency = latencies(&made, &sightings, proxies);
    let mut figures = Figures {
        latency,
        values: Vec::new(),
    };
    let messages = arrivals.len() as f64 / proxies as f64;
    figures.set("changes/message", f64::from(count) / messages);
    figures.set(
        "cpu % of a core",
        spent.server.as_secs_f64() / wall.as_secs_f64() * 100.0,
    );
    figures.set(
        "cpu/proxy ms",
        spent.server.as_secs_f64() * 1000.0 / (proxies as f64 * f64::from(count)),
    );
    traffic(&mut figures, &arrivals, proxies as f64 * f64::from(count));
    Ok((figures, spent))
}

/// A change has arrived when it is seen, or when a later one of the same resource is.
fn latencies(made: &BTreeMap<u64, Made>, sightings: &[Sighting], proxies: usize) -> Samples {
    let mut seen: BTreeMap<(&[u8], u32), Vec<&Sighting>> = BTreeMap::new();
    for sighting in sightings {
        let Some(made) = made.get(&sighting.change) else {
            continue;
        };
        seen.entry((&made.resource, sighting.proxy))
            .or_default()
            .push(sighting);
    }
    let mut samples = Samples::default();
    for (change, made) in made {
        for proxy in 0..proxies as u32 {
            let sightings = seen.get(&(&made.resource[..], proxy)).into_iter().flatten();
            let first = sightings
                .filter(|seen| seen.change >= *change)
                .map(|seen| seen.at)
                .min();
            match first {
                Some(at) => samples.add(millis(at.saturating_sub(made.at))),
                None => samples.add_lost(),
            }
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_change_of_the_same_resource_brings_the_earlier_one() {
        let change = |resource: &[u8], at: u64| Made {
            resource: resource.to_vec(),
            at,
        };
        let made = BTreeMap::from([
            (1, change(b"a", 0)),
            (2, change(b"b", 1_000_000)),
            (3, change(b"a", 2_000_000)),
        ]);
        let saw = |change, proxy, at| Sighting { change, proxy, at };
        let sightings = [
            saw(3, 0, 5_000_000),
            saw(1, 1, 4_000_000),
            saw(2, 1, 2_000_000),
            saw(3, 1, 6_000_000),
        ];
        let latency = latencies(&made, &sightings, 2);
        assert_eq!(
            (latency.len(), latency.lost()),
            (6, 1),
            "proxy 0 never saw the change of b"
        );
        assert_eq!(latency.percentile(1.0), 1.0);
        assert_eq!(
            latency.percentile(80.0),
            5.0,
            "change 1 came to proxy 0 with change 3"
        );
    }
}
