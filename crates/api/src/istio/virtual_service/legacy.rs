//! Header operations as Istio 1.0 and 1.1 spelled them, beside routes and destinations.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{HeaderOperations, Headers, HttpRoute, RouteDestination};

/// Names of headers: a list, or as in Istio 1.0 a map of which only the keys count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum HeaderNames {
    List(Vec<String>),
    Map(BTreeMap<String, Option<String>>),
}

// === impl HeaderNames ===

impl Default for HeaderNames {
    fn default() -> HeaderNames {
        HeaderNames::List(Vec::new())
    }
}

impl HeaderNames {
    fn names(&self) -> Vec<String> {
        match self {
            HeaderNames::List(names) => names.clone(),
            HeaderNames::Map(map) => map.keys().cloned().collect(),
        }
    }
}

impl HttpRoute {
    /// What `appendHeaders` and its like say, in terms of `headers`.
    pub fn legacy_headers(&self) -> Headers {
        let mut add = self.append_headers.clone();
        add.extend(self.append_request_headers.clone());
        headers(
            (add, &self.remove_request_headers),
            (
                self.append_response_headers.clone(),
                &self.remove_response_headers,
            ),
        )
    }
}

impl RouteDestination {
    /// What `appendRequestHeaders` and its like say, in terms of `headers`.
    pub fn legacy_headers(&self) -> Headers {
        headers(
            (
                self.append_request_headers.clone(),
                &self.remove_request_headers,
            ),
            (
                self.append_response_headers.clone(),
                &self.remove_response_headers,
            ),
        )
    }
}

type Old<'a> = (BTreeMap<String, String>, &'a HeaderNames);

fn headers(
    (request_add, request_remove): Old<'_>,
    (response_add, response_remove): Old<'_>,
) -> Headers {
    let operations = |add, remove: &HeaderNames| HeaderOperations {
        set: BTreeMap::new(),
        add,
        remove: remove.names(),
    };
    Headers {
        request: operations(request_add, request_remove),
        response: operations(response_add, response_remove),
    }
}
