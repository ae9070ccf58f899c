//! Spots: the places from where the addresses of endpoints differ.
//!
//! Each agent has networks that no other agent routes to, with the same addresses everywhere: the
//! bridge of Mesos, that of Docker. Their port mapper leaves out connections from the bridge itself.

use std::fmt;
use std::net::IpAddr;

/// Where a caller is, as far as the addresses of endpoints depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spot {
    /// On the own network of this agent.
    Agent(IpAddr),
    Bridge(Bridge),
}

/// A bridge of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bridge {
    pub agent: IpAddr,
    pub kind: BridgeKind,
}

/// The bridges that an agent may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BridgeKind {
    /// Of Mesos' own containerizer: `ucr-br0` in DC/OS.
    Mesos,
    /// Of the Docker daemon: `docker0`.
    Docker,
}

/// The network that an instance is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attachment {
    /// The agent's own.
    Agent,
    Bridge(BridgeKind),
    /// One that is routed between agents.
    Routed,
}

// === impl Attachment ===

impl Attachment {
    /// Where someone on that agent is who is attached like this; `None` if that does not matter.
    pub fn spot(self, agent: IpAddr) -> Option<Spot> {
        match self {
            Attachment::Agent => Some(Spot::Agent(agent)),
            Attachment::Bridge(kind) => Some(Spot::Bridge(Bridge { agent, kind })),
            Attachment::Routed => None,
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spot::Agent(agent) => write!(f, "{agent}"),
            Spot::Bridge(bridge) => write!(f, "{bridge}"),
        }
    }
}

impl fmt::Display for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            BridgeKind::Mesos => "mesos-bridge",
            BridgeKind::Docker => "docker0",
        };
        write!(f, "{name} of {}", self.agent)
    }
}
