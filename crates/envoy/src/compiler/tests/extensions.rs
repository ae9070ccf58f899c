//! Random AuthorizationPolicy, Telemetry and EnvoyFilter.

use model::authorization::services::{Named, OfWorkload, Part, Reach};
use model::authorization::{Action, Clause, Rule, Test, Wildcard};
use model::envoy_filter::{ClusterMatch, Context, ListenerMatch, Operation, Patch, Target};
use model::telemetry::{Mode, Telemetry};
use model::{Authorization, EnvoyFilter, Labels, ObjectRef, RequestAuthentication};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::history::Event;
use crate::fixtures::extensions::*;
use crate::fixtures::{object, tracing, version};

const NAMESPACES: &[&str] = &["istio-system", "default", "other"];

pub(super) fn authorizations() -> impl Strategy<Value = Event> {
    let name = select(&["near", "wide", "own"][..]);
    let action = select(&[Action::Allow, Action::Deny][..]);
    let value = (
        select(NAMESPACES),
        select(&["", "", "v1", "v2"][..]),
        action,
        any::<bool>(),
        prop::collection::vec(rule(), 0..3),
        reach(),
    );
    let value = prop::option::weighted(0.8, value);
    (name, value).prop_map(|(name, value)| {
        let value = value.map(
            |(namespace, label, action, dry_run, rules, reach)| Authorization {
                object: ObjectRef {
                    namespace: namespace.into(),
                    ..object("AuthorizationPolicy", name)
                },
                selector: selector(label),
                action,
                dry_run,
                rules,
                reach,
            },
        );
        Event::Authorization(name, value)
    })
}

/// Of Istio's first kinds are some: for all services, for some, or for all but some.
fn reach() -> impl Strategy<Value = Option<Reach>> {
    let named = || Named {
        services: vec![Wildcard::Exact("a.marathon.slave.mesos".into())],
        namespaces: vec!["other".into()],
    };
    let all = vec![Reach::All, Reach::Only(named()), Reach::AllBut(named())];
    prop::option::weighted(0.4, select(all))
}

fn of_workload() -> impl Strategy<Value = OfWorkload> {
    let asked = |part, value: &str| OfWorkload {
        part,
        values: vec![Wildcard::parse(value)],
    };
    select(vec![
        asked(Part::Service, "a.*"),
        asked(Part::Name, "b"),
        asked(Part::Namespace, "default"),
        asked(Part::Account, "default"),
        asked(Part::Label("version".into()), "v1"),
    ])
}

fn rule() -> impl Strategy<Value = Rule> {
    let tests = vec![
        Test::Principal(Wildcard::Prefix("cluster.local/ns/".into())),
        Test::Method(Wildcard::Exact("GET".into())),
        Test::DestinationPort(9080),
    ];
    let workload = prop::option::weighted(0.4, of_workload());
    (select(tests), any::<bool>(), workload).prop_map(|(test, not, workload)| {
        let workload = workload.into_iter().collect();
        let of_callers = test.is_of_callers();
        let (any, none) = match not {
            true => (Vec::new(), vec![test]),
            false => (vec![test], Vec::new()),
        };
        let clause = vec![vec![Clause { any, none }]];
        match of_callers {
            true => Rule {
                from: clause,
                workload,
                ..Rule::default()
            },
            false => Rule {
                to: clause,
                workload,
                ..Rule::default()
            },
        }
    })
}

pub(super) fn tokens() -> impl Strategy<Value = Event> {
    let name = select(&["near", "wide", "own"][..]);
    let value = (select(NAMESPACES), select(&["", "v1"][..]), 0..3usize);
    let value = prop::option::weighted(0.8, value);
    (name, value).prop_map(move |(name, value)| {
        let value = value.map(|(namespace, label, issuers)| RequestAuthentication {
            object: ObjectRef {
                namespace: namespace.into(),
                ..object("RequestAuthentication", name)
            },
            selector: selector(label),
            issuers: ["a", "b"]
                .iter()
                .take(issuers)
                .map(|name| issuer(name))
                .collect(),
        });
        Event::Tokens(name, value)
    })
}

pub(super) fn telemetries() -> impl Strategy<Value = Event> {
    let name = select(&["near", "wide", "own"][..]);
    let mode = select(&[Mode::Both, Mode::Client, Mode::Server][..]);
    let value = (
        select(NAMESPACES),
        select(&["", "", "v1", "v2"][..]),
        mode,
        0..6usize,
    );
    let value = prop::option::weighted(0.8, value);
    (name, value).prop_map(|(name, value)| {
        let value = value.map(|(namespace, label, mode, choice)| Telemetry {
            selector: selector(label),
            ..chosen(telemetry(name, namespace), mode, choice)
        });
        Event::Telemetry(name, value)
    })
}

