//! What was last known of instances whose health Marathon does not tell at present.
//!
//! A new leader knows no results of health checks until it has run them. Without a memory, either
//! every service would be empty for that time, or tasks that never answered would get traffic. So
//! the last verdict holds; a task that never had one is trusted when it is old enough, or when
//! nobody can know better because everything has just been read anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::marathon::{App, ContainerStatus, PodStatus, Task, Workload, WorkloadKey};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

const RUNNING: &str = "TASK_RUNNING";

/// Marathon's defaults, in seconds, where a check does not tell.
const GRACE: u64 = 300;
const INTERVAL: u64 = 60;
const READINESS_TIMEOUT: u64 = 10;
/// What a first result of a readiness check may take besides its timeout.
const READINESS_MARGIN: u64 = 5;

#[derive(Default)]
pub(super) struct Verdicts {
    last_by_instance: BTreeMap<WorkloadKey, BTreeMap<String, bool>>,
}

/// The moment at which a workload is judged.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    /// Whether a list is read for the first time after a connection: the leader may be new.
    pub(super) fresh: bool,
}

// === impl Verdicts ===

impl Verdicts {
    /// Fills in what Marathon does not tell; returns when waiting alone will change that.
    pub(super) fn complete(
        &mut self,
        workload: &mut Workload,
        moment: Moment,
    ) -> Option<Timestamp> {
        let key = workload.key();
        let last = self.last_by_instance.remove(&key).unwrap_or_default();
        let mut judge = Judge {
            last,
            next: BTreeMap::new(),
            moment,
            due: None,
        };
        match workload {
            Workload::App(w) => judge.app(&mut Arc::make_mut(w).app),
            Workload::Pod(w) => judge.pod(&mut Arc::make_mut(w).status),
        }
        if !judge.next.is_empty() {
            self.last_by_instance.insert(key, judge.next);
        }
        judge.due
    }

    /// Forgets the workloads that are gone.
    pub(super) fn retain(&mut self, alive: impl Fn(&WorkloadKey) -> bool) {
        self.last_by_instance.retain(|key, _| alive(key));
    }
}

struct Judge {
    last: BTreeMap<String, bool>,
    next: BTreeMap<String, bool>,
    moment: Moment,
    due: Option<Timestamp>,
}

// === impl Judge ===

impl Judge {
    fn app(&mut self, app: &mut App) {
        let patience = app.health_checks.iter().map(patience).max();
        let readiness = readiness_patience(app);
        let ready = &app.readiness_check_results;
        for task in &mut app.tasks {
            let has_result = ready
                .iter()
                .any(|r| r.task_id == task.id && r.ready.is_some());
            let waits = readiness.filter(|_| !has_result && task.state == RUNNING);
            task.awaited = waits.is_some_and(|patience| !self.passed(task.started_at, patience));
            self.task(task, patience);
        }
    }

    fn task(&mut self, task: &mut Task, patience: Option<u64>) {
        let running = task.state == RUNNING;
        let healthy = task.healthy();
        task.remembered = match patience {
            Some(patience) => self.verdict(&task.id, healthy, running, task.started_at, patience),
            None => None,
        };
    }

    fn pod(&mut self, status: &mut PodStatus) {
        let containers = status.spec.containers.iter();
        let patience_by_name: BTreeMap<String, u64> = containers
            .filter_map(|c| Some((c.name.clone(), patience(c.health_check.as_ref()?))))
            .collect();
        for instance in &mut status.instances {
            for container in &mut instance.containers {
                let patience = patience_by_name.get(&container.name);
                let id = match &container.container_id {
                    Some(id) => id.clone(),
                    None => format!("{}.{}", instance.id, container.name),
                };
                self.container(&id, container, patience.copied());
            }
        }
    }

    fn container(&mut self, id: &str, container: &mut ContainerStatus, patience: Option<u64>) {
        let running = container.status == RUNNING;
        let healthy = container.healthy();
        let since = container.status_since;
        container.remembered = match patience {
            Some(patience) => self.verdict(id, healthy, running, since, patience),
            None => None,
        };
    }

