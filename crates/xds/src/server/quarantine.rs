//! Content that proxies refuse, kept from others like them.
//!
//! A content is the bytes under a name. When enough proxies of one Envoy version refuse it, it is
//! withheld from every proxy of that version until it changes. One refusal is not enough while
//! there are others to ask: an address in use or a file that is missing is a matter of that
//! machine. And a content that any proxy of the version accepted is never withheld.
//!
//! ```text
//!   NACK ─► judge ─► suspect ──enough proxies──► withheld ─► every stream of that version
//!                       ▲                           │
//!                       └─ accepted by one, or no snapshot has it any more: acquitted
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use dashmap::DashMap;
use tokio::sync::Notify;

use super::connections::Connections;
use crate::kind::Kind;
use crate::node::Node;
use crate::resource::{Resource, Version};
use crate::stream::Guilty;
use crate::withheld::Withheld;

/// How many suspect contents of one Envoy version are remembered.
const MAX_SUSPECTS: usize = 1_000;
/// How many contents one refusal may cover: each is looked up in every stream.
const MAX_AT_ONCE: usize = 32;
/// How many Envoy versions are.
const MAX_WARDS: usize = 100;

/// The refused contents of one server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Quarantine {
    inner: Arc<Inner>,
}

/// A content that was refused, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: Arc<str>,
    /// The content.
    pub version: Version,
    /// The Envoy version that refuses it.
    pub envoy_version: String,
    /// Node ids of the proxies that refused it.
    pub proxies: BTreeSet<String>,
    /// What the first of them said.
    pub message: String,
    /// When it said so.
    pub since: SystemTime,
    /// Whether it is kept from the others.
    pub withheld: bool,
}

#[derive(Debug)]
struct Inner {
    after: usize,
    wards: DashMap<String, Ward>,
    suspects: AtomicUsize,
    stirred: Notify,
}

/// The suspects of one Envoy version.
#[derive(Debug, Default)]
struct Ward {
    suspects: BTreeMap<Content, Case>,
    withheld: Arc<Withheld>,
}

type Content = (Kind, Arc<str>, Version);

#[derive(Debug)]
struct Case {
    proxies: BTreeSet<String>,
    message: String,
    since: SystemTime,
    /// What stands in for it, if all who refused it go on with the same.
    last_good: Option<Arc<Resource>>,
    withheld: bool,
}

// === impl Quarantine ===

impl Quarantine {
    /// Withholds what `after` proxies of a version have refused, or all of them if they are fewer.
    pub(super) fn new(after: usize) -> Quarantine {
        Quarantine {
            inner: Arc::new(Inner {
                after: after.max(1),
                wards: DashMap::new(),
                suspects: AtomicUsize::new(0),
                stirred: Notify::new(),
            }),
        }
    }

    /// Every content that was refused and has not changed since, ordered by Envoy version, kind and
    /// name.
    pub fn list(&self) -> Vec<Suspect> {
        let mut list: Vec<Suspect> = Vec::new();
        for ward in &self.inner.wards {
            let cases = ward.suspects.iter();
            list.extend(cases.map(|(content, case)| case.tell(ward.key(), content)));
        }
        let key = |s: &Suspect| (s.envoy_version.clone(), s.kind, s.name.clone(), s.version);
        list.sort_by_cached_key(key);
        list
    }

    /// What the proxies of that version are not sent.
    pub(super) fn withheld(&self, envoy_version: &str) -> Arc<Withheld> {
        let ward = self.inner.wards.get(envoy_version);
        ward.map(|ward| Arc::clone(&ward.withheld))
            .unwrap_or_default()
    }

    /// Takes a refusal, and returns the names that are withheld from the other proxies by it.
    pub(super) fn judge(
        &self,
        connections: &Connections,
        node: &Node,
        kind: Kind,
        guilty: &[Guilty],
        message: &str,
    ) -> Vec<Arc<str>> {
        let mut withheld = Vec::new();
        // A secret names files of the proxy's machine: that they are missing on two of them says
        // nothing of the others.
        let judged = if kind == Kind::Secret { &[] } else { guilty };
        for content in judged.iter().take(MAX_AT_ONCE) {
            // Looked up before the ward is locked: streams are locked one by one for it.
            if self.is_withheld(node, kind, content) {
                continue;
            }
            if connections.accepted_elsewhere(node, kind, content) {
                self.acquit(
                    connections,
                    &node.version,
                    kind,
                    &content.name,
                    content.version,
                );
                continue;
            }
            let enough = self.inner.after.min(connections.like(&node.version)).max(1);
            if self.suspect(node, kind, content, message, enough) {
                withheld.push(Arc::clone(&content.name));
            }
        }
        if !withheld.is_empty() {
            connections.withhold(&node.version, self);
        }
        withheld
    }

