//! Endpoints: where requests to one port of a service can go, and from where that works.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::{InstanceId, Labels};

/// One instance as the target of one service port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub instance: InstanceId,
    pub labels: Labels,
    pub locality: Locality,
    /// At least 1.
    pub weight: u32,
    pub health: Health,
    pub reach: Reach,
}

/// Whether requests should be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    Healthy,
    /// Used only while nothing healthy is left.
    Degraded,
    Unhealthy,
}

/// Where an instance runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locality {
    pub region: Arc<str>,
    pub zone: Arc<str>,
    pub subzone: Arc<str>,
}

/// The addresses of an endpoint, which depend on where the caller runs.
///
/// On a bridge network two proxies see different addresses: the port mapper of the agent does not
/// apply to connections that come from its own bridge, and the bridge's addresses mean nothing on
/// other agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// For callers anywhere.
    pub anywhere: Option<SocketAddr>,
    /// For callers on this agent, in place of `anywhere`.
    pub same_agent: Option<(IpAddr, SocketAddr)>,
}

// === impl Reach ===

impl Reach {
    /// Reachable under one address from everywhere.
    pub fn everywhere(address: SocketAddr) -> Reach {
        Reach {
            anywhere: Some(address),
            same_agent: None,
        }
    }

    /// The address for a caller on the given agent; `None` if that caller cannot reach it.
    pub fn from_agent(&self, agent: Option<IpAddr>) -> Option<SocketAddr> {
        match self.same_agent {
            Some((own, address)) if Some(own) == agent => Some(address),
            _ => self.anywhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_endpoint_has_another_address_on_its_own_agent() {
        let agent: IpAddr = "10.0.1.91".parse().unwrap();
        let container: SocketAddr = "172.17.0.7:9080".parse().unwrap();
        let host: SocketAddr = "10.0.1.91:31005".parse().unwrap();
        let reach = Reach {
            anywhere: Some(host),
            same_agent: Some((agent, container)),
        };
        assert_eq!(reach.from_agent(Some(agent)), Some(container));
        assert_eq!(reach.from_agent("10.0.4.101".parse().ok()), Some(host));
        assert_eq!(reach.from_agent(None), Some(host));
    }

    #[test]
    fn without_a_host_port_only_the_same_agent_reaches_it() {
        let agent: IpAddr = "10.0.1.91".parse().unwrap();
        let container: SocketAddr = "172.17.0.7:9080".parse().unwrap();
        let reach = Reach {
            anywhere: None,
            same_agent: Some((agent, container)),
        };
        assert_eq!(reach.from_agent(None), None);
        assert_eq!(reach.from_agent(Some(agent)), Some(container));
    }
}
