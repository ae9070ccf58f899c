//! What an operator must know about an object: one stable code, five parts.

use std::fmt;
use std::sync::Arc;

/// The name of an object, for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    pub kind: &'static str,
    /// Empty for cluster-scoped kinds.
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

impl ObjectRef {
    /// Whether what the object says is also for another namespace: its own, or any if it is one of
    /// the root namespace.
    pub fn reaches(&self, namespace: &str, root: &str) -> bool {
        *self.namespace == *namespace || *self.namespace == *root
    }
}

/// Where a document begins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something is refused.
    Error,
    /// Something is ignored, or will not do what it seems to say.
    Warning,
}

/// A finding: what is wrong, where, why, what is served instead, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Stable, documented in `docs/diagnostics.md`.
    pub code: &'static str,
    pub severity: Severity,
    /// Absent where a document does not tell what it is.
    pub object: Option<ObjectRef>,
    /// A path like `spec.http[0].timeout`; empty for the object as a whole.
    pub field: String,
    pub location: Option<Location>,
    pub why: String,
    pub effect: String,
    pub remedy: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.namespace {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.severity, self.why)?;
        let object = self.object.as_ref().map(ObjectRef::to_string);
        let location = self.location.as_ref().map(Location::to_string);
        let place = [
            object,
            Some(self.field.clone()).filter(|f| !f.is_empty()),
            location,
        ];
        let place: Vec<String> = place.into_iter().flatten().collect();
        if !place.is_empty() {
            write!(f, "\n  where   {}", place.join("  "))?;
        }
        write!(f, "\n  effect  {}\n  do      {}", self.effect, self.remedy)
    }
}
