//! Make before break: what goes first, what waits, what goes last.

use super::*;

/// A mesh with one service behind one listener and one route.
const MESH: &[(Kind, &str, &str)] = &[
    (CDS, "a", "1"),
    (EDS, "a", "1"),
    (LDS, "l", "1"),
    (RDS, "r", "1"),
];
/// The same after its service was renamed: everything changes at once.
const RENAMED: &[(Kind, &str, &str)] = &[
    (CDS, "b", "1"),
    (EDS, "b", "1"),
    (LDS, "l", "2"),
    (RDS, "r", "2"),
];
const NAMES: &[&str] = &["a", "r"];
const BOTH: [Mode; 2] = [Mode::Sotw, Mode::Delta];

fn renamed(mode: Mode) -> (Bench, Vec<Response>) {
    let mut bench = running(mode, MESH, NAMES);
    let sent = bench.publish(RENAMED);
    (bench, sent)
}

#[test]
fn o01_a_rename_is_made_before_it_is_broken() {
    for (mode, made, broken) in [
        (Mode::Sotw, "CDS a=1 b=1", "CDS b=1"),
        (Mode::Delta, "CDS b=1", "CDS -a"),
    ] {
        let (mut bench, clusters) = renamed(mode);
        assert_eq!(texts(&clusters), [made]);
        let mut endpoints = bench.ask(
            EDS,
            if mode == Mode::Sotw {
                &["a", "b"]
            } else {
                &["b"]
            },
        );
        assert_eq!(texts(&endpoints), ["EDS b=1"]);
        assert!(bench.ack(&endpoints.remove(0), &["a", "b"]).is_empty());
        let routed = bench.ack(&clusters[0], &[]);
        assert_eq!(texts(&routed), ["LDS l=2", "RDS r=2"]);
        assert!(bench.ack(&routed[0], &[]).is_empty());
        assert_eq!(texts(&bench.ack(&routed[1], &["r"])), [broken]);
    }
}

#[test]
fn o02_endpoints_follow_every_changed_cluster_in_the_same_flush() {
    for (mode, expected) in [(Mode::Sotw, "CDS a=2 b=1"), (Mode::Delta, "CDS a=2")] {
        let ab = [
            (CDS, "a", "1"),
            (CDS, "b", "1"),
            (EDS, "a", "1"),
            (EDS, "b", "1"),
        ];
        let mut bench = running(mode, &ab, &["a", "b"]);
        let mut changed = ab.to_vec();
        changed[0].2 = "2";
        assert_eq!(texts(&bench.publish(&changed)), [expected, "EDS a=1"]);
    }
}

#[test]
fn o02_also_when_the_cluster_has_no_endpoints_of_its_own() {
    let mut bench = running(Mode::Delta, &[(CDS, "a", "1")], &["a"]);
    assert_eq!(
        texts(&bench.publish(&[(CDS, "a", "2")])),
        ["CDS a=2", "EDS a=empty"]
    );
}

#[test]
fn o04_a_new_route_name_is_answered_while_clusters_are_under_way() {
    for mode in BOTH {
        let mut bench = running(mode, MESH, NAMES);
        let mut changed = MESH.to_vec();
        changed[0].2 = "2";
        changed.push((RDS, "new", "1"));
        bench.publish(&changed);
        let names: &[&str] = if mode == Mode::Sotw {
            &["r", "new"]
        } else {
            &["new"]
        };
        assert_eq!(texts(&bench.ask(RDS, names)), ["RDS new=1"]);
    }
}

#[test]
fn o05_routes_and_listeners_wait_for_the_ack_of_their_clusters() {
    for mode in BOTH {
        let (mut bench, clusters) = renamed(mode);
        assert!(bench.pass(2).is_empty());
        assert_eq!(texts(&bench.ack(&clusters[0], &[])), ["LDS l=2", "RDS r=2"]);
    }
}

#[test]
fn o05_or_for_the_guard_time() {
    for mode in BOTH {
        let (mut bench, _) = renamed(mode);
        assert_eq!(
            bench.stream.deadline(),
            Some(bench.now + Duration::from_secs(3))
        );
        assert_eq!(texts(&bench.pass(3)), ["LDS l=2", "RDS r=2"]);
        let guards: Vec<_> = bench.events();
        assert_eq!(
            guards,
            [Event::Guard { kind: LDS }, Event::Guard { kind: RDS }]
        );
    }
}

#[test]
fn o05_the_guard_time_is_not_extended_by_further_changes() {
    let (mut bench, _) = renamed(Mode::Delta);
    let mut newer = RENAMED.to_vec();
    for content in ["3", "4"] {
        newer[3].2 = content;
        bench.set(&newer);
        assert!(bench.pass(1).is_empty());
    }
    assert_eq!(texts(&bench.pass(1)), ["LDS l=2", "RDS r=4"]);
}

