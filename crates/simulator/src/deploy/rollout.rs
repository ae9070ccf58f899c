//! Rolling restarts: old and new instances side by side.
//!
//! The limits are Marathon's (`RestartStrategy`): at least
//! `ceil(instances * minimumHealthCapacity)` stay, at most
//! `instances * (1 + maximumOverCapacity)` exist, and one old instance goes
//! for every new one that is ready.

use std::sync::Arc;

use super::Outcome;
use crate::spec::Spec;
use crate::state::State;
use crate::state::instance::{Goal, Instance};

/// The limits of one restart, fixed when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rollout {
    /// Old instances at the beginning.
    old: usize,
    /// How many of those go before anything new runs.
    kill_first: usize,
    /// How many may exist at a time, old and new.
    capacity: usize,
}

impl Rollout {
    pub(super) fn begin(state: &State, spec: &Spec) -> Rollout {
        let running = state
            .instances_of(&spec.id)
            .filter(|i| i.goal == Goal::Running);
        let (old, new): (Vec<_>, Vec<_>) = running.partition(|i| is_old(i, spec));
        Rollout::limits(spec, old.len(), new.len())
    }

    fn limits(spec: &Spec, old: usize, new: usize) -> Rollout {
        let wanted = spec.shape.instances as f64;
        let upgrade = spec.shape.upgrade;
        let minimum = (wanted * upgrade.minimum_health).ceil() as usize;
        let mut capacity = (wanted * (1.0 + upgrade.maximum_over)) as usize;
        // Without room on either side nothing could move.
        if minimum == capacity && capacity <= old + new {
            capacity += 1;
        }
        Rollout {
            old,
            kill_first: (old + new).saturating_sub(minimum).min(old),
            capacity,
        }
    }

    pub(super) fn proceed(self, state: &mut State, spec: &Arc<Spec>) -> Outcome {
        let of_spec: Vec<&Instance> = state.instances_of(&spec.id).collect();
        let (old, new): (Vec<_>, Vec<_>) = of_spec.into_iter().partition(|i| is_old(i, spec));
        let staying: Vec<u64> = wanted(&old).map(|i| i.key).collect();
        let started = wanted(&new).count();
        let ready = wanted(&new).filter(|i| i.is_ready()).count();
        let gone = self.old.saturating_sub(staying.len());
        let done = ready >= spec.shape.instances;

        let may_go = if done {
            self.old
        } else {
            self.kill_first + ready
        };
        if let Some(next) = staying.first().filter(|_| gone < may_go) {
            state.decommission(*next);
            return Outcome::Moved;
        }
        let existing = old.len() + started;
        if started < spec.shape.instances && existing < self.capacity {
            state.schedule(spec);
            return Outcome::Moved;
        }
        if !old.is_empty() {
            return Outcome::Waiting;
        }
        // Crashes in between may have left a surplus.
        state.scale_to(spec, spec.shape.instances)
    }
}

fn wanted<'a>(instances: &'a [&'a Instance]) -> impl Iterator<Item = &'a Instance> {
    let wanted = instances.iter().filter(|i| i.goal == Goal::Running);
    wanted.copied()
}

fn is_old(instance: &Instance, spec: &Spec) -> bool {
    instance.spec.version != spec.version
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::{Kind, app};
    use crate::state::clock::Clock;

    fn limits(instances: usize, minimum: f64, over: f64, running: usize) -> (usize, usize) {
        let strategy = json!({ "minimumHealthCapacity": minimum, "maximumOverCapacity": over });
        let raw = json!({ "id": "/a", "instances": instances, "upgradeStrategy": strategy });
        let body = app::normalise(&raw, &[]).expect("valid");
        let spec = Spec::new(Kind::App, body, Clock::default().version(), None);
        let rollout = Rollout::limits(&spec, running, 0);
        (rollout.kill_first, rollout.capacity)
    }

    #[test]
    fn limits_are_those_of_marathon() {
        assert_eq!(limits(2, 1.0, 1.0, 2), (0, 4));
        assert_eq!(limits(2, 0.0, 0.0, 2), (2, 2));
        assert_eq!(limits(2, 0.5, 0.0, 2), (1, 2));
        // No room at all: one more than wanted is allowed.
        assert_eq!(limits(2, 1.0, 0.0, 2), (0, 3));
        // Fewer wanted than running: the surplus goes first.
        assert_eq!(limits(1, 1.0, 1.0, 3), (2, 2));
    }
}
