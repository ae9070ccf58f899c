//! The codes of the problems that sources report. Stable: operators search for them.

/// A YAML or JSON document with a syntax error.
pub const SYNTAX: &str = "PH0101";
/// A document that is no object: not a mapping, or without kind, API version or name.
pub const NOT_AN_OBJECT: &str = "PH0102";
/// Two documents that claim the same kind, namespace and name.
pub const DUPLICATE: &str = "PH0103";
/// A document of a kind that plays no part here (a warning).
pub const FOREIGN_KIND: &str = "PH0104";
/// A file or directory that cannot be read.
pub const UNREADABLE: &str = "PH0105";
/// An object of the apiserver whose spec cannot be read.
pub const UNDECODABLE_OBJECT: &str = "PH0111";
/// A kind that the apiserver does not let us read.
pub const KIND_FORBIDDEN: &str = "PH0112";
/// An app or pod of Marathon that cannot be decoded.
pub const UNDECODABLE_WORKLOAD: &str = "PH0201";
/// A Marathon whose framework has another name than the mesh's domains say (a warning).
pub const FRAMEWORK: &str = "PH0213";
