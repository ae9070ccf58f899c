//! `ProxyConfig`, as Istio checks it.

use api::istio::ProxyConfig;

use super::refuse;
use crate::config::selector;
use crate::report::Report;

pub(super) fn check(spec: ProxyConfig, report: &mut Report) {
    selector::labels(spec.selector, report);
    if spec.concurrency.is_some_and(|number| number < 0) {
        let why = "there are no fewer than 0 threads";
        refuse(report, "spec.concurrency", why);
    }
}
