//! The older versions that instances still run, each read once.
//!
//! During a rolling restart the list shows the new version, while old instances go on with the
//! labels and ports of theirs. A version never changes, so it is kept for as long as an instance
//! runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::marathon::{App, Pod, PodStatus, Workload, WorkloadKey, WorkloadKind};
use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use reqwest::Url;

use super::client::Client;
use super::decode::{self, Specification};
use super::endpoint;

#[derive(Default)]
pub(super) struct Versions {
    known: BTreeMap<WorkloadKey, BTreeMap<String, Specification>>,
}

/// What the versions of a workload said when it was last read.
pub(super) struct Last {
    kind: WorkloadKind,
    /// The latest one, as JSON: it is rarely needed, and a third as large.
    latest: Box<str>,
    others: Vec<Specification>,
}

// === impl Versions ===

impl Versions {
    /// Puts into the workloads the versions that their instances run besides the latest.
    ///
    /// A version that cannot be read is taken from what was `last` known of the workload, or is
    /// left out; the next reading of the workload tries again.
    pub(super) async fn complete<'a>(
        &mut self,
        client: &Client,
        base: &Url,
        parallel: usize,
        workloads: impl IntoIterator<Item = &'a mut Workload>,
        last: impl Fn(&WorkloadKey) -> Option<&'a Last>,
    ) {
        let workloads: Vec<_> = workloads.into_iter().collect();
        let missing = workloads
            .iter()
            .flat_map(|w| self.missing(w))
            .collect::<Vec<_>>();
        let read = |(key, version): (WorkloadKey, String)| async move {
            let read = read(client, base, &key, &version).await;
            (key, version, read)
        };
        let mut reading = stream::iter(missing)
            .map(read)
            .buffer_unordered(parallel.max(1));
        while let Some((key, version, read)) = reading.next().await {
            match read {
                Ok(specification) => {
                    self.known
                        .entry(key)
                        .or_default()
                        .insert(version, specification);
                }
                Err(why) => tracing::warn!(
                    workload = %key,
                    version,
                    effect = "its instances count with the labels and ports last known",
                    "an older version cannot be read: {why}"
                ),
            }
        }
        for workload in workloads {
            let last = last(&workload.key());
            self.fill(workload, last);
        }
    }

    /// Forgets the versions of workloads that are gone.
    pub(super) fn retain(&mut self, alive: impl Fn(&WorkloadKey) -> bool) {
        self.known.retain(|key, _| alive(key));
    }

    fn missing(&self, workload: &Workload) -> Vec<(WorkloadKey, String)> {
        let key = workload.key();
        let known = self.known.get(&key);
        let known = |version: &String| known.is_some_and(|known| known.contains_key(version));
        let wanted = wanted(workload)
            .into_iter()
            .filter(|version| !known(version));
        wanted.map(|version| (key.clone(), version)).collect()
    }

    fn fill(&mut self, workload: &mut Workload, last: Option<&Last>) {
        let key = workload.key();
        let wanted = wanted(workload);
        let mut known = self.known.remove(&key).unwrap_or_default();
        known.retain(|version, _| wanted.contains(version));
        for version in &wanted {
            let found = known
                .get(version)
                .cloned()
                .or_else(|| last?.specification(version));
            match (&mut *workload, found) {
                (Workload::App(w), Some(Specification::App(app))) => {
                    Arc::make_mut(w).versions.push(app);
                }
                (Workload::Pod(w), Some(Specification::Pod(pod))) => {
                    Arc::make_mut(w).versions.push(pod);
                }
                _ => {}
            }
        }
        if !known.is_empty() {
            self.known.insert(key, known);
        }
    }
}

// === impl Last ===

impl Last {
    /// Changes nothing; nobody else may hold the workload, or it would be copied.
    pub(super) fn of(workload: &mut Workload) -> Last {
        let kind = workload.key().kind;
        let (latest, others) = match workload {
            Workload::App(w) => {
                let w = Arc::make_mut(w);
                let tasks = std::mem::take(&mut w.app.tasks);
                let latest = serde_json::to_string(&w.app);
                w.app.tasks = tasks;
                let others = w.versions.iter().cloned();
                (latest, others.map(Specification::App).collect())
            }
            Workload::Pod(w) => {
                let others = w.versions.iter().cloned();
                let others = others.map(Specification::Pod).collect();
                (serde_json::to_string(&w.status.spec), others)
            }
        };
        Last {
            kind,
            // Empty, it is no version.
            latest: latest.unwrap_or_default().into(),
            others,
        }
    }

    /// A version as far as it can be told from what was known.
    fn specification(&self, version: &str) -> Option<Specification> {
        let at: Option<Timestamp> = version.parse().ok();
        let kept = self.others.iter().find(|other| match other {
            Specification::App(app) => at.is_some() && app.version == at,
            Specification::Pod(pod) => pod.version.as_deref() == Some(version),
        });
        let was_latest = || match self.kind {
            WorkloadKind::App => self.app(at?).map(Specification::App),
            WorkloadKind::Pod => self.pod(version).map(Specification::Pod),
        };
        kept.cloned().or_else(was_latest)
    }

    fn app(&self, at: Timestamp) -> Option<Arc<App>> {
        let mut app: App = serde_json::from_str(&self.latest).ok()?;
        let until = app.version?;
        (describes(&app, at) && at <= until).then(|| {
            app.version = Some(at);
            Arc::new(app)
        })
    }

