//! The Lease by which the replicas agree who writes. A replica that stalls loses it after a while,
//! one that ends gives it back.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;
use watch::kube::{Failure, Servers};

const NAME: &str = "pilothouse";
const ANSWER: Duration = Duration::from_secs(5);

pub(crate) struct Lease {
    servers: Servers,
    namespace: String,
    identity: String,
    duration: Duration,
    /// Until when it is ours, by our own clock.
    held: Option<Instant>,
    /// The version of another's Lease, and when we saw it first: clocks of machines differ, so only
    /// what does not change for long enough has lapsed.
    seen: Option<(String, Instant)>,
}

// === impl Lease ===

impl Lease {
    pub(crate) fn new(
        servers: Servers,
        namespace: String,
        identity: String,
        duration: Duration,
    ) -> Lease {
        Lease {
            servers,
            namespace,
            identity,
            duration,
            held: None,
            seen: None,
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.is_some_and(|until| Instant::now() < until)
    }

    /// Renews it, takes it if it is free, or notes who has it.
    pub(crate) async fn attempt(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let path = self.path();
        let present = match self
            .send(Method::GET, &format!("{path}/{NAME}"), None)
            .await
        {
            Ok(lease) => lease,
            Err(failure) if failure.is_missing() => return self.create(now).await,
            Err(failure) => return Err(failure),
        };
        if !self.may_take(&present, now) {
            self.held = None;
            return Ok(());
        }
        let next = self.renewed(&present);
        let sent = self
            .send(Method::PUT, &format!("{path}/{NAME}"), Some(&next))
            .await;
        self.settle(sent, now)
    }

    /// Lets another have it at once.
    pub(crate) async fn release(&mut self) {
        if self.held.take().is_none() {
            return;
        }
        let path = format!("{}/{NAME}", self.path());
        let Ok(mut lease) = self.send(Method::GET, &path, None).await else {
            return;
        };
        if lease["spec"]["holderIdentity"] == *self.identity {
            lease["spec"]["holderIdentity"] = "".into();
            let sent = self.send(Method::PUT, &path, Some(&lease)).await;
            tracing::debug!(
                released = sent.is_ok(),
                "the Lease of the writer is given back"
            );
        }
    }

    async fn create(&mut self, now: Instant) -> Result<(), Failure> {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME, "namespace": self.namespace},
        });
        let sent = self
            .send(Method::POST, &self.path(), Some(&self.renewed(&lease)))
            .await;
        self.settle(sent, now)
    }

    /// It counts from before the request, so that we never think longer that it is ours than others.
    fn settle(&mut self, sent: Result<Value, Failure>, asked: Instant) -> Result<(), Failure> {
        match sent {
            Ok(_) => {
                if self.held.replace(asked + self.duration).is_none() {
                    tracing::info!(
                        identity = self.identity,
                        "this replica writes Events and conditions"
                    );
                }
                Ok(())
            }
            Err(failure) if failure.is_conflict() => {
                self.held = None;
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    fn may_take(&mut self, lease: &Value, now: Instant) -> bool {
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let version = lease["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if seen == version => *since + self.duration <= now,
            _ => {
                self.seen = Some((version.to_owned(), now));
                false
            }
        }
    }

    fn renewed(&self, lease: &Value) -> Value {
        let mut next = lease.clone();
        let spec = &lease["spec"];
        let time = format!("{:.6}", Timestamp::now());
        let is_ours = spec["holderIdentity"] == *self.identity;
        let changes = spec["leaseTransitions"].as_u64().unwrap_or_default();
        next["spec"] = json!({
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self.duration.as_secs().max(1),
            "acquireTime": if is_ours { spec["acquireTime"].clone() } else { time.clone().into() },
            "renewTime": time,
            "leaseTransitions": if is_ours { changes } else { changes + 1 },
        });
        next
    }

    fn path(&self) -> String {
        let namespace = &self.namespace;
        format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        document: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.servers.send(method, path, document, ANSWER).await
    }
}
