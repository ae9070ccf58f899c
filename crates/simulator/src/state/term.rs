//! Terms of office: a leader goes, another comes and must learn.
//!
//! Marathon keeps the results of its own health checks in the memory of the
//! leader only; those of Mesos are rebuilt from task statuses.

use super::State;
use super::instance::Health;

impl State {
    /// The leader is gone: its streams end and nobody acts.
    pub(crate) fn end_term(&mut self) -> Option<usize> {
        self.drop_streams();
        self.leader.take()
    }

    /// A new leader. The first `unready` event streams are closed at once, and
    /// running deployments begin their current step anew under the same id.
    pub(crate) fn begin_term(&mut self, leader: usize, unready: u32) {
        self.drop_streams();
        self.leader = Some(leader);
        self.unready = unready;
        self.wipe_health();
        self.deployments.iter_mut().for_each(|d| d.announce_again());
    }

    /// All event streams end.
    pub(crate) fn drop_streams(&mut self) {
        self.hub.cut_all();
        self.revision += 1;
    }

    /// Forgets the results of health checks that Marathon runs itself.
    pub(crate) fn wipe_health(&mut self) {
        for instance in self.instances.values_mut() {
            let spec = instance.spec.clone();
            for task in &mut instance.tasks {
                let check = spec.shape.containers[task.container].health.as_ref();
                if check.is_some_and(|c| c.by_marathon) && task.health.reported {
                    task.health = Health {
                        reported: true,
                        wiped: true,
                        forgotten: task.health.alive.or(task.health.forgotten),
                        ..Health::default()
                    };
                }
            }
        }
        self.revision += 1;
    }

    /// The checks have run again, with the results of before.
    pub(crate) fn refill_health(&mut self) {
        let mut open = Vec::new();
        for instance in self.instances.values() {
            let wiped = instance.tasks.iter().enumerate();
            let wiped = wiped.filter(|(_, t)| t.health.wiped && !t.condition.is_terminal());
            open.extend(wiped.map(|(index, t)| (instance.key, index, t.health.forgotten)));
        }
        for (key, task, alive) in open {
            self.report_health(key, task, alive.or(Some(true)));
        }
    }
}