fn chosen(mut telemetry: Telemetry, mode: Mode, choice: usize) -> Telemetry {
    match choice {
        0 => telemetry.access_logging.push(logging(mode, "json")),
        1 => {
            let mut rule = logging(mode, "");
            rule.filter = Some("response.code >= 400".into());
            telemetry.access_logging.push(rule);
        }
        2 => {
            let mut rule = logging(mode, "");
            rule.disabled = true;
            telemetry.access_logging.push(rule);
        }
        3 => telemetry.tracing.push(sampled(mode, 10.0)),
        4 => {
            let mut rule = sampled(mode, 100.0);
            rule.collector = Some(tracing("c.marathon.slave.mesos").collector);
            rule.report_spans = Some(false);
            telemetry.tracing.push(rule);
        }
        _ => {}
    }
    telemetry
}

pub(super) fn envoy_filters() -> impl Strategy<Value = Event> {
    let name = select(&["one", "two", "three"][..]);
    let value = (
        select(NAMESPACES),
        select(&["", "v1", "v2"][..]),
        prop::collection::vec(any_patch(), 1..3),
        -1..2i32,
    );
    let value = prop::option::weighted(0.5, value);
    (name, value).prop_map(|(name, value)| {
        let value = value.map(|(namespace, label, patches, priority)| EnvoyFilter {
            object: ObjectRef {
                namespace: namespace.into(),
                ..object("EnvoyFilter", name)
            },
            selector: selector(label),
            priority,
            patches,
        });
        Event::EnvoyFilter(name, value)
    })
}

fn selector(label: &str) -> Labels {
    match label {
        "" => Labels::default(),
        label => version(label),
    }
}

fn any_patch() -> impl Strategy<Value = Patch> {
    let context = select(
        &[
            Context::Any,
            Context::Any,
            Context::SidecarInbound,
            Context::SidecarOutbound,
            Context::Gateway,
        ][..],
    );
    (0..11usize, context).prop_map(|(choice, context)| Patch {
        context,
        ..canned(choice)
    })
}

fn lua() -> Value {
    json!({"name": "lua", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        "source_codes": {
            "b.lua": {"inline_string": "function envoy_on_request(h) end"},
            "a.lua": {"inline_string": "function envoy_on_response(h) end"},
        },
    }})
}

fn canned(choice: usize) -> Patch {
    let named = |name: &str| ClusterMatch {
        name: Some(name.into()),
        ..ClusterMatch::default()
    };
    match choice {
        0 => patch(Target::HttpFilter, Operation::InsertFirst, lua()),
        1 => Patch {
            cluster: ClusterMatch {
                port: Some(80),
                ..ClusterMatch::default()
            },
            ..patch(
                Target::Cluster,
                Operation::Merge,
                json!({"connect_timeout": "7s"}),
            )
        },
        2 => patch(
            Target::Cluster,
            Operation::Add,
            json!({"name": "extra", "type": "STATIC", "connect_timeout": "1s"}),
        ),
        3 => Patch {
            listener: ListenerMatch {
                port: Some(9080),
                ..ListenerMatch::default()
            },
            ..patch(Target::Listener, Operation::Remove, Value::Null)
        },
        // Refused wherever there is another host for all domains.
        4 => patch(
            Target::VirtualHost,
            Operation::Add,
            json!({"name": "all", "domains": ["*"]}),
        ),
        5 => patch(
            Target::HttpRoute,
            Operation::Merge,
            json!({"route": {"timeout": "9s"}}),
        ),
        6 => patch(
            Target::NetworkFilter,
            Operation::Merge,
            json!({"name": "n", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "idle_timeout": "5s",
            }}),
        ),
        // Leaves nothing that Envoy would take.
        7 => patch(Target::FilterChain, Operation::Remove, Value::Null),
        8 => Patch {
            cluster: named("BlackHoleCluster"),
            ..patch(Target::Cluster, Operation::Remove, Value::Null)
        },
        9 => patch(
            Target::Cluster,
            Operation::Merge,
            json!({"no_such_field": 1}),
        ),
        _ => patch(
            Target::RouteConfiguration,
            Operation::Merge,
            json!({"response_headers_to_remove": ["x-b", "x-a"]}),
        ),
    }
}
