//! Names: the namespace of a workload, and the host names that follow from it.
//!
//! Marathon has groups and no namespaces. A namespace is told by label, by a table of groups, or
//! by the group itself. Once namespaces are part of the mesh they are part of its host names, too:
//! `reviews` of `shop` is `reviews.shop.<domain>`, which for `/shop/reviews` is also what Mesos-DNS
//! calls it.

use std::borrow::Cow;
use std::sync::Arc;

use model::{Mesh, NamespaceMode};

use crate::NAMESPACE;

/// Longest label of a DNS name.
const LABEL: usize = 63;

/// The namespace of a workload without a label that tells it, and the group that it follows from
/// if the mode derives it.
pub(crate) fn namespace(id: &str, mesh: &Mesh) -> (Arc<str>, Option<Arc<str>>) {
    if let Some(namespace) = mapped(id, mesh) {
        return (namespace.into(), None);
    }
    if let Some(namespace) = &mesh.namespaces.otherwise {
        return (namespace.as_str().into(), None);
    }
    let segments: Vec<&str> = segments(id).collect();
    let groups = &segments[..segments.len().saturating_sub(1)];
    let groups = match mesh.namespaces.mode {
        NamespaceMode::Flat => &[],
        NamespaceMode::TopGroup => &groups[..groups.len().min(1)],
        NamespaceMode::FullGroup => groups,
    };
    match label(&groups.join("-")) {
        name if name.is_empty() => (NAMESPACE.into(), None),
        name => (name.into(), Some(format!("/{}", groups.join("/")).into())),
    }
}

fn mapped<'a>(id: &str, mesh: &'a Mesh) -> Option<&'a str> {
    mapping(id, mesh).map(|(_, namespace)| namespace)
}

/// The entry of the table with the longest group that contains the workload.
fn mapping<'a>(id: &str, mesh: &'a Mesh) -> Option<(&'a str, &'a str)> {
    let contains = |group: &str| {
        let group = group.trim_end_matches('/');
        id.strip_prefix(group)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let groups = mesh.namespaces.by_group.iter();
    groups
        .filter(|(group, _)| contains(group))
        .max_by_key(|(group, _)| group.trim_end_matches('/').len())
        .map(|(group, namespace)| (group.as_str(), namespace.as_str()))
}

/// What a workload is called that does not say so: its path, reversed as Mesos-DNS has it, without
/// the groups that its namespace follows from. So no two workloads get one name by themselves.
pub(crate) fn own_name(id: &str, mesh: &Mesh) -> String {
    let all: Vec<&str> = segments(id).collect();
    let groups = all.len().saturating_sub(1);
    let mapped = mapping(id, mesh).map(|(group, _)| segments(group).count());
    let in_namespace = mapped.unwrap_or(match mesh.namespaces.mode {
        _ if mesh.namespaces.otherwise.is_some() => 0,
        NamespaceMode::Flat => 0,
        NamespaceMode::TopGroup => 1,
        NamespaceMode::FullGroup => groups,
    });
    let own = all[in_namespace.min(groups)..].iter().rev();
    own.map(|segment| label(segment))
        .collect::<Vec<_>>()
        .join(".")
}

/// The mesh as it is for workloads of one source.
pub(crate) fn of_source<'a>(source: &str, mesh: &'a Mesh) -> Cow<'a, Mesh> {
    let Some(namespace) = mesh.namespaces.by_source.get(source) else {
        return Cow::Borrowed(mesh);
    };
    let mut own = mesh.clone();
    own.namespaces.otherwise = Some(namespace.clone());
    Cow::Owned(own)
}

/// The group of a workload: `/shop` for `/shop/reviews`, empty at the root.
pub(crate) fn group(id: &str) -> &str {
    id.rsplit_once('/').map_or("", |(group, _)| group)
}

/// The group as Mesos-DNS writes it: `db.shop` for `/shop/db/mysql`; empty at the root.
pub(crate) fn group_in_dns(id: &str) -> String {
    let mut groups: Vec<String> = segments(group(id)).map(label).collect();
    groups.reverse();
    groups.retain(|label| !label.is_empty());
    groups.join(".")
}

/// The part of a service's host name that stands between its own name and the domain, if any. A
/// label alone does not put namespaces into names: in a flat mesh they stay as they are.
pub(crate) fn infix<'a>(namespace: &'a str, mesh: &Mesh) -> Option<&'a str> {
    let namespaces = &mesh.namespaces;
    let flat = namespaces.mode == NamespaceMode::Flat;
    let in_names = !flat || !namespaces.by_group.is_empty() || !namespaces.by_source.is_empty();
    (in_names && namespace != NAMESPACE && !namespace.is_empty()).then_some(namespace)
}

