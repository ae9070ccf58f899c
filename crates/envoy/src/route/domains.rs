//! The names under which callers know a host.

use std::collections::HashSet;
use std::net::IpAddr;

use model::Hostname;

use crate::wire;

/// A name that a virtual host answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Domain<'a> {
    /// In lower case, as host names are: Envoy compares without case.
    pub(super) name: &'a str,
    /// Whether a dot ends it, as in fully qualified names of DNS.
    pub(super) dot: bool,
}

/// The domains that virtual hosts of one port have taken. Envoy refuses a route configuration, with
/// all its hosts, for one domain that is there twice.
#[derive(Debug, Default)]
pub(super) struct Taken<'a>(HashSet<Domain<'a>>);

// === impl Domain ===

impl<'a> Domain<'a> {
    pub(super) fn of(host: &'a Hostname) -> Domain<'a> {
        let name = host.as_str();
        Domain { name, dot: false }
    }

    pub(super) fn write(&self, buffer: &mut Vec<u8>, field: u32) {
        match self.dot {
            false => wire::text(buffer, field, self.name),
            true => wire::text_of(buffer, field, &[self.name, "."]),
        }
    }
}

// === impl Taken ===

impl<'a> Taken<'a> {
    pub(super) fn with_capacity(domains: usize) -> Taken<'a> {
        Taken(HashSet::with_capacity(domains))
    }

    /// Takes a domain; `false` if it was taken before.
    pub(super) fn take(&mut self, domain: Domain<'a>) -> bool {
        self.0.insert(domain)
    }

    pub(super) fn has(&self, domain: Domain<'_>) -> bool {
        self.0.contains(&domain)
    }
}

/// What callers in `domain`, which is in lower case, may write instead of the full name: with a dot
/// at its end, without the domain, and with each beginning of the domain in between, as the first
/// Istio had it.
pub(super) fn alternates<'a>(host: &'a Hostname, domain: &str) -> impl Iterator<Item = Domain<'a>> {
    let full = host.as_str();
    let exact = !host.is_wildcard() && !is_address(full);
    let dotted = exact.then_some(Domain {
        name: full,
        dot: true,
    });
    let short = full
        .strip_suffix(domain)
        .and_then(|rest| rest.strip_suffix('.'))
        .filter(|_| exact && !domain.is_empty());
    // Every shorter form is a beginning of the full name that ends before a dot of the domain.
    let shorter = short.into_iter().flat_map(move |short| {
        let dots = full[short.len()..].match_indices('.');
        dots.map(move |(at, _)| Domain {
            name: &full[..short.len() + at],
            dot: false,
        })
    });
    dotted.into_iter().chain(shorter)
}

fn is_address(name: &str) -> bool {
    // Most names end with a letter, and no IPv4 address does.
    name.ends_with(|last: char| last.is_ascii_digit()) && name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(host: &Hostname, domain: &str) -> Vec<String> {
        let text =
            |domain: Domain<'_>| format!("{}{}", domain.name, if domain.dot { "." } else { "" });
        alternates(host, domain).map(text).collect()
    }

    #[test]
    fn a_host_in_the_domain_has_every_shorter_name() {
        let host = Hostname::parse("reviews.marathon.slave.mesos").unwrap();
        assert_eq!(
            texts(&host, "marathon.slave.mesos"),
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
            assert_eq!(texts(&host, domain), names, "{host}");
        }
    }

    #[test]
    fn a_domain_is_taken_once() {
        let (one, other) = (
            Hostname::parse("a.B").unwrap(),
            Hostname::parse("A.b").unwrap(),
        );
        let mut taken = Taken::default();
        assert!(taken.take(Domain::of(&one)));
        assert!(!taken.take(Domain::of(&other)));
        assert!(taken.has(Domain::of(&other)));
    }
}
