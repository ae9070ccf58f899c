//! `WorkloadGroup`, as Istio checks it.

use api::istio::{Probe, WorkloadGroup};

use super::refuse;
use crate::config::names;
use crate::report::Report;

pub(super) fn check(spec: &WorkloadGroup, report: &mut Report) {
    if spec.template.is_none() {
        refuse(report, "spec.template", "there is no template");
    }
    if let Some(probe) = &spec.probe {
        self::probe(probe, report);
    }
}

fn probe(probe: &Probe, report: &mut Report) {
    let ways = [
        probe.http_get.is_some(),
        probe.tcp_socket.is_some(),
        probe.exec.is_some(),
        probe.grpc.is_some(),
    ];
    if ways.into_iter().filter(|way| *way).count() != 1 {
        let why = "a probe has exactly one of httpGet, tcpSocket, exec and grpc";
        refuse(report, "spec.probe", why);
    }
    for (name, number) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        if number.is_some_and(|number| number < 0) {
            refuse(report, format!("spec.probe.{name}"), "it is less than 0");
        }
    }
    let http = probe.http_get.as_ref().map(|way| ("httpGet", way.port));
    let tcp = probe.tcp_socket.as_ref().map(|way| ("tcpSocket", way.port));
    for (name, port) in http.into_iter().chain(tcp) {
        if !port.is_some_and(|port| (1..=65535).contains(&port)) {
            let field = format!("spec.probe.{name}.port");
            refuse(report, field, "there is no port from 1 to 65535");
        }
    }
    let headers = probe.http_get.iter().flat_map(|way| &way.http_headers);
    for (at, header) in headers.enumerate() {
        let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !names::is_header(&header.name) || !header.name.bytes().all(letters) {
            let field = format!("spec.probe.httpGet.httpHeaders[{at}].name");
            refuse(report, field, "it is no name of a header");
        }
    }
    if probe
        .exec
        .as_ref()
        .is_some_and(|way| way.command.is_empty())
    {
        refuse(report, "spec.probe.exec.command", "there is no command");
    }
}