    fn pod(&self, version: &str) -> Option<Arc<Pod>> {
        let pod: Pod = serde_json::from_str(&self.latest).ok()?;
        (pod.version.as_deref() == Some(version)).then(|| Arc::new(pod))
    }
}

async fn read(
    client: &Client,
    base: &Url,
    key: &WorkloadKey,
    version: &str,
) -> Result<Specification, String> {
    let url = endpoint::version(base, key, version);
    match client.read(base, url).await {
        Ok(Some(body)) => decode::specification(key.kind, version, &body),
        Ok(None) => Err("Marathon does not know it".into()),
        Err(failure) => Err(failure.text()),
    }
}

/// The versions that instances run and that the latest specification does not describe.
fn wanted(workload: &Workload) -> BTreeSet<String> {
    match workload {
        Workload::App(w) => {
            let tasks = w.app.tasks.iter().filter_map(|task| task.version);
            let old = tasks.filter(|version| !describes(&w.app, *version));
            old.map(format_version).collect()
        }
        Workload::Pod(w) => other_versions(&w.status),
    }
}

fn other_versions(status: &PodStatus) -> BTreeSet<String> {
    let latest = status.spec.version.as_deref();
    let run = status.instances.iter().filter_map(|i| i.version());
    let old = run.filter(|version| Some(*version) != latest);
    old.map(str::to_owned).collect()
}

/// Whether a task of this version runs what the app's document says. Scaling makes a new version
/// of the document without touching the tasks.
fn describes(app: &App, version: Timestamp) -> bool {
    let changed = app
        .version_info
        .as_ref()
        .and_then(|info| info.last_config_change_at);
    match changed {
        Some(changed) => version >= changed,
        None => app.version.is_none_or(|latest| version == latest),
    }
}

/// Marathon writes and reads versions with exactly three digits of a second.
fn format_version(version: Timestamp) -> String {
    format!("{version:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(kind: WorkloadKind, json: serde_json::Value) -> Workload {
        let json = match kind {
            WorkloadKind::App => serde_json::json!({ "app": json }),
            WorkloadKind::Pod => json,
        };
        decode::one(kind, json.to_string().as_bytes())
            .unwrap()
            .unwrap()
    }

    fn app(version: &str, changed: &str, tasks: &[&str]) -> Workload {
        let tasks: Vec<_> = tasks
            .iter()
            .map(|v| serde_json::json!({"id": v, "version": v}))
            .collect();
        workload(
            WorkloadKind::App,
            serde_json::json!({"id": "/a", "version": version, "labels": {"of": version},
                "versionInfo": {"lastConfigChangeAt": changed}, "tasks": tasks}),
        )
    }

    const T1: &str = "2026-01-01T00:00:01.000Z";
    const T2: &str = "2026-01-01T00:00:02.000Z";
    const T3: &str = "2026-01-01T00:00:03.500Z";

    #[test]
    fn a_task_older_than_the_last_change_needs_its_own_version_and_scaling_does_not_count() {
        assert_eq!(wanted(&app(T3, T2, &[T1, T2, T3])), [T1.to_owned()].into());
        assert_eq!(wanted(&app(T3, T1, &[T1, T2])), BTreeSet::new());
    }

    #[test]
    fn a_pod_instance_of_another_version_needs_it() {
        let reference = |v: &str| serde_json::json!({"id": v, "specReference": format!("/v2/pods/p::versions/{v}")});
        let pod = workload(
            WorkloadKind::Pod,
            serde_json::json!({"id": "/p", "spec": {"id": "/p", "version": T2},
                "instances": [reference(T1), reference(T2), {"id": "pending"}]}),
        );
        assert_eq!(wanted(&pod), [T1.to_owned()].into());
    }

    #[test]
    fn what_cannot_be_read_is_taken_from_what_was_the_latest_before() {
        let mut versions = Versions::default();
        // T1 was configured, T2 only scaled; the tasks have T1.
        let mut before = app(T2, T1, &[T1]);
        let mut now = app(T3, T3, &[T1, T3]);
        versions.fill(&mut now, Some(&Last::of(&mut before)));
        let Workload::App(w) = &now else {
            panic!("an app")
        };
        let told: Vec<_> = w
            .versions
            .iter()
            .map(|a| {
                (
                    format_version(a.version.unwrap()),
                    a.labels["of"].as_str(),
                    a.tasks.len(),
                )
            })
            .collect();
        assert_eq!(told, [(T1.to_owned(), T2, 0)]);
        // And from there once more.
        let mut later = app(T3, T3, &[T1, T3]);
        versions.fill(&mut later, Some(&Last::of(&mut now)));
        assert_eq!(later, now);
        let mut without = app(T3, T3, &[T1, T3]);
        versions.fill(&mut without, None);
        assert!(matches!(without, Workload::App(w) if w.versions.is_empty()));
    }

    #[test]
    fn a_version_is_forgotten_with_its_last_instance() {
        let mut versions = Versions::default();
        let key = app(T1, T1, &[]).key();
        let body = format!(r#"{{"id":"/a","version":"{T1}"}}"#);
        let old = decode::specification(WorkloadKind::App, T1, body.as_bytes()).unwrap();
        versions
            .known
            .entry(key)
            .or_default()
            .insert(T1.into(), old);
        let mut rolling = app(T3, T3, &[T1, T3]);
        assert_eq!(versions.missing(&rolling), []);
        versions.fill(&mut rolling, None);
        assert!(matches!(&rolling, Workload::App(w) if w.versions.len() == 1));
        versions.fill(&mut app(T3, T3, &[T3]), None);
        assert!(versions.known.is_empty());
    }
}
