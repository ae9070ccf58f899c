//! The filters of Istio 1.0 to 1.5, as patches of today's shape.
//!
//! Their configuration has no type, and Envoy takes none without. The names that are known give
//! one; the others are refused.

use api::istio::envoy_filter as spec;
use model::Cidr;
use model::envoy_filter::{Context, ListenerMatch, Operation, Patch, Target};
use serde_json::{Map, Value, json};

use crate::codes;
use crate::report::Report;

/// The old name, the name of today, and the type of its configuration.
const FILTERS: &[(&str, &str, &str)] = &[
    (
        "envoy.lua",
        "envoy.filters.http.lua",
        "envoy.extensions.filters.http.lua.v3.Lua",
    ),
    (
        "envoy.fault",
        "envoy.filters.http.fault",
        "envoy.extensions.filters.http.fault.v3.HTTPFault",
    ),
    (
        "envoy.cors",
        "envoy.filters.http.cors",
        "envoy.extensions.filters.http.cors.v3.Cors",
    ),
    (
        "envoy.ext_authz",
        "envoy.filters.http.ext_authz",
        "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
    ),
    (
        "envoy.rate_limit",
        "envoy.filters.http.ratelimit",
        "envoy.extensions.filters.http.ratelimit.v3.RateLimit",
    ),
    (
        "envoy.health_check",
        "envoy.filters.http.health_check",
        "envoy.extensions.filters.http.health_check.v3.HealthCheck",
    ),
    (
        "envoy.gzip",
        "envoy.filters.http.compressor",
        "envoy.extensions.filters.http.compressor.v3.Compressor",
    ),
];

const MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// `None`, and told, if the filter cannot be served.
pub(super) fn patch(filter: spec::LegacyFilter, field: &str, report: &mut Report) -> Option<Patch> {
    let refuse = |report: &mut Report, part: &str, why: String, remedy: &str| {
        let effect = "this filter has no effect; the others of the object have";
        let field = format!("{field}.{part}");
        report.leave_out(codes::LEGACY_FILTER, field, why, effect, remedy);
    };
    let remedy = "write it as one of configPatches, with a typed_config";
    if filter.filter_type.as_deref() == Some("NETWORK") {
        let why = "a network filter has no type that its name tells".to_owned();
        refuse(report, "filterType", why, remedy);
        return None;
    }
    let Some(value) = value(&filter) else {
        let why = format!(
            "no type is known for the configuration of {:?}",
            filter.filter_name
        );
        refuse(report, "filterName", why, remedy);
        return None;
    };
    let listener = filter.listener_match.unwrap_or_default();
    if listener.port_name_prefix.is_some() {
        let why = "listeners are told apart by port number, address and direction".to_owned();
        let remedy = "use portNumber and listenerType";
        refuse(report, "listenerMatch.portNamePrefix", why, remedy);
        return None;
    }
    let addresses: Result<Vec<Cidr>, _> = listener.address.iter().map(|a| a.parse()).collect();
    let Ok(addresses) = addresses else {
        let why = "one of them is no address".to_owned();
        let remedy = "write addresses like 10.1.2.3 or 10.1.0.0/16";
        refuse(report, "listenerMatch.address", why, remedy);
        return None;
    };
    if listener.listener_protocol.as_deref() == Some("TCP") {
        let why = "an HTTP filter has no place on a TCP listener".to_owned();
        refuse(report, "listenerMatch.listenerProtocol", why, "use HTTP");
        return None;
    }
    let (operation, relative) = position(filter.insert_position.unwrap_or_default());
    Some(Patch {
        field: field.into(),
        target: Target::HttpFilter,
        context: match listener.listener_type.as_deref() {
            Some("SIDECAR_INBOUND") => Context::SidecarInbound,
            Some("SIDECAR_OUTBOUND") => Context::SidecarOutbound,
            Some("GATEWAY") => Context::Gateway,
            _ => Context::Any,
        },
        listener: ListenerMatch {
            port: listener.port_number.filter(|port| *port != 0),
            addresses,
            filter: Some(MANAGER.into()),
            sub_filter: relative.map(|name| today(&name).into()),
            ..ListenerMatch::default()
        },
        routes: Default::default(),
        cluster: Default::default(),
        operation,
        value: value.to_string().into(),
    })
}

fn position(position: spec::InsertPosition) -> (Operation, Option<String>) {
    match position.index.as_deref() {
        Some("FIRST") => (Operation::InsertFirst, None),
        Some("BEFORE") => (Operation::InsertBefore, position.relative_to),
        Some("AFTER") => (Operation::InsertAfter, position.relative_to),
        // In front of the router, which must stay the last.
        _ => (Operation::Add, None),
    }
}

fn today(name: &str) -> String {
    let found = FILTERS.iter().find(|(old, _, _)| *old == name);
    match (found, name) {
        (Some((_, now, _)), _) => (*now).to_owned(),
        (None, "envoy.router") => "envoy.filters.http.router".to_owned(),
        (None, name) => name.to_owned(),
    }
}

/// The filter of today with its type.
fn value(filter: &spec::LegacyFilter) -> Option<Value> {
    let is_named =
        |row: &&(&str, &str, &str)| filter.filter_name == row.0 || filter.filter_name == row.1;
    let (_, name, message) = FILTERS.iter().find(is_named)?;
    let given = filter.filter_config.as_ref().and_then(Value::as_object);
    let mut config = given.cloned().unwrap_or_default();
    // What the old filter was told has other names in the library of today.
    if filter.filter_name == "envoy.gzip" && !config.is_empty() {
        return None;
    }
    match *name {
        "envoy.filters.http.lua" => inline_code(&mut config),
        "envoy.filters.http.fault" => percentages(&mut config),
        "envoy.filters.http.compressor" => config = gzip(),
        _ => {}
    }
    config.insert(
        "@type".into(),
        json!(format!("type.googleapis.com/{message}")),
    );
    Some(json!({ "name": name, "typed_config": config }))
}

/// `inlineCode` is deprecated.
fn inline_code(config: &mut Map<String, Value>) {
    let code = config
        .remove("inlineCode")
        .or_else(|| config.remove("inline_code"));
    if let Some(code) = code {
        config.insert(
            "default_source_code".into(),
            json!({ "inline_string": code }),
        );
    }
}

/// Integer percentages, single conditions on headers and exact matches are of the API of that time.
fn percentages(config: &mut Map<String, Value>) {
    for half in ["delay", "abort"] {
        let Some(fault) = config.get_mut(half).and_then(Value::as_object_mut) else {
            continue;
        };
        fault.remove("type");
        if let Some(percent) = fault.remove("percent") {
            fault.insert("percentage".into(), json!({ "numerator": percent }));
        }
    }
    let Some(headers) = config.remove("headers") else {
        return;
    };
    let list = match headers {
        Value::Array(list) => list,
        single => vec![single],
    };
    config.insert("headers".into(), list.into_iter().map(header).collect());
}

fn header(mut header: Value) -> Value {
    if let Some(fields) = header.as_object_mut() {
        let exact = fields
            .remove("exactMatch")
            .or_else(|| fields.remove("exact_match"));
        if let Some(exact) = exact {
            fields.insert("string_match".into(), json!({ "exact": exact }));
        }
    }
    header
}

/// The filter of that name is gone; compression has a library by now.
fn gzip() -> Map<String, Value> {
    let library = json!({
        "name": "gzip",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip"
        }
    });
    Map::from_iter([("compressor_library".to_owned(), library)])
}
