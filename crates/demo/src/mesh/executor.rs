//! The agents: run what Marathon wants to run, end what it wants to end.
//!
//! A loop without memory of its own decisions: whenever the simulator changes, the launches that it
//! wants are compared with those that exist. Each launch is an actor of its own (`launch`).

use std::collections::BTreeMap;
use std::sync::Arc;

use simulator::TaskView;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::launch::{Launch, Setting};
use super::parts;
use super::task::Assignment;
use super::workload::{State, Workload};
use crate::Admin;
use crate::bootstrap::ADMIN_PORT;
use crate::launches::{Key, Phase, confirm, launches, set};

/// Orders that may wait while a launch is busy.
const ORDERS: usize = 8;

/// All launches that have not ended, by name of instance; shared with the mesh's handle.
pub(super) type Workloads = watch::Receiver<Arc<BTreeMap<Key, Workload>>>;

/// Plays all agents of a mesh.
pub(super) struct Executor {
    setting: Setting,
    /// How many launches each pod has had, for names.
    launched: BTreeMap<String, usize>,
    phases: BTreeMap<Key, watch::Sender<Phase>>,
    workloads: watch::Sender<Arc<BTreeMap<Key, Workload>>>,
    running: JoinSet<Key>,
}

impl Executor {
    pub(super) fn new(setting: Setting) -> (Self, Workloads) {
        let (workloads, shared) = watch::channel(Arc::default());
        let executor = Self {
            setting,
            launched: BTreeMap::new(),
            phases: BTreeMap::new(),
            workloads,
            running: JoinSet::new(),
        };
        (executor, shared)
    }

    /// Until it is stopped; then ends all launches and waits for them.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.setting.simulator.changes();
        loop {
            changes.mark_unchanged();
            self.reconcile();
            tokio::select! {
                () = stop.cancelled() => break,
                // Only fails when the simulator is gone, which this handle prevents.
                _ = changes.changed() => {}
                Some(ended) = self.running.join_next() => self.forget(ended),
            }
        }
        self.phases
            .values()
            .for_each(|phase| set(phase, Phase::Gone));
        while let Some(ended) = self.running.join_next().await {
            self.forget(ended);
        }
    }

    fn reconcile(&mut self) {
        let wanted = launches(self.setting.simulator.tasks());
        for (key, phase) in &self.phases {
            if !wanted.contains_key(key) {
                set(phase, Phase::Gone);
            }
        }
        for (key, (phase, tasks)) in wanted {
            match (self.phases.get(&key), phase) {
                (Some(known), phase) => set(known, phase),
                (None, Phase::Run) => self.launch(key, &tasks),
                (None, Phase::Kill) => confirm(&self.setting.simulator, &tasks),
                (None, Phase::Gone) => {}
            }
        }
    }

    fn launch(&mut self, key: Key, tasks: &[TaskView]) {
        let Some(assignment) = Assignment::of(&key, tasks) else {
            return;
        };
        let name = self.name(&assignment);
        let (phase, phases) = watch::channel(Phase::Run);
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (state, states) = watch::channel(State::Starting);
        let workload = match workload(&name, &assignment, &self.setting, orders, states) {
            Ok(workload) => workload,
            Err(error) => {
                tracing::error!(%error, "no HTTP client for an admin interface");
                return;
            }
        };
        let launch = Launch {
            name,
            assignment,
            setting: self.setting.clone(),
            phase: phases,
            orders: inbox,
            state,
        };
        self.phases.insert(key.clone(), phase);
        self.edit(|all| all.insert(key.clone(), workload));
        self.running.spawn(async move {
            launch.run().await;
            key
        });
    }

    fn name(&mut self, assignment: &Assignment) -> String {
        let stem = assignment.stem();
        let count = self.launched.entry(stem.clone()).or_default();
        *count += 1;
        match *count {
            1 => stem,
            n => format!("{stem}.{n}"),
        }
    }

    fn forget(&mut self, ended: Result<Key, JoinError>) {
        match ended {
            Ok(key) => {
                self.phases.remove(&key);
                self.edit(|all| all.remove(&key));
            }
            Err(error) => tracing::error!(%error, "a launch panicked"),
        }
    }

    fn edit<T>(&self, edit: impl FnOnce(&mut BTreeMap<Key, Workload>) -> T) {
        self.workloads.send_modify(|all| {
            edit(Arc::make_mut(all));
        });
    }
}

fn workload(
    name: &str,
    of: &Assignment,
    setting: &Setting,
    orders: mpsc::Sender<super::launch::Order>,
    state: watch::Receiver<State>,
) -> Result<Workload, crate::envoy::AdminError> {
    let node_id = of
        .role
        .map(|role| parts::bootstrap(role, of, setting).node_id());
    Ok(Workload {
        name: name.to_owned(),
        app: of.app.clone(),
        instance: of.key.instance.clone(),
        tasks: of.tasks.clone(),
        role: of.role,
        node_id: node_id.unwrap_or_default(),
        agent: of.agent,
        addresses: of.addresses,
        host_ports: of
            .ports
            .iter()
            .filter_map(|(port, host)| Some((*port, (*host)?)))
            .collect(),
        admin: Admin::new((of.addresses.container, ADMIN_PORT).into())?,
        log: setting.dir.join(format!("{name}.log")),
        orders,
        state,
    })
}
