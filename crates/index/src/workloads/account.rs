//! Service accounts: who a workload is to those who check its certificate.

use std::collections::BTreeMap;

use model::{Instance, Mesh};

use crate::codes;
use crate::naming;
use crate::report::Report;

const ACCOUNT: &str = "istio.io/service-account";
/// The account of workloads that name none, as in Istio.
const DEFAULT: &str = "default";

/// The identity in the certificate of an instance, in every domain that it may be of.
pub(crate) fn identities<'a>(
    instance: &'a Instance,
    mesh: &'a Mesh,
) -> impl Iterator<Item = String> + 'a {
    let claimed = instance.labels.get(ACCOUNT).map(str::trim);
    let account = claimed.filter(|name| is_account(name)).unwrap_or(DEFAULT);
    of_account(&instance.namespace, account, mesh)
}

/// The identities of a service of which no instance is known.
pub(crate) fn default_identities<'a>(
    namespace: &'a str,
    mesh: &'a Mesh,
) -> impl Iterator<Item = String> + 'a {
    of_account(namespace, DEFAULT, mesh)
}

/// The identity of an account in every domain.
pub(crate) fn of_account<'a>(
    namespace: &'a str,
    account: &'a str,
    mesh: &'a Mesh,
) -> impl Iterator<Item = String> + 'a {
    let domains = mesh.trust_domains();
    domains.map(move |domain| format!("spiffe://{domain}/ns/{namespace}/sa/{account}"))
}

/// Says so if the label of a workload names no account.
pub(super) fn check(labels: &BTreeMap<String, String>, report: &mut Report) {
    let Some(claimed) = labels.get(ACCOUNT) else {
        return;
    };
    if !is_account(claimed.trim()) {
        report.warn(
            codes::LABEL_VALUE,
            format!("labels.{ACCOUNT}"),
            format!("{claimed:?} is not the name of a service account"),
            format!("callers expect the account {DEFAULT} in the workload's certificate"),
            "use labels of lower-case letters, digits and inner hyphens, parted by dots",
        );
    }
}

/// Names of accounts are names of subdomains, as in Kubernetes.
pub(crate) fn is_account(name: &str) -> bool {
    let each = |label: &str| !label.is_empty() && naming::label(label) == label;
    name.len() <= 253 && name.split('.').all(each)
}
