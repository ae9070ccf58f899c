//! What is spoken on a port.

use std::fmt;

/// The protocol of a service port or of a gateway server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Http,
    Http2,
    Grpc,
    GrpcWeb,
    Https,
    Tls,
    Tcp,
    Mongo,
    Redis,
    Mysql,
    Udp,
}

const NAMES: &[(&str, Protocol)] = &[
    ("http", Protocol::Http),
    ("http2", Protocol::Http2),
    ("grpc", Protocol::Grpc),
    ("grpc-web", Protocol::GrpcWeb),
    ("https", Protocol::Https),
    ("tls", Protocol::Tls),
    ("tcp", Protocol::Tcp),
    ("mongo", Protocol::Mongo),
    ("redis", Protocol::Redis),
    ("mysql", Protocol::Mysql),
    ("udp", Protocol::Udp),
];

// === impl Protocol ===

impl Protocol {
    /// The protocol of that name, in any case.
    pub fn parse(text: &str) -> Option<Protocol> {
        let lower = text.to_ascii_lowercase();
        NAMES
            .iter()
            .find(|(name, _)| *name == lower)
            .map(|(_, p)| *p)
    }

    /// The protocol that a port name declares: the whole name, or what stands before a hyphen.
    pub fn from_port_name(name: &str) -> Option<Protocol> {
        let lower = name.to_ascii_lowercase();
        if lower == "grpc-web" || lower.starts_with("grpc-web-") {
            return Some(Protocol::GrpcWeb);
        }
        Protocol::parse(lower.split('-').next().unwrap_or(&lower))
    }

    /// Whether requests on it can be routed one by one: plaintext HTTP of any version.
    pub fn is_http(self) -> bool {
        matches!(
            self,
            Protocol::Http | Protocol::Http2 | Protocol::Grpc | Protocol::GrpcWeb
        )
    }

    /// Whether upstream connections must be HTTP/2.
    pub fn is_http2(self) -> bool {
        matches!(self, Protocol::Http2 | Protocol::Grpc | Protocol::GrpcWeb)
    }
}

impl fmt::Display for Protocol {
    /// In capitals, as Istio's debug pages print them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = NAMES
            .iter()
            .find(|(_, p)| p == self)
            .expect("every protocol has a name");
        f.write_str(&name.to_ascii_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_name_declares_its_protocol_before_a_hyphen() {
        for (name, protocol) in [
            ("http", Some(Protocol::Http)),
            ("http-9080", Some(Protocol::Http)),
            ("http2", Some(Protocol::Http2)),
            ("grpc-web", Some(Protocol::GrpcWeb)),
            ("grpc-web-ui", Some(Protocol::GrpcWeb)),
            ("grpc-mixer", Some(Protocol::Grpc)),
            ("HTTPS-x", Some(Protocol::Https)),
            ("httpx", None),
            ("web", None),
            ("", None),
        ] {
            assert_eq!(Protocol::from_port_name(name), protocol, "{name}");
        }
    }

    #[test]
    fn printing_and_parsing_agree() {
        for (_, p) in NAMES {
            assert_eq!(Protocol::parse(&p.to_string()), Some(*p));
        }
    }
}
