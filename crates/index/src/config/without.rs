//! Kinds that are good and change nothing that proxies are served.

use api::istio::Kind;

use crate::codes;
use crate::report::Report;

/// Tells why an object of the kind has no effect.
pub(super) fn explain(kind: Kind, report: &mut Report) {
    let (code, why, remedy) = match kind {
        Kind::ProxyConfig => (
            codes::PROXY_CONFIG,
            "it is read by what starts a proxy, and a proxy that runs cannot be given it",
            "set the concurrency and the environment where the proxy is started, in its app or pod",
        ),
        _ => (
            codes::PROXY_EXTENSION,
            "its code is fetched by Istio's agent, which is not beside a plain Envoy",
            "insert a Lua filter with an EnvoyFilter, or do without",
        ),
    };
    let effect = "the object has no effect";
    report.warn(code, "", why, effect, remedy);
}
