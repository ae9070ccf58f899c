//! Which loopback address plays which part, so that a mesh needs neither root nor namespaces.
//!
//! On Linux all of 127.0.0.0/8 is local without configuration. A mesh owns 127.B.0.0/16:
//!
//! | address | part |
//! |---|---|
//! | 127.B.0.1 | the master: Marathon and the control plane |
//! | 127.B.k.1 | agent k; its host ports listen here |
//! | 127.B.k.h, h = 2 to 254 | a container on the bridge of agent k: inbound listeners, Envoy admin |
//! | 127.B.(100+k).h | the outbound listeners of that container's Envoy |
//! | 127.B.(200+k).h | the application of that container |

use std::net::Ipv4Addr;

mod block;

pub use block::{Block, BlockError};

/// Agents per block: 200 + k has to stay an octet.
pub const MAX_AGENTS: u8 = 55;

/// Containers come right after the agent. Together they fill the bridge: Marathon's simulator hands
/// out the addresses base + 2 to base + 254 in a circle, and none may fall into the next agent.
const FIRST_CONTAINER: u8 = 2;
const LAST_CONTAINER: u8 = 254;
const OUTBOUND_OFFSET: u8 = 100;
const APP_OFFSET: u8 = 200;

/// The three addresses of one task, all derived from its container address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskAddresses {
    /// Where the network of the agent shows the task: inbound listeners and Envoy's admin.
    pub container: Ipv4Addr,
    /// Where the task's Envoy binds its outbound listeners (`OUTBOUND_ADDRESS`).
    pub outbound: Ipv4Addr,
    /// Where the application itself listens (`APP_ADDRESS`).
    pub app: Ipv4Addr,
}

impl TaskAddresses {
    /// Derives all three from a container address; `None` if it is not one of a block's bridges.
    ///
    /// ```
    /// # use demo::TaskAddresses;
    /// let of = TaskAddresses::of("127.12.2.11".parse().unwrap()).unwrap();
    /// assert_eq!(of.outbound.to_string(), "127.12.102.11");
    /// assert_eq!(of.app.to_string(), "127.12.202.11");
    /// ```
    pub fn of(container: Ipv4Addr) -> Option<Self> {
        let [net, b, agent, host] = container.octets();
        let ours = net == 127
            && block::SECOND_OCTETS.contains(&b)
            && (1..=MAX_AGENTS).contains(&agent)
            && (FIRST_CONTAINER..=LAST_CONTAINER).contains(&host);
        ours.then(|| Self {
            container,
            outbound: Ipv4Addr::new(net, b, agent + OUTBOUND_OFFSET, host),
            app: Ipv4Addr::new(net, b, agent + APP_OFFSET, host),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<TaskAddresses> {
        TaskAddresses::of(text.parse().unwrap())
    }

    #[test]
    fn addresses_derive_from_the_container() {
        let task = of("127.10.55.254").unwrap();
        assert_eq!(task.outbound, Ipv4Addr::new(127, 10, 155, 254));
        assert_eq!(task.app, Ipv4Addr::new(127, 10, 255, 254));
    }

    #[test]
    fn foreign_addresses_are_refused() {
        for text in [
            "10.10.1.10",
            "127.9.1.10",
            "127.210.1.10",
            "127.10.0.10",
            "127.10.56.10",
            "127.10.1.1",
            "127.10.1.255",
            "127.10.101.10",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn no_two_parts_share_an_address() {
        let mut seen = std::collections::BTreeSet::new();
        for agent in 1..=MAX_AGENTS {
            for host in [FIRST_CONTAINER, LAST_CONTAINER] {
                let task = TaskAddresses::of(Ipv4Addr::new(127, 10, agent, host)).unwrap();
                for part in [task.container, task.outbound, task.app] {
                    assert!(seen.insert(part), "{part} twice");
                }
            }
        }
    }
}
