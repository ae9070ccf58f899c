//! The names under which callers know a host.

use std::collections::BTreeSet;
use std::net::IpAddr;

use model::Hostname;

/// The domains that virtual hosts of one port have taken. Envoy refuses a route configuration, with
/// all its hosts, for one domain that is there twice, compared without case.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeSet<String>);

// === impl Taken ===

impl Taken {
    /// Takes a domain; `false` if it was taken before.
    pub(super) fn take(&mut self, domain: &str) -> bool {
        self.0.insert(domain.to_ascii_lowercase())
    }

    /// Those of `domains` that were free.
    pub(super) fn take_free(&mut self, domains: Vec<String>) -> Vec<String> {
        domains.into_iter().filter(|d| self.take(d)).collect()
    }

    pub(super) fn has(&self, domain: &str) -> bool {
        self.0.contains(domain)
    }
}

/// What callers in `domain` may write instead of the full name: with a dot at its end, without the
/// domain, and with each beginning of the domain in between, as the first Istio had it.
pub(super) fn alternates(host: &Hostname, domain: &str) -> Vec<String> {
    let full = host.as_str();
    if host.is_wildcard() || full.parse::<IpAddr>().is_ok() {
        return Vec::new();
    }
    let mut names = vec![format!("{full}.")];
    let domain = domain.trim_matches('.').to_ascii_lowercase();
    let short = full
        .strip_suffix(&domain)
        .and_then(|rest| rest.strip_suffix('.'));
    if let Some(short) = short.filter(|_| !domain.is_empty()) {
        let mut name = short.to_owned();
        for label in domain.split('.') {
            names.push(name.clone());
            name.push('.');
            name.push_str(label);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_in_the_domain_has_every_shorter_name() {
        let host = Hostname::parse("reviews.marathon.slave.mesos").unwrap();
        assert_eq!(
            alternates(&host, "Marathon.slave.mesos"),
            [
                "reviews.marathon.slave.mesos.",
                "reviews",
                "reviews.marathon",
                "reviews.marathon.slave"
            ]
        );
    }

    #[test]
    fn other_hosts_have_only_the_dot() {
        for (host, domain, names) in [
            (
                "api.example.com",
                "marathon.mesos",
                vec!["api.example.com."],
            ),
            (
                "xmarathon.mesos",
                "marathon.mesos",
                vec!["xmarathon.mesos."],
            ),
            ("marathon.mesos", "marathon.mesos", vec!["marathon.mesos."]),
            ("a.b", "", vec!["a.b."]),
            ("*.marathon.mesos", "marathon.mesos", vec![]),
            ("10.0.0.1", "marathon.mesos", vec![]),
        ] {
            let host = Hostname::parse(host).unwrap();
            assert_eq!(alternates(&host, domain), names, "{host}");
        }
    }

    #[test]
    fn a_domain_is_taken_once_in_any_case() {
        let mut taken = Taken::default();
        assert!(taken.take("a.B"));
        assert_eq!(taken.take_free(vec!["A.b".into(), "c".into()]), ["c"]);
        assert!(taken.has("a.b"));
    }
}
