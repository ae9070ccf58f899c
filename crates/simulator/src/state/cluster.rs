//! The pretended Mesos agents: host ports and addresses, given and returned.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::instance::{Address, Instance};
use super::pool::Pool;
use crate::options::{self, Options};
use crate::spec::{NetworkMode, Spec};

/// All agents and networks.
pub(crate) struct Cluster {
    agents: Vec<Agent>,
    networks: Vec<Overlay>,
    bridge_name: String,
    /// Hand out a host port again as soon as it is free.
    pub(crate) reuse_ports: bool,
}

/// An agent with what is left of it.
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) options: options::Agent,
    ports: Pool<u16>,
    bridge: Pool<u32>,
    /// Launches that hold resources here.
    load: usize,
    /// Out of Mesos' sight: nothing is placed here.
    pub(crate) lost: bool,
}

/// A network that spans the agents.
struct Overlay {
    name: String,
    base: Ipv4Addr,
    base6: Option<Ipv6Addr>,
    pool: Pool<u32>,
}

/// Resources for one launch of an instance.
pub(crate) struct Placement {
    pub(crate) agent: usize,
    /// Per container, aligned with its ports.
    pub(crate) host_ports: Vec<Vec<Option<u16>>>,
    pub(crate) addresses: Vec<Address>,
}

impl Cluster {
    pub(crate) fn new(options: &Options, master: &str) -> Cluster {
        let agent = |(i, agent): (usize, &options::Agent)| Agent {
            id: format!("{master}-S{i}"),
            options: agent.clone(),
            ports: Pool::new(agent.host_ports.clone()),
            bridge: addresses(agent.bridge, 254),
            load: 0,
            lost: false,
        };
        Cluster {
            agents: options.agents.iter().enumerate().map(agent).collect(),
            networks: options.networks.iter().map(Overlay::new).collect(),
            bridge_name: options.bridge_name.clone(),
            reuse_ports: false,
        }
    }

    pub(crate) fn agent(&self, index: usize) -> &Agent {
        &self.agents[index]
    }

    pub(crate) fn agent_mut(&mut self, index: usize) -> &mut Agent {
        &mut self.agents[index]
    }

    /// The agent that Marathon shows under this name or that has this address.
    pub(crate) fn find_agent(&self, name: &str) -> Option<usize> {
        self.agents
            .iter()
            .position(|a| a.options.hostname == name || a.options.ip.to_string() == name)
    }

    /// The indices of all agents.
    pub(crate) fn agents(&self) -> std::ops::Range<usize> {
        0..self.agents.len()
    }

    /// Takes ports and addresses for `spec` on one agent, or nothing at all.
    pub(crate) fn take(&mut self, agent: usize, spec: &Spec) -> Option<Placement> {
        let host_ports = self.agents[agent].take_ports(spec, self.reuse_ports)?;
        let mut addresses = Vec::new();
        for network in &spec.shape.networks {
            match self.take_addresses(agent, network) {
                Some(taken) => addresses.extend(taken),
                None => {
                    self.give_back(agent, host_ports.iter().flatten().flatten(), &addresses);
                    return None;
                }
            }
        }
        self.agents[agent].load += 1;
        Some(Placement {
            agent,
            host_ports,
            addresses,
        })
    }

    /// One of each family that the network has.
    fn take_addresses(&mut self, agent: usize, network: &NetworkMode) -> Option<Vec<Address>> {
        let (name, ips) = match network {
            NetworkMode::Container(name) if *name == self.bridge_name => {
                return self.take_addresses(agent, &NetworkMode::Bridge);
            }
            NetworkMode::Host => (None, vec![self.agents[agent].options.ip]),
            NetworkMode::Bridge => {
                let ip = self.agents[agent].bridge.take()?;
                (Some(&self.bridge_name), vec![Ipv4Addr::from(ip).into()])
            }
            NetworkMode::Container(name) => {
                let overlay = self.networks.iter_mut().find(|o| o.name == *name)?;
                let ips = overlay.take()?;
                (Some(&overlay.name), ips)
            }
        };
        let ips = ips.into_iter().map(|ip| Address {
            network: name.cloned(),
            ip,
        });
        Some(ips.collect())
    }

    /// Takes back what an ended launch held; at most once, since it forgets.
    pub(crate) fn release(&mut self, instance: &mut Instance) {
        let addresses = std::mem::take(&mut instance.addresses);
        let tasks = instance.tasks.iter_mut();
        let ports: Vec<u16> = tasks
            .flat_map(|t| t.host_ports.drain(..).flatten())
            .collect();
        // Every launch has an address, be it that of the agent.
        if let Some(agent) = instance.agent.filter(|_| !addresses.is_empty()) {
            self.agents[agent].load -= 1;
            self.give_back(agent, ports.iter(), &addresses);
        }
    }

    fn give_back<'a>(
        &mut self,
        agent: usize,
        ports: impl Iterator<Item = &'a u16>,
        addresses: &[Address],
    ) {
        ports.for_each(|port| self.agents[agent].ports.give_back(*port));
        for address in addresses {
            // Those of IPv6 follow from these.
            let (Some(name), IpAddr::V4(ip)) = (&address.network, address.ip) else {
                continue;
            };
            match self.networks.iter_mut().find(|o| o.name == *name) {
                Some(overlay) => overlay.pool.give_back(ip.to_bits()),
                None => self.agents[agent].bridge.give_back(ip.to_bits()),
            }
        }
    }
}

impl Agent {
    /// The number of instances that are placed here.
    pub(crate) fn load(&self) -> usize {
        self.load
    }

    fn take_ports(&mut self, spec: &Spec, reuse: bool) -> Option<Vec<Vec<Option<u16>>>> {
        let wanted = spec.shape.containers.iter().flat_map(|c| &c.ports);
        let wanted: Vec<Option<u16>> = wanted.map(|p| p.host_port).collect();
        let fixed = || wanted.iter().flatten().filter(|p| **p != 0);
        if !fixed().all(|port| self.ports.is_free(*port)) {
            return None;
        }
        fixed().for_each(|port| self.ports.reserve(*port));
        let taken: Vec<Option<Option<u16>>> = wanted
            .iter()
            .map(|port| match port {
                Some(0) if reuse => self.ports.take_again().map(Some),
                Some(0) => self.ports.take().map(Some),
                other => Some(*other),
            })
            .collect();
        if taken.iter().any(Option::is_none) {
            let held = taken.iter().flatten().flatten();
            held.for_each(|port| self.ports.give_back(*port));
            return None;
        }
        let mut taken = taken.into_iter().flatten();
        let containers = spec.shape.containers.iter();
        Some(
            containers
                .map(|c| taken.by_ref().take(c.ports.len()).collect())
                .collect(),
        )
    }
}

impl Overlay {
    fn new(options: &options::Network) -> Overlay {
        Overlay {
            name: options.name.clone(),
            base: options.base,
            base6: options.base6,
            pool: addresses(options.base, 65_534),
        }
    }

    /// The same number in each family.
    fn take(&mut self) -> Option<Vec<IpAddr>> {
        let ip = Ipv4Addr::from(self.pool.take()?);
        let number = u128::from(ip.to_bits() - self.base.to_bits());
        let six = self
            .base6
            .map(|base| Ipv6Addr::from_bits(base.to_bits() + number));
        let four = IpAddr::from(ip);
        Some(std::iter::once(four).chain(six.map(IpAddr::from)).collect())
    }
}

fn addresses(base: Ipv4Addr, last: u32) -> Pool<u32> {
    Pool::new(base.to_bits().saturating_add(2)..=base.to_bits().saturating_add(last))
}