    /// What to fill in; `None` where Marathon's own word counts.
    fn verdict(
        &mut self,
        id: &str,
        told: Option<bool>,
        running: bool,
        since: Option<Timestamp>,
        patience: u64,
    ) -> Option<bool> {
        let last = self.last.get(id).copied();
        let known = match (told.or(last), running) {
            (None, true) if self.moment.fresh || self.passed(since, patience) => Some(true),
            (known, _) => known,
        };
        if let Some(known) = known {
            self.next.insert(id.to_owned(), known);
        }
        (told.is_none() && running).then_some(known.unwrap_or(false))
    }

    /// Whether so many seconds passed since a start; if not, notes when they will have.
    fn passed(&mut self, since: Option<Timestamp>, seconds: u64) -> bool {
        let since = since.unwrap_or(self.moment.now);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX / 4);
        let Ok(at) = since.checked_add(SignedDuration::from_secs(seconds)) else {
            return false;
        };
        let passed = at <= self.moment.now;
        if !passed {
            self.due = Some(self.due.map_or(at, |due| due.min(at)));
        }
        passed
    }
}

/// After how many seconds a task that runs is trusted without a result of this check.
fn patience(check: &Value) -> u64 {
    let seconds = |name: &str, default| check.get(name).and_then(Value::as_u64).unwrap_or(default);
    let interval = seconds("intervalSeconds", INTERVAL);
    seconds("gracePeriodSeconds", GRACE).max(interval.saturating_mul(2))
}

/// The same for readiness; `None` where none is checked.
fn readiness_patience(app: &App) -> Option<u64> {
    if app.deployments.is_empty() {
        return None;
    }
    let timeout = app
        .readiness_checks
        .iter()
        .map(|check| check.timeout_seconds.unwrap_or(READINESS_TIMEOUT))
        .max()?;
    Some(timeout.saturating_add(READINESS_MARGIN))
}

#[cfg(test)]
mod tests {
    use api::marathon::WorkloadKind;
    use serde_json::json;

    use super::super::decode;
    use super::*;

    const STARTED: &str = "2026-01-01T00:00:00Z";

    fn at(second: i64, fresh: bool) -> Moment {
        let started: Timestamp = STARTED.parse().unwrap();
        Moment {
            now: started + SignedDuration::from_secs(second),
            fresh,
        }
    }

    fn workload(kind: WorkloadKind, json: Value) -> Workload {
        let json = match kind {
            WorkloadKind::App => json!({ "app": json }),
            WorkloadKind::Pod => json,
        };
        decode::one(kind, json.to_string().as_bytes())
            .unwrap()
            .unwrap()
    }

    fn app(results: Value) -> Workload {
        workload(
            WorkloadKind::App,
            json!({"id": "/a", "healthChecks": [{"gracePeriodSeconds": 30, "intervalSeconds": 20}],
                "tasks": [{"id": "t", "state": RUNNING, "startedAt": STARTED, "healthCheckResults": results}]}),
        )
    }

    fn pod(reason: &str) -> Workload {
        let condition = json!({"name": "healthy", "value": "false", "reason": reason});
        workload(
            WorkloadKind::Pod,
            json!({"id": "/p", "spec": {"containers": [{"name": "c", "healthCheck": {"http": {}}}]},
                "instances": [{"id": "i", "containers": [
                    {"name": "c", "status": RUNNING, "statusSince": STARTED, "conditions": [condition]}]}]}),
        )
    }

    fn remembered(verdicts: &mut Verdicts, mut workload: Workload, moment: Moment) -> Option<bool> {
        verdicts.complete(&mut workload, moment);
        match &workload {
            Workload::App(w) => w.app.tasks[0].remembered,
            Workload::Pod(w) => w.status.instances[0].containers[0].remembered,
        }
    }

    fn alive(alive: bool) -> Value {
        json!([{"alive": alive, "lastFailure": STARTED}])
    }

