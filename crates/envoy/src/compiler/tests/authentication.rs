//! Random policies, and proxies with certificates in other places.

use std::collections::BTreeMap;

use model::authentication::*;
use model::end_user::Origins;
use model::end_user::origins::{Origin, Path, Trigger};
use model::tls::{FilePath, IdentityFiles};
use model::*;
use proptest::prelude::*;
use proptest::sample::select;

use super::history::Event;
use crate::fixtures::extensions::issuer;
use crate::fixtures::*;

const MODES: &[Mode] = &[Mode::Disable, Mode::Permissive, Mode::Strict];

pub(super) fn policy() -> impl Strategy<Value = Event> {
    let scope = prop_oneof![
        Just(Scope::Mesh),
        Just(Scope::Namespace),
        select(&["a", "b"][..]).prop_map(|name| Scope::Services(vec![Target {
            host: host(name),
            ports: Vec::new(),
        }])),
        select(&[80u16, 6379][..]).prop_map(|port| Scope::Services(vec![Target {
            host: host("a"),
            ports: vec![PortSelector::Number(port)],
        }])),
        (select(&["v1", "v2"][..]), any::<bool>()).prop_map(|(label, everywhere)| {
            Scope::Workloads {
                labels: version(label),
                everywhere,
            }
        }),
    ];
    let demand = (select(MODES), any::<bool>());
    let ports = prop::collection::btree_map(select(&[80u16, 6379][..]), select(MODES), 0..2);
    let value = (
        scope,
        prop::option::weighted(0.8, demand),
        ports,
        any::<bool>(),
        prop::option::weighted(0.4, origins()),
    );
    let value = value.prop_map(|(scope, demand, ports, later, origins)| {
        let later = later || matches!(scope, Scope::Workloads { .. });
        Authentication {
            object: object("Policy", ""),
            family: if later {
                Family::PeerAuthentication
            } else {
                Family::Policy
            },
            by_port: match &scope {
                Scope::Workloads { .. } => by_port(ports),
                _ => BTreeMap::new(),
            },
            origins: origins.filter(|_| !later),
            scope,
            demand: demand.map(|(mode, anonymous)| Demand { mode, anonymous }),
        }
    });
    let name = select(&["one", "two", "three"][..]);
    (name, prop::option::weighted(0.8, value)).prop_map(|(name, value)| {
        let value = value.map(|value| Authentication {
            object: object("Policy", name),
            ..value
        });
        Event::Authentication(name, value)
    })
}

/// Up to two issuers, for all paths or for some.
fn origins() -> impl Strategy<Value = Origins> {
    let path = |path: &str| vec![Path::Prefix(path.to_owned())];
    let triggers = vec![
        Vec::new(),
        vec![Trigger {
            included: path("/in"),
            excluded: Vec::new(),
        }],
        vec![Trigger {
            included: Vec::new(),
            excluded: path("/out"),
        }],
    ];
    let each = prop::collection::vec(select(triggers), 1..3);
    (each, any::<bool>()).prop_map(|(each, optional)| {
        let all = ["a", "b"].into_iter().zip(each);
        let all = all.map(|(name, triggers)| Origin {
            issuer: issuer(name),
            triggers,
        });
        Origins {
            all: all.collect(),
            optional,
        }
    })
}

fn by_port(ports: BTreeMap<u16, Mode>) -> BTreeMap<u16, Demand> {
    let demands = ports.into_iter();
    demands
        .map(|(port, mode)| (port, Demand::of(mode)))
        .collect()
}

/// Some proxies have their certificates elsewhere, as a client, as a server or as both.
pub(super) fn identity(at: usize) -> ProxyIdentity {
    let elsewhere = IdentityFiles {
        root: FilePath::parse("/elsewhere/root.pem").unwrap(),
        ..IdentityFiles::default()
    };
    let usual = ProxyIdentity::default();
    match at {
        1 => ProxyIdentity {
            server: elsewhere,
            ..usual
        },
        4 => ProxyIdentity {
            client: elsewhere.clone(),
            server: elsewhere,
        },
        _ => usual,
    }
}
