//! The mesh's vocabulary of workload labels: membership, names, network and weight.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{ExportTo, Hostname, Mesh};

use crate::report::Report;
use crate::{codes, naming};

/// Comma list of service names; opts the workload in.
const SERVICES: &str = "istio";
/// The same, as environments write it whose labels have no free choice of names.
const SERVICES_ALIAS: &str = "ISTIO_SERVICE_NAME";
const NAMESPACE: &str = "istio.io/namespace";
const NAMESPACE_ALIAS: &str = "ISTIO_NAMESPACE";
/// Comma list of further full names for the first service.
const ALIASES: &str = "istio.io/hosts";
/// Comma list of the namespaces that see the services, as `exportTo` has them.
const EXPORT_TO: &str = "istio.io/export-to";
const NETWORK: &str = "istio.io/network";
const IP_INDEX: &str = "istio.io/ip-index";
const WEIGHT: &str = "istio.io/weight";

/// Keeps the sum over a whole locality below the 32 bits that Envoy has for it.
const WEIGHT_MAX: u32 = 1_000_000;

/// What a workload is called.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) namespace: Arc<str>,
    /// The group that the namespace follows from, if one does.
    pub(super) derived_from: Option<Arc<str>>,
    /// The services that it belongs to; `None` if it is not in the mesh.
    pub(super) hosts: Option<Vec<Hostname>>,
    /// The other names of each of these services.
    pub(super) aliases: BTreeMap<Hostname, BTreeSet<Hostname>>,
    /// Who sees them; `None` leaves it to the mesh.
    pub(super) export_to: Option<ExportTo>,
}

/// Which of an instance's addresses is meant.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Choice {
    pub(super) network: Option<String>,
    pub(super) index: Option<usize>,
}

/// Reads all names of a workload.
pub(super) fn names(
    id: &str,
    labels: &BTreeMap<String, String>,
    mesh: &Mesh,
    report: &mut Report,
) -> Names {
    let (namespace, derived_from) = match namespace(labels, report) {
        Some(namespace) => (namespace, None),
        None => naming::namespace(id, mesh),
    };
    report.belongs_to(&namespace);
    super::account::check(labels, report);
    let mut names = Names {
        export_to: exports(labels, &namespace, report),
        namespace,
        derived_from,
        hosts: None,
        aliases: BTreeMap::new(),
    };
    let labelled = present(labels, SERVICES, SERVICES_ALIAS);
    if let Some((key, value)) = labelled {
        names.hosts = Some(Vec::new());
        for name in list(value) {
            names.add_service(id, key, name, mesh, report);
        }
    } else if is_included(labels, mesh) {
        names.add_own(id, mesh);
    }
    if names.hosts.is_some() {
        names.add_aliases(labels, mesh, report);
    }
    names
}

/// Whether a workload that names no service is part of the mesh. An empty label keeps it out.
fn is_included(labels: &BTreeMap<String, String>, mesh: &Mesh) -> bool {
    let labelled = |key| labels.contains_key(key);
    !labelled(SERVICES) && !labelled(SERVICES_ALIAS) && mesh.inclusion.takes(labels)
}

// === impl Names ===

impl Names {
    fn add_service(&mut self, id: &str, key: &str, name: &str, mesh: &Mesh, report: &mut Report) {
        let full = match naming::in_own_domain(name, mesh) {
            Some(full) => full,
            None => self.complete(name, mesh),
        };
        let host = match clean(&full) {
            Ok(host) => host,
            Err(why) => {
                report.leave_out(
                    codes::SERVICE_NAME,
                    format!("labels.{key}"),
                    format!("{name:?} is no service name: {why}"),
                    format!("the workload is not part of a service {name:?}; its other names hold"),
                    "use letters, digits and inner hyphens, separated by commas",
                );
                return;
            }
        };
        if host.as_str() != full.to_ascii_lowercase() {
            report.warn(
                codes::NAME_CHANGED,
                format!("labels.{key}"),
                format!("{name:?} has characters that names in DNS do not have"),
                format!("the service is called {host}"),
                "use letters, digits and inner hyphens, separated by commas",
            );
        }
        let told = Hostname::parse(&full).ok();
        self.add_host(id, host, told.filter(|told| !told.is_wildcard()), mesh);
    }

