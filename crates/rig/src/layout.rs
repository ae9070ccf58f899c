//! Names and addresses of a rig. Pure: what is created, and what is removed, follows from here.
//!
//! The cluster's addresses are those of the guide, because namespaces cannot see one another's. What
//! differs between two rigs on one machine is their index: it is in every name, and in the one small
//! network that leads from the machine into the rig.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// The domain of all services.
pub const DOMAIN: &str = "marathon.slave.mesos";
/// The user that the proxies run as; interception rules let its connections pass.
pub const PROXY_USER: u32 = 1337;
/// Where interception rules send connections.
pub const CAPTURE_PORT: u16 = 15001;

/// The agents of every rig.
pub const AGENTS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 1, 91), Ipv4Addr::new(10, 0, 4, 101)];
/// Where masters and the control plane are.
pub const MASTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
/// The network of the cluster.
pub const CLUSTER_PREFIX: u8 = 16;
/// The network of each agent's bridge; the same on all of them, as Docker has it.
pub const BRIDGE: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 0);
/// The agent's own address on its bridge.
pub const BRIDGE_GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 1);
pub const BRIDGE_PREFIX: u8 = 16;

/// Each has four addresses of a /24.
const INDEXES: u8 = 64;

/// The hardware address that Docker gives to whoever has an IP address. A bridge without one of its own
/// takes the lowest of its ports, so a pod that comes or goes would change the gateway of all others;
/// and who gets an address again would not be found for as long as others remember the former owner.
pub(crate) fn mac(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// One rig of several on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    index: u8,
}

impl Layout {
    /// The rig of this index; 0 is the one for people.
    pub fn new(index: u8) -> Layout {
        Layout {
            index: index % INDEXES,
        }
    }

    /// Claims an index for as long as the file is open; `None` if somebody else has it.
    pub fn claim(index: u8) -> Option<(Layout, File)> {
        let layout = Layout::new(index);
        let path = layout.directory().with_extension("lock");
        let file = File::options().create(true).append(true).open(path).ok()?;
        file.try_lock().ok()?;
        Some((layout, file))
    }

    /// Claims an index that nobody has, and that is not the one for people.
    pub fn claim_any() -> Option<(Layout, File)> {
        (1..INDEXES).find_map(Layout::claim)
    }

    /// What the names of all its namespaces begin with.
    pub fn prefix(self) -> String {
        format!("pilothouse{}-", self.index)
    }

    /// The namespace of masters, control plane, etcd and apiserver.
    pub fn master(self) -> String {
        format!("{}master", self.prefix())
    }

    /// The namespace of an agent.
    pub fn agent(self, agent: Ipv4Addr) -> String {
        format!("{}agent-{agent}", self.prefix())
    }

    /// The namespace of a pod.
    pub fn pod(self, name: &str) -> String {
        format!("{}pod-{name}", self.prefix())
    }

    /// The machine's own end of the link into the rig. Marathon listens there.
    pub fn outside(self) -> Ipv4Addr {
        Ipv4Addr::new(169, 254, 77, self.index * 4 + 1)
    }

    /// The master's end of that link: how the machine reaches what runs beside the master.
    pub fn inside(self) -> Ipv4Addr {
        Ipv4Addr::new(169, 254, 77, self.index * 4 + 2)
    }

    pub const LINK_PREFIX: u8 = 30;

    /// The machine's interface of that link; names of interfaces have 15 characters at most.
    pub fn link(self) -> String {
        format!("phouse{}", self.index)
    }

    /// Where files of the running rig are.
    pub fn directory(self) -> PathBuf {
        std::env::temp_dir().join(format!("pilothouse-rig-{}", self.index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rigs_share_no_name_and_no_address() {
        let (a, b) = (Layout::new(0), Layout::new(63));
        assert_ne!(a.prefix(), b.prefix());
        assert!(!b.master().starts_with(&a.prefix()) && !a.master().starts_with(&b.prefix()));
        let last = [a.outside(), a.inside(), b.outside(), b.inside()].map(|ip| ip.octets()[3]);
        assert_eq!(last, [1, 2, 253, 254]);
        assert!(b.link().len() <= 15);
    }

    #[test]
    fn rig_one_is_no_prefix_of_rig_ten() {
        assert!(
            !Layout::new(10)
                .master()
                .starts_with(&Layout::new(1).prefix())
        );
    }
}
