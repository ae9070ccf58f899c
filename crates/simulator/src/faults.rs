//! Faults that a test or a person switches on: answers and events that go
//! wrong in the ways in which they go wrong in the field.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A fault of answers. Several may be set; the first that matches acts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Only requests whose path begins with this; empty means all.
    #[serde(default)]
    pub path: String,
    /// Gone after so many requests; without it, only when faults are cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// What goes wrong.
    pub effect: Effect,
}

/// What goes wrong with an answer. Only [`Effect::Status`] keeps the request
/// from being carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// This status instead of an answer: bursts of 500 or 503, for example.
    Status(u16),
    /// Half of the body, as if it were all: JSON that does not end.
    Truncate,
    /// Half of the body, then the connection ends too early.
    Cut,
    /// Every list at the top of the answer is empty.
    Empty,
    /// Every list at the top of the answer has lost its second half.
    Half,
    /// The body comes in pieces, with so many milliseconds between them.
    Slow(u64),
    /// These fields are `null` wherever they stand.
    Null(Vec<String>),
}

/// Faults of events, each with a probability from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EventFaults {
    /// Only events of these types; none means all.
    pub types: Vec<String>,
    /// The event is never sent.
    pub drop: f64,
    /// The event is sent twice.
    pub duplicate: f64,
    /// The event is overtaken by the next one, or waits for a heartbeat.
    pub reorder: f64,
    /// Every event is late by so many milliseconds.
    pub delay: u64,
    /// Bytes are sent in pieces that end anywhere, also between CR and LF and
    /// within a character.
    pub shred: bool,
}

/// What becomes of one event on one stream.
pub(crate) struct Fate {
    pub(crate) copies: usize,
    pub(crate) hold: bool,
    pub(crate) delay: Duration,
}

impl EventFaults {
    /// Decides the fate of an event. Without faults no dice are rolled.
    pub(crate) fn roll(&self, kind: &str, dice: &mut StdRng) -> Fate {
        let affected = self.types.is_empty() || self.types.iter().any(|t| t == kind);
        let mut hit = |share: f64| affected && share > 0.0 && dice.random_bool(share.min(1.0));
        let dropped = hit(self.drop);
        let doubled = hit(self.duplicate);
        Fate {
            copies: match (dropped, doubled) {
                (true, _) => 0,
                (false, true) => 2,
                (false, false) => 1,
            },
            hold: hit(self.reorder),
            delay: match affected {
                true => Duration::from_millis(self.delay),
                false => Duration::ZERO,
            },
        }
    }
}

/// All faults that are switched on.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) answers: Vec<Fault>,
    pub(crate) events: EventFaults,
}

impl Faults {
    /// The fault for a request, one time less from now on. An event stream has
    /// no body that could be spoilt.
    pub(crate) fn take(&mut self, path: &str, stream: bool) -> Option<Effect> {
        let fits = |f: &Fault| !stream || matches!(f.effect, Effect::Status(_));
        let mut answers = self.answers.iter();
        let index = answers.position(|f| path.starts_with(&f.path) && fits(f))?;
        let fault = &mut self.answers[index];
        let effect = fault.effect.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.answers.remove(index);
            }
        }
        Some(effect)
    }
}

/// Cuts the lists at the top of an answer to the length that `keep` gives.
pub(crate) fn shorten(body: &mut Value, keep: impl Fn(usize) -> usize + Copy) {
    match body {
        Value::Array(list) => list.truncate(keep(list.len())),
        Value::Object(fields) => {
            let lists = fields.values_mut().filter_map(Value::as_array_mut);
            lists.for_each(|list| list.truncate(keep(list.len())));
        }
        _ => {}
    }
}

/// Writes `null` into the fields of these names, at any depth.
pub(crate) fn nullify(body: &mut Value, names: &[String]) {
    match body {
        Value::Array(list) => list.iter_mut().for_each(|item| nullify(item, names)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match names.contains(name) {
                    true => *value = Value::Null,
                    false => nullify(value, names),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_match_by_path_and_wear_off() {
        let fault = json!({ "path": "/v2/apps", "times": 2, "effect": { "status": 503 } });
        let fault: Fault = serde_json::from_value(fault).expect("well-formed");
        let mut faults = Faults {
            answers: vec![fault],
            ..Faults::default()
        };
        assert_eq!(faults.take("/v2/pods", false), None);
        assert_eq!(faults.take("/v2/apps/x", false), Some(Effect::Status(503)));
        assert_eq!(faults.take("/v2/apps", false), Some(Effect::Status(503)));
        assert_eq!(faults.take("/v2/apps", false), None);
        assert!(serde_json::from_value::<Fault>(json!({ "effect": "melt" })).is_err());
    }

    #[test]
    fn bodies_are_spoilt_as_asked() {
        let mut body = json!({ "apps": [{ "id": 1, "tasks": [{ "host": "h" }] }, 2, 3] });
        nullify(&mut body, &["host".to_owned()]);
        assert_eq!(body["apps"][0]["tasks"][0], json!({ "host": null }));
        shorten(&mut body, |n| n / 2);
        assert_eq!(body["apps"].as_array().map(Vec::len), Some(1));
        shorten(&mut body, |_| 0);
        assert_eq!(body, json!({ "apps": [] }));
    }

    #[test]
    fn dice_hit_as_often_as_told() {
        let faults = EventFaults {
            types: vec!["a".into()],
            drop: 1.0,
            delay: 5,
            ..EventFaults::default()
        };
        let mut dice = StdRng::seed_from_u64(1);
        assert_eq!(faults.roll("a", &mut dice).copies, 0);
        let other = faults.roll("b", &mut dice);
        assert_eq!(
            (other.copies, other.hold, other.delay),
            (1, false, Duration::ZERO)
        );
    }
}
