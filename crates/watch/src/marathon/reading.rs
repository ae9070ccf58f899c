//! Reads from one Marathon: everything, or a few workloads.

use std::collections::BTreeSet;
use std::time::Duration;

use api::marathon::{Workload, WorkloadKey, WorkloadKind};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use reqwest::{StatusCode, Url};

use super::client::Client;
use super::decode::{self, Entry, Listing, Undecodable};
use super::endpoint;
use super::failure::Failure;
use super::sent::Sent;

/// So many that a list lacks are asked for one by one; of more, two lists are believed.
const FEW: usize = 64;

/// What is known of one workload after reading it; `None` if it is gone.
pub(super) type Found = (WorkloadKey, Option<Entry>);

/// Where and how to read.
pub(super) struct Reading<'a> {
    pub(super) client: &'a Client,
    pub(super) base: &'a Url,
    pub(super) parallel: usize,
    /// How much later a doubtful list is read again.
    pub(super) confirm: Duration,
}

// === impl Reading ===

impl Reading<'_> {
    /// Reads all workloads, and reads again as long as the list is hard to believe.
    ///
    /// A Marathon that just lost its store, or an authorizer that filters silently, answers with
    /// a short list and status 200; two equal lists in a row are believed.
    pub(super) async fn everything(&self, sent: &Sent) -> Result<Listing, Failure> {
        let mut listing = self.list().await?;
        while sent.doubts(&listing) {
            tracing::warn!(
                url = %self.base,
                before = sent.len(),
                now = listing.workloads.len(),
                effect = "the last list stays in force until a second reading agrees",
                "Marathon suddenly lists no more than half of the apps or pods that were there"
            );
            tokio::time::sleep(self.confirm).await;
            let again = self.list().await?;
            let agreed = again.workloads.keys().eq(listing.workloads.keys());
            listing = again;
            if agreed {
                break;
            }
        }
        self.ask_for_missing(&mut listing, sent).await?;
        Ok(listing)
    }

    /// A list may also have lost less than half, or have grown before it lost half. What it lacks is
    /// asked for by name before it counts as gone; events tell of nearly all that go, so these are few.
    async fn ask_for_missing(&self, listing: &mut Listing, sent: &Sent) -> Result<(), Failure> {
        let missing = sent.missing(listing);
        if missing.len() > FEW {
            return Ok(());
        }
        let ask = |key: WorkloadKey| async move { (self.entry(&key).await, key) };
        let answers: Vec<_> = stream::iter(missing)
            .map(ask)
            .buffered(self.parallel.max(1))
            .collect()
            .await;
        for (entry, key) in answers {
            match entry? {
                None => {}
                Some(Ok(workload)) => {
                    tracing::warn!(
                        url = %self.base,
                        workload = %key,
                        effect = "it stays as it is",
                        "Marathon's list lacks what Marathon has"
                    );
                    listing.workloads.insert(key, workload);
                }
                Some(Err(bad)) => listing.bad.push(Undecodable {
                    id: Some(key.id),
                    ..bad
                }),
            }
        }
        Ok(())
    }

    async fn list(&self) -> Result<Listing, Failure> {
        let (apps_url, pods_url) = (endpoint::apps(self.base), endpoint::pods(self.base));
        let (apps, pods) = futures::try_join!(self.must(&apps_url), self.must(&pods_url))?;
        // Thousands of tasks take a while to decode; the event stream must not wait.
        let decoded = tokio::task::spawn_blocking(move || decode::listing(&apps, &pods)).await;
        let undecodable = |url: Url, why: String| Failure::Undecodable { url, why };
        match decoded {
            Ok(Ok(listing)) => Ok(listing),
            Ok(Err((WorkloadKind::App, why))) => Err(undecodable(apps_url, why)),
            Ok(Err((WorkloadKind::Pod, why))) => Err(undecodable(pods_url, why)),
            Err(error) => Err(undecodable(apps_url, error.to_string())),
        }
    }

    async fn must(&self, url: &Url) -> Result<Bytes, Failure> {
        let body = self.client.read(self.base, url.clone()).await?;
        body.ok_or_else(|| Failure::Refused {
            url: url.clone(),
            status: StatusCode::NOT_FOUND,
        })
    }

    /// Reads the workloads of these ids, whatever kind they are.
    pub(super) async fn some(
        &self,
        ids: BTreeSet<String>,
        sent: &Sent,
    ) -> Result<Vec<Found>, Failure> {
        let read = |id: String| async move { self.one(&id, sent).await };
        let found: Vec<Vec<Found>> = stream::iter(ids)
            .map(read)
            .buffered(self.parallel.max(1))
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// An event does not tell the kind: try the one known first, and the other only if needed.
    async fn one(&self, id: &str, sent: &Sent) -> Result<Vec<Found>, Failure> {
        let key = |kind| WorkloadKey {
            kind,
            id: id.into(),
        };
        let (app, pod) = (key(WorkloadKind::App), key(WorkloadKind::Pod));
        let (first, second) = if sent.has(&pod) {
            (pod, app)
        } else {
            (app, pod)
        };
        let entry = self.entry(&first).await?;
        // Ids are unique among apps and pods together, so one that is there excludes the other.
        let other = match entry {
            Some(_) if !sent.has(&second) => return Ok(vec![(first, entry)]),
            Some(_) => None,
            None => self.entry(&second).await?,
        };
        Ok(vec![(first, entry), (second, other)])
    }

    async fn entry(&self, key: &WorkloadKey) -> Result<Option<Entry>, Failure> {
        let url = endpoint::workload(self.base, key);
        let Some(body) = self.client.read(self.base, url.clone()).await? else {
            return Ok(None);
        };
        let why = |why| Failure::Undecodable { url, why };
        decode::one(key.kind, &body).map(Some).map_err(why)
    }
}

/// The workloads among what was found.
pub(super) fn workloads(found: &mut [Found]) -> impl Iterator<Item = &mut Workload> {
    found.iter_mut().filter_map(|(_, entry)| match entry {
        Some(Ok(workload)) => Some(workload),
        _ => None,
    })
}
