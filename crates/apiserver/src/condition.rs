//! The condition `Accepted` in the status of an object: whether its latest version is in force.
//!
//! Objects about which there is nothing to tell get none, so that a mesh of thousands of good
//! objects costs no writes; an object that had one gets it true again when it is healed.

use std::cmp::Reverse;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use model::{Diagnostic, Severity};
use serde_json::{Value, json};
use watch::kube::{ACCEPTED, Condition, Failure, Servers};

use crate::line::{is_without_effect, line};

const ANSWER: Duration = Duration::from_secs(10);

/// The reason of an object about which there is nothing to tell any more.
const IN_FORCE: &str = "InForce";

/// What the status should say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) status: &'static str,
    pub(crate) reason: String,
    pub(crate) message: String,
}

// === impl Verdict ===

impl Verdict {
    /// From all findings of one object. The worst leads: an error, then that the whole has no effect; and
    /// of equals the one that points deepest into the object: what is said of the whole mostly follows
    /// from a part.
    pub(crate) fn of(findings: &[&Diagnostic]) -> Verdict {
        let depth = |f: &Diagnostic| f.field.matches(['.', '[']).count();
        let rank =
            |f: &&&Diagnostic| (f.severity, !is_without_effect(f), Reverse(depth(f)), f.code);
        let Some(worst) = findings.iter().min_by_key(rank) else {
            return Verdict {
                status: "True",
                reason: IN_FORCE.into(),
                message: "the object is in force as it is written".into(),
            };
        };
        let more = match findings.len() {
            1 => String::new(),
            n => format!(" (and {} more, see the events)", n - 1),
        };
        Verdict {
            status: match worst.severity {
                Severity::Error => "False",
                // To be accepted and to do nothing would look like being in force.
                Severity::Warning if is_without_effect(worst) => "False",
                Severity::Warning => "True",
            },
            reason: worst.code.into(),
            message: format!("{}{more}", line(worst)),
        }
    }

    pub(crate) fn is_told_by(&self, condition: &Condition) -> bool {
        let told = (&*condition.status, &condition.reason, &condition.message);
        told == (self.status, &self.reason, &self.message)
    }

    /// Puts it into an object's status, beside the conditions of others.
    fn put(&self, object: &mut Value) {
        let generation = object["metadata"]["generation"].clone();
        if !object["status"].is_object() {
            object["status"] = json!({});
        }
        let status = &mut object["status"];
        if !status["conditions"].is_array() {
            status["conditions"] = json!([]);
        }
        let Some(conditions) = status["conditions"].as_array_mut() else {
            return;
        };
        let place = conditions.iter().position(|c| c["type"] == ACCEPTED);
        let since = place
            .map(|place| &conditions[place])
            .filter(|condition| condition["status"] == self.status)
            .map(|condition| condition["lastTransitionTime"].clone());
        let condition = json!({
            "type": ACCEPTED,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "observedGeneration": generation,
            "lastTransitionTime": since.unwrap_or_else(|| format!("{:.0}", Timestamp::now()).into()),
        });
        match place {
            Some(place) => conditions[place] = condition,
            None => conditions.push(condition),
        }
    }
}

/// Writes the verdict into the status of an object that was just read. A conflict is no failure:
/// the object has changed, and its next version is judged anew.
pub(crate) async fn write(
    servers: &Servers,
    path: &str,
    mut object: Value,
    verdict: &Verdict,
) -> Result<(), Failure> {
    verdict.put(&mut object);
    let path = format!("{path}/status");
    match servers
        .send(Method::PUT, &path, Some(&object), ANSWER)
        .await
    {
        Err(failure) if failure.is_conflict() || failure.is_missing() => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::finding;

    #[test]
    fn an_error_refuses_and_a_warning_does_not() {
        let error = finding("PH0306", "a", "x");
        let warning = Diagnostic {
            severity: Severity::Warning,
            ..finding("PH0302", "a", "y")
        };
        let verdict = Verdict::of(&[&warning, &error]);
        assert_eq!((verdict.status, &*verdict.reason), ("False", "PH0306"));
        assert!(
            verdict.message.ends_with("(and 1 more, see the events)"),
            "{verdict:?}"
        );
        assert_eq!(Verdict::of(&[&warning]).status, "True");
        let follows = Diagnostic {
            field: "spec".into(),
            ..finding("PH0304", "a", "nothing is left")
        };
        assert_eq!(Verdict::of(&[&follows, &error]).reason, "PH0306");
        let off = Diagnostic {
            code: "PH0820",
            field: String::new(),
            ..warning.clone()
        };
        let verdict = Verdict::of(&[&warning, &off]);
        assert_eq!((verdict.status, &*verdict.reason), ("False", "PH0820"));
        assert_eq!(Verdict::of(&[]).reason, IN_FORCE);
    }

    #[test]
    fn conditions_of_others_stay_and_ours_keeps_its_time() {
        let mut object = json!({"metadata": {"generation": 4}, "status": {"conditions": [
            {"type": "Reconciled", "status": "True"},
            {"type": "Accepted", "status": "False", "lastTransitionTime": "2026-01-02T03:04:05Z"}]}});
        Verdict::of(&[&finding("PH0306", "a", "x")]).put(&mut object);
        let conditions = object["status"]["conditions"].as_array().unwrap();
        assert_eq!(conditions.len(), 2);
        assert_eq!(conditions[0]["type"], "Reconciled");
        assert_eq!(conditions[1]["lastTransitionTime"], "2026-01-02T03:04:05Z");
        assert_eq!(conditions[1]["observedGeneration"], 4);
        Verdict::of(&[]).put(&mut object);
        assert_ne!(
            object["status"]["conditions"][1]["lastTransitionTime"],
            "2026-01-02T03:04:05Z"
        );
    }
}
