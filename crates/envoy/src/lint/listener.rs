//! Rules for listeners.

use std::collections::BTreeSet;

use prost::Message;

use crate::finding::Refusal;
use crate::pb;
use crate::pb::listener::FilterChainMatch;

pub(crate) fn listener(listener: &pb::listener::Listener) -> Result<(), Refusal> {
    if listener.address.is_none() {
        return Err(Refusal::new("address", "it is missing"));
    }
    if listener.filter_chains.is_empty() && listener.default_filter_chain.is_none() {
        return Err(Refusal::new("filter_chains", "there are none"));
    }
    let mut seen = BTreeSet::new();
    for chain in &listener.filter_chains {
        super::tls::socket(chain.transport_socket.as_ref())?;
        if chain.filters.is_empty() {
            return Err(Refusal::new("filters", "a filter chain has none"));
        }
        let condition = chain.filter_chain_match.clone().unwrap_or_default();
        for single in split(&condition) {
            if !seen.insert(single) {
                let why = format!("{:?} matches what an earlier chain matches", chain.name);
                return Err(Refusal::new("filter_chain_match", why));
            }
        }
    }
    inspected(listener)?;
    listener.filter_chains.iter().try_for_each(server_names)
}

/// Without the inspector Envoy takes conditions on TLS, and they never hold.
fn inspected(listener: &pb::listener::Listener) -> Result<(), Refusal> {
    let chains = listener.filter_chains.iter();
    let mut conditions = chains.filter_map(|chain| chain.filter_chain_match.as_ref());
    let asks = conditions.any(|c| !c.server_names.is_empty() || c.transport_protocol == "tls");
    let mut filters = listener.listener_filters.iter();
    if asks && !filters.any(|filter| filter.name == "envoy.filters.listener.tls_inspector") {
        let why = "chains ask for TLS, and no inspector looks for it";
        return Err(Refusal::new("listener_filters", why));
    }
    Ok(())
}

/// Envoy compares chains by single range, name and protocol: one that both have is a duplicate.
fn split(condition: &FilterChainMatch) -> Vec<Vec<u8>> {
    let ranges: Vec<_> = match condition.prefix_ranges.as_slice() {
        [] => vec![Vec::new()],
        ranges => ranges.iter().map(|range| vec![range.clone()]).collect(),
    };
    let names: Vec<_> = match condition.server_names.as_slice() {
        [] => vec![Vec::new()],
        names => names.iter().map(|n| vec![n.to_ascii_lowercase()]).collect(),
    };
    let protocols: Vec<_> = match condition.application_protocols.as_slice() {
        [] => vec![Vec::new()],
        protocols => protocols.iter().map(|p| vec![p.clone()]).collect(),
    };
    let mut singles = Vec::new();
    for range in &ranges {
        for name in &names {
            for protocol in &protocols {
                let single = FilterChainMatch {
                    prefix_ranges: range.clone(),
                    server_names: name.clone(),
                    application_protocols: protocol.clone(),
                    ..condition.clone()
                };
                singles.push(single.encode_to_vec());
            }
        }
    }
    singles
}

fn server_names(chain: &pb::listener::FilterChain) -> Result<(), Refusal> {
    let Some(condition) = &chain.filter_chain_match else {
        return Ok(());
    };
    let partial = |name: &&String| name.strip_prefix("*.").unwrap_or(name).contains('*');
    match condition.server_names.iter().find(partial) {
        None => Ok(()),
        Some(name) => {
            let why = format!("{name:?} has a wildcard that is not its first label");
            Err(Refusal::new("server_names", why))
        }
    }
}
