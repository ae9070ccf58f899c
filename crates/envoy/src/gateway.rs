//! Gateways, merged: which servers a proxy has on each port.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::{Diagnostic, Gateway, Labels, Protocol, Server};

use crate::finding::{self, Text};

/// The servers of one port, in order of precedence of their gateways. All of one [`Layer`].
pub(crate) type Servers<'w> = Vec<(&'w Gateway, &'w Server)>;

/// Where servers listen. Servers that bind to different addresses have different listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bound {
    pub(crate) port: u16,
    /// `None` for the proxy's own choice.
    pub(crate) address: Option<IpAddr>,
}

/// What connections to a port begin with. A listener has one kind: plaintext beside TLS would have
/// to be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Http,
    Tls,
    Tcp,
}

// === impl Layer ===

impl Layer {
    pub(crate) fn of(server: &Server) -> Layer {
        match server.protocol {
            Protocol::Https | Protocol::Tls => Layer::Tls,
            protocol if protocol.is_http() => Layer::Http,
            _ => Layer::Tcp,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Layer::Http => "plaintext HTTP",
            Layer::Tls => "TLS",
            Layer::Tcp => "raw TCP",
        }
    }
}

/// The servers of all gateways that select these labels, by port. Servers that cannot be served
/// beside older ones are left out with a diagnostic.
pub(crate) fn merge<'w>(
    gateways: impl Iterator<Item = &'w Gateway>,
    labels: &Labels,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<Bound, Servers<'w>> {
    let mut ports: BTreeMap<Bound, Servers<'w>> = BTreeMap::new();
    for gateway in gateways.filter(|gateway| gateway.selector.selects(labels)) {
        for server in &gateway.servers {
            let bound = Bound {
                port: server.port,
                address: server.bind,
            };
            let servers = ports.entry(bound).or_default();
            match servers.first() {
                Some((_, first)) if Layer::of(first) != Layer::of(server) => {
                    diagnostics.push(unlike(gateway, server, servers[0]));
                }
                _ => servers.push((gateway, server)),
            }
        }
    }
    ports
}

fn unlike(gateway: &Gateway, server: &Server, first: (&Gateway, &Server)) -> Diagnostic {
    let (mine, other) = (Layer::of(server).name(), Layer::of(first.1).name());
    let text = Text {
        why: format!(
            "{} serves {other} on port {} already, and a port cannot have {mine} beside it",
            first.0.object, server.port
        ),
        effect: format!("port {} serves {other} only", server.port),
        remedy: "use another port for this server".to_owned(),
    };
    finding::server(gateway, server.position, text)
}
