//! The writer: looks at the findings, and makes the apiserver tell them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::istio::{Kind, ObjectKey};
use http::Method;
use model::{Diagnostic, ObjectRef};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use watch::kube::{Catalogued, Conditions, Failure, Servers};

use crate::condition::{self, Verdict};
use crate::event::{self, Told};
use crate::lease::Lease;
use crate::pace::Pace;

const ANSWER: Duration = Duration::from_secs(10);
/// Writes at once, and per second after that.
const BURST: u32 = 50;
const PER_SECOND: u32 = 10;
/// How long the watch may take to bring back what was written.
const ECHO: Duration = Duration::from_secs(10);

/// Everything that is wrong at present.
pub trait Findings: Send + Sync + 'static {
    fn findings(&self) -> Vec<Diagnostic>;
}

/// How the replicas agree, and how often the writer looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// How long the Lease lasts; another replica follows after that.
    pub lease: Duration,
    pub look: Duration,
}

/// The writer of one replica.
pub struct Answers {
    servers: Servers,
    catalogued: Catalogued,
    conditions: Conditions,
    lease: Lease,
    timing: Timing,
    told: Told,
    /// Verdicts that were written and have not come back yet.
    sent: BTreeMap<ObjectKey, (Verdict, Instant)>,
    pace: Pace,
    /// What was complained about in the log.
    complaints: BTreeSet<String>,
}

// === impl Timing ===

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            lease: Duration::from_secs(15),
            look: Duration::from_secs(1),
        }
    }
}

// === impl Answers ===

impl Answers {
    /// The Lease lives in that namespace.
    pub fn new(
        servers: Servers,
        catalogued: Catalogued,
        conditions: Conditions,
        namespace: String,
        timing: Timing,
    ) -> Answers {
        let lease = Lease::new(servers.clone(), namespace, identity(), timing.lease);
        Answers {
            servers,
            catalogued,
            conditions,
            lease,
            timing,
            told: Told::default(),
            sent: BTreeMap::new(),
            pace: Pace::new(BURST, PER_SECOND),
            complaints: BTreeSet::new(),
        }
    }

    /// Writes while the Lease is ours, until the shutdown.
    pub async fn run(mut self, findings: impl Findings, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.live(&findings)).await;
        // The shutdown waits for the drain time only.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.lease.release()).await;
    }

    async fn live(&mut self, findings: &impl Findings) {
        let mut ticks = interval(self.timing.look);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renew = Instant::now();
        loop {
            ticks.tick().await;
            if Instant::now() >= renew {
                renew = Instant::now() + self.timing.lease / 3;
                if let Err(failure) = self.lease.attempt().await {
                    self.complain("the Lease of the writer", &failure);
                }
            }
            if self.lease.is_held() {
                self.answer(&findings.findings()).await;
            }
        }
    }

    /// One look. What the pace does not allow now is left for the next.
    async fn answer(&mut self, findings: &[Diagnostic]) {
        let by_object = by_object(findings);
        self.tell(&by_object).await;
        let mut judged: BTreeSet<ObjectKey> = by_object.keys().cloned().collect();
        judged.extend(self.conditions.keys());
        for key in judged {
            let of_object = by_object.get(&key).map_or(&[][..], Vec::as_slice);
            if let Err(failure) = self.judge(&key, of_object).await {
                self.complain("a condition", &failure);
            }
        }
    }

    async fn tell(&mut self, by_object: &BTreeMap<ObjectKey, Vec<&Diagnostic>>) {
        let mut holding = BTreeSet::new();
        for (key, findings) in by_object {
            for finding in findings {
                let Some(name) = event::name(finding) else {
                    continue;
                };
                if holding.insert(name.clone())
                    && let Err(failure) = self.tell_one(key, finding, name).await
                {
                    self.complain("an Event", &failure);
                }
            }
        }
        self.told.keep(|name| holding.contains(name));
    }

    async fn tell_one(
        &mut self,
        key: &ObjectKey,
        finding: &Diagnostic,
        name: String,
    ) -> Result<(), Failure> {
        let Some(need) = self.told.need(&name) else {
            return Ok(());
        };
        if !self.may_write() {
            return Ok(());
        }
        let written = match self.object(key).await? {
            Some((_, object)) => event::write(&self.servers, &name, finding, &object, need).await,
            // It stands in a file, or is gone.
            None => Ok(()),
        };
        // What is refused now will be refused in a second, too.
        if written.as_ref().map_or_else(|f| !f.is_away(), |()| true) {
            self.told.note(name);
        }
        written
    }

    async fn judge(&mut self, key: &ObjectKey, findings: &[&Diagnostic]) -> Result<(), Failure> {
        let verdict = Verdict::of(findings);
        let present = self.conditions.get(key);
        let is_told = match &present {
            Some(condition) => verdict.is_told_by(condition),
            None => findings.is_empty(),
        };
        if is_told {
            self.sent.remove(key);
            return Ok(());
        }
        let is_sent = |(sent, at): &(Verdict, Instant)| *sent == verdict && at.elapsed() < ECHO;
        let has_status = self
            .catalogued
            .get(key.kind)
            .is_some_and(|served| served.has_status);
        if !has_status || self.sent.get(key).is_some_and(is_sent) || !self.may_write() {
            return Ok(());
        }
        self.sent
            .insert(key.clone(), (verdict.clone(), Instant::now()));
        match self.object(key).await? {
            Some((path, object)) => condition::write(&self.servers, &path, object, &verdict).await,
            None => Ok(()),
        }
    }

    /// The object as it is now, with its path; `None` if the apiserver has none of that name.
    async fn object(&self, key: &ObjectKey) -> Result<Option<(String, Value)>, Failure> {
        let Some(served) = self.catalogued.get(key.kind) else {
            return Ok(None);
        };
        let path = served.path_of(&key.namespace, &key.name);
        match self.servers.send(Method::GET, &path, None, ANSWER).await {
            Ok(object) => Ok(Some((path, object))),
            Err(failure) if failure.is_missing() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn may_write(&mut self) -> bool {
        self.lease.is_held() && self.pace.take()
    }

    /// Each kind of trouble once: the mesh does not depend on it.
    fn complain(&mut self, what: &str, failure: &Failure) {
        let key = format!("{what} {:?}", failure.code());
        if !self.complaints.insert(key) {
            tracing::debug!("{what} cannot be written: {failure}");
            return;
        }
        tracing::warn!(
            effect = "kubectl does not tell what is wrong; /debug/diagnosticsz does",
            remedy = "grant the rules of config/kubernetes/rbac.yaml, or switch this off with --kubeEvents=false",
            "{what} cannot be written: {failure}"
        );
    }
}

/// Only objects of kinds that the apiserver may have.
fn by_object(findings: &[Diagnostic]) -> BTreeMap<ObjectKey, Vec<&Diagnostic>> {
    let mut by_object: BTreeMap<ObjectKey, Vec<&Diagnostic>> = BTreeMap::new();
    for finding in findings {
        if let Some(key) = finding.object.as_ref().and_then(key) {
            by_object.entry(key).or_default().push(finding);
        }
    }
    by_object
}

fn key(object: &ObjectRef) -> Option<ObjectKey> {
    let kind = Kind::all().find(|kind| kind.name() == object.kind)?;
    Some(ObjectKey {
        kind,
        namespace: object.namespace.clone(),
        name: object.name.clone(),
    })
}

/// Another one for each process, also on one machine.
fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}_{:08x}", host.trim(), rand::random::<u32>())
}
