//! One mesh, one /16: meshes of several tests or processes never meet.
//!
//! A block is claimed by a listening socket, not by a lock file: the socket has exactly the reach
//! of the addresses that it guards (one network namespace) and goes when its process goes. A block
//! in which somebody still listens is passed over: an Envoy takes a moment to die, and a dropped
//! service to close its port.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::ops::RangeInclusive;

use super::{FIRST_CONTAINER, LAST_CONTAINER, MAX_AGENTS};

/// Blocks per machine.
pub(super) const BLOCKS: u8 = 200;

/// The second octets that blocks may use. 127.0 stays free: that is everybody's localhost.
pub(super) const SECOND_OCTETS: RangeInclusive<u8> = 10..=209;

/// Below the ephemeral ports, so that no outgoing connection holds it by chance.
const PROBE_PORT: u16 = 15098;

/// Why no address block could be claimed.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// Every block is in use: stop other demos or test runs.
    #[error(
        "all {BLOCKS} address blocks 127.10.0.0/16 to 127.209.0.0/16 are in use \
         (probe port {PROBE_PORT}): stop other demos, or whatever listens on 0.0.0.0:{PROBE_PORT}"
    )]
    Exhausted,
    /// The machine refuses loopback addresses: this is not a Linux with 127.0.0.0/8 on lo.
    #[error(
        "cannot listen on {at}: {source}; the demo needs all of 127.0.0.0/8 on the loopback device (Linux)"
    )]
    Loopback {
        /// The probe address.
        at: SocketAddrV4,
        /// What the system said.
        source: io::Error,
    },
}

/// 127.B.0.0/16 with B = 10 + number, ours until dropped.
#[derive(Debug)]
pub struct Block {
    number: u8,
    _probe: TcpListener,
}

impl Block {
    /// Claims the first free block.
    pub fn claim() -> Result<Self, BlockError> {
        for number in 0..BLOCKS {
            if let Some(block) = Self::try_claim(number)? {
                return Ok(block);
            }
        }
        Err(BlockError::Exhausted)
    }

    /// Claims this very block; `None` if somebody holds it or still listens in it.
    pub fn try_claim(number: u8) -> Result<Option<Self>, BlockError> {
        assert!(number < BLOCKS, "block {number} of {BLOCKS}");
        let at = SocketAddrV4::new(address(number, 255, 254), PROBE_PORT);
        match TcpListener::bind(at) {
            Ok(probe) => Ok(is_quiet(at).then_some(Self {
                number,
                _probe: probe,
            })),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
            Err(source) => Err(BlockError::Loopback { at, source }),
        }
    }

    /// 0 to 199.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// 127.B.0.1, the machine on which Marathon and the control plane run.
    pub fn master(&self) -> Ipv4Addr {
        address(self.number, 0, 1)
    }

    /// 127.B.k.1, the address of agent k (from 1).
    pub fn agent(&self, k: u8) -> Ipv4Addr {
        self.on_agent(k, 1)
    }

    /// The base of agent k's bridge: Marathon's simulator gives out base + 2, base + 3, ...
    pub fn bridge(&self, k: u8) -> Ipv4Addr {
        self.on_agent(k, FIRST_CONTAINER - 2)
    }

    /// The n-th container address (from 0) on agent k's bridge.
    pub fn container(&self, k: u8, n: u8) -> Ipv4Addr {
        let host = FIRST_CONTAINER
            .checked_add(n)
            .filter(|host| *host <= LAST_CONTAINER);
        self.on_agent(k, host.expect("a bridge has 253 container addresses"))
    }

    fn on_agent(&self, k: u8, host: u8) -> Ipv4Addr {
        assert!(
            (1..=MAX_AGENTS).contains(&k),
            "agent {k} of 1..={MAX_AGENTS}"
        );
        address(self.number, k, host)
    }
}

fn address(number: u8, third: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, SECOND_OCTETS.start() + number, third, host)
}

/// True if the probe is the only listener of its block. Without a readable table the probe alone
/// has to do.
fn is_quiet(probe: SocketAddrV4) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let in_block = |at: &SocketAddrV4| at.ip().octets()[..2] == probe.ip().octets()[..2];
    table
        .lines()
        .filter_map(listener)
        .filter(in_block)
        .all(|at| at == probe)
}

/// The local address in a line of /proc/net/tcp whose socket is in state LISTEN (0A). The kernel
/// prints the address, which is in network order, as one native number.
fn listener(line: &str) -> Option<SocketAddrV4> {
    let mut columns = line.split_whitespace().skip(1);
    let (local, state) = (columns.next()?, columns.nth(1)?);
    let (ip, port) = local.split_once(':').filter(|_| state == "0A")?;
    let ip = u32::from_str_radix(ip, 16).ok()?.to_ne_bytes();
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddrV4::new(ip.into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskAddresses;

    #[test]
    fn claimed_blocks_differ_and_are_free_again_after_drop() {
        let (one, two) = (Block::claim().unwrap(), Block::claim().unwrap());
        assert_ne!(one.number(), two.number());
        assert!(Block::try_claim(one.number()).unwrap().is_none());
        let number = two.number();
        drop(two);
        // Another test of this process may be faster, but only one can hold it.
        if let Some(again) = Block::try_claim(number).unwrap() {
            assert_eq!(again.number(), number);
            assert!(Block::try_claim(number).unwrap().is_none());
        }
    }

    #[test]
    fn a_block_in_which_somebody_listens_is_passed_over() {
        let block = Block::claim().unwrap();
        let number = block.number();
        let left_behind = TcpListener::bind((block.container(3, 7), 0)).unwrap();
        drop(block);
        assert!(Block::try_claim(number).unwrap().is_none());
        drop(left_behind);
    }

    #[test]
    fn containers_follow_the_bridge() {
        let block = Block::claim().unwrap();
        let bridge = u32::from(block.bridge(2));
        assert_eq!(u32::from(block.container(2, 0)), bridge + 2);
        assert!(TaskAddresses::of(block.container(2, 252)).is_some());
        assert!(TaskAddresses::of(block.agent(2)).is_none());
    }
}