#[test]
fn o06_a_cluster_stays_until_its_referrers_are_acknowledged() {
    for mode in BOTH {
        let (mut bench, clusters) = renamed(mode);
        let routed = bench.ack(&clusters[0], &[]);
        assert!(
            bench.ack(&routed[1], &["r"]).is_empty(),
            "the listener is not acknowledged yet"
        );
        assert_eq!(bench.ack(&routed[0], &[]).len(), 1);
    }
}

#[test]
fn o06_or_for_the_guard_time() {
    for (mode, expected) in [
        (Mode::Sotw, &["CDS b=1"][..]),
        (Mode::Delta, &["CDS -a", "EDS -a"]),
    ] {
        let (mut bench, clusters) = renamed(mode);
        bench.ack(&clusters[0], &[]);
        assert!(bench.pass(4).is_empty());
        assert_eq!(texts(&bench.pass(1)), expected);
    }
}

#[test]
fn o06_a_client_that_refused_the_new_route_keeps_the_old_cluster_for_the_guard_time() {
    let (mut bench, clusters) = renamed(Mode::Delta);
    let routed = bench.ack(&clusters[0], &[]);
    bench.ack(&routed[0], &[]);
    assert!(bench.nack(&routed[1], &["r"], "no").is_empty());
    assert_eq!(texts(&bench.pass(5)), ["CDS -a", "EDS -a"]);
}

#[test]
fn o06_endpoints_of_a_cluster_that_goes_are_left_alone() {
    for mode in BOTH {
        let (mut bench, clusters) = renamed(mode);
        let rest = bench.settle(clusters, NAMES);
        assert!(
            !rest.iter().any(|text| text.contains("EDS a=empty")),
            "{rest:?}"
        );
    }
}

#[test]
fn o06_asked_again_they_are_the_last_ones_not_none() {
    let (mut bench, _) = renamed(Mode::Delta);
    assert_eq!(texts(&bench.ask(EDS, &["a"])), ["EDS a=1"]);
}

#[test]
fn o06_after_their_cluster_they_are_removed_from_a_client_that_still_wants_them() {
    let (mut bench, clusters) = renamed(Mode::Delta);
    let rest = bench.settle(clusters, &[]);
    assert_eq!(rest[rest.len() - 2..], ["CDS -a", "EDS -a"]);
}

#[test]
fn o06_a_cluster_that_comes_back_without_endpoints_is_emptied() {
    let mut bench = running(Mode::Delta, MESH, NAMES);
    let route = [MESH[2], (RDS, "r", "2")];
    assert_eq!(
        texts(&bench.publish(&route)),
        ["RDS r=2"],
        "a waits for the route's ACK"
    );
    let back = [MESH[0], MESH[2], (RDS, "r", "2")];
    assert_eq!(texts(&bench.publish(&back)), ["EDS a=empty"]);
}

#[test]
fn o06_a_listener_goes_before_its_clusters() {
    for (mode, expected) in [
        (Mode::Sotw, ["LDS", "CDS"]),
        (Mode::Delta, ["LDS -l", "CDS -a"]),
    ] {
        let mut bench = running(mode, MESH, NAMES);
        let listeners = bench.publish(&[]);
        assert_eq!(texts(&listeners), [expected[0]]);
        let clusters = bench.ack(&listeners[0], &[]);
        assert_eq!(text(&clusters[0]), expected[1]);
    }
}

#[test]
fn o06_a_client_that_reconnects_keeps_its_clusters_until_it_asked_for_its_routes() {
    let mut bench = Bench::delta().with(RENAMED);
    let held = |kind, name: &str| {
        [(
            name.to_string(),
            resource(kind, name, "1").version.to_string(),
        )]
        .into()
    };
    bench.send(Request {
        initial_versions: held(CDS, "a"),
        ..request(CDS, &[])
    });
    let clusters = bench.poll();
    assert_eq!(texts(&clusters), ["CDS b=1"]);
    assert!(
        bench.ack(&clusters[0], &[]).is_empty(),
        "its old route may still use a"
    );
    bench.send(Request {
        initial_versions: held(LDS, "l"),
        ..request(LDS, &[])
    });
    bench.send(Request {
        initial_versions: held(RDS, "r"),
        ..request(RDS, &["r"])
    });
    let routed = bench.poll();
    assert_eq!(texts(&routed), ["LDS l=2", "RDS r=2"]);
    assert_eq!(bench.settle(routed, &[]), ["LDS l=2", "RDS r=2", "CDS -a"]);
}

