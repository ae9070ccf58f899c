//! From Marathon's answers to workloads, one by one: a bad one does not spoil the list.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::marathon::{App, AppWorkload, Pod, PodStatus, PodWorkload};
use api::marathon::{Workload, WorkloadKey, WorkloadKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// All workloads of one answer or two.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) workloads: BTreeMap<WorkloadKey, Workload>,
    pub(super) bad: Vec<Undecodable>,
}

/// An entry that is there but cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Undecodable {
    pub(super) kind: WorkloadKind,
    /// Absent if not even the id can be read.
    pub(super) id: Option<Arc<str>>,
    /// Begins with the JSON path.
    pub(super) why: String,
}

impl Undecodable {
    /// Any workload of its kind may be the one whose id cannot be read.
    pub(super) fn may_be(&self, key: &WorkloadKey) -> bool {
        self.kind == key.kind && self.id.as_ref().is_none_or(|id| key.id == *id)
    }
}

/// One entry, read or not.
pub(super) type Entry = Result<Workload, Undecodable>;

#[derive(Deserialize)]
struct Apps<'a> {
    #[serde(borrow)]
    apps: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct One<'a> {
    #[serde(borrow)]
    app: &'a RawValue,
}

#[derive(Deserialize)]
struct Id {
    id: Arc<str>,
}

/// Reads the answers of `/v2/apps` and `/v2/pods/::status`.
pub(super) fn listing(apps: &[u8], pods: &[u8]) -> Result<Listing, (WorkloadKind, String)> {
    let apps = serde_json::from_slice::<Apps<'_>>(apps)
        .map_err(|error| (WorkloadKind::App, error.to_string()))?;
    let pods = serde_json::from_slice::<Vec<&RawValue>>(pods)
        .map_err(|error| (WorkloadKind::Pod, error.to_string()))?;
    let apps = apps
        .apps
        .into_iter()
        .map(|raw| entry(WorkloadKind::App, raw));
    let pods = pods.into_iter().map(|raw| entry(WorkloadKind::Pod, raw));
    let mut listing = Listing::default();
    for entry in apps.chain(pods) {
        match entry {
            Ok(workload) => {
                listing.workloads.insert(workload.key(), workload);
            }
            Err(bad) => listing.bad.push(bad),
        }
    }
    Ok(listing)
}

/// Reads the answer for one app or pod.
pub(super) fn one(kind: WorkloadKind, body: &[u8]) -> Result<Entry, String> {
    let raw = match kind {
        WorkloadKind::App => serde_json::from_slice::<One<'_>>(body).map(|one| one.app),
        WorkloadKind::Pod => serde_json::from_slice::<&RawValue>(body),
    };
    raw.map(|raw| entry(kind, raw)).map_err(|e| e.to_string())
}

/// Reads any document, telling the path of what cannot be read.
pub(super) fn document<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| match error.path().to_string() {
        path if path == "." => error.inner().to_string(),
        path => format!("{path}: {}", error.inner()),
    })
}

fn entry(kind: WorkloadKind, raw: &RawValue) -> Entry {
    let bytes = raw.get().as_bytes();
    let workload = match kind {
        WorkloadKind::App => document(bytes).map(app),
        WorkloadKind::Pod => document(bytes).map(pod),
    };
    let named = |workload: Workload| match &*workload.key().id {
        "" => Err("id: missing".to_owned()),
        _ => Ok(workload),
    };
    workload.and_then(named).map_err(|why| Undecodable {
        kind,
        id: serde_json::from_slice::<Id>(bytes)
            .ok()
            .map(|named| named.id),
        why,
    })
}

fn app(app: App) -> Workload {
    Workload::App(Arc::new(AppWorkload {
        app,
        versions: Vec::new(),
    }))
}

fn pod(status: PodStatus) -> Workload {
    Workload::Pod(Arc::new(PodWorkload {
        status,
        versions: Vec::new(),
    }))
}

/// The specification of an app or pod at one version.
#[derive(Debug, Clone)]
pub(super) enum Specification {
    App(Arc<App>),
    Pod(Arc<Pod>),
}

/// Reads the document of one version, and files it under the version that was asked for.
pub(super) fn specification(
    kind: WorkloadKind,
    version: &str,
    body: &[u8],
) -> Result<Specification, String> {
    Ok(match kind {
        WorkloadKind::App => {
            let mut app: App = document(body)?;
            app.version = Some(version.parse().map_err(|e| format!("version: {e}"))?);
            Specification::App(Arc::new(app))
        }
        WorkloadKind::Pod => {
            let mut pod: Pod = document(body)?;
            pod.version = Some(version.to_owned());
            Specification::Pod(Arc::new(pod))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_entry_is_named_with_its_path_and_spoils_nothing() {
        let apps =
            br#"{"apps":[{"id":"/a"},{"id":"/b","tasks":[{"id":"t","ports":[-1]}]},{"id":3}]}"#;
        let pods = br#"[{"id":"/p","spec":{"id":"/p"},"future":1},{"spec":null}]"#;
        let listing = listing(apps, pods).unwrap();
        let keys: Vec<_> = listing.workloads.keys().map(|k| k.to_string()).collect();
        assert_eq!(keys, ["app /a", "pod /p"]);
        let told: Vec<_> = listing
            .bad
            .iter()
            .map(|b| (b.id.as_deref(), b.why.as_str()))
            .collect();
        assert_eq!(told[0].0, Some("/b"));
        assert!(told[0].1.starts_with("tasks[0].ports[0]: "), "{told:?}");
        assert_eq!(told[1].0, None);
        assert!(told[1].1.starts_with("id: "), "{told:?}");
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn an_answer_that_is_no_list_is_an_error_of_its_own() {
        assert!(matches!(
            listing(b"<html>", b"[]"),
            Err((WorkloadKind::App, _))
        ));
        assert!(matches!(
            listing(br#"{"apps":[]}"#, b"{}"),
            Err((WorkloadKind::Pod, _))
        ));
        assert!(one(WorkloadKind::App, br#"{"message":"x"}"#).is_err());
    }

    #[test]
    fn a_specification_is_filed_under_the_version_asked_for() {
        let version = "2026-01-02T03:04:05.000Z";
        let body = br#"{"id":"/a","version":"2026-01-02T03:04:05Z","labels":{"istio":"a"}}"#;
        let Ok(Specification::App(app)) = specification(WorkloadKind::App, version, body) else {
            panic!("an app");
        };
        assert_eq!(app.version, version.parse().ok());
        let Ok(Specification::Pod(pod)) = specification(WorkloadKind::Pod, version, body) else {
            panic!("a pod");
        };
        assert_eq!(pod.version.as_deref(), Some(version));
    }
}
