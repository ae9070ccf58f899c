//! Who the caller is.

use api::istio::AuthorizationSource;
use model::authorization::{Clause, Test, Token};

use super::lists::{Asked, Lists, Reader, addresses, principal, service_account, text};
use crate::report::Report;

pub(super) fn clauses(
    source: &AuthorizationSource,
    reader: &Reader<'_, '_>,
    report: &mut Report,
) -> Vec<Clause> {
    exclusive(source, reader, report);
    let mut clauses = Vec::new();
    let mut add = |names, values: [&Vec<String>; 2], read: &dyn Fn(&str) -> Asked| {
        let values = values.map(Vec::as_slice);
        clauses.extend(reader.clause(&Lists { names, values }, read, report));
    };
    add(
        ["principals", "notPrincipals"],
        [&source.principals, &source.not_principals],
        &principal(reader.context),
    );
    add(
        ["requestPrincipals", "notRequestPrincipals"],
        [&source.request_principals, &source.not_request_principals],
        &text(|value| Test::Token(Token::Principal(value))),
    );
    add(
        ["namespaces", "notNamespaces"],
        [&source.namespaces, &source.not_namespaces],
        &text(Test::Namespace),
    );
    add(
        ["serviceAccounts", "notServiceAccounts"],
        [&source.service_accounts, &source.not_service_accounts],
        &service_account(reader.context),
    );
    add(
        ["ipBlocks", "notIpBlocks"],
        [&source.ip_blocks, &source.not_ip_blocks],
        &addresses(Test::PeerAddress),
    );
    add(
        ["remoteIpBlocks", "notRemoteIpBlocks"],
        [&source.remote_ip_blocks, &source.not_remote_ip_blocks],
        &addresses(Test::RemoteAddress),
    );
    add(
        ["trustDomains", "notTrustDomains"],
        [&source.trust_domains, &source.not_trust_domains],
        &text(Test::TrustDomain),
    );
    clauses
}

/// Accounts say the namespace and the principal already, as Istio's validation has it.
fn exclusive(source: &AuthorizationSource, reader: &Reader<'_, '_>, report: &mut Report) {
    let accounts = source.service_accounts.len() + source.not_service_accounts.len();
    let others = [
        &source.principals,
        &source.not_principals,
        &source.namespaces,
        &source.not_namespaces,
    ];
    if accounts > 0 && others.iter().any(|list| !list.is_empty()) {
        let why = "serviceAccounts cannot stand beside principals or namespaces";
        let remedy = "write two entries of from, or name the accounts alone";
        reader.refuse("serviceAccounts", why, remedy, report);
    }
}
