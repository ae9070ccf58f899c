//! Who may do what with a workload, as filters of its proxy. Tokens of end users are checked first.
//!
//! ```text
//! request ─► denied by one? ─403─►   ─► none allows? ─► served
//!                                    ─► allowed by one? ─403 if not─► served
//! ```

mod origin;
mod permission;
mod policy;
mod principal;
mod text;
mod token;

use std::sync::Arc;

use model::authorization::Action;
use model::end_user::Origins;
use model::{Authorization, Diagnostic, Proxy, RequestAuthentication, World};

use crate::finding::{self, Text, code};
use crate::{filter, pb};

/// What a proxy asks before it serves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Guards {
    /// In order of precedence.
    policies: Vec<Arc<Authorization>>,
    /// In order of precedence.
    tokens: Vec<Arc<RequestAuthentication>>,
}

/// What is guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guarded {
    Requests,
    Connections,
}

/// Proxies that ask nothing.
pub(crate) static OPEN: Guards = Guards {
    policies: Vec::new(),
    tokens: Vec::new(),
};

// === impl Guards ===

impl Guards {
    pub(crate) fn of(world: &World, proxy: &Proxy) -> Guards {
        let all = (&*world.authorizations, &*world.request_authentications);
        Guards::by(all, &world.mesh.root_namespace, proxy)
    }

    pub(crate) fn by(
        (policies, tokens): (&[Arc<Authorization>], &[Arc<RequestAuthentication>]),
        root: &str,
        proxy: &Proxy,
    ) -> Guards {
        let (namespace, labels) = (&*proxy.namespace, &proxy.labels);
        let policies = policies.iter();
        let mut policies: Vec<&Arc<Authorization>> = policies
            .filter(|policy| policy.is_for(root, proxy))
            .collect();
        // As in Istio 1.4: where a later object is for a workload, the first kinds are not. One that
        // only counts must not open what they close.
        let decides = |policy: &&Arc<Authorization>| policy.reach.is_none() && !policy.dry_run;
        if policies.iter().any(decides) {
            policies.retain(|policy| policy.reach.is_none());
        }
        let tokens = tokens.iter();
        let tokens = tokens.filter(|policy| policy.selects(root, namespace, labels));
        Guards {
            policies: policies.iter().map(|p| p.narrowed(proxy)).collect(),
            tokens: tokens.cloned().collect(),
        }
    }

    /// The filters of requests, with what a policy of Istio 1.0 demands of them. It does not where
    /// a later object says whose tokens are good, as in Istio 1.5, which had both.
    pub(crate) fn http(&self, origins: Option<&Origins>) -> Vec<pb::hcm::HttpFilter> {
        let build = |action| {
            let (rules, shadow_rules) = self.rules(action, Guarded::Requests)?;
            let config = pb::http_rbac::Rbac {
                rules,
                shadow_rules_stat_prefix: prefix(action, shadow_rules.is_some()),
                shadow_rules,
                ..Default::default()
            };
            Some(filter::http_filter(filter::HTTP_RBAC, &config))
        };
        let tokens = token::filter(&self.tokens);
        let tokens = tokens.or_else(|| origins.map(origin::filter)).into_iter();
        tokens
            .chain(ACTIONS.into_iter().filter_map(build))
            .collect()
    }

    /// The filters of connections whose bytes are no requests to us.
    pub(crate) fn network(&self) -> Vec<pb::listener::Filter> {
        let build = |action| {
            let (rules, shadow_rules) = self.rules(action, Guarded::Connections)?;
            let config = pb::network_rbac::Rbac {
                rules,
                stat_prefix: "tcp.".to_owned(),
                shadow_rules_stat_prefix: prefix(action, shadow_rules.is_some()),
                shadow_rules,
                ..Default::default()
            };
            Some(filter::network(filter::NETWORK_RBAC, &config))
        };
        ACTIONS.into_iter().filter_map(build).collect()
    }

    /// Rules that are in force and those that are only counted; `None` if there are neither.
    fn rules(
        &self,
        action: Action,
        guarded: Guarded,
    ) -> Option<(Option<pb::rbac::Rbac>, Option<pb::rbac::Rbac>)> {
        let of = |dry_run| {
            let policies = self.policies.iter();
            let policies: Vec<_> = policies
                .filter(|policy| policy.action == action && policy.dry_run == dry_run)
                .collect();
            (!policies.is_empty()).then(|| rules(action, &policies, guarded))
        };
        let (rules, shadow) = (of(false), of(true));
        (rules.is_some() || shadow.is_some()).then_some((rules, shadow))
    }

    /// What policies ask of requests, on a port where there are none.
    pub(crate) fn unmet(&self, port: u16) -> impl Iterator<Item = Diagnostic> {
        let asking = self.policies.iter().filter(|policy| {
            let mut clauses = policy.rules.iter().flat_map(|rule| rule.clauses());
            clauses.any(|clause| clause.is_of_requests())
        });
        asking.map(move |policy| not_http(policy, port))
    }
}

const ACTIONS: [Action; 2] = [Action::Deny, Action::Allow];

fn rules(action: Action, policies: &[&Arc<Authorization>], guarded: Guarded) -> pb::rbac::Rbac {
    let each = policies.iter().flat_map(|authorization| {
        let object = &authorization.object;
        let rules = authorization.rules.iter().enumerate();
        rules.filter_map(move |(at, rule)| {
            let name = format!(
                "ns[{}]-policy[{}]-rule[{at}]",
                object.namespace, object.name
            );
            Some((name, policy::build(rule, action, guarded)?))
        })
    });
    pb::rbac::Rbac {
        action: match action {
            Action::Allow => pb::rbac::rbac::Action::Allow,
            Action::Deny => pb::rbac::rbac::Action::Deny,
        }
        .into(),
        policies: each.collect(),
        audit_logging_options: None,
    }
}

/// Begins the names of what a dry run counts, as in Istio.
fn prefix(action: Action, any: bool) -> String {
    match (any, action) {
        (false, _) => String::new(),
        (true, Action::Allow) => "istio_dry_run_allow_".to_owned(),
        (true, Action::Deny) => "istio_dry_run_deny_".to_owned(),
    }
}

fn not_http(policy: &Authorization, port: u16) -> Diagnostic {
    let effect = match policy.action {
        Action::Allow => "rules that ask for them let no connection in on this port",
        Action::Deny => "on this port the rules deny by the rest of what they ask, which is more",
    };
    let text = Text {
        why: format!(
            "the policy asks for hosts, paths, methods, headers or tokens, and port {port} of a \
             workload that it selects takes connections that are no HTTP"
        ),
        effect: effect.to_owned(),
        remedy: "name the ports in the rule, or declare the port as HTTP".to_owned(),
    };
    let object = Some(policy.object.clone());
    let field = match policy.reach {
        None => "spec.rules",
        Some(_) => "spec.roleRef",
    };
    finding::warning(code::RULE_OF_REQUESTS, object, field.to_owned(), text)
}
