//! `exportTo`: which namespaces see an object.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::ExportTo;

use super::object::Context;
use crate::codes;
use crate::report::Report;

/// Reads the list of an object, or if it has none, that of the mesh.
pub(super) fn read(
    texts: &[String],
    default: &[Arc<str>],
    context: &Context<'_>,
    report: &mut Report,
) -> ExportTo {
    let own = &context.object.key.namespace;
    let parsed = match texts.is_empty() {
        true => parse(default, own),
        false => parse(texts, own),
    };
    match parsed {
        Ok(export) => export,
        Err(why) => {
            report.refuse(
                codes::EXPORT_TO,
                "spec.exportTo",
                why,
                "write \".\" for the own namespace, \"*\" alone for all, \"~\" alone for none, \
                 or names of namespaces",
            );
            ExportTo::All
        }
    }
}

/// `own` is what a dot stands for. An empty list is for all.
pub(crate) fn parse(texts: &[impl AsRef<str>], own: &Arc<str>) -> Result<ExportTo, String> {
    let mut namespaces = BTreeSet::new();
    for text in texts.iter().map(AsRef::as_ref) {
        let namespace = match text {
            "*" | "~" if texts.len() > 1 => {
                return Err(format!("{text:?} stands beside others"));
            }
            "*" => return Ok(ExportTo::All),
            "~" => return Ok(ExportTo::Namespaces(BTreeSet::new())),
            "." => own.clone(),
            text if is_namespace(text) => text.into(),
            text => return Err(format!("{text:?} is no namespace")),
        };
        if !namespaces.insert(namespace) {
            return Err(format!("{text:?} is there twice"));
        }
    }
    Ok(match texts.is_empty() {
        true => ExportTo::All,
        false => ExportTo::Namespaces(namespaces),
    })
}

/// Namespaces are DNS labels.
pub(super) fn is_namespace(text: &str) -> bool {
    super::names::is_subset(text) && text.bytes().all(|b| !b.is_ascii_uppercase())
}
