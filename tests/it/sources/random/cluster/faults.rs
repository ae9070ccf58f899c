//! Answers and events that go wrong, and a Marathon that is away in part or as a whole.

use rand::Rng;
use rand::seq::IndexedRandom;
use simulator::{Effect, EventFaults, Failover, Fault};

use super::{Cluster, Manner};

impl Cluster {
    pub(super) fn answers(&mut self) -> bool {
        if self.dice.random_bool(0.4) {
            self.simulator.clear_faults();
            return true;
        }
        let harmless = [
            Effect::Status(500),
            Effect::Status(503),
            Effect::Status(401),
            Effect::Truncate,
            Effect::Cut,
            Effect::Slow(2),
        ];
        let path = ["", "/v2/apps", "/v2/pods", "/v2/events"]
            .choose(&mut self.dice)
            .unwrap();
        let mut fault = Fault {
            path: (*path).into(),
            times: Some(self.dice.random_range(1..4)),
            effect: harmless.choose(&mut self.dice).unwrap().clone(),
        };
        if self.manner == Manner::Resync && self.dice.random_bool(0.5) {
            // Two equal lists in a row would be believed, and rightly: no two are spoilt alike.
            const SPOILT: [(&str, Effect); 4] = [
                ("/v2/apps", Effect::Empty),
                ("/v2/pods/::status", Effect::Empty),
                ("/v2/apps", Effect::Half),
                ("/v2/pods/::status", Effect::Half),
            ];
            let is_spoilt =
                |fault: &Fault| SPOILT.iter().any(|(_, effect)| fault.effect == *effect);
            if self.simulator.faults().iter().any(is_spoilt) {
                return false;
            }
            let (path, effect) = SPOILT[self.spoilt % SPOILT.len()].clone();
            self.spoilt += 1;
            fault = Fault {
                path: path.into(),
                times: Some(1),
                effect,
            };
        }
        self.simulator.add_fault(fault);
        true
    }

    pub(super) fn events(&mut self) -> bool {
        let mut share = |most: f64| self.dice.random_range(0.0..most);
        let faults = EventFaults {
            types: Vec::new(),
            drop: match self.manner {
                Manner::Events => 0.0,
                Manner::Resync => share(0.5),
            },
            duplicate: share(0.5),
            reorder: share(0.5),
            delay: share(20.0) as u64,
            shred: share(1.0) < 0.5,
        };
        self.simulator.set_event_faults(faults);
        true
    }

    pub(super) fn cut(&mut self) -> bool {
        self.simulator.drop_streams();
        true
    }

    pub(super) fn wipe(&mut self) -> bool {
        match self.dice.random_bool(0.5) {
            true => self.simulator.wipe_health(),
            false => self.simulator.refill_health(),
        }
        true
    }

    pub(super) fn freeze(&mut self) -> bool {
        self.away.frozen = !self.away.frozen;
        self.simulator.freeze_events(self.away.frozen);
        true
    }

    /// Something goes away, or all comes back.
    pub(super) async fn marathon(&mut self) -> bool {
        if self.away.everything || self.away.leader || self.away.member.is_some() {
            self.bring_back().await;
            return true;
        }
        match self.dice.random_range(0..4) {
            0 => {
                self.simulator.pause().await;
                self.away.everything = true;
            }
            1 => {
                self.simulator.abdicate().await;
                self.away.leader = true;
            }
            2 => {
                let member = self.dice.random_range(0..3);
                self.simulator.stop_member(member).await;
                self.away.member = Some(member);
            }
            _ => {
                let how = Failover {
                    unready: self.dice.random_range(0..4),
                    leaderless: self.dice.random_range(0..20),
                    refill: Some(self.dice.random_range(0..50)),
                    ..Failover::default()
                };
                self.simulator.fail_over(&how).await.unwrap();
            }
        }
        true
    }

    pub(super) async fn bring_back(&mut self) {
        if std::mem::take(&mut self.away.everything) {
            self.simulator.resume().await.unwrap();
        }
        if let Some(member) = self.away.member.take() {
            self.simulator.start_member(member).await.unwrap();
        }
        if std::mem::take(&mut self.away.leader) {
            let next = self.dice.random_range(0..3);
            self.simulator.elect(next, 1).await.unwrap();
            for member in 0..3 {
                self.simulator.start_member(member).await.unwrap();
            }
        }
    }
}
