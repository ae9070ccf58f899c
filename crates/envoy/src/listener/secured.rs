//! The filter chains of a workload's port, by what it demands of connections.
//!
//! | mode | HTTP | TCP |
//! |---|---|---|
//! | strict | one chain with TLS; plaintext breaks in the handshake | the same |
//! | permissive | TLS, or plaintext | TLS of the mesh, the application's own TLS, or plaintext |
//! | disable | one plain chain | the same |
//!
//! Without a condition on the transport, the strict chain needs no inspector, and a client that
//! sends plaintext is reset, which it reports as 503. Of TLS on a TCP port the mesh's own is told by
//! the protocols that its clients offer, for the application may well speak TLS itself.

use std::time::Duration;

use model::authentication::Mode;
use model::tls::{ClientCheck, ServerIdentity, ServerTls, VerifyClient, Versions};
use pb::listener::FilterChainMatch;
use pb::listener::listener_filter_chain_match_predicate::{MatchSet, Rule};

use super::filter_chain;
use super::inbound::{PortKey, filters};
use crate::tls::{ALPN_HTTP, Identity, ServerKey, server};
use crate::{filter, message, pb};

/// What clients of the mesh offer, of all versions of Istio.
const ALPN_MESH: &[&str] = &[
    "istio-peer-exchange",
    "istio",
    "istio-http/1.0",
    "istio-http/1.1",
    "istio-h2",
];
/// Where the server may have to speak first, the proxy must not wait for a client hello for ever.
const INSPECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// The chains of a port, all under this condition.
pub(super) fn chains(
    key: &PortKey<'_>,
    name: &str,
    condition: Option<FilterChainMatch>,
) -> Vec<pb::listener::FilterChain> {
    let filters = || filters(key, name);
    let on = |transport: &str, offered: &[&str]| {
        Some(FilterChainMatch {
            transport_protocol: transport.to_owned(),
            application_protocols: offered.iter().map(|name| (*name).to_owned()).collect(),
            ..condition.clone().unwrap_or_default()
        })
    };
    let (whole, plain) = (name.to_owned(), format!("{name}-plain"));
    match (key.demand.mode, key.protocol.is_http()) {
        (Mode::Disable, _) => vec![filter_chain(whole, condition, filters())],
        (Mode::Strict, _) => vec![secured(key, filter_chain(whole, condition, filters()))],
        (Mode::Permissive, true) => vec![
            secured(key, filter_chain(whole, on("tls", &[]), filters())),
            filter_chain(plain, on("raw_buffer", &[]), filters()),
        ],
        (Mode::Permissive, false) => vec![
            secured(key, filter_chain(whole, on("tls", ALPN_MESH), filters())),
            filter_chain(format!("{name}-application"), on("tls", &[]), filters()),
            filter_chain(plain, on("raw_buffer", &[]), filters()),
        ],
    }
}

/// The chain with TLS of the mesh.
fn secured(key: &PortKey<'_>, chain: pb::listener::FilterChain) -> pb::listener::FilterChain {
    pb::listener::FilterChain {
        transport_socket: Some(mutual(key.demand.anonymous, &key.identity)),
        ..chain
    }
}

/// TLS as servers of the mesh speak it.
pub(super) fn mutual(anonymous: bool, identity: &Identity<'_>) -> pb::core::TransportSocket {
    let check = ClientCheck::default();
    let tls = ServerTls {
        identity: ServerIdentity::Mesh,
        clients: match anonymous {
            true => VerifyClient::Optional(check),
            false => VerifyClient::Require(check),
        },
        versions: Versions::default(),
        ciphers: Vec::new(),
    };
    server(&ServerKey {
        tls: &tls,
        alpn: ALPN_HTTP,
        identity: *identity,
    })
}

/// Lets a listener find out what a connection is, where its chains ask for that.
pub(super) fn inspect(listener: &mut pb::listener::Listener, keys: &[&PortKey<'_>]) {
    let permissive: Vec<_> = keys
        .iter()
        .filter(|key| key.demand.mode == Mode::Permissive)
        .collect();
    if permissive.is_empty() {
        return;
    }
    let speaks_first = permissive.iter().any(|key| !key.protocol.is_http());
    let mut inspector = filter::tls_inspector();
    // A listener that restores destinations takes connections to other ports as well.
    if !listener.listener_filters.is_empty() {
        let ports = permissive.iter().map(|key| key.target);
        inspector.filter_disabled = Some(unless(ports));
    }
    listener.listener_filters.push(inspector);
    listener.listener_filters_timeout = Some(message::duration(match speaks_first {
        true => INSPECTION_TIMEOUT,
        false => Duration::ZERO,
    }));
    listener.continue_on_listener_filters_timeout = true;
}

/// Holds for connections to all other ports.
fn unless(ports: impl Iterator<Item = u16>) -> pb::listener::ListenerFilterChainMatchPredicate {
    let predicate = |rule| pb::listener::ListenerFilterChainMatchPredicate { rule: Some(rule) };
    let to = |port: u16| {
        predicate(Rule::DestinationPortRange(pb::percent::Int32Range {
            start: port.into(),
            end: i32::from(port) + 1,
        }))
    };
    let mut each: Vec<_> = ports.map(to).collect();
    let one_of = match each.len() {
        1 => each.remove(0),
        _ => predicate(Rule::OrMatch(MatchSet { rules: each })),
    };
    predicate(Rule::NotMatch(Box::new(one_of)))
}
