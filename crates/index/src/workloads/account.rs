//! Service accounts: who a workload is to those who check its certificate.

use std::collections::BTreeMap;

use model::{Instance, Mesh};

use crate::codes;
use crate::naming;
use crate::report::Report;

const ACCOUNT: &str = "istio.io/service-account";
/// The account of workloads that name none, as in Istio.
const DEFAULT: &str = "default";

/// The identity in the certificate of an instance.
pub(crate) fn identity(instance: &Instance, mesh: &Mesh) -> String {
    let claimed = instance.labels.get(ACCOUNT).map(str::trim);
    let account = claimed.filter(|name| is_account(name)).unwrap_or(DEFAULT);
    of_account(&instance.namespace, account, mesh)
}

/// The identity of a service of which no instance is known.
pub(crate) fn default_identity(namespace: &str, mesh: &Mesh) -> String {
    of_account(namespace, DEFAULT, mesh)
}

fn of_account(namespace: &str, account: &str, mesh: &Mesh) -> String {
    format!("spiffe://{}/ns/{namespace}/sa/{account}", mesh.trust_domain)
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
fn is_account(name: &str) -> bool {
    let each = |label: &str| !label.is_empty() && naming::label(label) == label;
    name.len() <= 253 && name.split('.').all(each)
}
