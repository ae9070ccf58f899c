//! How connections are handled on whichever listener they come in.

use crate::guards::{Guards, OPEN};
use model::end_user::Origins;
use model::{Mesh, PathNormalization, Reporting};

/// What every filter that ends connections depends on, beside what is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Handling<'a> {
    pub(crate) reporting: &'a Reporting,
    pub(crate) paths: PathNormalization,
    pub(crate) guards: &'a Guards,
    pub(crate) origins: Option<&'a Origins>,
}

// === impl Handling ===

impl<'a> Handling<'a> {
    /// With what the mesh tells of requests, or with what this proxy does.
    pub(crate) fn new(mesh: &'a Mesh, reporting: Option<&'a Reporting>) -> Handling<'a> {
        Handling {
            reporting: reporting.unwrap_or(&mesh.reporting),
            paths: mesh.path_normalization,
            guards: &OPEN,
            origins: None,
        }
    }

    /// The same, for those only whom the guards let in.
    pub(crate) fn guarded(self, guards: &'a Guards) -> Handling<'a> {
        Handling { guards, ..self }
    }

    /// The same, for requests with tokens.
    pub(crate) fn asking(self, origins: Option<&'a Origins>) -> Handling<'a> {
        Handling { origins, ..self }
    }
}
