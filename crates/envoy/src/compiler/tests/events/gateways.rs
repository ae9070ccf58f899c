//! Random gateways.

use super::*;

pub(super) fn placed((name, value): (&'static str, Option<Gateway>)) -> Event {
    let value = value.map(|value| Gateway {
        object: object("Gateway", name),
        ..value
    });
    Event::Gateway(name, value)
}

pub(super) fn gateway() -> impl Strategy<Value = Gateway> {
    let server = (select(SERVERS), select(NAMES));
    let servers = prop::collection::vec(server, 1..3);
    let selector = select(&["", "v1", "v2"][..]);
    (selector, servers, any::<u8>()).prop_map(|(selector, servers, dice)| {
        let servers: Vec<_> = servers
            .iter()
            .map(|((port, protocol), host)| (*port, *protocol, [*host]))
            .collect();
        let servers: Vec<(u16, &str, &[&str])> =
            servers.iter().map(|(p, n, h)| (*p, *n, &h[..])).collect();
        let mut draft = Draft::default().gateway("", &servers);
        for server in &mut draft.gateways[0].servers {
            vary(server, dice);
        }
        Gateway {
            selector: if selector.is_empty() {
                Labels::default()
            } else {
                version(selector)
            },
            ..draft.gateways[0].clone()
        }
    })
}

/// Now and then another address, or another thing done with TLS.
fn vary(server: &mut Server, dice: u8) {
    if dice.is_multiple_of(5) {
        server.bind = Some(ip("10.0.0.7"));
    }
    server.security = match (server.security.clone(), dice % 3) {
        (Security::Plaintext, 0) if server.protocol.is_http() => Security::Redirect,
        (Security::Passthrough, 1) => Security::Terminate(terminated("/other")),
        (same, _) => same,
    };
}
