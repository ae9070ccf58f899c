//! What has been compiled so far, collected.

use model::Diagnostic;

use super::{Compiled, Resource};
use crate::built::Built;
use crate::patch::Patches;

/// Collects resources.
#[derive(Default)]
pub(crate) struct Output {
    resources: Vec<Resource>,
    patches: Option<Patches>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

// === impl Output ===

impl Output {
    /// For a proxy with these patches.
    pub(crate) fn patched(patches: Option<Patches>) -> Output {
        Output {
            patches,
            ..Output::default()
        }
    }

    /// Adds what patches add as a whole, and what is wrong with them.
    pub(crate) fn add_additions(&mut self) {
        let Some(patches) = &self.patches else {
            return;
        };
        let (additions, mut diagnostics) = patches.additions();
        self.diagnostics.append(&mut diagnostics);
        let additions = additions.into_iter().filter_map(Built::resource);
        self.resources.extend(additions);
    }

    pub(crate) fn add(&mut self, built: Built) {
        let mut built = match &self.patches {
            Some(patches) => patches.apply(built),
            None => built,
        };
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