    /// The service of a workload that names none. Ids of Marathon fit into DNS, but perhaps for
    /// their length: then the workload stays out, as if nobody had asked for it.
    fn add_own(&mut self, id: &str, mesh: &Mesh) {
        let domain = naming::domain_of(&self.namespace, mesh);
        let host = clean(&format!("{}.{domain}", naming::own_name(id, mesh)));
        if let Ok(host) = host {
            self.add_host(id, host, None, mesh);
        }
    }

    /// `told` is its name as it was written, if it was.
    fn add_host(&mut self, id: &str, host: Hostname, told: Option<Hostname>, mesh: &Mesh) {
        let mut others = self.other_names(id, &host, mesh);
        others.extend(told);
        others.remove(&host);
        self.aliases.entry(host.clone()).or_default().extend(others);
        let hosts = self.hosts.get_or_insert_default();
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }

    /// `<name>.<domain>`, with the namespace in between if names have it.
    fn complete(&self, name: &str, mesh: &Mesh) -> String {
        let named = naming::infix(&self.namespace, mesh).is_some_and(|namespace| {
            name.to_ascii_lowercase()
                .ends_with(&format!(".{namespace}"))
        });
        match named {
            true => format!("{name}.{}", mesh.domain),
            false => format!("{name}.{}", naming::domain_of(&self.namespace, mesh)),
        }
    }

    /// The names in other domains; where namespaces are part of names, also the one that
    /// Mesos-DNS has for the group, and the one without a domain.
    fn other_names(&self, id: &str, host: &Hostname, mesh: &Mesh) -> BTreeSet<Hostname> {
        let domain = format!(".{}", mesh.domain.to_ascii_lowercase());
        let Some(prefix) = host.as_str().strip_suffix(&domain) else {
            return BTreeSet::new();
        };
        let mut names: Vec<String> = naming::in_other_domains(prefix, mesh).collect();
        let short = naming::infix(&self.namespace, mesh)
            .and_then(|namespace| prefix.strip_suffix(namespace)?.strip_suffix('.'));
        if let Some(short) = short {
            names.push(prefix.to_owned());
            let group = naming::group_in_dns(id);
            if !group.is_empty() {
                let by_group = format!("{short}.{group}");
                names.extend(naming::in_other_domains(&by_group, mesh));
                names.push(format!("{by_group}{domain}"));
            }
        }
        let parsed = names.iter().filter_map(|name| Hostname::parse(name).ok());
        parsed.collect()
    }

    /// Names in the mesh's domains belong to the label `istio`, which ownership is decided by: an
    /// alias must not be a way around it.
    fn add_aliases(&mut self, labels: &BTreeMap<String, String>, mesh: &Mesh, report: &mut Report) {
        let first = self.hosts.iter().flatten().next().cloned();
        let Some((value, first)) = labels.get(ALIASES).zip(first) else {
            return;
        };
        for name in list(value) {
            let refused = match Hostname::parse(name) {
                Ok(host) if host.is_wildcard() => Some(format!("{name:?} has a wildcard")),
                Ok(_) if naming::in_own_domain(name, mesh).is_some() => {
                    Some(format!("{name:?} is in a domain of the mesh"))
                }
                Ok(_) if !name.contains('.') => Some(format!("{name:?} is not a full name")),
                Ok(host) => {
                    self.aliases.entry(first.clone()).or_default().insert(host);
                    None
                }
                Err(error) => Some(error.to_string()),
            };
            if let Some(why) = refused {
                report.warn(
                    codes::LABEL_VALUE,
                    format!("labels.{ALIASES}"),
                    why,
                    format!("{first} is not known under that name"),
                    format!(
                        "list full names outside the mesh's domains; names inside belong into the label {SERVICES}"
                    ),
                );
            }
        }
    }
}

