//! Blocks of addresses: `10.0.0.0/8`, or one address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address with the length of the prefix that counts; the bits behind it are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

/// Why a text is no block of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidCidr(pub String);

// === impl Cidr ===

impl Cidr {
    /// `None` if the prefix is longer than an address.
    pub fn new(address: IpAddr, length: u8) -> Option<Cidr> {
        let address = match address {
            IpAddr::V4(v4) => {
                let shift = 32u32.checked_sub(length.into())?;
                let mask = u32::MAX.checked_shl(shift).unwrap_or(0);
                IpAddr::from((u32::from(v4) & mask).to_be_bytes())
            }
            IpAddr::V6(v6) => {
                let shift = 128u32.checked_sub(length.into())?;
                let mask = u128::MAX.checked_shl(shift).unwrap_or(0);
                IpAddr::from((u128::from(v6) & mask).to_be_bytes())
            }
        };
        Some(Cidr { address, length })
    }

    pub fn address(&self) -> IpAddr {
        self.address
    }

    pub fn length(&self) -> u8 {
        self.length
    }

    /// The address, if it is only one.
    pub fn single(&self) -> Option<IpAddr> {
        (self.length == bits(self.address)).then_some(self.address)
    }

    /// Whether every address of `other` is one of `self`.
    pub fn covers(&self, other: &Cidr) -> bool {
        self.length <= other.length && self.contains(other.address)
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        bits(address) == bits(self.address)
            && Cidr::new(address, self.length).is_some_and(|block| block == *self)
    }
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl From<IpAddr> for Cidr {
    fn from(address: IpAddr) -> Cidr {
        let length = bits(address);
        Cidr { address, length }
    }
}

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Cidr, InvalidCidr> {
        let invalid = || InvalidCidr(text.to_owned());
        let Some((address, length)) = text.split_once('/') else {
            return text.parse().map(IpAddr::into).map_err(|_| invalid());
        };
        let address = address.parse().map_err(|_| invalid())?;
        let length = length.parse().map_err(|_| invalid())?;
        Cidr::new(address, length).ok_or_else(invalid)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.single() {
            Some(address) => address.fmt(f),
            None => write!(f, "{}/{}", self.address, self.length),
        }
    }
}

impl fmt::Display for InvalidCidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is neither an IP address nor a CIDR block", self.0)
    }
}

impl std::error::Error for InvalidCidr {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_printed_without_the_bits_that_do_not_count() {
        for (text, printed) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3/32", "10.1.2.3"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd00::7/16", "fd00::/16"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(text.parse::<Cidr>().unwrap().to_string(), printed);
        }
        for text in ["", "10.1", "10.0.0.0/33", "::/129", "a/8", "10.0.0.0/"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_block_covers_narrower_ones() {
        for (outer, inner, covers) in [
            ("10.0.0.0/8", "10.2.0.0/16", true),
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("10.2.0.0/16", "10.0.0.0/8", false),
            ("0.0.0.0/0", "::1", false),
        ] {
            let [outer, inner] = [outer, inner].map(|text| text.parse::<Cidr>().unwrap());
            assert_eq!(outer.covers(&inner), covers, "{outer} {inner}");
        }
    }

    #[test]
    fn a_block_contains_what_has_its_prefix() {
        let block: Cidr = "10.2.0.0/15".parse().unwrap();
        for (address, inside) in [("10.3.9.9", true), ("10.4.0.0", false), ("::1", false)] {
            assert_eq!(
                block.contains(address.parse().unwrap()),
                inside,
                "{address}"
            );
        }
    }
}
