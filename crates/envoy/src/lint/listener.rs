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
    listener.filter_chains.iter().try_for_each(server_names)
}

/// Envoy compares chains by single range and name: one that both have is a duplicate.
fn split(condition: &FilterChainMatch) -> Vec<Vec<u8>> {
    let ranges: Vec<_> = match condition.prefix_ranges.as_slice() {
        [] => vec![Vec::new()],
        ranges => ranges.iter().map(|range| vec![range.clone()]).collect(),
    };
    let names: Vec<_> = match condition.server_names.as_slice() {
        [] => vec![Vec::new()],
        names => names.iter().map(|n| vec![n.to_ascii_lowercase()]).collect(),
    };
    let single = |range: &Vec<_>, name: &Vec<_>| FilterChainMatch {
        prefix_ranges: range.clone(),
        server_names: name.clone(),
        ..condition.clone()
    };
    let pairs = ranges
        .iter()
        .flat_map(|r| names.iter().map(move |n| (r, n)));
    pairs.map(|(r, n)| single(r, n).encode_to_vec()).collect()
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
