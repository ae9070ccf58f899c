//! Network modes: which addresses lead to an instance, and for whom.
//!
//! On a bridge the port mapper of the agent leaves out connections that come from its own bridge
//! (`! -i <bridge>` in its DNAT rule), and bridge addresses repeat on every agent. So an endpoint
//! there has two addresses, one for callers on its own bridge and one for all others. An agent that
//! runs Docker has two bridges, and from one to the other the port mapper works.

use std::net::{IpAddr, SocketAddr};

use model::{Attachment, Bridge, BridgeKind, IpFamily, Reach};

use super::labels::Choice;
use super::ports::Declared;

/// How the containers of a workload are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The agent's own network.
    Host,
    /// A network of each agent, behind its port mapper.
    Bridge(BridgeKind),
    /// A network that is routed between agents.
    Container,
}

/// Where an instance is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) mode: Mode,
    pub(super) agent: Option<IpAddr>,
    /// Addresses in the container's networks, with the network's name where it is known.
    pub(super) addresses: Vec<(Option<String>, IpAddr)>,
    /// Of those of a routed network, which goes first.
    family: IpFamily,
}

// === impl Mode ===

impl Mode {
    /// Of `networks[].mode`, since Marathon 1.5, which does not tell whose bridge it is.
    pub(super) fn parse(text: &str, bridge: BridgeKind) -> Option<Mode> {
        match text {
            "host" => Some(Mode::Host),
            "container/bridge" => Some(Mode::Bridge(bridge)),
            "container" => Some(Mode::Container),
            _ => None,
        }
    }

    /// Of `container.docker.network`, before Marathon 1.5.
    pub(super) fn parse_docker(text: Option<&str>, bridge: BridgeKind) -> Option<Mode> {
        match text {
            None | Some("HOST") => Some(Mode::Host),
            Some("BRIDGE") => Some(Mode::Bridge(bridge)),
            Some("USER") => Some(Mode::Container),
            Some(_) => None,
        }
    }

    pub(super) fn attachment(self) -> Attachment {
        match self {
            Mode::Host => Attachment::Agent,
            Mode::Bridge(kind) => Attachment::Bridge(kind),
            Mode::Container => Attachment::Routed,
        }
    }
}

// === impl Place ===

impl Place {
    /// `addresses` are all that Marathon tells; those that are not chosen do not count.
    pub(super) fn new(
        mode: Mode,
        agent: Option<IpAddr>,
        addresses: Vec<(Option<String>, IpAddr)>,
        choice: &Choice,
        family: IpFamily,
    ) -> Place {
        Place {
            mode,
            // In host mode Mesos reports the agent's address as the task's own.
            agent: match mode {
                Mode::Host => agent.or_else(|| first(&addresses)),
                _ => agent,
            },
            addresses: choose(addresses, choice),
            // The port mapper of Mesos knows IPv4 only.
            family: match mode {
                Mode::Container => family,
                _ => IpFamily::V4,
            },
        }
    }

    /// The instance's own address, where connections to it arrive.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.mode {
            Mode::Host => self.agent,
            _ => self.pick(&[]).map(|(ip, _)| ip),
        }
    }

    /// The port on which connections arrive at the instance; `None` while it is not allocated.
    pub(super) fn target(&self, declared: &Declared, host_port: Option<u16>) -> Option<u16> {
        match (self.mode, declared.container_port) {
            (Mode::Host, _) | (_, 0) => host_port,
            (_, port) => Some(port),
        }
    }

    /// Why [`Place::reach`] knows no address.
    pub(super) fn why_unreachable(&self, host_port: Option<u16>) -> &'static str {
        match (self.mode, host_port, self.agent) {
            (Mode::Container, ..) => "no address of it in its container network is known yet",
            (_, None, _) => "its port has no host port, and no address on its bridge is known",
            (_, Some(_), None) => "the address of its agent is not known",
            (_, Some(_), Some(_)) => "no address of it is known yet",
        }
    }

    /// The addresses of one port; `None` if nobody can reach it at present.
    pub(super) fn reach(&self, declared: &Declared, host_port: Option<u16>) -> Option<Reach> {
        let target = self.target(declared, host_port)?;
        let own = self.pick(&declared.network_names);
        let container = own.map(|(ip, _)| SocketAddr::new(ip, target));
        let other = own.and_then(|(_, other)| other);
        let host = Option::zip(self.agent, host_port).map(|(ip, port)| SocketAddr::new(ip, port));
        match self.mode {
            Mode::Host => host.map(Reach::everywhere),
            Mode::Container => container.map(|at| Reach {
                also: other.map(|ip| SocketAddr::new(ip, target)),
                ..Reach::everywhere(at)
            }),
            Mode::Bridge(kind) => {
                let bridge = self.agent.map(|agent| Bridge { agent, kind });
                let same_bridge = Option::zip(bridge, container);
                (host.is_some() || same_bridge.is_some()).then_some(Reach {
                    anywhere: host,
                    also: None,
                    same_bridge,
                })
            }
        }
    }

    /// The first address in one of the wanted networks; in any, if nobody can tell which it is in.
    /// With it the first of the other family in that network.
    fn pick(&self, wanted: &[String]) -> Option<(IpAddr, Option<IpAddr>)> {
        let addresses = &self.addresses;
        let is_wanted = |name: &Option<String>| name.as_ref().is_some_and(|n| wanted.contains(n));
        let all_named = addresses.iter().all(|(name, _)| name.is_some());
        let narrowed =
            !wanted.is_empty() && all_named || addresses.iter().any(|(name, _)| is_wanted(name));
        let left = || addresses.iter().filter(|(n, _)| !narrowed || is_wanted(n));
        let is_second = |ip: &IpAddr| ip.is_ipv6() != (self.family == IpFamily::V6);
        let (network, ip) = left().min_by_key(|(_, ip)| is_second(ip))?;
        let mut same = left().filter(|(name, _)| name == network);
        let other = same.find(|(_, other)| other.is_ipv6() != ip.is_ipv6());
        Some((*ip, other.map(|(_, ip)| *ip)))
    }
}

/// The addresses that the labels choose; all, if they choose none that is there.
fn choose(
    addresses: Vec<(Option<String>, IpAddr)>,
    choice: &Choice,
) -> Vec<(Option<String>, IpAddr)> {
    let by_index = choice.index.and_then(|index| addresses.get(index));
    if let Some(address) = by_index {
        return vec![address.clone()];
    }
    let is_chosen = |name: &Option<String>| name.is_some() && *name == choice.network;
    match addresses.iter().any(|(name, _)| is_chosen(name)) {
        true => addresses
            .into_iter()
            .filter(|(name, _)| is_chosen(name))
            .collect(),
        false => addresses,
    }
}

fn first(addresses: &[(Option<String>, IpAddr)]) -> Option<IpAddr> {
    let ips = addresses.iter().map(|(_, ip)| *ip);
    ips.min_by_key(IpAddr::is_ipv6)
}
