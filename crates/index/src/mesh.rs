//! The mesh config file to the settings of the mesh.
//!
//! A value that cannot be used is told and leaves the default in force, for without a mesh config
//! nothing would be served at all.

mod format;
mod provider;
mod tracing;

pub(crate) use tracing::tags;

use api::istio::{MeshConfig, decode, mesh_config};
use model::route::Retries;
use model::{
    AuthPolicy, Diagnostic, Mesh, ObjectRef, OutboundPolicy, PathNormalization, Severity,
    TlsVersion,
};
use serde_json::Value;

use crate::codes;
use crate::config::{is_retry_condition, locality_balance};
use crate::report::Report;

const DEFAULT_STAYS: &str = "the default stays in force";

/// Reads a mesh config into the settings that flags made. The document is the file's, as JSON.
pub fn mesh(document: &Value, mut mesh: Mesh) -> (Mesh, Vec<Diagnostic>) {
    let mut report = Report::new(object(), None, "the mesh config has no effect");
    let mut found = Vec::new();
    if let Some(config) = decoded(document, &mut report) {
        without_effect(&config, &mut report);
        traffic(&config, &mut mesh, &mut report);
        security(&config, &mut mesh, &mut report);
        exports(config.clone(), &mut mesh);
        provider::read(&config, &mut mesh, &mut report);
        tracing::read(&config, &mut mesh, &mut report);
        found = locality(&config, &mut mesh);
    }
    found.extend(report.into_diagnostics());
    found.sort();
    (mesh, found)
}

/// Objects were read once, with these: a change of them waits for a restart.
pub(crate) fn keep(old: &Mesh, new: &mut Mesh) -> Vec<Diagnostic> {
    let fields = [
        (
            "default…ExportTo",
            old.default_exports == new.default_exports,
        ),
        ("rootNamespace", old.root_namespace == new.root_namespace),
        ("extensionProviders", old.providers == new.providers),
        ("enableEnvoyFilter", old.envoy_filters == new.envoy_filters),
    ];
    new.default_exports = old.default_exports.clone();
    new.root_namespace = old.root_namespace.clone();
    new.providers = old.providers.clone();
    new.envoy_filters = old.envoy_filters;
    let mut report = Report::new(object(), None, "");
    for (field, _) in fields.iter().filter(|(_, same)| !same) {
        report.leave_out(
            codes::MESH_VALUE,
            *field,
            "objects were read with what was there at the start",
            "that stays in force; all else of the file is in force as it is now",
            "start again with the new mesh config, one replica after another",
        );
    }
    report.into_diagnostics()
}

/// A file that became unreadable.
pub fn unreadable(why: String) -> Diagnostic {
    Diagnostic {
        code: codes::MESH_VALUE,
        severity: Severity::Error,
        object: Some(object()),
        field: String::new(),
        location: None,
        why,
        effect: "the mesh config that was read before stays in force".to_owned(),
        remedy: "correct the file that --meshConfig names".to_owned(),
    }
}

fn object() -> ObjectRef {
    ObjectRef {
        kind: "MeshConfig",
        namespace: "".into(),
        name: "mesh".into(),
    }
}

fn decoded(document: &Value, report: &mut Report) -> Option<MeshConfig> {
    match decode::<MeshConfig>(document) {
        Ok(decoded) => {
            for field in decoded.ignored {
                report.warn(
                    codes::MESH_FIELD_IGNORED,
                    own(&field),
                    "this field of the mesh config changes nothing that proxies get",
                    "the field has no effect; the rest of the mesh config has",
                    "check its spelling; if it is right, it may stay",
                );
            }
            Some(decoded.spec)
        }
        Err(error) => {
            report.refuse(
                codes::MESH_VALUE,
                own(&error.field),
                error.why,
                "correct the field; the schema is that of Istio's MeshConfig",
            );
            None
        }
    }
}

/// The file has no `spec`.
fn own(path: &str) -> &str {
    path.strip_prefix("spec.").unwrap_or(path)
}

/// A value that cannot be used.
fn refuse(report: &mut Report, field: &str, why: String, remedy: &str) {
    report.leave_out(codes::MESH_VALUE, field, why, DEFAULT_STAYS, remedy);
}

