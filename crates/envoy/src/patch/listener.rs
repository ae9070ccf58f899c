//! Patches of listeners and of what is in them: filter chains, filters, inbound routes.

use std::net::IpAddr;

use model::Role;
use model::envoy_filter::{ChainMatch, Context, ListenerMatch, Operation, Patch, Target};
use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use super::list::{End, edit};
use super::merge::{Lists, merge};
use super::value::{MANAGER, close, list, open, part, text};
use super::{Applied, Outcome, route};
use crate::names;

const INBOUND: i32 = 1;

pub(super) fn change(role: Role, message: &mut DynamicMessage, applied: Applied<'_>) -> Outcome {
    let patch = applied.patch;
    if !patch.context.covers(context(role, message)) || !named(&patch.listener, message) {
        return Outcome::Nothing;
    }
    match patch.target {
        Target::Listener => whole(message, applied),
        Target::ListenerFilter => listener_filters(message, applied).into(),
        Target::FilterChain => chains(message, applied).into(),
        _ => {
            let at = Place::of(message);
            let inside = |chain: &mut DynamicMessage| in_chain(chain, &at, applied);
            each_chain(message, inside).into()
        }
    }
}

/// Where a chain is, as far as conditions ask.
struct Place {
    port: u32,
    /// Takes inbound connections of all ports, and tells them apart by chains.
    by_chain: bool,
}

impl Place {
    fn of(listener: &DynamicMessage) -> Place {
        Place {
            port: port(listener),
            by_chain: text(listener, "name") == names::VIRTUAL_INBOUND,
        }
    }

    fn port_of(&self, chain: &DynamicMessage) -> u32 {
        match self.by_chain {
            true => destination_port(chain).unwrap_or(self.port),
            false => self.port,
        }
    }
}

fn context(role: Role, listener: &DynamicMessage) -> Context {
    let direction = listener.get_field_by_name("traffic_direction");
    let direction = direction.and_then(|value| value.as_enum_number());
    match role {
        Role::Router => Context::Gateway,
        Role::Sidecar if direction == Some(INBOUND) => Context::SidecarInbound,
        Role::Sidecar => Context::SidecarOutbound,
    }
}

/// Whether the listener is meant; a port may also be that of one of its chains.
fn named(wanted: &ListenerMatch, listener: &DynamicMessage) -> bool {
    let name = text(listener, "name");
    let by_name = wanted.name.as_ref().is_none_or(|wanted| **wanted == *name);
    let by_chain = name == names::VIRTUAL_INBOUND;
    let port = wanted
        .port
        .is_none_or(|wanted| u32::from(wanted) == port(listener));
    by_name && (port || by_chain) && bound(wanted, listener)
}

/// Whether the listener is bound to one of the addresses that are asked for.
fn bound(wanted: &ListenerMatch, listener: &DynamicMessage) -> bool {
    let address = || {
        let own = socket(listener, "address")?;
        own.as_str()?.parse::<IpAddr>().ok()
    };
    let wanted = &wanted.addresses;
    wanted.is_empty() || address().is_some_and(|own| wanted.iter().any(|w| w.covers(&own.into())))
}

fn port(listener: &DynamicMessage) -> u32 {
    let port = socket(listener, "port_value");
    port.and_then(|port| port.as_u32()).unwrap_or_default()
}

/// A field of the address.
fn socket(listener: &DynamicMessage, field: &str) -> Option<Value> {
    let address = part(listener, "address")?;
    let address = address.as_message()?;
    let socket = part(address, "socket_address")?;
    let value = socket.as_message()?.get_field_by_name(field)?;
    Some(value.into_owned())
}

fn whole(message: &mut DynamicMessage, applied: Applied<'_>) -> Outcome {
    // Of the listener that tells ports apart by chains, only its own port is meant.
    let wanted = applied.patch.listener.port;
    if wanted.is_some_and(|wanted| u32::from(wanted) != port(message)) {
        return Outcome::Nothing;
    }
    match (applied.patch.operation, applied.value) {
        (Operation::Remove, _) => Outcome::Removed,
        (operation @ (Operation::Merge | Operation::MergeReplacingLists), Some(value)) => {
            merge(message, value, Lists::of(operation));
            Outcome::Changed
        }
        _ => Outcome::Nothing,
    }
}

fn listener_filters(message: &mut DynamicMessage, applied: Applied<'_>) -> bool {
    let wanted = applied.patch.listener.listener_filter.clone();
    let matches = |filter: &DynamicMessage| {
        wanted
            .as_ref()
            .is_none_or(|wanted| **wanted == *text(filter, "name"))
    };
    list(message, "listener_filters").is_some_and(|list| edit(list, applied, End::Last, matches))
}

fn chains(message: &mut DynamicMessage, applied: Applied<'_>) -> bool {
    let at = Place::of(message);
    let patch = applied.patch;
    let matches = |chain: &DynamicMessage| chain_fits(patch, &at, chain);
    let mut changed =
        list(message, "filter_chains").is_some_and(|list| edit(list, applied, End::Last, matches));
    if message.has_field_by_name("default_filter_chain") && patch.operation != Operation::Add {
        let default = message.get_field_by_name("default_filter_chain");
        let fits = default
            .as_ref()
            .and_then(|d| d.as_message())
            .is_some_and(matches);
        match (fits, patch.operation, applied.value) {
            (true, Operation::Remove, _) => {
                message.clear_field_by_name("default_filter_chain");
                changed = true;
            }
            (
                true,
                operation @ (Operation::Merge | Operation::MergeReplacingLists),
                Some(value),
            ) => {
                let chain = message.get_field_by_name_mut("default_filter_chain");
                if let Some(Value::Message(chain)) = chain {
                    merge(chain, value, Lists::of(operation));
                    changed = true;
                }
            }
            _ => {}
        }
    }
    changed
}