fn namespace(labels: &BTreeMap<String, String>, report: &mut Report) -> Option<Arc<str>> {
    let (key, value) = present(labels, NAMESPACE, NAMESPACE_ALIAS)?;
    let value = value.trim();
    if naming::label(value) == value {
        return Some(value.into());
    }
    report.warn(
        codes::LABEL_VALUE,
        format!("labels.{key}"),
        format!("{value:?} is not the name of a namespace"),
        "the label is ignored",
        "use one label of at most 63 lower-case letters, digits and inner hyphens",
    );
    None
}

fn exports(
    labels: &BTreeMap<String, String>,
    own: &Arc<str>,
    report: &mut Report,
) -> Option<ExportTo> {
    let value = labels.get(EXPORT_TO)?;
    let named: Vec<&str> = list(value).collect();
    let parsed = match named.is_empty() {
        true => Err("it names nobody".to_owned()),
        false => crate::config::parse_exports(&named, own),
    };
    let refused = |why: &String| {
        report.warn(
            codes::LABEL_VALUE,
            format!("labels.{EXPORT_TO}"),
            why.as_str(),
            "the mesh's defaultServiceExportTo holds",
            "write \".\" for the own namespace, \"*\" alone for all, \"~\" alone for none, or names \
             of namespaces",
        );
    };
    parsed.inspect_err(refused).ok()
}

/// Which address the labels choose.
pub(super) fn choice(labels: &BTreeMap<String, String>, report: &mut Report) -> Choice {
    let trimmed = |key: &str| labels.get(key).map(|v| v.trim()).filter(|v| !v.is_empty());
    let index = trimmed(IP_INDEX).and_then(|text| match text.parse() {
        Ok(index) => Some(index),
        Err(_) => {
            report.warn(
                codes::LABEL_VALUE,
                format!("labels.{IP_INDEX}"),
                format!("{text:?} is not a place in the list of addresses"),
                "the label is ignored",
                "set it to 0 for the first address, 1 for the second, and so on",
            );
            None
        }
    });
    Choice {
        network: trimmed(NETWORK).map(str::to_owned),
        index,
    }
}

fn present<'a>(
    labels: &'a BTreeMap<String, String>,
    key: &'static str,
    alias: &'static str,
) -> Option<(&'static str, &'a str)> {
    let present = |key: &'static str| {
        let value = labels.get(key)?;
        (!value.trim().is_empty()).then_some((key, value.as_str()))
    };
    present(key).or_else(|| present(alias))
}

fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|n| !n.is_empty())
}

/// The host name that is left when each label is made one of DNS.
fn clean(name: &str) -> Result<Hostname, String> {
    let labels: Vec<String> = name
        .split('.')
        .map(|part| match part.len() {
            0..=63 => naming::label(part),
            _ => part.to_owned(),
        })
        .collect();
    Hostname::parse(&labels.join(".")).map_err(|error| error.to_string())
}

/// The share of requests that each instance gets, relative to others; 1 unless labelled.
pub(super) fn weight(labels: &BTreeMap<String, String>, report: &mut Report) -> u32 {
    let Some(text) = labels.get(WEIGHT) else {
        return 1;
    };
    match text.trim().parse() {
        Ok(weight @ 1..=WEIGHT_MAX) => weight,
        _ => {
            report.warn(
                codes::LABEL_VALUE,
                format!("labels.{WEIGHT}"),
                format!("{text:?} is not a whole number from 1 to {WEIGHT_MAX}"),
                "each instance counts with weight 1",
                format!("set {WEIGHT} to a number such as 10, or remove it"),
            );
            1
        }
    }
}
