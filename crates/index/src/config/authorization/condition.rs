//! Conditions by key, as in `when`.

use std::sync::Arc;

use api::istio::AuthorizationCondition;
use model::authorization::{Clause, Test, Token, Wildcard};

use super::lists::{Asked, Lists, Reader, addresses, port, principal, service_account, text};
use crate::config::names;
use crate::report::Report;

/// What other filters say is named by their names.
const FILTERS: &str = "experimental.envoy.filters.";

pub(super) fn clause(
    condition: &AuthorizationCondition,
    reader: &Reader<'_, '_>,
    report: &mut Report,
) -> Option<Clause> {
    let lists = Lists {
        names: ["values", "notValues"],
        values: [&condition.values, &condition.not_values],
    };
    if condition.values.is_empty() && condition.not_values.is_empty() {
        let remedy = "name values, or remove the condition";
        reader.refuse("values", "there are no values", remedy, report);
        return None;
    }
    let context = reader.context;
    let mut read = |read: &dyn Fn(&str) -> Asked| reader.clause(&lists, read, report);
    match condition.key.as_str() {
        "source.ip" => read(&addresses(Test::PeerAddress)),
        "remote.ip" => read(&addresses(Test::RemoteAddress)),
        "source.namespace" => read(&text(Test::Namespace)),
        "source.principal" => read(&principal(context)),
        "source.serviceAccount" => read(&service_account(context)),
        "source.trustDomain" => read(&text(Test::TrustDomain)),
        "request.auth.principal" => read(&text(|v| Test::Token(Token::Principal(v)))),
        "request.auth.audiences" => read(&claim(&["aud"])),
        "request.auth.presenter" => read(&claim(&["azp"])),
        "destination.ip" => read(&addresses(Test::DestinationAddress)),
        "destination.port" => read(&port),
        "connection.sni" => read(&text(Test::ServerName)),
        key => match by_name(key) {
            Some(test) => read(&text(test)),
            None => {
                let why = format!("{key:?} is nothing that can be asked");
                reader.refuse("key", why, "use one of the keys of Istio", report);
                None
            }
        },
    }
}

fn claim(path: &[&str]) -> impl Fn(&str) -> Asked {
    let path: Vec<Arc<str>> = path.iter().map(|part| Arc::from(*part)).collect();
    text(move |value| {
        let path = path.clone();
        Test::Token(Token::Claim { path, value })
    })
}

/// Keys with a name of the operator's in brackets.
fn by_name(key: &str) -> Option<Box<dyn Fn(Wildcard) -> Test>> {
    let at = key.find('[')?;
    let (key, names) = (&key[..at], bracketed(&key[at..])?);
    let first: Arc<str> = names.first()?.clone();
    match key {
        "request.headers" if names.len() == 1 && names::is_header(&first) => {
            Some(Box::new(move |value| Test::Header {
                name: first.to_ascii_lowercase().into(),
                value,
            }))
        }
        "request.auth.claims" => Some(Box::new(move |value| {
            let path = names.clone();
            Test::Token(Token::Claim { path, value })
        })),
        _ if names.len() == 1 && key.len() > FILTERS.len() && key.starts_with(FILTERS) => {
            let filter: Arc<str> = key.trim_start_matches("experimental.").into();
            Some(Box::new(move |value| Test::Metadata {
                filter: filter.clone(),
                key: first.clone(),
                value,
            }))
        }
        _ => None,
    }
}

/// `[a][b]` are a and b.
fn bracketed(text: &str) -> Option<Vec<Arc<str>>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let names: Vec<Arc<str>> = inner.split("][").map(Arc::from).collect();
    let bad = |name: &Arc<str>| name.is_empty() || name.contains(['[', ']']);
    (!names.iter().any(bad)).then_some(names)
}
