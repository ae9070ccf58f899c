//! Wildcards, names, types and nodes.

use super::*;

const ALL: &[(Kind, &str, &str)] = &[
    (CDS, "a", "1"),
    (CDS, "b", "1"),
    (EDS, "a", "1"),
    (SDS, "s", "1"),
    (RDS, "r", "1"),
];

fn delta(kind: Kind, subscribe: &[&str], unsubscribe: &[&str]) -> Request {
    let unsubscribe = unsubscribe.iter().map(|name| name.to_string()).collect();
    Request {
        unsubscribe,
        ..request(kind, subscribe)
    }
}

#[test]
fn w01_no_names_first_is_everything_for_cds_and_lds() {
    for mode in [Mode::Sotw, Mode::Delta] {
        let mut bench = Bench::new(mode).with(&[(CDS, "a", "1"), (LDS, "l", "1")]);
        assert_eq!(texts(&bench.ask(CDS, &[])), ["CDS a=1"]);
        assert_eq!(texts(&bench.ask(LDS, &[])), ["LDS l=1"]);
    }
}

#[test]
fn w01_also_on_a_reconnect_with_initial_versions() {
    let mut bench = Bench::delta().with(ALL);
    let initial_versions = [("a".to_string(), "other".to_string())].into();
    bench.send(Request {
        initial_versions,
        ..request(CDS, &[])
    });
    assert_eq!(texts(&bench.poll()), ["CDS a=1 b=1"]);
}

#[test]
fn w02_explicit_wildcard_beside_names() {
    let mut bench = Bench::delta().with(ALL);
    assert_eq!(
        texts(&bench.ask(CDS, &["*", "lazy"])),
        ["CDS a=1 b=1 -lazy"]
    );
    let mut bench = Bench::sotw().with(ALL);
    assert_eq!(texts(&bench.ask(CDS, &["*", "lazy"])), ["CDS a=1 b=1"]);
}

#[test]
fn w03_sotw_wildcard_ends_when_only_names_are_left() {
    let mut bench = Bench::sotw().with(ALL);
    let mut steps = Vec::new();
    for names in [&[][..], &["*", "a"], &["a"], &[]] {
        bench.ask(CDS, names);
        let status = bench.stream.status().kinds[&CDS].clone();
        steps.push((status.wildcard, status.subscribed));
    }
    assert_eq!(steps, [(true, 0), (true, 1), (false, 1), (false, 0)]);
    bench.now += Duration::from_secs(60);
    assert!(
        bench.publish(&[(CDS, "a", "2")]).is_empty(),
        "no names mean nothing by now"
    );
}

#[test]
fn w04_delta_wildcard_and_names_are_dropped_one_by_one() {
    let mut bench = Bench::delta().with(ALL);
    let sent = bench.ask(CDS, &[]);
    bench.settle(sent, &[]);
    let sent = bench.ask(CDS, &["a"]);
    assert_eq!(texts(&sent), ["CDS a=1"]);
    bench.settle(sent, &[]);
    bench.send(delta(CDS, &[], &["*"]));
    let sent = bench.publish(&[(CDS, "a", "2"), (CDS, "b", "2")]);
    assert_eq!(texts(&sent), ["CDS a=2"]);
    bench.settle(sent, &[]);
    bench.send(delta(CDS, &[], &["a"]));
    assert!(
        bench
            .publish(&[(CDS, "a", "3"), (CDS, "b", "3")])
            .is_empty()
    );
}

#[test]
fn w05_a_name_dropped_under_the_wildcard_is_answered() {
    let mut bench = Bench::delta().with(ALL);
    let sent = bench.ask(CDS, &["*", "a", "nobody"]);
    bench.settle(sent, &[]);
    bench.send(delta(CDS, &[], &["a", "nobody"]));
    assert_eq!(texts(&bench.poll()), ["CDS a=1 -nobody"]);
}

#[test]
fn w06_no_names_first_is_nothing_for_eds_rds_sds() {
    for mode in [Mode::Sotw, Mode::Delta] {
        for kind in [EDS, RDS, SDS] {
            let mut bench = Bench::new(mode).with(ALL);
            bench.send(Request {
                version: "v".into(),
                ..request(kind, &[])
            });
            assert!(bench.poll().is_empty(), "{mode:?} {kind}");
            assert!(
                bench
                    .publish(&[(EDS, "a", "2"), (RDS, "r", "2"), (SDS, "s", "2")])
                    .is_empty()
            );
        }
    }
}

