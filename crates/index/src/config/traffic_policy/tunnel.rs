//! What a policy says for all ports only: tunnels, the proxy protocol, retry budgets.

use std::num::NonZeroU16;
use std::sync::Arc;

use api::istio::traffic_policy as api;
use model::Hostname;
use model::route::Share;
use model::traffic_policy::{ProxyProtocol, RetryBudget, Tunnel};

use super::numbers::Field;
use crate::codes;
use crate::report::Report;

/// What Istio and Envoy take if a budget says nothing.
const BUDGET: f64 = 20.0;
const BUDGET_MINIMUM: u32 = 3;

pub(super) fn tunnel(
    tunnel: Option<api::Tunnel>,
    has_proxy_protocol: bool,
    at: &str,
    report: &mut Report,
) -> Option<Arc<Tunnel>> {
    let tunnel = tunnel?;
    let at = format!("{at}.tunnel");
    let field = Field {
        code: codes::BAD_TUNNEL,
        at: &at,
    };
    if has_proxy_protocol {
        let why = "it excludes proxyProtocol".to_owned();
        field.refuse("", why, "keep one of the two", report);
    }
    let post = match tunnel.protocol.as_deref() {
        None | Some("" | "CONNECT") => false,
        Some("POST") => true,
        Some(other) => {
            let why = format!("{other:?} opens no tunnel");
            field.refuse("protocol", why, "use CONNECT or POST", report);
            false
        }
    };
    let host = &tunnel.target_host;
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    if !is_address && Hostname::parse(host).map_or(true, |host| host.is_wildcard()) {
        let why = format!("{host:?} is neither a host nor an address");
        field.refuse("targetHost", why, "name the host to reach", report);
    }
    let port = tunnel.target_port.and_then(|port| u16::try_from(port).ok());
    let Some(port) = port.and_then(NonZeroU16::new) else {
        let why = "the port is none from 1 to 65535".to_owned();
        field.refuse("targetPort", why, "name the port to reach", report);
        return None;
    };
    Some(Arc::new(Tunnel {
        post,
        host: tunnel.target_host,
        port,
    }))
}

pub(super) fn proxy_protocol(
    protocol: Option<api::ProxyProtocol>,
    at: &str,
    report: &mut Report,
) -> Option<ProxyProtocol> {
    match protocol?.version.as_deref() {
        None | Some("V1" | "0") => Some(ProxyProtocol::V1),
        Some("V2" | "1") => Some(ProxyProtocol::V2),
        Some(other) => {
            let at = format!("{at}.proxyProtocol");
            let field = Field {
                code: codes::BAD_TUNNEL,
                at: &at,
            };
            let why = format!("{other:?} is not a version");
            field.refuse("version", why, "use V1 or V2", report);
            None
        }
    }
}

pub(super) fn retry_budget(
    budget: Option<api::RetryBudget>,
    at: &str,
    report: &mut Report,
) -> Option<RetryBudget> {
    let budget = budget?;
    let at = format!("{at}.retryBudget");
    let field = Field {
        code: codes::BAD_POOL,
        at: &at,
    };
    let percent = budget.percent.unwrap_or(BUDGET);
    let Some(share) = Share::percent(percent) else {
        let why = format!("{percent} is not a percentage");
        field.refuse("percent", why, "use 0 to 100", report);
        return None;
    };
    Some(RetryBudget {
        share,
        minimum: budget.min_retry_concurrency.unwrap_or(BUDGET_MINIMUM),
        interval: field.time("budgetInterval", budget.budget_interval, report),
    })
}
