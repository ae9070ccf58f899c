//! Random routes of connections.

use model::Labels;
use model::route::*;
use proptest::prelude::*;
use proptest::sample::select;

use super::events::place;
use crate::fixtures::routes::*;
use crate::fixtures::*;

pub(super) fn tls() -> impl Strategy<Value = ConnectionRoute> {
    let names = select(&["a", "b", "web.example.com", "*.example.com", "*"][..]);
    let names = prop::collection::vec(names, 1..3);
    let matches = (names, condition()).prop_map(|(names, condition)| ConnectionMatch {
        server_names: asking_for(&names).server_names,
        ..condition
    });
    (prop::collection::vec(matches, 1..3), to()).prop_map(route)
}

pub(super) fn tcp() -> impl Strategy<Value = ConnectionRoute> {
    (prop::collection::vec(condition(), 0..3), to()).prop_map(route)
}

fn route((matches, to): (Vec<ConnectionMatch>, Vec<(&'static str, u32)>)) -> ConnectionRoute {
    connections(matches, &to).remove(0)
}

fn to() -> impl Strategy<Value = Vec<(&'static str, u32)>> {
    let target = select(&["a", "b/v1", "c:80", "alias.example.com", "nobody/v9"][..]);
    prop::collection::vec((target, 1..3u32), 1..3)
}

fn condition() -> impl Strategy<Value = ConnectionMatch> {
    let subnets = select(&["10.0.0.0/8", "10.9.0.0/16", "172.17.0.1", "0.0.0.0/0"][..]);
    let subnets = prop::collection::vec(subnets, 0..2);
    let source = select(&["", "", "v1", "v2"][..]);
    let namespace = prop::option::weighted(0.2, select(&["default", "other"][..]));
    let port = prop::option::weighted(0.2, select(&[443u16, 6379][..]));
    let only = prop::option::weighted(0.2, select(&["mesh", "one"][..]));
    (subnets, source, namespace, port, only).prop_map(|(subnets, labels, namespace, port, only)| {
        ConnectionMatch {
            source_labels: match labels {
                "" => Labels::default(),
                labels => version(labels),
            },
            source_namespace: namespace.map(Into::into),
            port,
            gateways: only.into_iter().map(place).collect(),
            ..going_to(&subnets)
        }
    })
}