/// The domain that short names of a namespace are completed with.
pub(crate) fn domain_of(namespace: &str, mesh: &Mesh) -> String {
    match infix(namespace, mesh) {
        Some(namespace) => format!("{namespace}.{}", mesh.domain),
        None => mesh.domain.clone(),
    }
}

/// A name in one of the other domains, in the mesh's own; `None` for a name that is in none.
pub(crate) fn in_own_domain(name: &str, mesh: &Mesh) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let own = std::iter::once(&mesh.domain);
    let mut domains = own.chain(&mesh.other_domains).map(String::as_str);
    domains.find_map(|domain| {
        let prefix = lower.strip_suffix(&domain.to_ascii_lowercase())?;
        let prefix = prefix.strip_suffix('.').filter(|p| !p.is_empty())?;
        Some(format!("{prefix}.{}", mesh.domain))
    })
}

/// The name in each of the other domains of what is `<prefix>.<domain>` in the mesh's own.
pub(crate) fn in_other_domains(prefix: &str, mesh: &Mesh) -> impl Iterator<Item = String> {
    mesh.other_domains.iter().map(move |domain| {
        // DC/OS knows one label for a task: `/shop/db` is `db-shop.marathon.autoip.dcos…`.
        match domain.ends_with("dcos.thisdcos.directory") {
            true => format!("{}.{domain}", prefix.replace('.', "-")),
            false => format!("{prefix}.{domain}"),
        }
    })
}

/// A text as one DNS label: what may not stand there becomes a hyphen or is left out.
pub(crate) fn label(text: &str) -> String {
    let folded = text.chars().filter_map(|c| match c.to_ascii_lowercase() {
        c if c.is_ascii_alphanumeric() => Some(c),
        '-' | '_' | '.' => Some('-'),
        _ => None,
    });
    let folded: String = folded.collect();
    let mut label = folded.trim_matches('-');
    if label.len() > LABEL {
        label = label[..LABEL].trim_end_matches('-');
    }
    label.to_owned()
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use model::Namespaces;

    use super::*;

    fn mesh(mode: NamespaceMode, by_group: &[(&str, &str)]) -> Mesh {
        let by_group = by_group.iter().map(|(g, n)| (g.to_string(), n.to_string()));
        Mesh {
            namespaces: Namespaces {
                mode,
                by_group: by_group.collect(),
                ..Namespaces::default()
            },
            other_domains: vec![
                "marathon.mesos".into(),
                "marathon.autoip.dcos.thisdcos.directory".into(),
            ],
            ..Mesh::default()
        }
    }

    #[test]
    fn a_namespace_follows_from_the_table_before_the_group() {
        use NamespaceMode::{Flat, FullGroup, TopGroup};
        let table = [("/prod", "live"), ("/prod/shop", "shop")];
        for (mode, table, id, expected) in [
            (Flat, &[][..], "/prod/shop/reviews", "default"),
            (TopGroup, &[], "/prod/shop/reviews", "prod"),
            (TopGroup, &[], "/reviews", "default"),
            (FullGroup, &[], "/prod/shop/reviews", "prod-shop"),
            (FullGroup, &[], "/v1.2/reviews", "v1-2"),
            (Flat, &table, "/prod/shop/reviews", "shop"),
            (Flat, &table, "/prod/shop", "shop"),
            (Flat, &table, "/prod/shopping/cart", "live"),
            (TopGroup, &table, "/test/x", "test"),
        ] {
            let mesh = mesh(mode, table);
            assert_eq!(
                &*namespace(id, &mesh).0,
                expected,
                "{mode:?} {table:?} {id}"
            );
        }
    }

    #[test]
    fn names_move_between_domains() {
        let mesh = mesh(NamespaceMode::Flat, &[]);
        let own = |name: &str| in_own_domain(name, &mesh);
        assert_eq!(
            own("A.marathon.mesos").as_deref(),
            Some("a.marathon.slave.mesos")
        );
        assert_eq!(
            own("*.marathon.mesos").as_deref(),
            Some("*.marathon.slave.mesos")
        );
        assert_eq!(own("a.xmarathon.mesos"), None);
        assert_eq!(own("marathon.mesos"), None);
        assert_eq!(
            in_other_domains("db.shop", &mesh).collect::<Vec<_>>(),
            [
                "db.shop.marathon.mesos",
                "db-shop.marathon.autoip.dcos.thisdcos.directory"
            ]
        );
    }

    #[test]
    fn a_label_is_never_longer_than_dns_allows_nor_framed_by_hyphens() {
        assert_eq!(label("A_b.c d"), "a-b-cd");
        assert_eq!(label("-x-"), "x");
        let long = format!("{}-{}", "a".repeat(62), "b".repeat(9));
        assert_eq!(label(&long), "a".repeat(62));
        assert_eq!(group_in_dns("/shop/db.v1/mysql"), "db-v1.shop");
    }
}