/// One of the names that a field may have.
fn choice<T: Copy>(
    field: &str,
    value: Option<&str>,
    table: &[(&str, T)],
    report: &mut Report,
) -> Option<T> {
    let value = value?;
    let found = table.iter().find(|(name, _)| *name == value);
    if found.is_none() {
        let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
        let why = format!("{value:?} is none of its values");
        refuse(report, field, why, &format!("use {}", names.join(" or ")));
    }
    found.map(|(_, choice)| *choice)
}

fn traffic(config: &MeshConfig, mesh: &mut Mesh, report: &mut Report) {
    if let Some(timeout) = config.connect_timeout.filter(|timeout| !timeout.is_zero()) {
        mesh.connect_timeout = timeout;
    }
    let mode = |mode: &Option<mesh_config::Mode>| mode.as_ref().and_then(|mode| mode.mode.clone());
    let outbound = mode(&config.outbound_traffic_policy);
    let table = [
        ("ALLOW_ANY", OutboundPolicy::AllowAny),
        ("REGISTRY_ONLY", OutboundPolicy::RegistryOnly),
    ];
    let field = "outboundTrafficPolicy.mode";
    if let Some(policy) = choice(field, outbound.as_deref(), &table, report) {
        mesh.outbound = policy;
    }
    let inbound = mode(&config.inbound_traffic_policy);
    let table = [("LOCALHOST", true), ("PASSTHROUGH", false)];
    let field = "inboundTrafficPolicy.mode";
    if choice(field, inbound.as_deref(), &table, report) == Some(false) {
        report.warn(
            codes::MESH_FIELD_IGNORED,
            field,
            "proxies hand requests to 127.0.0.1, which needs no help from interception rules",
            "LOCALHOST is in force",
            "remove the field, or let applications listen on 127.0.0.1 or on all addresses",
        );
    }
    paths(config, mesh, report);
    ports(config, mesh, report);
    if let Some(rate) = config.dns_refresh_rate.filter(|rate| !rate.is_zero()) {
        mesh.dns_refresh = rate;
    }
    if let Some(timeout) = config.protocol_detection_timeout {
        mesh.detection_timeout = timeout;
    }
    if let Some(on) = config.enable_envoy_filter {
        mesh.envoy_filters = on;
    }
    if let Some(policy) = &config.default_http_retry_policy {
        mesh.default_retries = retries(policy, report);
    }
}

fn retries(policy: &mesh_config::RetryPolicy, report: &mut Report) -> Option<Retries> {
    let retry_on = policy.retry_on.as_deref().unwrap_or_default();
    let mut tokens = retry_on.split(',').map(str::trim);
    if let Some(unknown) = tokens.find(|token| !token.is_empty() && !is_retry_condition(token)) {
        let why = format!("{unknown:?} is not a condition for retries");
        let field = "defaultHttpRetryPolicy.retryOn";
        refuse(
            report,
            field,
            why,
            "use status codes and Envoy's conditions",
        );
        return None;
    }
    Some(Retries {
        attempts: policy.attempts.unwrap_or_default(),
        per_try_timeout: policy.per_try_timeout,
        retry_on: (!retry_on.is_empty()).then(|| retry_on.to_owned()),
        ..Retries::default()
    })
}

/// Knobs that are understood, and not in force.
fn without_effect(config: &MeshConfig, report: &mut Report) {
    let detection = config.protocol_detection_timeout;
    if detection.is_some_and(|timeout| !timeout.is_zero()) {
        report.warn(
            codes::MESH_FIELD_IGNORED,
            "protocolDetectionTimeout",
            "ports have the protocol that they declare, and nothing is detected",
            "the field has no effect; the rest of the mesh config has",
            "name the protocols of ports, or remove the field",
        );
    }
}

/// Where no destination rule says how localities count. A setting that contradicts itself is left
/// out as a whole.
fn locality(config: &MeshConfig, mesh: &mut Mesh) -> Vec<Diagnostic> {
    let Some(setting) = config.locality_lb_setting.clone() else {
        return Vec::new();
    };
    let mut report = Report::new(object(), None, DEFAULT_STAYS);
    // Rules have the outlier detection without which nothing fails over.
    let balance = locality_balance(setting, true, "localityLbSetting", &mut report);
    if let Some(balance) = balance.filter(|_| !report.is_refused()) {
        mesh.locality = balance;
    }
    report.into_diagnostics()
}

