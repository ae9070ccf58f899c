//! Kinds that change nothing that proxies are served. Their objects are checked all the same: who
//! writes one learns of a mistake here, and not where it will be in force.

mod proxy_config;
mod wasm_plugin;
mod workload_group;

use api::istio::Kind;

use super::object::{Context, spec};
use crate::codes;
use crate::report::Report;

const REMEDY: &str = "correct the field; the schema is that of Istio's kind";

/// Checks an object, and tells why it has no effect.
pub(super) fn explain(context: &Context<'_>, report: &mut Report) {
    let object = context.object;
    match object.key.kind {
        Kind::ProxyConfig => {
            if let Some(spec) = spec(object, report) {
                proxy_config::check(spec, report);
            }
        }
        Kind::WasmPlugin => {
            if let Some(spec) = spec(object, report) {
                wasm_plugin::check(spec, report);
            }
        }
        Kind::WorkloadGroup => {
            if let Some(spec) = spec(object, report) {
                workload_group::check(&spec, report);
            }
        }
        _ => {}
    }
    let (code, why, remedy) = reason(object.key.kind);
    report.warn(code, "", why, "the object has no effect", remedy);
}

fn reason(kind: Kind) -> (&'static str, &'static str, &'static str) {
    match kind {
        Kind::ProxyConfig => (
            codes::PROXY_CONFIG,
            "it is read by what starts a proxy, and a proxy that runs cannot be given it",
            "set the concurrency and the environment where the proxy is started, in its app or pod",
        ),
        Kind::WorkloadGroup => (
            codes::KIND_NOT_IN_FORCE,
            "agents of Istio register machines by it, and there are none beside a plain Envoy",
            "write a WorkloadEntry for each machine",
        ),
        _ => (
            codes::PROXY_EXTENSION,
            "its code is fetched by Istio's agent, which is not beside a plain Envoy",
            "insert a Lua filter with an EnvoyFilter, or do without",
        ),
    }
}

fn refuse(report: &mut Report, field: impl Into<String>, why: impl Into<String>) {
    report.refuse(codes::BAD_WITHOUT_EFFECT, field, why, REMEDY);
}

/// A text that is given must not be empty.
fn given(report: &mut Report, field: &str, text: Option<&str>) {
    if text == Some("") {
        refuse(report, field, "the value is empty");
    }
}
