//! Which kinds the apiserver serves, in which version and under which path.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::istio::Kind;
use parking_lot::RwLock;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};

use super::Timing;
use super::chorus::Word;
use super::failure::Failure;
use super::servers::Servers;
use crate::backoff::Backoff;

/// How a kind is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// `networking.istio.io/v1`
    pub api_version: Arc<str>,
    /// `virtualservices`
    pub plural: Arc<str>,
    /// Whether objects have a status of their own.
    pub has_status: bool,
}

/// What is served, for whoever writes.
#[derive(Clone, Default)]
pub struct Catalogued(Arc<RwLock<BTreeMap<Kind, Served>>>);

/// The kinds that are served; `None` before the first answer.
pub(super) type Kinds = Option<Arc<BTreeMap<Kind, Served>>>;

pub(super) struct Catalog {
    servers: Servers,
    timing: Timing,
    shared: Catalogued,
    kinds: watch::Sender<Kinds>,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    versions: Vec<GroupVersion>,
    preferred_version: Option<GroupVersion>,
}

#[derive(Deserialize, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
struct GroupVersion {
    group_version: String,
}

#[derive(Deserialize)]
struct Resources {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
}

// === impl Served ===

impl Served {
    /// All objects of the kind, in all namespaces.
    pub fn path(&self) -> String {
        format!("/apis/{}/{}", self.api_version, self.plural)
    }

    /// One object.
    pub fn path_of(&self, namespace: &str, name: &str) -> String {
        let (version, plural) = (&self.api_version, &self.plural);
        match namespace {
            "" => format!("/apis/{version}/{plural}/{name}"),
            _ => format!("/apis/{version}/namespaces/{namespace}/{plural}/{name}"),
        }
    }
}

// === impl Catalogued ===

impl Catalogued {
    pub fn get(&self, kind: Kind) -> Option<Served> {
        self.0.read().get(&kind).cloned()
    }
}

// === impl Catalog ===

impl Catalog {
    pub(super) fn new(servers: Servers, timing: Timing, shared: Catalogued) -> Catalog {
        Catalog {
            servers,
            timing,
            shared,
            kinds: watch::Sender::new(None),
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Kinds> {
        self.kinds.subscribe()
    }

    /// Reads again and again while a kind is missing, and after every recovery of the server.
    pub(super) async fn run(self, mut recovered: watch::Receiver<u64>, words: mpsc::Sender<Word>) {
        let mut backoff = Backoff::new(self.timing.backoff.0, self.timing.backoff.1);
        loop {
            recovered.mark_unchanged();
            let (failure, pause) = match self.read().await {
                Ok(kinds) => {
                    backoff.reset();
                    (None, self.publish(kinds))
                }
                Err(failure) => (Some(failure), backoff.wait()),
            };
            if words.send(Word::Catalog(failure)).await.is_err() {
                return;
            }
            // Elapsed is as good as a recovery: both mean to look.
            let _ = tokio::time::timeout(pause, recovered.changed()).await;
        }
    }

    fn publish(&self, kinds: BTreeMap<Kind, Served>) -> std::time::Duration {
        let complete = kinds.len() == Kind::all().count();
        self.shared.0.write().clone_from(&kinds);
        self.kinds.send_if_modified(|known| {
            let news = known.as_deref() != Some(&kinds);
            if news {
                *known = Some(Arc::new(kinds));
            }
            news
        });
        match complete {
            // A version may be added or withdrawn even so.
            true => self.timing.discover * 12,
            false => self.timing.discover,
        }
    }

    async fn read(&self) -> Result<BTreeMap<Kind, Served>, Failure> {
        let groups: Groups = self.get("/apis").await?;
        let mut served = BTreeMap::new();
        for group in &groups.groups {
            if Kind::all().any(|kind| kind.group() == group.name) {
                self.read_group(group, &mut served).await?;
            }
        }
        Ok(served)
    }

    /// The preferred version first, then the others as the server orders them.
    async fn read_group(
        &self,
        group: &Group,
        served: &mut BTreeMap<Kind, Served>,
    ) -> Result<(), Failure> {
        let others = group.versions.iter();
        let others = others.filter(|v| Some(*v) != group.preferred_version.as_ref());
        for GroupVersion { group_version } in group.preferred_version.iter().chain(others) {
            let path = format!("/apis/{group_version}");
            let list: Resources = match self.get(&path).await {
                // Withdrawn a moment ago.
                Err(failure) if failure.is_missing() => continue,
                other => other?,
            };
            for (kind, found) in list.kinds(group_version, &group.name) {
                served.entry(kind).or_insert(found);
            }
        }
        Ok(())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let text = self.servers.text(path, self.timing.answer).await?;
        let url = self.servers.url();
        serde_json::from_str(&text).map_err(|error| Failure::undecodable(&url, &error))
    }
}

// === impl Resources ===

impl Resources {
    fn kinds(&self, api_version: &str, group: &str) -> Vec<(Kind, Served)> {
        let all = self.resources.iter();
        let readable = all.filter(|r| {
            let may = |verb: &str| r.verbs.iter().any(|v| v == verb);
            !r.name.contains('/') && may("list") && may("watch")
        });
        let found = readable.filter_map(|r| Some((Kind::find(group, &r.kind)?, r)));
        found
            .map(|(kind, r)| {
                let status = format!("{}/status", r.name);
                let served = Served {
                    api_version: api_version.into(),
                    plural: r.name.as_str().into(),
                    has_status: self.resources.iter().any(|other| other.name == status),
                };
                (kind, served)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_known_kinds_that_can_be_watched() {
        let text = r#"{"resources": [
            {"name": "gateways", "kind": "Gateway", "verbs": ["get", "list", "watch"]},
            {"name": "gateways/status", "kind": "Gateway", "verbs": ["get", "update"]},
            {"name": "sidecars", "kind": "Sidecar", "verbs": ["get"]},
            {"name": "others", "kind": "Other", "verbs": ["list", "watch"]}]}"#;
        let resources: Resources = serde_json::from_str(text).unwrap();
        let kinds = resources.kinds("networking.istio.io/v1", "networking.istio.io");
        let served = Served {
            api_version: "networking.istio.io/v1".into(),
            plural: "gateways".into(),
            has_status: true,
        };
        assert_eq!(served.path(), "/apis/networking.istio.io/v1/gateways");
        assert_eq!(
            served.path_of("a", "b"),
            "/apis/networking.istio.io/v1/namespaces/a/gateways/b"
        );
        assert_eq!(kinds, [(Kind::Gateway, served)]);
    }
}
