//! `PeerAuthentication`, the kind of Istio 1.5 and later.

use std::collections::BTreeMap;

use api::istio;
use model::Authentication;
use model::authentication::{Demand, Family, Mode, Scope};

use crate::codes;
use crate::config::object::Context;
use crate::config::{reference, selector};
use crate::report::Report;

const MODES: &[(&str, Option<Mode>)] = &[
    ("UNSET", None),
    ("DISABLE", Some(Mode::Disable)),
    ("PERMISSIVE", Some(Mode::Permissive)),
    ("STRICT", Some(Mode::Strict)),
];

pub(in crate::config) fn convert(
    spec: istio::PeerAuthentication,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Authentication> {
    let object = reference(&context.object.key);
    let is_root = object.namespace == context.mesh.root_namespace;
    let labels = spec.selector.and_then(|selector| selector.match_labels);
    let scope = match (labels.filter(|labels| !labels.is_empty()), is_root) {
        (Some(labels), everywhere) => Scope::Workloads {
            labels: selector::read(labels, "spec.selector.matchLabels", report),
            everywhere,
        },
        (None, true) => Scope::Mesh,
        (None, false) => Scope::Namespace,
    };
    let mtls = spec.mtls.and_then(|mtls| mtls.mode);
    if spec
        .port_level_mtls
        .as_ref()
        .is_some_and(BTreeMap::is_empty)
    {
        let why = "portLevelMtls is empty";
        let remedy = "name the ports, or remove it";
        report.refuse(codes::BAD_PEER, "spec.portLevelMtls", why, remedy);
    }
    let by_port = spec.port_level_mtls.unwrap_or_default();
    Some(Authentication {
        object,
        family: Family::PeerAuthentication,
        demand: mtls.and_then(|value| demand(&value, "spec.mtls.mode".to_owned(), report)),
        by_port: ports(&by_port, &scope, is_root, report),
        origins: None,
        scope,
    })
}

fn demand(value: &serde_json::Value, field: String, report: &mut Report) -> Option<Demand> {
    match super::mode(value, MODES) {
        Ok(mode) => mode.map(Demand::of),
        Err(why) => {
            let remedy = "write UNSET, DISABLE, PERMISSIVE or STRICT";
            report.refuse(codes::BAD_PEER, field, why, remedy);
            None
        }
    }
}

fn ports(
    by_port: &BTreeMap<String, istio::PeerMtls>,
    scope: &Scope,
    is_root: bool,
    report: &mut Report,
) -> BTreeMap<u16, Demand> {
    let mut read = BTreeMap::new();
    for (key, mtls) in by_port {
        let at = format!("spec.portLevelMtls[{key}]");
        let Some(port) = key.parse::<u16>().ok().filter(|port| *port > 0) else {
            let why = format!("{key:?} is no port from 1 to 65535");
            let remedy = "write the number on which the workload listens";
            report.refuse(codes::BAD_PEER, at, why, remedy);
            continue;
        };
        let mode = mtls.mode.as_ref();
        let found = mode.and_then(|value| demand(value, format!("{at}.mode"), report));
        read.extend(found.map(|demand| (port, demand)));
    }
    if by_port.is_empty() || (matches!(scope, Scope::Workloads { .. }) && !is_root) {
        return read;
    }
    if !matches!(scope, Scope::Workloads { .. }) {
        report.refuse(
            codes::PORTS_WITHOUT_SELECTOR,
            "spec.portLevelMtls",
            "ports belong to workloads, and this object selects none",
            "add a selector",
        );
        return read;
    }
    report.warn(
        codes::PORTS_WITHOUT_SELECTOR,
        "spec.portLevelMtls",
        "ports belong to workloads of one namespace, and this object selects some of all",
        "the ports have no effect; the mode of the whole object has",
        "put the object into the namespace of the workloads",
    );
    BTreeMap::new()
}
