//! A pod: a namespace on its agent's bridge, with the interception rules of the guide's pods. What is
//! on the agent's own network has no namespace of its own.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;

use crate::command::{CommandError, ip_batch, run, script_in};
use crate::layout::{BRIDGE_GATEWAY, BRIDGE_PREFIX, CAPTURE_PORT, Layout, PROXY_USER, mac};
use crate::net;
use crate::place::Place;

/// What a pod needs of its machine.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub(crate) layout: Layout,
    /// Unique in the rig, and short.
    pub(crate) name: String,
    pub(crate) agent: Ipv4Addr,
    pub(crate) address: Ipv4Addr,
    /// Whether it would be on Docker's bridge, and so reached from Mesos' by its host port.
    pub(crate) docker: bool,
    /// Whether it is on the agent's own network.
    pub(crate) host: bool,
    /// Container port and host port.
    pub(crate) ports: Vec<(u16, Option<u16>)>,
}

/// A pod could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PodError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("files of a pod: {0}")]
    Files(#[from] io::Error),
}

impl Network {
    /// Builds the namespace and leads the host ports into it.
    pub(crate) fn create(&self) -> Result<Place, PodError> {
        let directory = self.layout.directory().join("pods").join(&self.name);
        if self.host {
            return Ok(Place::prepare(self.layout.agent(self.agent), directory)?);
        }
        let (agent, name) = (self.layout.agent(self.agent), self.layout.pod(&self.name));
        run(&format!("ip netns add {name}"))?;
        let port = self.port();
        ip_batch(
            Some(&agent),
            &[
                format!(
                    "link add {port} type veth peer name eth0 address {} netns {name}",
                    mac(self.address)
                ),
                format!("link set {port} master docker0 up"),
            ],
        )?;
        ip_batch(
            Some(&name),
            &[
                "link set lo up".into(),
                format!("addr add {}/{BRIDGE_PREFIX} dev eth0", self.address),
                "link set eth0 up".into(),
                format!("route add default via {BRIDGE_GATEWAY}"),
            ],
        )?;
        // Containers may bind low ports whoever they run as, as under Mesos.
        script_in(&name, "sysctl -qw net.ipv4.ip_unprivileged_port_start=0")?;
        for (to, host_port) in self.published() {
            net::publish(self.layout, self.agent, host_port, (to, self.docker))?;
        }
        Ok(Place::prepare(name, directory)?)
    }

    /// Sends connections of and to the application to its proxy, by the rules of Istio 1.0.
    pub(crate) fn intercept(&self) -> Result<(), CommandError> {
        let inbound: BTreeSet<u16> = self.ports.iter().map(|(port, _)| *port).collect();
        let inbound: Vec<String> = inbound
            .iter()
            .map(|port| format!("nat -A ISTIO_INBOUND -p tcp --dport {port} -j ISTIO_REDIRECT"))
            .collect();
        let rules = [
            "nat -N ISTIO_REDIRECT".to_owned(),
            format!("nat -A ISTIO_REDIRECT -p tcp -j REDIRECT --to-port {CAPTURE_PORT}"),
            "nat -N ISTIO_INBOUND".to_owned(),
            "nat -A PREROUTING -p tcp -j ISTIO_INBOUND".to_owned(),
            inbound.join("\n"),
            "nat -N ISTIO_OUTPUT".to_owned(),
            "nat -A OUTPUT -p tcp -j ISTIO_OUTPUT".to_owned(),
            // The executor's way to its Mesos agent.
            "nat -A ISTIO_OUTPUT -d 10.0.0.0/16 -p tcp --dport 5051 -j RETURN".to_owned(),
            "nat -A ISTIO_OUTPUT -o lo ! -d 127.0.0.1/32 -j ISTIO_REDIRECT".to_owned(),
            format!("nat -A ISTIO_OUTPUT -m owner --uid-owner {PROXY_USER} -j RETURN"),
            format!("nat -A ISTIO_OUTPUT -m owner --gid-owner {PROXY_USER} -j RETURN"),
            "nat -A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN".to_owned(),
            "nat -A ISTIO_OUTPUT -j ISTIO_REDIRECT".to_owned(),
        ];
        let lines = rules.iter().flat_map(|rule| rule.lines());
        let script: String = lines
            .map(|line| format!("iptables -w -t {line}\n"))
            .collect();
        script_in(&self.layout.pod(&self.name), &script).map(drop)
    }

    /// Takes the host ports away, so that nothing new comes.
    pub(crate) fn close(&self) -> Result<(), CommandError> {
        let mut published = self.published();
        published.try_for_each(|(to, port)| {
            net::unpublish(self.layout, self.agent, port, (to, self.docker))
        })
    }

    /// Removes the namespace.
    pub(crate) fn remove(&self) -> Result<(), CommandError> {
        if self.host {
            return Ok(());
        }
        run(&format!("ip netns delete {}", self.layout.pod(&self.name))).map(drop)
    }

    fn published(&self) -> impl Iterator<Item = ((Ipv4Addr, u16), u16)> + '_ {
        let mapped = self.ports.iter();
        mapped.filter_map(|(port, host)| Some(((self.address, *port), (*host)?)))
    }

    /// The agent's end of the pod's cable: its address makes it unique there.
    fn port(&self) -> String {
        let [_, _, c, d] = self.address.octets();
        format!("pod{c}-{d}")
    }
}