#[test]
fn w07_a_type_we_do_not_serve_leaves_the_stream_open_and_is_reported_once() {
    let mut bench = Bench::delta().with(ALL);
    let vhds = "type.googleapis.com/envoy.config.route.v3.VirtualHost";
    for _ in 0..2 {
        bench.send(Request {
            type_url: vhds.into(),
            ..request(CDS, &["r/a"])
        });
    }
    assert!(bench.poll().is_empty());
    assert_eq!(
        bench.events(),
        [Event::UnknownType {
            type_url: vhds.into()
        }]
    );
    assert_eq!(texts(&bench.ask(CDS, &[])), ["CDS a=1 b=1"]);
}

#[test]
fn w07_types_that_a_client_invents_do_not_grow_memory() {
    let mut bench = Bench::delta();
    for n in 0..1_000 {
        bench.send(Request {
            type_url: format!("x/{n}"),
            ..request(CDS, &[])
        });
    }
    assert_eq!(bench.events().len(), super::super::MAX_UNKNOWN_TYPES);
}

#[test]
fn w08_wildcard_taken_and_dropped_in_one_request_is_on_demand() {
    let mut bench = Bench::delta().with(ALL);
    bench.send(delta(CDS, &["*"], &["*"]));
    assert_eq!(texts(&bench.poll()), [""; 0]);
    assert_eq!(texts(&bench.ask(CDS, &["b"])), ["CDS b=1"]);
}

#[test]
fn t03_type_url_must_be_there_and_fit() {
    let mut bench = Bench::sotw();
    let untyped = Request {
        type_url: String::new(),
        ..request(CDS, &[])
    };
    assert_eq!(bench.try_send(untyped.clone()), Err(Reject::NoType));
    let mut only = Bench::of(Mode::Sotw, Some(CDS));
    let foreign = Reject::ForeignType {
        type_url: LDS.type_url().into(),
        expected: CDS.type_url(),
    };
    assert_eq!(only.try_send(request(LDS, &[])), Err(foreign));
    only.set(ALL);
    only.send(untyped);
    assert_eq!(texts(&only.poll()), ["CDS a=1 b=1"]);
}

#[test]
fn t07_no_name_comes_twice() {
    let mut bench = Bench::delta().with(ALL);
    let sent = bench.ask(CDS, &["*", "a", "a", "nobody", "nobody"]);
    assert_eq!(texts(&sent), ["CDS a=1 b=1 -nobody"]);
    let mut bench = Bench::sotw().with(ALL);
    assert_eq!(texts(&bench.ask(EDS, &["a", "a"])), ["EDS a=1"]);
}

#[test]
fn t08_node_is_needed_once_and_the_first_request_may_be_any_type() {
    let mut bench = Bench::delta().with(ALL);
    let nameless = Request {
        node_id: None,
        ..request(EDS, &["a"])
    };
    assert_eq!(bench.try_send(nameless.clone()), Err(Reject::NoNode));
    bench.send(request(EDS, &[]));
    bench.send(nameless);
    assert_eq!(texts(&bench.poll()), ["EDS a=1"]);
}

#[test]
fn t09_another_node_on_the_same_stream_is_refused() {
    let mut bench = Bench::delta();
    bench.send(request(CDS, &[]));
    bench.send(request(EDS, &[]));
    let other = Request {
        node_id: Some("other".into()),
        ..request(LDS, &[])
    };
    let expected = Reject::NodeChanged {
        was: "node".into(),
        is: "other".into(),
    };
    assert_eq!(bench.try_send(other), Err(expected));
}

#[test]
fn t10_kinds_do_not_share_nonces_or_errors() {
    let mut bench = Bench::sotw().with(ALL);
    let clusters = bench.ask(CDS, &[]);
    let secrets = bench.ask(SDS, &["s"]);
    assert_ne!(clusters[0].nonce, secrets[0].nonce);
    bench.nack(&secrets[0], &["s"], "bad");
    let status = bench.stream.status();
    assert!(status.kinds[&SDS].nack.is_some());
    assert!(status.kinds[&CDS].nack.is_none());
    // The nonce of another kind settles nothing.
    bench.send(Request {
        nonce: secrets[0].nonce.clone(),
        ..request(CDS, &[])
    });
    assert!(bench.stream.status().kinds[&CDS].acked.is_none());
}

#[test]
fn t11_a_response_under_way_does_not_hold_up_other_kinds() {
    let mut bench = Bench::delta().with(ALL);
    assert_eq!(bench.ask(CDS, &[]).len(), 1);
    assert_eq!(texts(&bench.ask(SDS, &["s"])), ["SDS s=1"]);
}

#[test]
fn too_many_names_end_the_stream() {
    let mut bench = Bench::delta();
    let names: Vec<String> = (0..=super::super::MAX_NAMES)
        .map(|n| n.to_string())
        .collect();
    let greedy = Request {
        names,
        ..request(EDS, &[])
    };
    assert_eq!(
        bench.try_send(greedy),
        Err(Reject::TooManyNames { kind: EDS })
    );
}
