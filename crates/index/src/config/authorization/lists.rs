//! Lists of values, and what each value asks.

use model::Cidr;
use model::authorization::{Clause, Test, Wildcard};

use crate::codes;
use crate::config::object::Context;
use crate::report::Report;

/// What one value asks: any of these.
pub(super) type Asked = Result<Vec<Test>, String>;

/// Reads a part of a policy.
pub(super) struct Reader<'a, 'c> {
    pub(super) field: String,
    pub(super) context: &'a Context<'c>,
}

/// A list and its negation.
pub(super) struct Lists<'a> {
    /// The names of both, below the field of the reader.
    pub(super) names: [&'a str; 2],
    pub(super) values: [&'a [String]; 2],
}

// === impl Reader ===

impl Reader<'_, '_> {
    pub(super) fn below(&self, part: &str) -> Reader<'_, '_> {
        Reader {
            field: format!("{}.{part}", self.field),
            context: self.context,
        }
    }

    /// `None` if nothing is asked.
    pub(super) fn clause(
        &self,
        lists: &Lists<'_>,
        read: impl Fn(&str) -> Asked,
        report: &mut Report,
    ) -> Option<Clause> {
        let mut both = [Vec::new(), Vec::new()];
        for (tests, (name, values)) in both.iter_mut().zip(lists.names.iter().zip(lists.values)) {
            for (at, value) in values.iter().enumerate() {
                let asked = match value.as_str() {
                    "" => Err("the value is empty".to_owned()),
                    value => read(value),
                };
                match asked {
                    Ok(asked) => tests.extend(asked),
                    Err(why) => {
                        let remedy = "correct the value, or remove it";
                        self.refuse(&format!("{name}[{at}]"), why, remedy, report);
                    }
                }
            }
        }
        let [any, none] = both;
        let clause = Clause { any, none };
        (clause != Clause::default()).then_some(clause)
    }

    pub(super) fn refuse(
        &self,
        part: &str,
        why: impl Into<String>,
        remedy: &str,
        report: &mut Report,
    ) {
        let field = match part {
            "" => self.field.clone(),
            part => format!("{}.{part}", self.field),
        };
        report.refuse(codes::BAD_AUTHORIZATION, field, why, remedy);
    }
}

/// Reads texts that may begin or end with a star.
pub(super) fn text(test: impl Fn(Wildcard) -> Test) -> impl Fn(&str) -> Asked {
    move |value| Ok(vec![test(Wildcard::parse(value))])
}

pub(super) fn addresses(test: impl Fn(Cidr) -> Test) -> impl Fn(&str) -> Asked {
    move |value| match value.parse() {
        Ok(block) => Ok(vec![test(block)]),
        Err(_) => Err(format!("{value:?} is no address and no block of addresses")),
    }
}

pub(super) fn port(value: &str) -> Asked {
    match value.parse::<u16>() {
        Ok(port) if port > 0 => Ok(vec![Test::DestinationPort(port)]),
        _ => Err(format!("{value:?} is no port from 1 to 65535")),
    }
}

/// An identity, in each of the mesh's trust domains if it names one of them.
pub(super) fn principal(context: &Context<'_>) -> impl Fn(&str) -> Asked {
    |value| {
        let mesh = context.mesh;
        let known = value.split_once('/');
        let known = known.filter(|(domain, _)| mesh.trust_domains().any(|own| own == *domain));
        Ok(match known {
            Some((_, rest)) => {
                let everywhere = mesh.trust_domains();
                let named = everywhere.map(|domain| format!("{domain}/{rest}"));
                named
                    .map(|name| Test::Principal(Wildcard::parse(&name)))
                    .collect()
            }
            None => vec![Test::Principal(Wildcard::parse(value))],
        })
    }
}

/// `namespace/account`, or an account of the policy's own namespace.
pub(super) fn service_account(context: &Context<'_>) -> impl Fn(&str) -> Asked {
    |value| {
        let own = &*context.object.key.namespace;
        let (namespace, account) = value.split_once('/').unwrap_or((own, value));
        match [namespace, account]
            .iter()
            .all(|part| !part.is_empty() && !part.contains(['*', '/']))
        {
            true => Ok(vec![Test::ServiceAccount {
                namespace: namespace.into(),
                account: account.into(),
            }]),
            false => Err(format!("{value:?} is no account and no namespace/account")),
        }
    }
}
