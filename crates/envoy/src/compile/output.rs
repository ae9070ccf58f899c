//! What has been compiled so far: checked, encoded, and collected.

use bytes::Bytes;
use model::Diagnostic;

use super::{Compiled, Resource};
use crate::canonical::{self, Canonical};
use crate::finding::{self, Refusal, Text, code};
use crate::{Kind, lint, pb};

/// Collects resources. Nothing comes in that Envoy would refuse.
#[derive(Default)]
pub(super) struct Output {
    resources: Vec<Resource>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

// === impl Output ===

impl Output {
    pub(super) fn cluster(&mut self, cluster: &pb::cluster::Cluster) {
        let verdict = lint::cluster(cluster);
        self.push(Kind::Cluster, &cluster.name, cluster, verdict);
    }

    pub(super) fn assignment(&mut self, assignment: &pb::endpoint::ClusterLoadAssignment) {
        let verdict = lint::assignment(assignment);
        self.push(
            Kind::Endpoint,
            &assignment.cluster_name,
            assignment,
            verdict,
        );
    }

    pub(super) fn listener(&mut self, listener: &pb::listener::Listener) {
        let verdict = lint::listener(listener);
        self.push(Kind::Listener, &listener.name, listener, verdict);
    }

    /// A virtual host that Envoy would refuse is left out alone.
    pub(super) fn routes(&mut self, mut routes: pb::route::RouteConfiguration) {
        for refusal in lint::virtual_hosts(&mut routes) {
            self.refuse(Kind::Route, &routes.name, refusal);
        }
        self.push(Kind::Route, &routes.name, &routes, Ok(()));
    }

    pub(super) fn finish(mut self) -> Compiled {
        self.resources
            .sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        // Envoy refuses a whole response for a name that is there twice.
        self.resources
            .dedup_by(|later, first| (later.kind, &later.name) == (first.kind, &first.name));
        self.diagnostics.sort();
        self.diagnostics.dedup();
        Compiled {
            resources: self.resources,
            diagnostics: self.diagnostics,
        }
    }

    fn push<M: Canonical>(
        &mut self,
        kind: Kind,
        name: &str,
        message: &M,
        verdict: Result<(), Refusal>,
    ) {
        match verdict {
            Ok(()) => self.resources.push(Resource {
                kind,
                name: name.into(),
                body: Bytes::from(canonical::encode(message)),
            }),
            Err(refusal) => self.refuse(kind, name, refusal),
        }
    }

    fn refuse(&mut self, kind: Kind, name: &str, refusal: Refusal) {
        let text = Text {
            why: format!("Envoy would refuse the {kind} {name:?}: {}", refusal.why),
            effect: "it is left out; everything else is served".to_owned(),
            remedy: "please report this as a defect, with the objects it comes from".to_owned(),
        };
        let diagnostic = finding::error(code::RESOURCE_REFUSED, None, refusal.field, text);
        self.diagnostics.push(diagnostic);
    }
}
