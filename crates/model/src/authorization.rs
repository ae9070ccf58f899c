//! Authorization: who may do what with a workload, once connected to it.

pub mod services;

use std::sync::Arc;

use services::{OfWorkload, Reach};

use crate::{Cidr, Labels, ObjectRef, Proxy};

/// One object that lets callers in, or keeps them out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authorization {
    pub object: ObjectRef,
    /// Empty: for the whole namespace, or the whole mesh if that is the root namespace.
    pub selector: Labels,
    pub action: Action,
    /// Whether it is only counted and logged what the object would have done.
    pub dry_run: bool,
    /// The object holds where one of them does; without any it never does.
    pub rules: Vec<Rule>,
    /// Of Istio's first kinds, which are for services, in place of the selector.
    pub reach: Option<Reach>,
}

/// Of all objects for a workload, those that deny are asked first. Once one allows, what none of
/// them allows is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    Deny,
    #[default]
    Allow,
}

/// Holds where the caller is one of `from`, what it wants is one of `to`, and all of `when` is so.
/// Empty lists ask nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Rule {
    pub from: Vec<Vec<Clause>>,
    pub to: Vec<Vec<Clause>>,
    pub when: Vec<Clause>,
    /// All of it must be so of the workload.
    pub workload: Vec<OfWorkload>,
}

/// Holds where one of `any` does, unless it is empty, and none of `none`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Clause {
    pub any: Vec<Test>,
    pub none: Vec<Test>,
}

/// One thing that is asked of a request or of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// The caller's identity, as in its certificate without the `spiffe://`.
    Principal(Wildcard),
    /// The namespace within that identity.
    Namespace(Wildcard),
    /// The service account within that identity.
    ServiceAccount {
        namespace: Arc<str>,
        account: Arc<str>,
    },
    /// The trust domain within that identity.
    TrustDomain(Wildcard),
    /// Where the connection comes from.
    PeerAddress(Cidr),
    /// Where the request comes from, by what trusted proxies say.
    RemoteAddress(Cidr),
    DestinationAddress(Cidr),
    /// The port on which the workload listens.
    DestinationPort(u16),
    /// The name that the client asks for in its TLS hello.
    ServerName(Wildcard),
    Method(Wildcard),
    /// Without regard to case, and with or without a port.
    Host(Wildcard),
    /// Without the query.
    Path(PathTest),
    Header {
        name: Arc<str>,
        value: Wildcard,
    },
    Token(Token),
    /// What other filters said of the request.
    Metadata {
        filter: Arc<str>,
        key: Arc<str>,
        value: Wildcard,
    },
}

/// What a checked token of an end user says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Token {
    /// The issuer and the subject, with a slash between.
    Principal(Wildcard),
    /// A claim, by the names on the way to it. Of a list one item is enough.
    Claim {
        path: Vec<Arc<str>>,
        value: Wildcard,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathTest {
    Text(Wildcard),
    /// `*` stands for one part of the path and `**` for any number of them.
    Template(Arc<str>),
}

/// A text, or the beginning or end of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wildcard {
    /// Whatever is there, if anything is.
    Present,
    Exact(Arc<str>),
    /// Not empty.
    Prefix(Arc<str>),
    /// Not empty.
    Suffix(Arc<str>),
}

// === impl Authorization ===

impl Authorization {
    /// Whether it is for the workload of a proxy.
    pub fn is_for(&self, root: &str, proxy: &Proxy) -> bool {
        match &self.reach {
            Some(reach) => reach.is_for(proxy),
            None => {
                self.object.reaches(&proxy.namespace, root) && self.selector.selects(&proxy.labels)
            }
        }
    }

    /// With the rules alone that are for the workload; itself, if all are.
    pub fn narrowed(self: &Arc<Authorization>, proxy: &Proxy) -> Arc<Authorization> {
        let holds = |rule: &Rule| {
            let instance = proxy.instance.as_deref();
            let mut asked = rule.workload.iter();
            asked.all(|asked| instance.is_some_and(|instance| asked.holds(instance)))
        };
        if self.rules.iter().all(holds) {
            return self.clone();
        }
        let rules = self.rules.iter().filter(|rule| holds(rule));
        Arc::new(Authorization {
            rules: rules.cloned().collect(),
            ..Authorization::clone(self)
        })
    }
}

// === impl Test ===

impl Test {
    /// Whether only requests have it, and bare connections do not.
    pub fn is_of_requests(&self) -> bool {
        matches!(
            self,
            Test::Method(_) | Test::Host(_) | Test::Path(_) | Test::Header { .. } | Test::Token(_)
        )
    }

    /// Whether it is asked of the caller, and not of what the caller wants.
    pub fn is_of_callers(&self) -> bool {
        matches!(
            self,
            Test::Principal(_)
                | Test::Namespace(_)
                | Test::ServiceAccount { .. }
                | Test::TrustDomain(_)
                | Test::PeerAddress(_)
                | Test::RemoteAddress(_)
                | Test::Token(_)
        )
    }
}

// === impl Clause ===

impl Clause {
    pub fn tests(&self) -> impl Iterator<Item = &Test> {
        self.any.iter().chain(&self.none)
    }

    /// Its tests are all alike.
    pub fn is_of_requests(&self) -> bool {
        self.tests().any(Test::is_of_requests)
    }

    /// See [`Clause::is_of_requests`].
    pub fn is_of_callers(&self) -> bool {
        self.tests().any(Test::is_of_callers)
    }
}

// === impl Rule ===

impl Rule {
    /// All that the rule asks, whatever the order.
    pub fn clauses(&self) -> impl Iterator<Item = &Clause> {
        let groups = self.from.iter().chain(&self.to).flatten();
        groups.chain(&self.when)
    }
}

// === impl Wildcard ===

impl Wildcard {
    /// `*` alone is whatever there is; at the end or the beginning it leaves out the rest.
    pub fn parse(text: &str) -> Wildcard {
        match (text, text.strip_suffix('*'), text.strip_prefix('*')) {
            ("*", ..) => Wildcard::Present,
            (_, Some(prefix), _) => Wildcard::Prefix(prefix.into()),
            (_, _, Some(suffix)) => Wildcard::Suffix(suffix.into()),
            _ => Wildcard::Exact(text.into()),
        }
    }

    pub fn matches(&self, text: &str) -> bool {
        match self {
            Wildcard::Present => true,
            Wildcard::Exact(wanted) => **wanted == *text,
            Wildcard::Prefix(start) => text.starts_with(&**start),
            Wildcard::Suffix(end) => text.ends_with(&**end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_read_at_the_ends_only() {
        let prefix = Wildcard::Prefix("a".into());
        let suffix = Wildcard::Suffix(".com".into());
        assert_eq!(Wildcard::parse("*"), Wildcard::Present);
        assert_eq!(Wildcard::parse("a*"), prefix);
        assert_eq!(Wildcard::parse("*.com"), suffix);
        assert_eq!(Wildcard::parse("a*b"), Wildcard::Exact("a*b".into()));
    }
}
