//! Whether Envoy would take what a patch made.

use std::collections::BTreeSet;

use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use super::value::{MANAGER, encode, is_any, open, text};
use crate::finding::Refusal;
use crate::render::POOL;
use crate::{Kind, lint, pb};

const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";

/// Network filters that end a connection. One must be the last of a chain, and none may be before.
const TERMINAL: &[&str] = &[
    MANAGER,
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    "envoy.extensions.filters.network.redis_proxy.v3.RedisProxy",
    "envoy.extensions.filters.network.thrift_proxy.v3.ThriftProxy",
    "envoy.extensions.filters.network.dubbo_proxy.v3.DubboProxy",
    "envoy.extensions.filters.network.echo.v3.Echo",
    "envoy.extensions.filters.network.direct_response.v3.Config",
    "envoy.extensions.filters.network.generic_proxy.v3.GenericProxy",
    "envoy.extensions.filters.network.zookeeper_proxy.v3.ZooKeeperProxy",
];

/// The name is the resource's own: a patch may not give it another.
pub(super) fn check(kind: Kind, name: &str, message: &DynamicMessage) -> Result<(), Refusal> {
    let now = text(message, "name");
    if now.is_empty() || now != name {
        let why = format!("it would be called {now:?}, and others refer to it as {name:?}");
        return Err(Refusal::new("name", why));
    }
    types(message)?;
    let bytes = encode(message);
    match kind {
        Kind::Cluster => lint::cluster(&decoded(&bytes)?),
        Kind::Listener => {
            lint::listener(&decoded(&bytes)?)?;
            chains(message)
        }
        Kind::Route => routes(&decoded(&bytes)?),
        Kind::Endpoint | Kind::Secret => Ok(()),
    }
}

fn decoded<M: Message + Default>(bytes: &[u8]) -> Result<M, Refusal> {
    M::decode(bytes).map_err(|error| Refusal::new("", error.to_string()))
}

/// Every type must be one that a plain Envoy has: neither Istio's own nor one of contributions.
fn types(message: &DynamicMessage) -> Result<(), Refusal> {
    if is_any(message) {
        let url = text(message, "type_url");
        let name = url.rsplit('/').next().unwrap_or_default().to_owned();
        if POOL.get_message_by_name(&name).is_none() || name.contains(".v3alpha.") {
            let why = format!("Envoy's own build does not have {name:?}");
            return Err(Refusal::new("typed_config", why));
        }
        return match open(message) {
            Some(inner) => types(&inner),
            None => Err(Refusal::new("typed_config", format!("it is no {name}"))),
        };
    }
    message.fields().try_for_each(|(_, value)| types_in(value))
}

fn types_in(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Message(inner) => types(inner),
        Value::List(list) => list.iter().try_for_each(types_in),
        Value::Map(map) => map.values().try_for_each(types_in),
        _ => Ok(()),
    }
}

fn chains(listener: &DynamicMessage) -> Result<(), Refusal> {
    let chains = listener.get_field_by_name("filter_chains");
    let chains = chains.as_ref().and_then(|value| value.as_list());
    let default = super::value::part(listener, "default_filter_chain");
    let default = default.as_ref().and_then(|value| value.as_message());
    let chains = chains.into_iter().flatten().filter_map(Value::as_message);
    chains.chain(default).try_for_each(chain)
}

fn chain(chain: &DynamicMessage) -> Result<(), Refusal> {
    let filters = chain.get_field_by_name("filters");
    let filters = filters.as_ref().and_then(|value| value.as_list());
    let filters: Vec<&DynamicMessage> = filters
        .into_iter()
        .flatten()
        .filter_map(Value::as_message)
        .collect();
    for (at, filter) in filters.iter().enumerate() {
        let config = config(filter);
        let ends = config
            .as_ref()
            .is_some_and(|config| TERMINAL.contains(&config.descriptor().full_name()));
        if ends != (at + 1 == filters.len()) {
            let why = "the last filter of a chain, and only the last, must end connections";
            return Err(Refusal::new("filters", why));
        }
        if text(filter, "name").is_empty() {
            return Err(Refusal::new("filters.name", "it is empty"));
        }
        if let Some(manager) = config.filter(|config| config.descriptor().full_name() == MANAGER) {
            self::manager(&manager)?;
        }
    }
    Ok(())
}

fn config(filter: &DynamicMessage) -> Option<DynamicMessage> {
    let any = super::value::part(filter, "typed_config")?;
    open(any.as_message()?)
}

fn manager(manager: &DynamicMessage) -> Result<(), Refusal> {
    let filters = manager.get_field_by_name("http_filters");
    let filters = filters.as_ref().and_then(|value| value.as_list());
    let filters: Vec<&DynamicMessage> = filters
        .into_iter()
        .flatten()
        .filter_map(Value::as_message)
        .collect();
    for (at, filter) in filters.iter().enumerate() {
        let config = config(filter);
        if config.is_none() && !filter.has_field_by_name("config_discovery") {
            return Err(Refusal::new("http_filters.typed_config", "it is missing"));
        }
        let routes = config.is_some_and(|config| config.descriptor().full_name() == ROUTER);
        if routes != (at + 1 == filters.len()) {
            let why = "the last filter, and only the last, must be the router";
            return Err(Refusal::new("http_filters", why));
        }
        if text(filter, "name").is_empty() {
            return Err(Refusal::new("http_filters.name", "it is empty"));
        }
    }
    match super::value::part(manager, "route_config") {
        Some(value) => match value.as_message() {
            Some(inline) => routes(&decoded(&encode(inline))?),
            None => Ok(()),
        },
        None => Ok(()),
    }
}

fn routes(routes: &pb::route::RouteConfiguration) -> Result<(), Refusal> {
    let mut taken = BTreeSet::new();
    for host in &routes.virtual_hosts {
        let within = |refusal: Refusal| refusal.within(&format!("virtual_hosts[{}]", host.name));
        if host.name.is_empty() || host.domains.is_empty() {
            return Err(within(Refusal::new(
                "domains",
                "a name and domains are needed",
            )));
        }
        for domain in &host.domains {
            if domain.is_empty() || !taken.insert(domain.to_ascii_lowercase()) {
                let why = format!("{domain:?} is empty or there twice");
                return Err(within(Refusal::new("domains", why)));
            }
        }
        for route in &host.routes {
            lint::route(route).map_err(within)?;
        }
    }
    Ok(())
}
