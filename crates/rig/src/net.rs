//! The cluster's network: one bridge for all machines, and one for containers on each agent.
//!
//! ```text
//!  machine ── link ── master ─┬─ cluster bridge 10.0.0.0/16
//!                             ├── agent 10.0.1.91  ── docker0 172.17.0.0/16 ── pods
//!                             └── agent 10.0.4.101 ── docker0 172.17.0.0/16 ── pods
//! ```
//!
//! What Docker does on an agent is done here as well: containers leave with the agent's address, and
//! host ports lead to containers, but not for connections that come from the agent's own bridge.
//!
//! An agent of DC/OS has two bridges, one of Mesos and one of Docker. Here one plays both: host ports
//! of what Docker runs work from it, too, as they do from the bridge of Mesos.

use std::net::Ipv4Addr;

use crate::command::{CommandError, ip_batch, run, script_in};
use crate::layout::{
    AGENTS, BRIDGE, BRIDGE_GATEWAY, BRIDGE_PREFIX, CLUSTER_PREFIX, Layout, MASTER, mac,
};

/// Builds masters and agents. Nothing of an earlier rig of this index may be left.
pub(crate) fn create(layout: Layout) -> Result<(), CommandError> {
    let master = layout.master();
    run(&format!("ip netns add {master}"))?;
    let link = layout.link();
    ip_batch(
        None,
        &[
            format!("link add {link} type veth peer name machine netns {master}"),
            format!(
                "addr add {}/{} dev {link}",
                layout.outside(),
                Layout::LINK_PREFIX
            ),
            format!("link set {link} up"),
        ],
    )?;
    ip_batch(
        Some(&master),
        &[
            "link set lo up".into(),
            format!(
                "addr add {}/{} dev machine",
                layout.inside(),
                Layout::LINK_PREFIX
            ),
            "link set machine up".into(),
            format!("link add cluster address {} type bridge", mac(MASTER)),
            format!("addr add {MASTER}/{CLUSTER_PREFIX} dev cluster"),
            "link set cluster up".into(),
        ],
    )?;
    AGENTS
        .iter()
        .try_for_each(|agent| create_agent(layout, *agent))
}

fn create_agent(layout: Layout, agent: Ipv4Addr) -> Result<(), CommandError> {
    let (master, name) = (layout.master(), layout.agent(agent));
    run(&format!("ip netns add {name}"))?;
    let [_, _, c, d] = agent.octets();
    let port = format!("a{c}-{d}");
    ip_batch(
        Some(&master),
        &[
            format!(
                "link add {port} type veth peer name eth0 address {} netns {name}",
                mac(agent)
            ),
            format!("link set {port} master cluster up"),
        ],
    )?;
    ip_batch(
        Some(&name),
        &[
            "link set lo up".into(),
            format!("addr add {agent}/{CLUSTER_PREFIX} dev eth0"),
            "link set eth0 up".into(),
            format!(
                "link add docker0 address {} type bridge",
                mac(BRIDGE_GATEWAY)
            ),
            format!("addr add {BRIDGE_GATEWAY}/{BRIDGE_PREFIX} dev docker0"),
            "link set docker0 up".into(),
            format!("route add default via {MASTER}"),
        ],
    )?;
    script_in(
        &name,
        &format!(
            "sysctl -qw net.ipv4.ip_forward=1\n\
             iptables -t nat -A POSTROUTING -s {BRIDGE}/{BRIDGE_PREFIX} ! -o docker0 -j MASQUERADE\n\
             iptables -t nat -A POSTROUTING -s {BRIDGE}/{BRIDGE_PREFIX} -o docker0 \
             -m conntrack --ctstate DNAT -j MASQUERADE\n"
        ),
    )
    .map(drop)
}

/// Where a host port leads, and whether Docker runs what is there.
type Target = ((Ipv4Addr, u16), bool);

/// Leads a host port of an agent to a container, for everybody but those on its own bridge.
pub(crate) fn publish(
    layout: Layout,
    agent: Ipv4Addr,
    host_port: u16,
    to: Target,
) -> Result<(), CommandError> {
    host_port_rule(layout, agent, "-A", host_port, to)
}

/// Leads a port of the master's end of the link to an address of the cluster, for programs on the
/// machine that take part in a test.
pub(crate) fn expose(
    layout: Layout,
    port: u16,
    (ip, to): (Ipv4Addr, u16),
) -> Result<(), CommandError> {
    let inside = layout.inside();
    let script = format!(
        "sysctl -qw net.ipv4.ip_forward=1\n\
         iptables -w -t nat -A PREROUTING -d {inside} -p tcp --dport {port} \
         -j DNAT --to-destination {ip}:{to}\n\
         iptables -w -t nat -A POSTROUTING -d {ip} -p tcp --dport {to} -j MASQUERADE\n"
    );
    script_in(&layout.master(), &script).map(drop)
}

/// Takes a host port away.
pub(crate) fn unpublish(
    layout: Layout,
    agent: Ipv4Addr,
    host_port: u16,
    to: Target,
) -> Result<(), CommandError> {
    host_port_rule(layout, agent, "-D", host_port, to)
}

fn host_port_rule(
    layout: Layout,
    agent: Ipv4Addr,
    verb: &str,
    host_port: u16,
    ((ip, port), docker): Target,
) -> Result<(), CommandError> {
    let from = if docker { "" } else { "! -i docker0 " };
    let rule = format!(
        "iptables -w -t nat {verb} PREROUTING {from}-d {agent} -p tcp --dport {host_port} \
         -j DNAT --to-destination {ip}:{port}"
    );
    script_in(&layout.agent(agent), &rule).map(drop)
}

/// Removes every trace of a rig: its processes, namespaces, link and files. Fine if there is none.
pub fn remove(layout: Layout) -> Result<(), CommandError> {
    remove_namespaces(layout)?;
    // Absent is as good.
    let _ = std::fs::remove_dir_all(layout.directory());
    Ok(())
}

/// Removes all but the files, which hold the logs.
pub(crate) fn remove_namespaces(layout: Layout) -> Result<(), CommandError> {
    for namespace in namespaces(layout)? {
        let pids = run(&format!("ip netns pids {namespace}")).unwrap_or_default();
        let pids: Vec<&str> = pids.split_whitespace().collect();
        if !pids.is_empty() {
            // They may end by themselves meanwhile.
            let _ = run(&format!("kill -KILL {}", pids.join(" ")));
        }
        run(&format!("ip netns delete {namespace}"))?;
    }
    // The link goes with the master's namespace; a half-built rig may still have it.
    let _ = run(&format!("ip link delete {}", layout.link()));
    Ok(())
}

/// The namespaces of a rig that exist.
pub(crate) fn namespaces(layout: Layout) -> Result<Vec<String>, CommandError> {
    let list = run("ip netns list")?;
    let names = list
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let ours = names.filter(|name| name.starts_with(&layout.prefix()));
    Ok(ours.map(str::to_owned).collect())
}
