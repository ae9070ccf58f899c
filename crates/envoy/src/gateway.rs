//! Gateways, merged: which servers a proxy has on each port.

use std::collections::BTreeMap;

use model::{Diagnostic, Gateway, Labels, Server};

use crate::finding::{self, Text};

/// The servers of one port, in order of precedence of their gateways.
pub(crate) type Servers<'w> = Vec<(&'w Gateway, &'w Server)>;

/// The plaintext HTTP servers of all gateways that select these labels, by port. Servers that
/// cannot be served beside them are left out with a diagnostic.
pub(crate) fn merge<'w>(
    gateways: impl Iterator<Item = &'w Gateway>,
    labels: &Labels,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<u16, Servers<'w>> {
    let mut ports: BTreeMap<u16, Servers<'w>> = BTreeMap::new();
    for gateway in gateways.filter(|gateway| gateway.selector.selects(labels)) {
        for server in &gateway.servers {
            match server.protocol.is_http() {
                true => ports
                    .entry(server.port)
                    .or_default()
                    .push((gateway, server)),
                false => diagnostics.push(unsupported(gateway, server)),
            }
        }
    }
    ports
}

fn unsupported(gateway: &Gateway, server: &Server) -> Diagnostic {
    let text = Text {
        why: format!("servers of protocol {} are not served yet", server.protocol),
        effect: format!("nothing listens on port {} for this server", server.port),
        remedy: "use HTTP, HTTP2, GRPC or GRPC-WEB".to_owned(),
    };
    finding::server(gateway, server.position, text)
}
