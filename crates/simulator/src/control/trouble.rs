//! What tests do to clients: absence, failovers, lost agents, spoilt answers.

use std::io;

use super::Simulator;
use crate::error::ApiError;
use crate::failover::Failover;
use crate::faults::{EventFaults, Fault};
use crate::state::State;

impl Simulator {
    // === absence and leadership ===

    /// Marathon goes away: nothing listens, all connections are cut. Tasks live
    /// on, and control in process still works.
    pub async fn pause(&self) {
        self.shared.pause().await;
    }

    /// Marathon comes back, on the same ports.
    pub async fn resume(&self) -> io::Result<()> {
        self.shared.resume().await
    }

    /// The member that leads.
    pub fn leader(&self) -> Option<usize> {
        self.shared.read(|state| state.leader)
    }

    /// A whole failover. Returns when the new leader is there.
    pub async fn fail_over(&self, how: &Failover) -> io::Result<()> {
        self.shared.fail_over(how).await
    }

    /// The leader's process ends: its streams close, it stops listening, and
    /// nobody leads until [`elect`](Simulator::elect).
    pub async fn abdicate(&self) {
        self.shared.abdicate().await;
    }

    /// A member listens and leads from now on. It closes the first `unready`
    /// event streams at once, and has forgotten the results of Marathon's own
    /// health checks.
    pub async fn elect(&self, member: usize, unready: u32) -> io::Result<()> {
        self.shared.elect(member, unready).await
    }

    /// A member's process ends. Without its leader the cluster answers 502.
    pub async fn stop_member(&self, member: usize) {
        self.shared.down(member).await;
    }

    /// A member listens again, on its old port.
    pub async fn start_member(&self, member: usize) -> io::Result<()> {
        self.shared.up(member).await
    }

    /// Forgets the results of Marathon's own health checks.
    pub fn wipe_health(&self) {
        self.shared.mutate(State::wipe_health);
    }

    /// The checks have run again, with the results of before.
    pub fn refill_health(&self) {
        self.shared.mutate(State::refill_health);
    }

    // === event streams ===

    /// Event streams stay open but fall silent, heartbeats included, as behind
    /// a dead connection. What happens meanwhile waits in the buffers and comes
    /// when the streams thaw; a buffer that overflows closes its stream.
    pub fn freeze_events(&self, frozen: bool) {
        self.shared.freeze(frozen);
    }

    /// Closes all event streams.
    pub fn drop_streams(&self) {
        self.shared.mutate(State::drop_streams);
    }

    /// The number of open event streams.
    pub fn streams(&self) -> usize {
        self.shared.read(|state| state.hub.len())
    }

    /// From now on, what goes wrong with events.
    pub fn set_event_faults(&self, faults: EventFaults) {
        self.shared.mutate(|state| state.faults.events = faults);
    }

    // === answers ===

    /// Adds a fault of answers.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.mutate(|state| state.faults.answers.push(fault));
    }

    /// All answers and events are good again.
    pub fn clear_faults(&self) {
        self.shared
            .mutate(|state| state.faults = Default::default());
    }

    /// The faults of answers that have not worn off.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.read(|state| state.faults.answers.clone())
    }

    // === authentication ===

    /// No token that was issued so far is accepted any more.
    pub fn expire_tokens(&self) {
        self.shared.mutate(|state| state.guard.expire_tokens());
    }

    /// From now on, whether a user or account is answered with 403.
    pub fn forbid(&self, who: &str, forbidden: bool) {
        self.shared
            .mutate(|state| state.guard.forbid(who, forbidden));
    }

    // === agents ===

    /// Mesos loses an agent, given by hostname or address: its tasks become
    /// unreachable, and nothing new is placed there.
    pub fn lose_agent(&self, agent: &str) -> Result<(), ApiError> {
        self.shared.mutate(|state| state.lose_agent(agent))
    }

    /// Marathon gives up the instances on a lost agent (`inactiveAfterSeconds`
    /// have passed) and launches replacements.
    pub fn give_up_agent(&self, agent: &str) -> Result<(), ApiError> {
        self.shared.mutate(|state| state.give_up_agent(agent))
    }

    /// A lost agent is gone for good (`expungeAfterSeconds` have passed).
    pub fn expunge_agent(&self, agent: &str) -> Result<(), ApiError> {
        self.shared.mutate(|state| state.expunge_agent(agent))
    }

    /// A lost agent comes back, with its tasks running as if nothing had been;
    /// replacements that make one too many are killed.
    pub fn find_agent(&self, agent: &str) -> Result<(), ApiError> {
        self.shared.mutate(|state| state.find_agent(agent))
    }

    /// Shows an agent under another name, such as one that must be resolved.
    pub fn rename_agent(&self, agent: &str, hostname: &str) -> Result<(), ApiError> {
        self.shared
            .mutate(|state| state.rename_agent(agent, hostname))
    }

    /// Whether a host port is given away again as soon as it is free. Otherwise
    /// all others come first.
    pub fn reuse_ports(&self, reuse: bool) {
        self.shared
            .mutate(|state| state.cluster.reuse_ports = reuse);
    }
}