fn each_chain(message: &mut DynamicMessage, inside: impl Fn(&mut DynamicMessage) -> bool) -> bool {
    let mut changed = false;
    for value in list(message, "filter_chains").into_iter().flatten() {
        if let Value::Message(chain) = value {
            changed |= inside(chain);
        }
    }
    if message.has_field_by_name("default_filter_chain")
        && let Some(Value::Message(chain)) = message.get_field_by_name_mut("default_filter_chain")
    {
        changed |= inside(chain);
    }
    changed
}

fn chain_fits(patch: &Patch, at: &Place, chain: &DynamicMessage) -> bool {
    let wanted = &patch.listener;
    let port = wanted
        .port
        .is_none_or(|port| u32::from(port) == at.port_of(chain));
    port && condition_fits(&wanted.chain, chain)
}

fn condition_fits(wanted: &ChainMatch, chain: &DynamicMessage) -> bool {
    let name = text(chain, "name");
    if wanted.name.as_ref().is_some_and(|wanted| **wanted != *name) {
        return false;
    }
    let port = wanted.destination_port.map(u32::from);
    if port.is_some() && port != destination_port(chain) {
        return false;
    }
    let condition = part(chain, "filter_chain_match");
    let condition = condition.as_ref().and_then(|value| value.as_message());
    let transport = condition
        .map(|c| text(c, "transport_protocol"))
        .unwrap_or_default();
    let texts = |field: &str| -> Vec<String> {
        let list = condition.and_then(|condition| part(condition, field));
        let list = list.as_ref().and_then(|value| value.as_list());
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let (names, protocols) = (texts("server_names"), texts("application_protocols"));
    let has = |list: &[String], wanted: &str| list.iter().any(|text| text == wanted);
    wanted.sni.as_ref().is_none_or(|sni| has(&names, sni))
        && wanted
            .transport_protocol
            .as_ref()
            .is_none_or(|t| **t == *transport)
        && wanted
            .application_protocols
            .iter()
            .all(|p| has(&protocols, p))
}

fn destination_port(chain: &DynamicMessage) -> Option<u32> {
    let condition = part(chain, "filter_chain_match")?;
    let port = part(condition.as_message()?, "destination_port")?;
    port.as_message()?.get_field_by_name("value")?.as_u32()
}

/// Filters of a chain, and what is in its connection managers.
fn in_chain(chain: &mut DynamicMessage, at: &Place, applied: Applied<'_>) -> bool {
    let patch = applied.patch;
    let port = at.port_of(chain);
    let inbound_routes = route::is_inline(patch);
    if !inbound_routes && !chain_fits(patch, at, chain) {
        return false;
    }
    let wanted = patch.listener.filter.clone();
    let matches = |filter: &DynamicMessage| {
        wanted
            .as_ref()
            .is_none_or(|wanted| **wanted == *text(filter, "name"))
    };
    let Some(filters) = list(chain, "filters") else {
        return false;
    };
    if patch.target == Target::NetworkFilter {
        // What ends connections must stay the last.
        return edit(filters, applied, End::BeforeLast, matches);
    }
    let mut changed = false;
    for filter in filters.iter_mut().filter_map(Value::as_message_mut) {
        if inbound_routes || matches(filter) {
            changed |= in_manager(filter, port, applied);
        }
    }
    changed
}

/// `false` for filters that are no connection managers.
fn in_manager(filter: &mut DynamicMessage, port: u32, applied: Applied<'_>) -> bool {
    if !filter.has_field_by_name("typed_config") {
        return false;
    }
    let Some(Value::Message(any)) = filter.get_field_by_name_mut("typed_config") else {
        return false;
    };
    let Some(mut manager) = open(any).filter(|m| m.descriptor().full_name() == MANAGER) else {
        return false;
    };
    let changed = match applied.patch.target {
        Target::HttpFilter => http_filters(&mut manager, applied),
        _ => inline_routes(&mut manager, port, applied),
    };
    if changed {
        close(any, &manager);
    }
    changed
}

fn http_filters(manager: &mut DynamicMessage, applied: Applied<'_>) -> bool {
    let patch = applied.patch;
    let wanted = patch.listener.sub_filter.clone();
    let matches = |filter: &DynamicMessage| {
        wanted
            .as_ref()
            .is_none_or(|wanted| **wanted == *text(filter, "name"))
    };
    let Some(filters) = list(manager, "http_filters") else {
        return false;
    };
    // Behind nothing in particular is in front of the router.
    if patch.operation == Operation::InsertAfter && wanted.is_none() {
        let at = filters.len().saturating_sub(1);
        let value = applied.value.cloned().map(Value::Message);
        let inserted = value.is_some();
        value
            .into_iter()
            .for_each(|value| filters.insert(at, value));
        return inserted;
    }
    edit(filters, applied, End::BeforeLast, matches)
}

fn inline_routes(manager: &mut DynamicMessage, port: u32, applied: Applied<'_>) -> bool {
    if !manager.has_field_by_name("route_config") {
        return false;
    }
    match manager.get_field_by_name_mut("route_config") {
        Some(Value::Message(routes)) => {
            route::change(routes, Some(port), applied) == Outcome::Changed
        }
        _ => false,
    }
}
