//! What is asked of the caller.

use model::authorization::{Clause, Test, Token, Wildcard};
use pb::rbac::Principal;
use pb::rbac::principal::{Authenticated, Identifier, Set};

use super::text;
use crate::{filter, message, pb};

/// How identities begin in certificates.
const SCHEME: &str = "spiffe://";
/// Where the filter that checks tokens leaves what they say.
pub(super) const PAYLOAD: &str = "payload";

/// All of the clauses; anyone, if there are none.
pub(super) fn all(clauses: &[Clause]) -> Principal {
    let each = clauses.iter().flat_map(|clause| {
        let any = (!clause.any.is_empty()).then(|| one_of(&clause.any));
        let none = (!clause.none.is_empty()).then(|| not(one_of(&clause.none)));
        any.into_iter().chain(none)
    });
    let mut ids: Vec<Principal> = each.collect();
    match ids.len() {
        0 => principal(Identifier::Any(true)),
        1 => ids.remove(0),
        _ => principal(Identifier::AndIds(Set { ids })),
    }
}

fn one_of(tests: &[Test]) -> Principal {
    let mut ids: Vec<Principal> = tests.iter().map(single).collect();
    match ids.len() {
        1 => ids.remove(0),
        _ => principal(Identifier::OrIds(Set { ids })),
    }
}

fn single(test: &Test) -> Principal {
    match test {
        Test::Principal(name) => authenticated(text::after(SCHEME, name)),
        Test::Namespace(name) => {
            let name = text::within(name, '/');
            authenticated(text::regex(&format!("{SCHEME}[^/]+/ns/{name}/.*")))
        }
        Test::ServiceAccount { namespace, account } => {
            let (namespace, account) = (text::escape(namespace), text::escape(account));
            authenticated(text::regex(&format!(
                "{SCHEME}[^/]+/ns/{namespace}/sa/{account}"
            )))
        }
        Test::TrustDomain(name) => {
            let name = text::within(name, '/');
            authenticated(text::regex(&format!("{SCHEME}{name}/.*")))
        }
        Test::PeerAddress(block) => principal(Identifier::DirectRemoteIp(message::range(*block))),
        Test::RemoteAddress(block) => principal(Identifier::RemoteIp(message::range(*block))),
        Test::Token(Token::Principal(name)) => token_principal(name),
        Test::Token(Token::Claim { path, value }) => claim(path.iter().map(|p| &**p), value),
        // The others are asked of what the caller wants.
        _ => unreachable!("{test:?} is no test of callers"),
    }
}

/// The issuer is all before the last slash.
fn token_principal(name: &Wildcard) -> Principal {
    let present = &Wildcard::Present;
    let exact = |text: &str| Wildcard::Exact(text.into());
    let both = |issuer: &Wildcard, subject: &Wildcard| {
        let ids = vec![claim(["iss"], issuer), claim(["sub"], subject)];
        principal(Identifier::AndIds(Set { ids }))
    };
    match name {
        Wildcard::Present => both(present, present),
        Wildcard::Exact(text) => match text.rsplit_once('/') {
            Some((issuer, subject)) => both(&exact(issuer), &exact(subject)),
            // Without a slash it is no such name, and nobody has it.
            None => not(principal(Identifier::Any(true))),
        },
        Wildcard::Prefix(text) => match text.rsplit_once('/') {
            Some((issuer, "")) => both(&exact(issuer), present),
            // The slash may as well be one of the issuer's own.
            Some((issuer, subject)) => principal(Identifier::OrIds(Set {
                ids: vec![
                    both(&exact(issuer), &Wildcard::Prefix(subject.into())),
                    both(&Wildcard::Prefix(text.clone()), present),
                ],
            })),
            None => both(&Wildcard::Prefix(text.clone()), present),
        },
        Wildcard::Suffix(text) => match text.rsplit_once('/') {
            Some(("", subject)) => both(present, &exact(subject)),
            Some((issuer, subject)) => both(&Wildcard::Suffix(issuer.into()), &exact(subject)),
            None => both(present, &Wildcard::Suffix(text.clone())),
        },
    }
}

/// What a token says under these names: a text, or a list with it.
fn claim<'a>(path: impl IntoIterator<Item = &'a str>, value: &Wildcard) -> Principal {
    use pb::matcher::value_matcher::MatchPattern;
    let value_matcher = |pattern| pb::matcher::ValueMatcher {
        match_pattern: Some(pattern),
    };
    let text = value_matcher(MatchPattern::StringMatch(text::plain(value)));
    let listed = value_matcher(MatchPattern::ListMatch(Box::new(
        pb::matcher::ListMatcher {
            match_pattern: Some(pb::matcher::list_matcher::MatchPattern::OneOf(Box::new(
                text.clone(),
            ))),
        },
    )));
    let either = value_matcher(MatchPattern::OrMatch(pb::matcher::OrMatcher {
        value_matchers: vec![text, listed],
    }));
    let path = std::iter::once(PAYLOAD).chain(path);
    let metadata_matcher = super::permission::metadata(filter::TOKENS, path, either);
    principal(Identifier::SourcedMetadata(pb::rbac::SourcedMetadata {
        metadata_matcher: Some(metadata_matcher),
        metadata_source: pb::rbac::MetadataSource::Dynamic.into(),
    }))
}

fn authenticated(name: pb::matcher::StringMatcher) -> Principal {
    principal(Identifier::Authenticated(Authenticated {
        principal_name: Some(name),
    }))
}

fn not(id: Principal) -> Principal {
    principal(Identifier::NotId(Box::new(id)))
}

fn principal(identifier: Identifier) -> Principal {
    Principal {
        identifier: Some(identifier),
    }
}