#[test]
fn o07_endpoints_do_not_precede_their_cluster() {
    let mut bench = Bench::delta();
    for (kind, names) in [(RDS, &["r"][..]), (LDS, &[]), (EDS, &["a"]), (CDS, &[])] {
        bench.ask(kind, names);
    }
    let order: Vec<_> = bench
        .publish(MESH)
        .iter()
        .map(|response| response.kind)
        .collect();
    assert_eq!(order, [CDS, EDS, LDS, RDS]);
}

#[test]
fn o08_other_endpoints_flow_while_a_cluster_is_under_way() {
    for mode in BOTH {
        let ab = [
            (CDS, "a", "1"),
            (CDS, "b", "1"),
            (EDS, "a", "1"),
            (EDS, "b", "1"),
        ];
        let mut bench = running(mode, &ab, &["a", "b"]);
        let mut changed = ab.to_vec();
        changed[0].2 = "2";
        let sent = bench.publish(&changed);
        bench.ack(&sent[1], &["a", "b"]);
        changed[3].2 = "2";
        assert_eq!(texts(&bench.publish(&changed)), ["EDS b=2"]);
    }
}

#[test]
fn o08_routes_that_say_which_clusters_they_use_wait_for_no_others() {
    let route = |name, content: &str, clusters: &[&str]| {
        let clusters: Vec<Arc<str>> = clusters.iter().map(|name| Arc::from(*name)).collect();
        Resource::referring(RDS, name, content.to_string().into_bytes(), clusters)
    };
    let publish = |bench: &mut Bench, cluster: &str, content: &str| {
        let resources = [
            (CDS, resource(CDS, "a", cluster)),
            (CDS, resource(CDS, "b", "1")),
            (RDS, route("of a", content, &["a"])),
            (RDS, route("of b", content, &["b", "from the bootstrap"])),
        ];
        bench.give(resources.into_iter());
        bench.poll()
    };
    for mode in BOTH {
        let mut bench = Bench::new(mode);
        publish(&mut bench, "1", "1");
        for (kind, names) in [(CDS, &[][..]), (RDS, &["of a", "of b"])] {
            let sent = bench.ask(kind, names);
            bench.settle(sent, names);
        }
        let sent = publish(&mut bench, "2", "2");
        assert_eq!(texts(&sent[1..]), ["RDS of b=2"]);
        bench.ack(&sent[1], &["of a", "of b"]);
        assert_eq!(texts(&bench.ack(&sent[0], &[])), ["RDS of a=2"]);
    }
}

#[test]
fn a_starting_client_does_not_wait_for_itself() {
    for mode in BOTH {
        let mut bench = Bench::new(mode).with(MESH);
        bench.ask(CDS, &[]);
        assert_eq!(texts(&bench.ask(LDS, &[])), ["LDS l=1"]);
        assert_eq!(texts(&bench.ask(RDS, &["r"])), ["RDS r=1"]);
    }
}

#[test]
fn a_reconnecting_sotw_client_is_not_told_of_half_a_set() {
    let mut more = RENAMED.to_vec();
    more.push((LDS, "m", "1"));
    let mut bench = Bench::sotw().with(&more);
    bench.send(Request {
        version: "old".into(),
        ..request(CDS, &[])
    });
    bench.send(Request {
        version: "old".into(),
        ..request(LDS, &[])
    });
    let clusters = bench.poll();
    assert_eq!(texts(&clusters), ["CDS b=1"]);
    assert_eq!(texts(&bench.ack(&clusters[0], &[])), ["LDS l=2 m=1"]);
}

#[test]
fn nor_of_the_listeners_that_need_not_wait() {
    let listener = |name, clusters: &[&str]| {
        let clusters: Vec<Arc<str>> = clusters.iter().map(|name| Arc::from(*name)).collect();
        Resource::referring(LDS, name, "1", clusters)
    };
    let mut bench = Bench::sotw();
    let resources = [
        (CDS, resource(CDS, "a", "1")),
        (LDS, listener("ready", &[])),
        (LDS, listener("waits", &["a"])),
    ];
    bench.give(resources.into_iter());
    bench.send(Request {
        version: "old".into(),
        ..request(CDS, &[])
    });
    bench.send(Request {
        version: "old".into(),
        ..request(LDS, &[])
    });
    let clusters = bench.poll();
    assert_eq!(texts(&clusters), ["CDS a=1"]);
    assert_eq!(
        texts(&bench.ack(&clusters[0], &[])),
        ["LDS ready=1 waits=1"]
    );
}
