//! The kinds of Istio 1.0.

use std::collections::BTreeMap;

use api::istio;
use model::Authentication;
use model::authentication::{Demand, Family, Mode, PortSelector, Scope, Target};

use super::origins;
use crate::codes;
use crate::config::object::Context;
use crate::config::{names, reference};
use crate::report::Report;

/// The only name under which an object holds for a whole scope.
const DEFAULT: &str = "default";
const MODES: &[(&str, Option<Mode>)] = &[
    ("STRICT", Some(Mode::Strict)),
    ("PERMISSIVE", Some(Mode::Permissive)),
];

pub(in crate::config) fn mesh_policy(
    spec: istio::Policy,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Authentication> {
    let name = &*context.object.key.name;
    if name != DEFAULT {
        report.warn(
            codes::POLICY_NAME,
            "metadata.name",
            format!("of all mesh policies only the one named default counts, not {name}"),
            "the object has no effect",
            "name it default, or write a Policy for the namespace or the services that are meant",
        );
        return None;
    }
    if !spec.targets.is_empty() {
        report.refuse(
            codes::POLICY_SCOPE,
            "spec.targets",
            "a mesh policy holds for the whole mesh and has no targets",
            "remove the targets, or write a Policy for them",
        );
    }
    Some(build(&spec, Scope::Mesh, context, report))
}

pub(in crate::config) fn policy(
    spec: istio::Policy,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Authentication> {
    let is_default = &*context.object.key.name == DEFAULT;
    let scope = match (is_default, spec.targets.is_empty()) {
        (true, true) => Scope::Namespace,
        (false, false) => Scope::Services(targets(&spec.targets, context, report)),
        (true, false) => {
            report.refuse(
                codes::POLICY_SCOPE,
                "spec.targets",
                "the policy named default holds for its whole namespace and has no targets",
                "remove the targets, or give the policy another name",
            );
            return None;
        }
        (false, true) => {
            report.refuse(
                codes::POLICY_SCOPE,
                "spec.targets",
                "a policy that is not named default must name its targets",
                "name the services that are meant, or name the policy default",
            );
            return None;
        }
    };
    Some(build(&spec, scope, context, report))
}

fn build(
    spec: &istio::Policy,
    scope: Scope,
    context: &Context<'_>,
    report: &mut Report,
) -> Authentication {
    let demand = demand(&spec.peers, report);
    let origins = origins::convert(spec, context, report);
    if spec.peer_is_optional == Some(true) {
        report.warn(
            codes::PEER_OPTIONAL,
            "spec.peerIsOptional",
            "the port demands TLS whatever this says, as in Istio, whose own filter looked at it",
            "connections without a valid certificate are refused",
            "use the mode PERMISSIVE to take plaintext as well",
        );
    }
    Authentication {
        object: reference(&context.object.key),
        family: Family::Policy,
        scope,
        demand: Some(demand),
        by_port: BTreeMap::new(),
        origins,
    }
}

/// The first method with mutual TLS counts; without one, plaintext is what is demanded.
fn demand(peers: &[istio::PeerMethod], report: &mut Report) -> Demand {
    let mut found = None;
    for (i, peer) in peers.iter().enumerate() {
        let at = format!("spec.peers[{i}]");
        match (&peer.mtls, &peer.jwt) {
            (Some(_), Some(_)) | (None, None) => report.refuse(
                codes::BAD_PEER,
                &at,
                "a method of peers is either mtls or jwt",
                "write mtls: {} for mutual TLS",
            ),
            (None, Some(_)) => ignored(
                format!("{at}.jwt"),
                "tokens of peers are not checked, as they were not in Istio",
                report,
            ),
            (Some(mtls), None) => {
                let demand = mutual_tls(mtls, &at, report);
                if found.is_some() {
                    report.warn(
                        codes::BAD_PEER,
                        &at,
                        "mutual TLS is named more than once",
                        "the first holds",
                        "remove all but one",
                    );
                }
                found = found.or(demand);
            }
        }
    }
    found.unwrap_or_default()
}

fn mutual_tls(mtls: &istio::PolicyMtls, at: &str, report: &mut Report) -> Option<Demand> {
    let mode = match &mtls.mode {
        None => Ok(Some(Mode::Strict)),
        Some(value) => super::mode(value, MODES),
    };
    match mode {
        Ok(mode) => Some(Demand {
            mode: mode.unwrap_or(Mode::Strict),
            anonymous: mtls.allow_tls == Some(true),
        }),
        Err(why) => {
            let remedy = "write STRICT or PERMISSIVE, or nothing for STRICT";
            report.refuse(codes::BAD_PEER, format!("{at}.mtls.mode"), why, remedy);
            None
        }
    }
}

fn targets(
    targets: &[istio::PolicyTarget],
    context: &Context<'_>,
    report: &mut Report,
) -> Vec<Target> {
    let mut read = Vec::new();
    for (i, target) in targets.iter().enumerate() {
        let at = format!("spec.targets[{i}]");
        if target.labels.as_ref().is_some_and(|l| !l.is_empty()) {
            report.warn(
                codes::TARGET_LABELS,
                format!("{at}.labels"),
                "targets are services as a whole",
                "the policy holds for all workloads of the service",
                "write a PeerAuthentication with a selector for some workloads only",
            );
        }
        match names::parse_host(&target.name, context) {
            Ok(host) if !host.is_wildcard() => read.push(Target {
                host,
                ports: ports(&target.ports, &at, report),
            }),
            Ok(_) => bad_target(&at, "a target is one service, not a pattern", report),
            Err(why) => bad_target(&at, &why, report),
        }
    }
    read
}

fn bad_target(at: &str, why: &str, report: &mut Report) {
    report.refuse(
        codes::BAD_TARGET,
        format!("{at}.name"),
        why,
        "name a service like httpbin or httpbin.marathon.slave.mesos",
    );
}

fn ports(ports: &[istio::PolicyPort], at: &str, report: &mut Report) -> Vec<PortSelector> {
    let mut read = Vec::new();
    for (i, port) in ports.iter().enumerate() {
        let name = port.name.as_deref().filter(|name| !name.is_empty());
        let number = port.number.map(u16::try_from);
        match (number, name) {
            (Some(Ok(number @ 1..)), None) => read.push(PortSelector::Number(number)),
            (None, Some(name)) => read.push(PortSelector::Name(name.into())),
            _ => report.refuse(
                codes::BAD_TARGET,
                format!("{at}.ports[{i}]"),
                "a port is either a number from 1 to 65535 or a name",
                "write number or name, as the service declares the port for its callers",
            ),
        }
    }
    read
}

pub(super) fn ignored(field: String, why: &str, report: &mut Report) {
    report.warn(
        codes::END_USERS,
        field,
        why,
        "the field has no effect; the rest of the policy is in force",
        "write origins with the issuers of tokens, or remove the field",
    );
}