fn paths(config: &MeshConfig, mesh: &mut Mesh, report: &mut Report) {
    let table = [
        ("DEFAULT", PathNormalization::Base),
        ("NONE", PathNormalization::None),
        ("BASE", PathNormalization::Base),
        ("MERGE_SLASHES", PathNormalization::MergeSlashes),
        (
            "DECODE_AND_MERGE_SLASHES",
            PathNormalization::DecodeAndMergeSlashes,
        ),
    ];
    let wanted = config.path_normalization.as_ref();
    let wanted = wanted.and_then(|paths| paths.normalization.as_deref());
    if let Some(paths) = choice("pathNormalization.normalization", wanted, &table, report) {
        mesh.path_normalization = paths;
    }
}

fn ports(config: &MeshConfig, mesh: &mut Mesh, report: &mut Report) {
    let outbound = config.proxy_listen_port.filter(|port| *port != 0);
    let inbound = config.proxy_inbound_listen_port.filter(|port| *port != 0);
    let outbound = outbound.unwrap_or(mesh.outbound_port);
    let inbound = inbound.unwrap_or(mesh.inbound_port);
    if outbound == inbound {
        let why = format!("both directions would have the port {outbound}");
        refuse(report, "proxyInboundListenPort", why, "use two ports");
        return;
    }
    (mesh.outbound_port, mesh.inbound_port) = (outbound, inbound);
}

fn security(config: &MeshConfig, mesh: &mut Mesh, report: &mut Report) {
    if let Some(auto) = config.enable_auto_mtls {
        mesh.auto_mtls = auto;
    }
    let table = [
        ("NONE", AuthPolicy::None),
        ("MUTUAL_TLS", AuthPolicy::MutualTls),
    ];
    if let Some(policy) = choice("authPolicy", config.auth_policy.as_deref(), &table, report) {
        mesh.auth_policy = policy;
    }
    let table = [
        ("TLS_AUTO", TlsVersion::V1_2),
        ("TLSV1_2", TlsVersion::V1_2),
        ("TLSV1_3", TlsVersion::V1_3),
    ];
    let tls = config.mesh_mtls.as_ref();
    let tls = tls.and_then(|tls| tls.min_protocol_version.as_deref());
    if let Some(version) = choice("meshMTLS.minProtocolVersion", tls, &table, report) {
        mesh.min_tls = version;
    }
    let table = [("DO_NOT_UPGRADE", false), ("UPGRADE", true)];
    let upgrade = config.h2_upgrade_policy.as_deref();
    if let Some(upgrade) = choice("h2UpgradePolicy", upgrade, &table, report) {
        mesh.upgrade_h2 = upgrade;
    }
    let root = config.root_namespace.as_deref();
    if let Some(root) = root.filter(|root| !root.is_empty()) {
        mesh.root_namespace = root.into();
    }
    let domain = config.trust_domain.as_deref();
    if let Some(domain) = domain.filter(|domain| !domain.is_empty()) {
        mesh.trust_domain = domain.into();
    }
    let aliases = config.trust_domain_aliases.iter();
    let aliases = aliases.filter(|alias| !alias.is_empty() && ***alias != *mesh.trust_domain);
    mesh.trust_domain_aliases = aliases.map(|alias| alias.as_str().into()).collect();
}

fn exports(config: MeshConfig, mesh: &mut Mesh) {
    let put = |default: &mut Vec<std::sync::Arc<str>>, wanted: Vec<String>| {
        if !wanted.is_empty() {
            *default = wanted.into_iter().map(Into::into).collect();
        }
    };
    let exports = &mut mesh.default_exports;
    put(&mut exports.services, config.default_service_export_to);
    put(
        &mut exports.virtual_services,
        config.default_virtual_service_export_to,
    );
    put(
        &mut exports.destination_rules,
        config.default_destination_rule_export_to,
    );
}

#[cfg(test)]
mod tests;