    #[test]
    fn row13_the_last_verdict_holds_when_results_vanish() {
        for verdict in [true, false] {
            let mut verdicts = Verdicts::default();
            assert_eq!(
                remembered(&mut verdicts, app(alive(verdict)), at(5, false)),
                None
            );
            for fresh in [true, false] {
                let now = remembered(&mut verdicts, app(json!([])), at(500, fresh));
                assert_eq!(now, Some(verdict), "{fresh}");
            }
            assert_eq!(
                remembered(&mut verdicts, app(alive(!verdict)), at(501, false)),
                None
            );
            let now = remembered(&mut verdicts, app(json!([])), at(502, false));
            assert_eq!(now, Some(!verdict));
        }
    }

    #[test]
    fn a_task_without_any_verdict_is_trusted_when_it_is_old_or_all_is_new() {
        for (second, fresh, expected) in [
            (10, false, false),
            (39, false, false),
            (40, false, true),
            (1, true, true),
        ] {
            let mut verdicts = Verdicts::default();
            let now = remembered(&mut verdicts, app(json!([])), at(second, fresh));
            assert_eq!(now, Some(expected), "{second} {fresh}");
        }
        // Waiting is not failing: what was assumed of all is not taken back.
        let mut verdicts = Verdicts::default();
        remembered(&mut verdicts, app(json!([])), at(1, true));
        assert_eq!(
            remembered(&mut verdicts, app(json!([{"alive": false}])), at(2, false)),
            Some(true)
        );
    }

    #[test]
    fn it_is_told_when_waiting_will_be_over() {
        let mut verdicts = Verdicts::default();
        let due = verdicts.complete(&mut app(json!([])), at(10, false));
        assert_eq!(due, Some(at(40, false).now));
        assert_eq!(
            verdicts.complete(&mut app(alive(true)), at(11, false)),
            None
        );
    }

    #[test]
    fn containers_of_pods_are_remembered_likewise() {
        let (reported, unreported) = ("health-reported-by-mesos", "health-unreported-by-mesos");
        let mut verdicts = Verdicts::default();
        assert_eq!(
            remembered(&mut verdicts, pod(unreported), at(10, false)),
            Some(false)
        );
        assert_eq!(
            remembered(&mut verdicts, pod(unreported), at(300, false)),
            Some(true)
        );
        assert_eq!(
            remembered(&mut verdicts, pod(reported), at(301, false)),
            None
        );
        assert_eq!(
            remembered(&mut verdicts, pod(unreported), at(900, true)),
            Some(false)
        );
    }

    #[test]
    fn without_a_check_nothing_is_filled_in_and_the_dead_are_forgotten() {
        let mut verdicts = Verdicts::default();
        let mut plain = workload(
            WorkloadKind::App,
            json!({"id": "/a", "tasks": [{"id": "t", "state": RUNNING}]}),
        );
        let before = plain.clone();
        assert_eq!(verdicts.complete(&mut plain, at(0, false)), None);
        assert_eq!(plain, before);
        remembered(&mut verdicts, app(alive(true)), at(5, false));
        verdicts.retain(|_| false);
        assert!(verdicts.last_by_instance.is_empty());
    }

    #[test]
    fn a_first_result_of_readiness_is_awaited_for_a_while() {
        let rolling = |results: Value, deployments: Value| {
            workload(
                WorkloadKind::App,
                json!({"id": "/a", "readinessChecks": [{"timeoutSeconds": 3}], "deployments": deployments,
                    "readinessCheckResults": results, "tasks": [{"id": "t", "state": RUNNING, "startedAt": STARTED}]}),
            )
        };
        let (during, result) = (
            json!([{"id": "d"}]),
            json!([{"taskId": "t", "ready": false}]),
        );
        for (workload, second, expected) in [
            (rolling(json!([]), during.clone()), 7, true),
            (rolling(json!([]), during.clone()), 8, false),
            (rolling(result, during), 7, false),
            (rolling(json!([]), json!([])), 7, false),
        ] {
            let mut workload = workload;
            Verdicts::default().complete(&mut workload, at(second, true));
            let Workload::App(w) = &workload else {
                panic!("an app")
            };
            assert_eq!(w.app.tasks[0].awaited, expected, "{second}");
        }
    }
}
