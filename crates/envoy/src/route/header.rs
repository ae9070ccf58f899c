//! Changes to the headers of requests and responses.

use model::route::HeaderOperations;
use pb::core::HeaderValueOption;
use pb::core::header_value_option::HeaderAppendAction;

use crate::pb;

/// Changes in Envoy's terms.
#[derive(Debug, Default)]
pub(super) struct Edits {
    pub(super) request_add: Vec<HeaderValueOption>,
    pub(super) request_remove: Vec<String>,
    pub(super) response_add: Vec<HeaderValueOption>,
    pub(super) response_remove: Vec<String>,
    /// The host that requests get, which Envoy does not take as a header.
    pub(super) host: Option<String>,
}

pub(super) fn edits(request: &HeaderOperations, response: &HeaderOperations) -> Edits {
    Edits {
        request_add: additions(request),
        request_remove: removals(request),
        response_add: additions(response),
        response_remove: removals(response),
        host: host(request),
    }
}

fn additions(operations: &HeaderOperations) -> Vec<HeaderValueOption> {
    let set = operations.set.iter();
    let add = operations.add.iter();
    set.map(|header| (header, HeaderAppendAction::OverwriteIfExistsOrAdd))
        .chain(add.map(|header| (header, HeaderAppendAction::AppendIfExistsOrAdd)))
        .filter(|((name, _), _)| !is_host(name))
        .map(|((name, value), action)| option(name, value, action))
        .collect()
}

fn option(name: &str, value: &str, action: HeaderAppendAction) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(pb::core::HeaderValue {
            key: name.to_owned(),
            // Envoy reads values as format strings; ours are literal.
            value: value.replace('%', "%%"),
            ..Default::default()
        }),
        append_action: action.into(),
        // Without it Envoy drops a header that is meant to be empty.
        keep_empty_value: value.is_empty(),
        ..Default::default()
    }
}

/// Pseudo headers and the host cannot be removed: a request is none without them.
fn removals(operations: &HeaderOperations) -> Vec<String> {
    let names = operations.remove.iter();
    names
        .filter(|name| !name.starts_with(':') && !is_host(name))
        .cloned()
        .collect()
}

fn host(operations: &HeaderOperations) -> Option<String> {
    let mut headers = operations.add.iter().chain(&operations.set);
    let (_, value) = headers.find(|(name, _)| is_host(name))?;
    Some(value.clone())
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
}

// === impl Edits ===

impl Edits {
    /// These changes and then those of the only destination.
    pub(super) fn then(mut self, later: Edits) -> Edits {
        self.request_add.extend(later.request_add);
        self.request_remove.extend(later.request_remove);
        self.response_add.extend(later.response_add);
        self.response_remove.extend(later.response_remove);
        self.host = later.host.or(self.host);
        self
    }
}
