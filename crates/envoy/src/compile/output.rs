//! What has been compiled so far, collected.

use model::Diagnostic;

use super::{Compiled, Resource};
use crate::built::Built;

/// Collects resources.
#[derive(Default)]
pub(crate) struct Output {
    resources: Vec<Resource>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

// === impl Output ===

impl Output {
    pub(crate) fn add(&mut self, mut built: Built) {
        self.diagnostics.append(&mut built.diagnostics);
        self.resources.extend(built.resource());
    }

    /// In order. Of resources with one name the first stays, for Envoy refuses a whole response for
    /// a name that is there twice.
    pub(crate) fn finish(mut self) -> Compiled {
        self.resources
            .sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        self.resources
            .dedup_by(|later, first| (later.kind, &later.name) == (first.kind, &first.name));
        self.diagnostics.sort();
        self.diagnostics.dedup();
        Compiled {
            resources: self.resources,
            diagnostics: self.diagnostics,
        }
    }
}
