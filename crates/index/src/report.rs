//! Collecting diagnostics about one object while it is read.

use model::{Diagnostic, Location, ObjectRef, Severity};

/// What was found in one object so far.
#[derive(Debug)]
pub(crate) struct Report {
    object: ObjectRef,
    location: Option<Location>,
    /// What a refusal of the whole object leads to.
    refusal: &'static str,
    refused: bool,
    diagnostics: Vec<Diagnostic>,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(
        object: ObjectRef,
        location: Option<Location>,
        refusal: &'static str,
    ) -> Report {
        Report {
            object,
            location,
            refusal,
            refused: false,
            diagnostics: Vec::new(),
        }
    }

    /// Names the object's namespace, which of a workload is known only after reading its labels.
    pub(crate) fn belongs_to(&mut self, namespace: &std::sync::Arc<str>) {
        self.object.namespace.clone_from(namespace);
    }

    /// The whole object cannot be used.
    pub(crate) fn refuse(
        &mut self,
        code: &'static str,
        field: impl Into<String>,
        why: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.refused = true;
        self.push(Severity::Error, code, field, why, self.refusal, remedy);
    }

    /// A part cannot be used; the rest of the object can.
    pub(crate) fn leave_out(
        &mut self,
        code: &'static str,
        field: impl Into<String>,
        why: impl Into<String>,
        effect: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(Severity::Error, code, field, why, effect, remedy);
    }

    /// Something will not do what it seems to say.
    pub(crate) fn warn(
        &mut self,
        code: &'static str,
        field: impl Into<String>,
        why: impl Into<String>,
        effect: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(Severity::Warning, code, field, why, effect, remedy);
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    /// Sorted, each finding once.
    pub(crate) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort();
        self.diagnostics.dedup();
        self.diagnostics
    }

    fn push(
        &mut self,
        severity: Severity,
        code: &'static str,
        field: impl Into<String>,
        why: impl Into<String>,
        effect: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.diagnostics.push(Diagnostic {
            code,
            severity,
            object: Some(self.object.clone()),
            field: field.into(),
            location: self.location.clone(),
            why: why.into(),
            effect: effect.into(),
            remedy: remedy.into(),
        });
    }
}
