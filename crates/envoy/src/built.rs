//! One resource on its way out: checked, encoded, and what there is to say about it.

use std::sync::Arc;

use bytes::Bytes;
use model::Diagnostic;

use crate::canonical::{self, Canonical};
use crate::finding::{self, Refusal, Text, code};
use crate::{Kind, Resource, lint, pb};

/// What became of one resource.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Built {
    pub(crate) kind: Kind,
    pub(crate) name: Arc<str>,
    /// `None` if there is nothing that Envoy would take.
    pub(crate) body: Option<Bytes>,
    /// What was left out of it, and why.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

// === impl Built ===

impl Built {
    /// A resource that cannot be wrong, already encoded.
    pub(crate) fn sound(kind: Kind, name: Arc<str>, body: &[u8]) -> Built {
        #[cfg(test)]
        COUNT.with(|count| count.set(count.get() + 1));
        Built {
            kind,
            name,
            body: Some(Bytes::copy_from_slice(body)),
            diagnostics: Vec::new(),
        }
    }

    /// Nothing, where there could be something.
    pub(crate) fn none(kind: Kind, name: Arc<str>) -> Built {
        Built {
            kind,
            name,
            body: None,
            diagnostics: Vec::new(),
        }
    }

    pub(crate) fn cluster(cluster: &pb::cluster::Cluster) -> Built {
        let verdict = lint::cluster(cluster);
        Built::checked(Kind::Cluster, &cluster.name, cluster, verdict)
    }

    pub(crate) fn listener(listener: &pb::listener::Listener) -> Built {
        let verdict = lint::listener(listener);
        Built::checked(Kind::Listener, &listener.name, listener, verdict)
    }

    pub(crate) fn secret(secret: &pb::tls::Secret) -> Built {
        let verdict = lint::secret(secret);
        Built::checked(Kind::Secret, &secret.name, secret, verdict)
    }

    pub(crate) fn resource(self) -> Option<Resource> {
        Some(Resource {
            kind: self.kind,
            name: self.name,
            body: self.body?,
        })
    }

    fn checked<M: Canonical>(
        kind: Kind,
        name: &str,
        message: &M,
        verdict: Result<(), Refusal>,
    ) -> Built {
        #[cfg(test)]
        COUNT.with(|count| count.set(count.get() + 1));
        let (body, diagnostics) = match verdict {
            Ok(()) => (Some(Bytes::from(canonical::encode(message))), Vec::new()),
            Err(refusal) => (None, vec![refused(kind, name, refusal)]),
        };
        Built {
            kind,
            name: name.into(),
            body,
            diagnostics,
        }
    }
}

fn refused(kind: Kind, name: &str, refusal: Refusal) -> Diagnostic {
    let text = Text {
        why: format!("Envoy would refuse the {kind} {name:?}: {}", refusal.why),
        effect: "it is left out; everything else is served".to_owned(),
        remedy: "please report this as a defect, with the objects it comes from".to_owned(),
    };
    finding::error(code::RESOURCE_REFUSED, None, refusal.field, text)
}

#[cfg(test)]
thread_local! {
    static COUNT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many resources this thread has built, for tests that count.
#[cfg(test)]
pub(crate) fn count() -> usize {
    COUNT.with(std::cell::Cell::get)
}
