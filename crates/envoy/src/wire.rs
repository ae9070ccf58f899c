//! Protobuf written by hand, for the resources of which there are thousands.
//!
//! A cluster, an endpoint or a default route differs from the next in a name or an address. What
//! does not differ is encoded once by `prost`; what does is written here, into one buffer, without
//! a message in between. Fields must be written in the order of their numbers, as `prost` does, so
//! that there is one encoding of everything; tests decode and encode again to hold that.

use std::fmt::Write as _;
use std::net::IpAddr;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

/// A field that holds a text. Not written if empty, as in proto3.
pub(crate) fn text(buffer: &mut Vec<u8>, field: u32, text: &str) {
    if !text.is_empty() {
        encode_key(field, WireType::LengthDelimited, buffer);
        encode_varint(text.len() as u64, buffer);
        buffer.extend_from_slice(text.as_bytes());
    }
}

/// A field that holds a text, given in parts.
pub(crate) fn text_of(buffer: &mut Vec<u8>, field: u32, parts: &[&str]) {
    encode_key(field, WireType::LengthDelimited, buffer);
    encode_varint(parts.iter().map(|part| part.len() as u64).sum(), buffer);
    for part in parts {
        buffer.extend_from_slice(part.as_bytes());
    }
}

/// A field that holds a number. Not written if zero, as in proto3.
pub(crate) fn number(buffer: &mut Vec<u8>, field: u32, value: u32) {
    if value != 0 {
        encode_key(field, WireType::Varint, buffer);
        encode_varint(value.into(), buffer);
    }
}

/// A field that is one of several choices, and is written even if zero.
pub(crate) fn chosen_number(buffer: &mut Vec<u8>, field: u32, value: u32) {
    encode_key(field, WireType::Varint, buffer);
    encode_varint(value.into(), buffer);
}

/// A field that holds a message, whose fields `body` writes.
pub(crate) fn message(buffer: &mut Vec<u8>, field: u32, body: impl FnOnce(&mut Vec<u8>)) {
    encode_key(field, WireType::LengthDelimited, buffer);
    // One byte holds the length of most messages; the others are moved.
    let at = buffer.len();
    buffer.push(0);
    body(buffer);
    let length = buffer.len() - at - 1;
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        buffer[at] = short;
        return;
    }
    let mut prefix = [0; 10];
    let mut rest = &mut prefix[..];
    encode_varint(length as u64, &mut rest);
    let unused = rest.len();
    let prefix = &prefix[..10 - unused];
    buffer.splice(at..=at, prefix.iter().copied());
}

/// A field that holds a message without maps, which `prost` encodes.
pub(crate) fn message_of(buffer: &mut Vec<u8>, field: u32, message: &impl Message) {
    prost::encoding::message::encode(field, message, buffer);
}

/// A field that holds a wrapped number.
pub(crate) fn wrapped(buffer: &mut Vec<u8>, field: u32, value: u32) {
    message(buffer, field, |buffer| number(buffer, 1, value));
}

/// A field that holds an IP address as text.
pub(crate) fn ip(buffer: &mut Vec<u8>, field: u32, ip: IpAddr) {
    message(buffer, field, |buffer| match ip {
        IpAddr::V4(v4) => {
            for (at, octet) in v4.octets().into_iter().enumerate() {
                if at > 0 {
                    buffer.push(b'.');
                }
                decimal(buffer, octet);
            }
        }
        IpAddr::V6(v6) => {
            let mut text = String::new();
            write!(text, "{v6}").expect("a String takes everything");
            buffer.extend_from_slice(text.as_bytes());
        }
    });
}

/// What `prost` writes for a message with only constant fields, to be put among written ones.
pub(crate) fn constant(message: &impl Message) -> Box<[u8]> {
    message.encode_to_vec().into()
}

fn decimal(buffer: &mut Vec<u8>, octet: u8) {
    if octet >= 100 {
        buffer.push(b'0' + octet / 100);
    }
    if octet >= 10 {
        buffer.push(b'0' + octet / 10 % 10);
    }
    buffer.push(b'0' + octet % 10);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb;

    #[test]
    fn what_is_written_is_what_prost_writes() {
        for length in [0, 1, 127, 128, 129, 16_383, 16_384, 70_000] {
            let long = "x".repeat(length);
            let expected = pb::core::Address {
                address: Some(pb::core::address::Address::SocketAddress(
                    pb::core::SocketAddress {
                        address: long.clone(),
                        port_specifier: Some(pb::core::socket_address::PortSpecifier::PortValue(
                            300,
                        )),
                        ..Default::default()
                    },
                )),
            };
            let mut written = Vec::new();
            message(&mut written, 1, |buffer| {
                text(buffer, 2, &long);
                number(buffer, 3, 300);
            });
            assert_eq!(written, expected.encode_to_vec(), "{length}");
        }
    }

    #[test]
    fn addresses_are_written_as_they_are_printed() {
        for address in [
            "0.0.0.0",
            "10.0.1.91",
            "255.255.255.255",
            "172.17.0.7",
            "fd00::7",
            "::ffff:1.2.3.4",
        ] {
            let mut written = Vec::new();
            ip(&mut written, 2, address.parse().unwrap());
            let mut expected = Vec::new();
            text(&mut expected, 2, address);
            assert_eq!(written, expected);
        }
    }
}
