//! Events on objects: one per object, code and message, told again only when it comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use model::Diagnostic;
use serde_json::{Value, json};
use tokio::time::Instant;
use watch::kube::{Failure, Servers};
use xxhash_rust::xxh3::xxh3_64;

use crate::line::{line, reason};

const ANSWER: Duration = Duration::from_secs(10);
/// An apiserver forgets an Event after an hour by default; what still holds is told again before.
const AGAIN: Duration = Duration::from_secs(50 * 60);
/// Room for a hash and a dot within the 253 characters of a name.
const STEM: usize = 230;
/// Events about objects without a namespace live here, as kubectl expects.
const NAMESPACE: &str = "default";

/// What was told, by the name of the Event.
#[derive(Default)]
pub(crate) struct Told(BTreeMap<String, Telling>);

struct Telling {
    at: Instant,
    /// Whether the finding holds still.
    holds: bool,
}

/// How an Event has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Unless the apiserver has it already, from us or from the replica before us.
    Tell,
    /// The finding was over and is back.
    Repeat,
}

// === impl Told ===

impl Told {
    pub(crate) fn need(&self, name: &str) -> Option<Need> {
        match self.0.get(name) {
            None => Some(Need::Tell),
            Some(telling) if !telling.holds => Some(Need::Repeat),
            Some(telling) => (telling.at.elapsed() > AGAIN).then_some(Need::Repeat),
        }
    }

    pub(crate) fn note(&mut self, name: String) {
        let telling = Telling {
            at: Instant::now(),
            holds: true,
        };
        self.0.insert(name, telling);
    }

    /// What is not among these is over.
    pub(crate) fn keep(&mut self, hold: impl Fn(&str) -> bool) {
        self.0.retain(|name, telling| {
            telling.holds = hold(name);
            telling.holds || telling.at.elapsed() < AGAIN
        });
    }
}

/// The same for the same object, code and message.
pub(crate) fn name(finding: &Diagnostic) -> Option<String> {
    let object = finding.object.as_ref()?;
    let hash = xxh3_64(format!("{object}\0{}", line(finding)).as_bytes());
    let stem: String = object.name.chars().take(STEM).collect();
    Some(format!("{}.{hash:016x}", stem.trim_end_matches(['.', '-'])))
}

/// Writes it, or counts once more what is there.
pub(crate) async fn write(
    servers: &Servers,
    name: &str,
    finding: &Diagnostic,
    object: &Value,
    need: Need,
) -> Result<(), Failure> {
    let event = event(name, finding, object);
    let namespace = event["metadata"]["namespace"].as_str().unwrap_or(NAMESPACE);
    let path = format!("/api/v1/namespaces/{namespace}/events");
    match servers
        .send(Method::POST, &path, Some(&event), ANSWER)
        .await
    {
        Err(failure) if failure.is_conflict() => {}
        other => return other.map(drop),
    }
    let path = format!("{path}/{name}");
    let present = servers.send(Method::GET, &path, None, ANSWER).await?;
    if need == Need::Tell && !is_old(&present) {
        return Ok(());
    }
    let again = json!({
        "count": present["count"].as_u64().unwrap_or(1) + 1,
        "lastTimestamp": now(),
    });
    servers
        .send(Method::PATCH, &path, Some(&again), ANSWER)
        .await
        .map(drop)
}

fn event(name: &str, finding: &Diagnostic, object: &Value) -> Value {
    let meta = &object["metadata"];
    let time = now();
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": name,
            "namespace": meta["namespace"].as_str().unwrap_or(NAMESPACE),
        },
        "involvedObject": {
            "apiVersion": object["apiVersion"],
            "kind": object["kind"],
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        },
        "type": "Warning",
        "reason": reason(finding),
        "message": line(finding),
        "source": {"component": "pilothouse"},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    })
}

fn is_old(event: &Value) -> bool {
    let last = event["lastTimestamp"]
        .as_str()
        .and_then(|t| t.parse::<Timestamp>().ok());
    last.is_none_or(|last| Timestamp::now().duration_since(last).unsigned_abs() > AGAIN)
}

fn now() -> String {
    format!("{:.0}", Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::finding;

    #[test]
    fn a_name_is_that_of_object_code_and_message() {
        let named = |code, object: &str, why: &str| name(&finding(code, object, why)).unwrap();
        let one = named("PH0306", "reviews", "x");
        assert_eq!(one, named("PH0306", "reviews", "x"));
        assert!(one.starts_with("reviews."), "{one}");
        assert_ne!(one, named("PH0306", "reviews", "y"));
        assert_ne!(one, named("PH0307", "reviews", "x"));
        assert!(named("PH0306", &"a".repeat(253), "x").len() <= 253);
        let nobody = Diagnostic {
            object: None,
            ..finding("PH0306", "", "x")
        };
        assert_eq!(name(&nobody), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_finding_is_told_once_and_again_when_it_is_back_or_would_be_forgotten() {
        let mut told = Told::default();
        assert_eq!(told.need("a"), Some(Need::Tell));
        told.note("a".into());
        assert_eq!(told.need("a"), None);
        told.keep(|_| false);
        assert_eq!(told.need("a"), Some(Need::Repeat));
        told.note("a".into());
        tokio::time::advance(AGAIN + Duration::from_secs(1)).await;
        assert_eq!(told.need("a"), Some(Need::Repeat));
        told.keep(|_| false);
        assert_eq!(told.need("a"), Some(Need::Tell));
    }
}
