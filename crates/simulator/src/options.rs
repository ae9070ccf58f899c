//! What a test chooses about its Marathon: agents, networks, pace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::auth::Auth;
use crate::failover::Failover;

/// Everything that can be chosen before the start. The default is one agent on
/// loopback, one container network and tasks that start by themselves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the REST API listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Further members of the same cluster, each with an address of its own.
    /// The one that listens on `listen` is the first leader.
    pub standbys: Vec<SocketAddr>,
    /// How long a member holds a request while there is no leader, before it
    /// answers 502; Marathon's is 2.75 s.
    pub leader_wait: Duration,
    /// What `DELETE /v2/leader` sets off.
    pub failover: Failover,
    /// Who may use the API.
    pub auth: Auth,
    /// Compress answers for clients that accept gzip; never event streams.
    pub gzip: bool,
    /// The Mesos agents, in the order in which empty ones are filled.
    pub agents: Vec<Agent>,
    /// The named container networks, known on every agent. The first is the
    /// default network of specs that name none.
    pub networks: Vec<Network>,
    /// Pause between two heartbeats on an event stream; Marathon's is 10 s.
    pub heartbeat: Duration,
    /// Events that a client may lag behind before its stream is closed
    /// (`event_stream_max_outstanding_messages`).
    pub event_buffer: usize,
    /// Who brings tasks to `TASK_RUNNING`.
    pub launch: Launch,
    /// Who brings killed tasks from `TASK_KILLING` to `TASK_KILLED`.
    pub kill: Kill,
    /// Who answers the readiness checks of apps.
    pub readiness: Readiness,
    /// `marathon_config.framework_name` of `/v2/info`; part of Mesos-DNS names.
    pub framework_name: String,
    /// `version` of `/v2/info`, which also chooses the behaviour: 1.4, 1.5,
    /// 1.7, 1.8 and 1.11 differ, those between behave as they did.
    pub version: String,
    /// The name under which agents report their bridge network.
    pub bridge_name: String,
    /// Service ports are assigned from here (`local_port_min..local_port_max`).
    pub service_ports: RangeInclusive<u16>,
    /// Seed of all generated ids.
    pub seed: u64,
}

/// A Mesos agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// What Marathon shows as `host` and `agentHostname`, usually the address.
    pub hostname: String,
    /// The address of host-mode tasks and of mapped host ports.
    pub ip: IpAddr,
    /// The fault domain's region.
    pub region: Option<String>,
    /// The fault domain's zone.
    pub zone: Option<String>,
    /// The network of the agent's bridge; its tasks get `.2`, `.3` and so on.
    pub bridge: Ipv4Addr,
    /// Host ports that the agent offers.
    pub host_ports: RangeInclusive<u16>,
}

/// A named container network that spans all agents.
#[derive(Clone, Debug)]
pub struct Network {
    /// The name that specs refer to.
    pub name: String,
    /// The network address; its tasks get `.2`, `.3` and so on.
    pub base: Ipv4Addr,
    /// The same for IPv6, if the network has both.
    pub base6: Option<Ipv6Addr>,
}

/// Who brings tasks to `TASK_RUNNING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launch {
    /// The simulator, at once; defined health checks then succeed as well.
    Immediate,
    /// The caller, by `set_task_state` and, with health checks, `set_health`:
    /// tasks wait in `TASK_STAGING` with their addresses and ports assigned.
    Manual,
}

/// Who answers readiness checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The simulator: a task is ready with its first `TASK_RUNNING`.
    Immediate,
    /// The caller, by `set_ready`; until then there is no result.
    Manual,
}

/// Who brings killed tasks to `TASK_KILLED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// The simulator, at once.
    Immediate,
    /// The caller, by `set_task_state`: tasks wait in `TASK_KILLING`.
    Manual,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            standbys: Vec::new(),
            leader_wait: Duration::from_millis(2750),
            failover: Failover::default(),
            auth: Auth::default(),
            gzip: false,
            agents: vec![Agent::default()],
            networks: vec![Network {
                name: "dcos".into(),
                base: Ipv4Addr::new(9, 0, 0, 0),
                base6: None,
            }],
            heartbeat: Duration::from_secs(10),
            event_buffer: 1024,
            launch: Launch::Immediate,
            kill: Kill::Immediate,
            readiness: Readiness::Immediate,
            framework_name: "marathon".into(),
            version: "1.8.222".into(),
            bridge_name: "mesos-bridge".into(),
            service_ports: 10_000..=20_000,
            seed: 1,
        }
    }
}

impl Default for Agent {
    fn default() -> Self {
        Agent::at(Ipv4Addr::LOCALHOST)
    }
}

impl Agent {
    /// An agent that is known by its address and otherwise ordinary.
    pub fn at(ip: impl Into<IpAddr>) -> Self {
        let ip = ip.into();
        Agent {
            hostname: ip.to_string(),
            ip,
            region: None,
            zone: None,
            bridge: Ipv4Addr::new(172, 17, 0, 0),
            host_ports: 31_000..=32_000,
        }
    }
}
