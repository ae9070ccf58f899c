//! All objects of a kind, page by page.

use std::sync::Arc;

use api::istio::Kind;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::catalog::Served;
use super::conditions::Conditions;
use super::document::Document;
use super::failure::Failure;
use super::kind::KindTask;
use super::ledger::{Ledger, Read};

/// A complete list.
pub(super) struct List {
    /// From which a watch can go on.
    pub(super) version: String,
    pub(super) objects: Vec<Read>,
}

#[derive(Deserialize)]
struct Page<'a> {
    metadata: PageMetadata,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    token: Option<String>,
}

// === impl List ===

impl List {
    /// Reads the newest state: without a version the apiserver asks its etcd, so that a server
    /// that lags behind cannot bring old objects back.
    pub(super) async fn read(task: &KindTask, served: &Served) -> Result<List, Failure> {
        let mut objects = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let path = path(served, task.timing.page, token.as_deref());
            let text = task.servers.text(&path, task.timing.answer * 3).await?;
            let url = task.servers.url();
            let page: Page<'_> =
                serde_json::from_str(&text).map_err(|error| Failure::undecodable(&url, &error))?;
            for item in page.items {
                objects.extend(task.read(item.get(), &served.api_version));
            }
            token = page.metadata.token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(List {
                    version: page.metadata.resource_version,
                    objects,
                });
            }
        }
    }
}

/// Reads one object; one that was told with this content is not decoded again.
pub(super) fn read(
    kind: Kind,
    text: &str,
    api_version: &Arc<str>,
    ledger: &Ledger,
    conditions: &Conditions,
) -> Option<(Read, String)> {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            // Without a name it is no object that could be refused, kept or deleted.
            tracing::warn!(%kind, "an object without an envelope is passed over: {error}");
            return None;
        }
    };
    let key = document.key(kind);
    conditions.note(&key, document.status);
    let (digest, version) = (document.digest(), document.resource_version().to_owned());
    let object = match ledger.is_known(&key, digest) {
        true => None,
        false => Some(document.object(key.clone(), api_version)),
    };
    let read = Read {
        key,
        digest,
        object,
    };
    Some((read, version))
}

fn path(served: &Served, page: usize, token: Option<&str>) -> String {
    let path = served.path();
    match token {
        None => format!("{path}?limit={page}"),
        // Tokens are base64 for URLs; other characters are no part of them.
        Some(token) => format!("{path}?limit={page}&continue={token}"),
    }
}
