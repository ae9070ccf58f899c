//! Endpoints: where requests to one port of a service can go, and from where that works.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::{Bridge, InstanceId, Labels, Spot};

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
    /// The same place in the other IP family, for those who cannot get to `anywhere`.
    pub also: Option<SocketAddr>,
    /// For callers on this bridge, in place of `anywhere`.
    pub same_bridge: Option<(Bridge, SocketAddr)>,
}

// === impl Reach ===

impl Reach {
    /// Reachable under one address from everywhere.
    pub fn everywhere(address: SocketAddr) -> Reach {
        Reach {
            anywhere: Some(address),
            also: None,
            same_bridge: None,
        }
    }

    /// The address for a caller there; `None` if that caller cannot reach it.
    ///
    /// The agent's own network leads into its bridges, and other bridges do not: Docker drops what
    /// is forwarded into its bridge. From there the host port works, for the port mapper leaves out
    /// its own bridge only.
    pub fn from(&self, caller: Option<Spot>) -> Option<SocketAddr> {
        match (self.same_bridge, caller) {
            (Some((own, address)), Some(Spot::Bridge(bridge))) if own == bridge => Some(address),
            (Some((own, address)), Some(Spot::Agent(agent))) if own.agent == agent => {
                self.anywhere.or(Some(address))
            }
            _ => self.anywhere,
        }
    }

    /// The address to try after one of [`Reach::from`]. Inside bridges there is none.
    pub fn after(&self, address: SocketAddr) -> Option<SocketAddr> {
        self.also.filter(|_| self.anywhere == Some(address))
    }

    /// The places from where the address is another one than `anywhere`.
    pub fn differing(&self) -> impl Iterator<Item = Spot> + use<> {
        let own = self.same_bridge.map(|(bridge, _)| bridge);
        let agent = own.filter(|_| self.anywhere.is_none());
        let agent = agent.map(|bridge| Spot::Agent(bridge.agent));
        own.map(Spot::Bridge).into_iter().chain(agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BridgeKind;

    const AGENT: &str = "10.0.1.91";

    fn bridge(agent: &str, kind: BridgeKind) -> Bridge {
        let agent = agent.parse().unwrap();
        Bridge { agent, kind }
    }

    fn reach(anywhere: Option<&str>) -> Reach {
        let container = "172.17.0.7:9080".parse().unwrap();
        Reach {
            anywhere: anywhere.map(|at| at.parse().unwrap()),
            also: None,
            same_bridge: Some((bridge(AGENT, BridgeKind::Docker), container)),
        }
    }

    /// From the own bridge, another bridge of the agent, its own network, elsewhere.
    fn seen(reach: &Reach) -> [Option<String>; 4] {
        let spots = [
            Some(Spot::Bridge(bridge(AGENT, BridgeKind::Docker))),
            Some(Spot::Bridge(bridge(AGENT, BridgeKind::Mesos))),
            Some(Spot::Agent(AGENT.parse().unwrap())),
            Some(Spot::Bridge(bridge("10.0.4.101", BridgeKind::Docker))),
        ];
        assert_eq!(reach.from(None), reach.anywhere);
        let differing: Vec<Spot> = reach.differing().collect();
        for spot in spots.into_iter().flatten() {
            let differs = reach.from(Some(spot)) != reach.anywhere;
            assert_eq!(differing.contains(&spot), differs, "{spot}");
        }
        spots.map(|spot| reach.from(spot).map(|at| at.to_string()))
    }

    #[test]
    fn a_bridge_endpoint_has_another_address_on_its_own_bridge() {
        let host = || Some("10.0.1.91:31005".to_owned());
        let container = Some("172.17.0.7:9080".to_owned());
        let reach = reach(Some("10.0.1.91:31005"));
        assert_eq!(seen(&reach), [container, host(), host(), host()]);
    }

    #[test]
    fn without_a_host_port_only_its_bridge_and_its_agent_reach_it() {
        let container = || Some("172.17.0.7:9080".to_owned());
        assert_eq!(seen(&reach(None)), [container(), None, container(), None]);
    }
}
