//! How connections are handled on whichever listener they come in.

use model::{Mesh, PathNormalization, Reporting};

/// What every filter that ends connections depends on, beside what is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Handling<'a> {
    pub(crate) reporting: &'a Reporting,
    pub(crate) paths: PathNormalization,
}

// === impl Handling ===

impl<'a> Handling<'a> {
    /// With what the mesh tells of requests, or with what this proxy does.
    pub(crate) fn new(mesh: &'a Mesh, reporting: Option<&'a Reporting>) -> Handling<'a> {
        Handling {
            reporting: reporting.unwrap_or(&mesh.reporting),
            paths: mesh.path_normalization,
        }
    }
}