    /// A proxy of that version runs the content.
    pub(super) fn acquit(
        &self,
        connections: &Connections,
        envoy_version: &str,
        kind: Kind,
        name: &Arc<str>,
        version: Version,
    ) {
        let content = (kind, Arc::clone(name), version);
        self.drop_cases(connections, envoy_version, |other, _| *other != content);
    }

    /// Something changed that may have healed a suspect.
    pub(super) fn stir(&self) {
        if self.inner.suspects.load(Ordering::Relaxed) > 0 {
            self.inner.stirred.notify_one();
        }
    }

    pub(super) async fn stirred(&self) {
        self.inner.stirred.notified().await;
    }

    /// Drops the contents that no proxy should run any more.
    pub(super) fn sweep(&self, connections: &Connections) {
        // While nobody is connected nobody can tell.
        if connections.is_empty() {
            return;
        }
        let versions: Vec<String> = self.inner.wards.iter().map(|w| w.key().clone()).collect();
        for envoy_version in versions {
            let contents: Vec<Content> = match self.inner.wards.get(&envoy_version) {
                Some(ward) => ward.suspects.keys().cloned().collect(),
                None => continue,
            };
            let healed: BTreeSet<Content> = contents
                .into_iter()
                .filter(|(kind, name, version)| !connections.wanted(*kind, name, *version))
                .collect();
            if !healed.is_empty() {
                self.drop_cases(connections, &envoy_version, |content, _| {
                    !healed.contains(content)
                });
            }
        }
        self.inner.wards.retain(|_, ward| !ward.suspects.is_empty());
    }

    fn is_withheld(&self, node: &Node, kind: Kind, content: &Guilty) -> bool {
        let ward = self.inner.wards.get(&node.version);
        ward.is_some_and(|ward| ward.withheld.holds(kind, &content.name, content.version))
    }

    /// Adds a proxy to a case. True if that makes it withheld.
    fn suspect(
        &self,
        node: &Node,
        kind: Kind,
        guilty: &Guilty,
        message: &str,
        enough: usize,
    ) -> bool {
        let known = self.inner.wards.contains_key(&node.version);
        if !known && self.inner.wards.len() >= MAX_WARDS {
            return false;
        }
        let mut ward = self.inner.wards.entry(node.version.clone()).or_default();
        let content = (kind, Arc::clone(&guilty.name), guilty.version);
        let is_new = !ward.suspects.contains_key(&content);
        if is_new && ward.suspects.len() >= MAX_SUSPECTS {
            return false;
        }
        self.inner
            .suspects
            .fetch_add(is_new.into(), Ordering::Relaxed);
        let case = ward.suspects.entry(content).or_insert_with(|| Case {
            proxies: BTreeSet::new(),
            message: message.to_string(),
            since: SystemTime::now(),
            last_good: guilty.last_good.clone(),
            withheld: false,
        });
        case.proxies.insert(node.id.clone());
        if case.last_good != guilty.last_good {
            case.last_good = None;
        }
        if case.proxies.len() < enough || std::mem::replace(&mut case.withheld, true) {
            return false;
        }
        ward.rewrite();
        true
    }

    fn drop_cases(
        &self,
        connections: &Connections,
        envoy_version: &str,
        mut keep: impl FnMut(&Content, &mut Case) -> bool,
    ) {
        let Some(mut ward) = self.inner.wards.get_mut(envoy_version) else {
            return;
        };
        let before = ward.suspects.len();
        ward.suspects.retain(|content, case| keep(content, case));
        let dropped = before - ward.suspects.len();
        self.inner.suspects.fetch_sub(dropped, Ordering::Relaxed);
        let changed = dropped > 0 && ward.rewrite();
        drop(ward);
        if changed {
            connections.withhold(envoy_version, self);
        }
    }
}

// === impl Ward ===

impl Ward {
    /// Writes the list that streams go by. False if it stays the same.
    fn rewrite(&mut self) -> bool {
        let mut withheld = Withheld::default();
        for ((kind, name, version), case) in &self.suspects {
            if case.withheld {
                withheld.insert(*kind, Arc::clone(name), *version, case.last_good.clone());
            }
        }
        let changed = *self.withheld != withheld;
        self.withheld = Arc::new(withheld);
        changed
    }
}

// === impl Case ===

impl Case {
    fn tell(&self, envoy_version: &str, (kind, name, version): &Content) -> Suspect {
        Suspect {
            kind: *kind,
            name: Arc::clone(name),
            version: *version,
            envoy_version: envoy_version.to_string(),
            proxies: self.proxies.clone(),
            message: self.message.clone(),
            since: self.since,
            withheld: self.withheld,
        }
    }
}
