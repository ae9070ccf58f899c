//! Tracing: from the way of Istio 1.0 (`enableTracing` with a Zipkin address) and of today.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::istio::MeshConfig;
use api::istio::mesh_config::{CustomTag, TracingSettings};
use model::Mesh;
use model::reporting::{Collector, Provider, Tag, Tracing};
use model::route::Share;

use super::refuse;
use crate::codes;
use crate::report::Report;

const PORT: u16 = 9411;

/// Spans of every proxy go to the default provider, else to the address of the proxies' settings.
pub(super) fn read(config: &MeshConfig, mesh: &mut Mesh, report: &mut Report) {
    let proxy = config.default_config.clone().unwrap_or_default();
    let settings = proxy.tracing.unwrap_or_default();
    let provider = mesh.default_providers.tracing.as_deref();
    let provider = provider.and_then(|name| match mesh.providers.get(name)? {
        Provider::Tracer(collector) => Some(collector.clone()),
        Provider::Log(_) => None,
    });
    let zipkin = settings.zipkin.as_ref().and_then(|z| z.address.clone());
    let given = zipkin.or(proxy.zipkin_address).filter(|a| !a.is_empty());
    let enabled = config.enable_tracing == Some(true);
    if !enabled && provider.is_none() {
        if given.is_some() {
            report.warn(
                codes::MESH_FIELD_IGNORED,
                "defaultConfig.tracing",
                "there is an address for spans, and tracing is off",
                "no spans are sent and no headers about them are added",
                "set enableTracing: true",
            );
        }
        return;
    }
    let collector = provider.or_else(|| default_collector(given, mesh, report));
    mesh.reporting.tracing =
        collector.map(|collector| Arc::new(tracing(collector, &settings, report)));
}

fn tracing(collector: Arc<Collector>, settings: &TracingSettings, report: &mut Report) -> Tracing {
    let sampling = settings.sampling.map(|percent| {
        Share::percent(percent).unwrap_or_else(|| {
            let why = format!("{percent} is not a percentage");
            let field = "defaultConfig.tracing.sampling";
            refuse(report, field, why, "use 0 to 100");
            Share::ALL
        })
    });
    if settings.enable_istio_tags == Some(true) {
        report.warn(
            codes::MESH_FIELD_IGNORED,
            "defaultConfig.tracing.enableIstioTags",
            "Istio's own tags of spans are not among what proxies get",
            "spans have Envoy's tags, and those of customTags",
            "name the tags that you need in customTags",
        );
    }
    let field = "defaultConfig.tracing.customTags";
    Tracing {
        collector,
        // The walkthrough shows every request sampled, as Istio 1.0's demo did.
        sampling: sampling.unwrap_or(Share::ALL),
        tags: tags(&settings.custom_tags, field, codes::MESH_VALUE, report),
        max_path_tag_length: settings.max_path_tag_length.filter(|length| *length > 0),
        report_spans: true,
        propagate: true,
        sample_by_request_id: true,
    }
}

/// Tags of spans; those without exactly one source are left out.
pub(crate) fn tags(
    tags: &BTreeMap<String, CustomTag>,
    field: &str,
    code: &'static str,
    report: &mut Report,
) -> BTreeMap<String, Tag> {
    let mut read = BTreeMap::new();
    for (name, tag) in tags {
        match self::tag(tag).filter(|_| !name.is_empty()) {
            Some(tag) => {
                read.insert(name.clone(), tag);
            }
            None => report.leave_out(
                code,
                format!("{field}.{name}"),
                "a tag needs a name and exactly one source, which must not be empty",
                "spans do not have this tag",
                "give it one of literal.value, environment.name and header.name",
            ),
        }
    }
    read
}

fn tag(tag: &CustomTag) -> Option<Tag> {
    match (&tag.literal, &tag.environment, &tag.header) {
        (Some(literal), None, None) if !literal.value.is_empty() => {
            Some(Tag::Literal(literal.value.clone()))
        }
        (None, Some(variable), None) if !variable.name.is_empty() => Some(Tag::Environment {
            name: variable.name.clone(),
            default: variable.default_value.clone(),
        }),
        (None, None, Some(header)) if is_header(&header.name) => Some(Tag::Header {
            name: header.name.clone(),
            default: header.default_value.clone(),
        }),
        _ => None,
    }
}

fn is_header(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:".contains(c);
    !name.is_empty() && name.chars().all(allowed)
}

fn default_collector(
    address: Option<String>,
    mesh: &Mesh,
    report: &mut Report,
) -> Option<Arc<Collector>> {
    let address = address.unwrap_or_else(|| format!("zipkin.{}:{PORT}", mesh.domain));
    let collector = match address.rsplit_once(':') {
        Some((name, port)) => port.parse().ok().zip(host(name, mesh)),
        None => host(&address, mesh).map(|host| (PORT, host)),
    };
    let Some((port, host)) = collector.filter(|(port, _)| *port != 0) else {
        let why = format!("{address:?} is not a host and a port");
        let field = "defaultConfig.tracing.zipkin.address";
        refuse(report, field, why, "write it like zipkin.example.com:9411");
        return None;
    };
    Some(Arc::new(Collector {
        name: "zipkin".into(),
        host: host.into(),
        port,
        // As in Istio, where it is part of the proxy's bootstrap: proxies resolve the name.
        in_mesh: false,
        max_tag_length: None,
    }))
}

/// A host name in full, or an IP address.
pub(super) fn host(name: &str, mesh: &Mesh) -> Option<String> {
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Some(name.to_owned());
    }
    let full = match name.contains('.') {
        true => name.to_owned(),
        false => format!("{name}.{}", mesh.domain),
    };
    let host = model::Hostname::parse(&full).ok()?;
    (!host.is_wildcard()).then(|| host.to_string())
}
