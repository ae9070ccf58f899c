//! Connection pools.

use std::num::NonZeroU32;
use std::time::Duration;

use api::istio::traffic_policy as api;
use model::traffic_policy::{ConnectionPool, Http2Keepalive, Keepalive, Upstream};

use super::numbers::Field;
use super::{empty, ignored};
use crate::codes;
use crate::report::Report;

/// How long Envoy's ping may stay unanswered if nothing else is said.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

pub(super) fn convert(pool: api::ConnectionPool, at: &str, report: &mut Report) -> ConnectionPool {
    if pool.tcp.is_none() && pool.http.is_none() {
        empty(at, "the connection pool", report);
    }
    let converted = pool
        .tcp
        .map(|tcp| self::tcp(tcp, &format!("{at}.tcp"), report));
    let base = converted.unwrap_or_default();
    match pool.http {
        Some(http) => self::http(http, base, &format!("{at}.http"), report),
        None => base,
    }
}

fn tcp(tcp: api::TcpPool, at: &str, report: &mut Report) -> ConnectionPool {
    let field = Field {
        code: codes::BAD_POOL,
        at,
    };
    ConnectionPool {
        max_connections: field.count("maxConnections", tcp.max_connections, report),
        connect_timeout: field.time("connectTimeout", tcp.connect_timeout, report),
        keepalive: tcp.tcp_keepalive.map(|keepalive| {
            let at = format!("{at}.tcpKeepalive");
            Keepalive {
                probes: keepalive.probes.and_then(NonZeroU32::new),
                time: seconds(keepalive.time, "time", &at, report),
                interval: seconds(keepalive.interval, "interval", &at, report),
            }
        }),
        max_connection_duration: field.time(
            "maxConnectionDuration",
            tcp.max_connection_duration,
            report,
        ),
        tcp_idle_timeout: tcp.idle_timeout,
        ..ConnectionPool::default()
    }
}

/// The system counts whole seconds.
fn seconds(
    time: Option<Duration>,
    name: &str,
    at: &str,
    report: &mut Report,
) -> Option<NonZeroU32> {
    let time = time?;
    let whole = u32::try_from(time.as_secs()).ok().and_then(NonZeroU32::new);
    if whole.is_none() || time.subsec_nanos() > 0 {
        let field = Field {
            code: codes::BAD_POOL,
            at,
        };
        let why = format!("{time:?} is not a number of whole seconds");
        field.refuse(name, why, "use whole seconds, for example 75s", report);
    }
    whole
}

fn http(
    http: api::HttpPool,
    base: ConnectionPool,
    at: &str,
    report: &mut Report,
) -> ConnectionPool {
    let field = Field {
        code: codes::BAD_POOL,
        at,
    };
    let mut count = |name, value| field.count(name, value, report);
    ConnectionPool {
        max_pending_requests: count("http1MaxPendingRequests", http.http1_max_pending_requests),
        max_requests: count("http2MaxRequests", http.http2_max_requests),
        max_requests_per_connection: count(
            "maxRequestsPerConnection",
            http.max_requests_per_connection,
        ),
        max_retries: count("maxRetries", http.max_retries),
        max_concurrent_streams: streams(http.max_concurrent_streams, &field, report),
        upstream: upstream(&http, &field, report),
        http2_keepalive: http
            .http2_keep_alive
            .and_then(|pings| self::pings(pings, at, report)),
        http_idle_timeout: http.idle_timeout,
        ..base
    }
}

/// Envoy takes 1 to 2^31 - 1.
fn streams(value: Option<i64>, field: &Field<'_>, report: &mut Report) -> Option<NonZeroU32> {
    let name = "maxConcurrentStreams";
    let count = field.count(name, value, report)?;
    if i32::try_from(count.get()).is_err() {
        let why = format!("{count} is more than HTTP/2 allows");
        field.refuse(name, why, "use a number up to 2147483647", report);
        return None;
    }
    Some(count)
}

fn upstream(http: &api::HttpPool, field: &Field<'_>, report: &mut Report) -> Upstream {
    let policy = http.h2_upgrade_policy.as_deref();
    let asked = match policy {
        None | Some("DEFAULT" | "0") => Upstream::Declared,
        Some("DO_NOT_UPGRADE" | "1") => Upstream::Kept,
        Some("UPGRADE" | "2") => Upstream::Upgrade,
        Some(other) => {
            let why = format!("{other:?} is not a policy for upgrades");
            let remedy = "use UPGRADE or DO_NOT_UPGRADE";
            field.refuse("h2UpgradePolicy", why, remedy, report);
            Upstream::Declared
        }
    };
    if http.use_client_protocol != Some(true) {
        return asked;
    }
    if asked == Upstream::Upgrade {
        let why = "it excludes useClientProtocol".to_owned();
        field.refuse("h2UpgradePolicy", why, "keep one of the two", report);
    }
    Upstream::OfCaller
}

fn pings(pings: api::Http2KeepAlive, at: &str, report: &mut Report) -> Option<Http2Keepalive> {
    let at = format!("{at}.http2KeepAlive");
    let field = Field {
        code: codes::BAD_POOL,
        at: &at,
    };
    if pings.interval.is_none() {
        ignored(
            at.clone(),
            "without an interval no pings are sent",
            "set interval, for example to 30s",
            report,
        );
        return None;
    }
    Some(Http2Keepalive {
        interval: field.time("interval", pings.interval, report),
        timeout: field
            .time("timeout", pings.timeout, report)
            .unwrap_or(PING_TIMEOUT),
    })
}
