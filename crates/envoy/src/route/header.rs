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
        request_remove: request.remove.clone(),
        response_add: additions(response),
        response_remove: response.remove.clone(),
        host: request.host.clone(),
    }
}

fn additions(operations: &HeaderOperations) -> Vec<HeaderValueOption> {
    let set = operations.set.iter();
    let add = operations.add.iter();
    set.map(|header| (header, HeaderAppendAction::OverwriteIfExistsOrAdd))
        .chain(add.map(|header| (header, HeaderAppendAction::AppendIfExistsOrAdd)))
        .map(|((name, value), action)| option(name, value.as_str(), action))
        .collect()
}

fn option(name: &str, value: &str, action: HeaderAppendAction) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(pb::core::HeaderValue {
            key: name.to_owned(),
            value: value.to_owned(),
            ..Default::default()
        }),
        append_action: action.into(),
        // Without it Envoy drops a header that is meant to be empty.
        keep_empty_value: value.is_empty(),
        ..Default::default()
    }
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
