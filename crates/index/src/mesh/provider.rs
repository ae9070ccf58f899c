//! Access logs, and the providers that objects of kind `Telemetry` name.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::istio::{MeshConfig, mesh_config};
use model::Mesh;
use model::mesh::DefaultProviders;
use model::reporting::{AccessLog, Collector, LogFormat, Provider};
use serde_json::Value;

use super::{choice, format, refuse, tracing};
use crate::codes;
use crate::report::Report;

/// Istio has a provider of this name without anybody's doing.
const BUILT_IN: &str = "envoy";
const STDOUT: &str = "/dev/stdout";

pub(super) fn read(config: &MeshConfig, mesh: &mut Mesh, report: &mut Report) {
    mesh.reporting.access_logs = mesh_log(config, report).into_iter().collect();
    let log = AccessLog {
        path: STDOUT.into(),
        format: LogFormat::Text,
        filter: None,
    };
    let log = mesh.reporting.access_logs.first().cloned().unwrap_or(log);
    mesh.providers = BTreeMap::from([(BUILT_IN.into(), Provider::Log(log))]);
    for (at, provider) in config.extension_providers.iter().enumerate() {
        let field = format!("extensionProviders[{at}]");
        if let Some(read) = self::provider(provider, &field, mesh, report) {
            mesh.providers.insert(provider.name.as_str().into(), read);
        }
    }
    if let Some(wanted) = &config.default_providers {
        mesh.default_providers = defaults(wanted, mesh, report);
    }
}

/// The log to which every proxy writes.
fn mesh_log(config: &MeshConfig, report: &mut Report) -> Option<AccessLog> {
    let path = config.access_log_file.as_deref();
    let path = path.filter(|path| !path.is_empty())?;
    let table = [("TEXT", false), ("JSON", true)];
    let encoding = config.access_log_encoding.as_deref();
    let json = choice("accessLogEncoding", encoding, &table, report).unwrap_or_default();
    let wanted = config.access_log_format.as_deref();
    let wanted = wanted.filter(|format| !format.is_empty());
    let read = match (json, wanted) {
        (false, None) => Ok(LogFormat::Text),
        (true, None) => Ok(LogFormat::Json),
        (false, Some(text)) => format::text(text),
        (true, Some(text)) => match serde_json::from_str::<Value>(text) {
            Ok(fields) => format::json(&fields),
            Err(error) => Err(format!("it is not JSON: {error}")),
        },
    };
    let format = read.unwrap_or_else(|why| {
        refuse(report, "accessLogFormat", why, format::REMEDY);
        match json {
            true => LogFormat::Json,
            false => LogFormat::Text,
        }
    });
    Some(AccessLog {
        path: path.into(),
        format,
        filter: None,
    })
}

fn provider(
    provider: &mesh_config::ExtensionProvider,
    field: &str,
    mesh: &Mesh,
    report: &mut Report,
) -> Option<Provider> {
    if provider.name.is_empty() {
        let why = "the provider has no name".to_owned();
        refuse(report, &format!("{field}.name"), why, "give it a name");
        return None;
    }
    match (&provider.zipkin, &provider.envoy_file_access_log) {
        (Some(zipkin), None) => collector(&provider.name, zipkin, field, mesh, report),
        (None, Some(log)) => Some(Provider::Log(file(log, field, report))),
        _ => {
            report.leave_out(
                codes::PROVIDER,
                field,
                format!(
                    "{:?} is neither `zipkin` nor `envoyFileAccessLog`",
                    provider.name
                ),
                "Telemetry that names this provider gets nothing from it",
                "use one of the two kinds of providers that Pilothouse supports",
            );
            None
        }
    }
}

fn collector(
    name: &str,
    zipkin: &mesh_config::ZipkinProvider,
    field: &str,
    mesh: &Mesh,
    report: &mut Report,
) -> Option<Provider> {
    let Some(port) = zipkin.port.filter(|port| *port != 0) else {
        let field = format!("{field}.zipkin.port");
        refuse(report, &field, "the port is missing".to_owned(), "use 9411");
        return None;
    };
    // Istio writes `namespace/host` where two namespaces have the host.
    let host = zipkin.service.rsplit('/').next().unwrap_or_default();
    let Some(host) = tracing::host(host, mesh) else {
        let why = format!("{:?} is not the name of a service", zipkin.service);
        let field = format!("{field}.zipkin.service");
        refuse(report, &field, why, "name a service of the mesh");
        return None;
    };
    let in_mesh = domains(mesh).any(|domain| {
        let rest = host.strip_suffix(domain);
        rest.is_some_and(|rest| rest.ends_with('.'))
    });
    Some(Provider::Tracer(Arc::new(Collector {
        name: name.into(),
        host: host.into(),
        port,
        in_mesh,
        max_tag_length: zipkin.max_tag_length.filter(|length| *length > 0),
    })))
}

fn domains(mesh: &Mesh) -> impl Iterator<Item = &str> {
    std::iter::once(&mesh.domain)
        .chain(&mesh.other_domains)
        .map(String::as_str)
}

fn file(log: &mesh_config::FileAccessLog, field: &str, report: &mut Report) -> AccessLog {
    let wanted = log.log_format.as_ref();
    let read = match wanted.map(|format| (&format.text, &format.labels)) {
        None | Some((None, None)) => Ok(LogFormat::Text),
        Some((Some(text), None)) => format::text(text),
        Some((None, Some(labels))) => format::json(labels),
        Some((Some(_), Some(_))) => Err("it has both `text` and `labels`".to_owned()),
    };
    let path = log.path.as_deref().filter(|path| !path.is_empty());
    AccessLog {
        path: path.unwrap_or(STDOUT).into(),
        format: read.unwrap_or_else(|why| {
            let field = format!("{field}.envoyFileAccessLog.logFormat");
            refuse(report, &field, why, format::REMEDY);
            LogFormat::Text
        }),
        filter: None,
    }
}

fn defaults(
    wanted: &mesh_config::DefaultProviders,
    mesh: &Mesh,
    report: &mut Report,
) -> DefaultProviders {
    let mut known = |field: &str, names: &[String], is: fn(&Provider) -> bool| -> Vec<Arc<str>> {
        let (good, bad): (Vec<_>, Vec<_>) = names
            .iter()
            .partition(|name| mesh.providers.get(name.as_str()).is_some_and(is));
        for name in bad {
            let why = format!("no provider of this kind has the name {name:?}");
            let remedy = "define it in extensionProviders";
            refuse(report, &format!("defaultProviders.{field}"), why, remedy);
        }
        good.into_iter().map(|name| name.as_str().into()).collect()
    };
    let tracing = known("tracing", &wanted.tracing, |p| {
        matches!(p, Provider::Tracer(_))
    });
    DefaultProviders {
        tracing: tracing.into_iter().next(),
        access_logging: known("accessLogging", &wanted.access_logging, |p| {
            matches!(p, Provider::Log(_))
        }),
    }
}
