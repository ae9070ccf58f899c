//! State of the world: version, nonce, ACK, partial and full sets.

use super::*;

const AB: &[(Kind, &str, &str)] = &[
    (CDS, "a", "1"),
    (CDS, "b", "1"),
    (EDS, "a", "1"),
    (EDS, "b", "1"),
];

#[test]
fn s01_first_request_is_answered_with_version_and_nonce() {
    let sent = Bench::sotw().with(AB).ask(CDS, &[]);
    assert_eq!(texts(&sent), ["CDS a=1 b=1"]);
    assert!(!sent[0].version_info.is_empty() && !sent[0].nonce.is_empty());
}

#[test]
fn s01_nothing_is_sent_before_the_first_snapshot() {
    let mut bench = Bench::sotw();
    assert!(bench.ask(CDS, &[]).is_empty());
    assert!(bench.ask(EDS, &["a"]).is_empty());
    assert_eq!(texts(&bench.publish(AB)), ["CDS a=1 b=1", "EDS a=1"]);
}

#[test]
fn s02_ack_is_not_answered() {
    let mut bench = Bench::sotw().with(AB);
    let sent = bench.ask(CDS, &[]);
    assert!(bench.ack(&sent[0], &[]).is_empty());
    let status = bench.stream.status();
    assert!(status.kinds[&CDS].is_synced());
    assert!(matches!(
        &bench.events()[..],
        [Event::Acked {
            kind: Kind::Cluster,
            ..
        }]
    ));
}

#[test]
fn s07_stale_nonce_with_the_same_names_is_not_answered() {
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    let first = bench.publish(&[
        (CDS, "a", "1"),
        (CDS, "b", "1"),
        (EDS, "a", "2"),
        (EDS, "b", "1"),
    ]);
    assert!(bench.ack(&first[0], &["a", "b"]).is_empty());
    bench.send(Request {
        nonce: "1".into(),
        ..request(EDS, &["a", "b"])
    });
    assert!(bench.poll().is_empty());
    assert_eq!(bench.stream.status().kinds[&EDS].counters.stale, 1);
}

#[test]
fn s07_stale_nonce_with_changed_names_still_subscribes() {
    let mut bench = running(Mode::Sotw, AB, &["a"]);
    bench.send(Request {
        nonce: "1".into(),
        ..request(EDS, &["a", "b"])
    });
    assert_eq!(texts(&bench.poll()), ["EDS b=1"]);
}

#[test]
fn s08_nonce_of_an_earlier_stream_is_an_initial_request() {
    let mut bench = Bench::sotw().with(AB);
    bench.send(Request {
        nonce: "77".into(),
        version: "x".into(),
        ..request(CDS, &[])
    });
    assert_eq!(texts(&bench.poll()), ["CDS a=1 b=1"]);
    assert_eq!(bench.stream.status().kinds[&CDS].counters.stale, 0);
}

#[test]
fn s09_equal_content_has_the_same_version_on_every_stream() {
    let one = Bench::sotw().with(AB).ask(CDS, &[]);
    let two = Bench::sotw().with(AB).ask(CDS, &[]);
    assert_eq!(one[0].version_info, two[0].version_info);
    let other = Bench::sotw().with(&AB[..1]).ask(CDS, &[]);
    assert_ne!(one[0].version_info, other[0].version_info);
}

#[test]
fn s10_reconnect_with_the_current_version_is_answered_at_least_once() {
    for (kind, names, expected) in [(CDS, &[][..], "CDS a=1 b=1"), (EDS, &["b"], "EDS b=1")] {
        let mut bench = Bench::sotw().with(AB);
        let version = bench.ask(kind, names)[0].version_info.clone();
        let mut again = Bench::sotw().with(AB);
        again.send(Request {
            version,
            ..request(kind, names)
        });
        assert_eq!(texts(&again.poll()), [expected]);
    }
}

#[test]
fn s11_added_names_are_sent_though_nothing_changed() {
    let mut bench = running(Mode::Sotw, AB, &["a"]);
    assert_eq!(texts(&bench.ask(EDS, &["a", "b"])), ["EDS b=1"]);
}

#[test]
fn s12_removed_names_are_not_answered() {
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    assert!(bench.ask(EDS, &["a"]).is_empty());
    let changed = [
        (CDS, "a", "1"),
        (CDS, "b", "1"),
        (EDS, "a", "1"),
        (EDS, "b", "2"),
    ];
    assert!(bench.publish(&changed).is_empty());
}

#[test]
fn s13_envoys_repeated_eds_request_after_a_cds_change_is_already_answered() {
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    let changed = [
        (CDS, "a", "2"),
        (CDS, "b", "1"),
        (EDS, "a", "1"),
        (EDS, "b", "1"),
    ];
    let before = bench.stream.status().kinds[&EDS]
        .acked
        .clone()
        .expect("acknowledged");
    let sent = bench.publish(&changed);
    assert_eq!(texts(&sent), ["CDS a=2 b=1", "EDS a=1"]);
    // The legacy mux asks again, with the nonce it had, before it handles our EDS.
    bench.send(Request {
        nonce: before.nonce,
        ..request(EDS, &["a", "b"])
    });
    assert!(bench.poll().is_empty());
    assert!(bench.ack(&sent[1], &["a", "b"]).is_empty());
    assert!(bench.ack(&sent[0], &[]).is_empty());
}

#[test]
fn s14_cds_is_always_the_full_set_and_a_missing_one_is_deleted() {
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    let mut changed = AB.to_vec();
    changed[0].2 = "2";
    assert_eq!(texts(&bench.publish(&changed)), ["CDS a=2 b=1", "EDS a=1"]);
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    assert_eq!(
        texts(&bench.publish(&[(CDS, "a", "1"), (EDS, "a", "1")])),
        ["CDS a=1"]
    );
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    assert_eq!(texts(&bench.publish(&[])), ["CDS"]);
}

#[test]
fn s15_eds_carries_only_what_changed() {
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    let changed = [
        (CDS, "a", "1"),
        (CDS, "b", "1"),
        (EDS, "a", "2"),
        (EDS, "b", "1"),
    ];
    assert_eq!(texts(&bench.publish(&changed)), ["EDS a=2"]);
}

#[test]
fn s16_no_names_after_some_names_unsubscribes() {
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    assert!(bench.ask(EDS, &[]).is_empty());
    let changed = [
        (CDS, "a", "1"),
        (CDS, "b", "1"),
        (EDS, "a", "2"),
        (EDS, "b", "2"),
    ];
    assert!(bench.publish(&changed).is_empty());
}

#[test]
fn s17_a_missing_name_is_pushed_when_it_appears() {
    let mut bench = Bench::sotw().with(AB);
    let sent = bench.ask(CDS, &["a", "later"]);
    assert_eq!(texts(&sent), ["CDS a=1"]);
    bench.ack(&sent[0], &["a", "later"]);
    let mut more = AB.to_vec();
    more.push((CDS, "later", "1"));
    assert_eq!(texts(&bench.publish(&more)), ["CDS a=1 later=1"]);
}

#[test]
fn s17_a_missing_secret_is_answered_by_nothing_then_pushed() {
    let mut bench = Bench::sotw().with(AB);
    let sent = bench.ask(SDS, &["cert"]);
    assert_eq!(texts(&sent), ["SDS"]);
    bench.ack(&sent[0], &["cert"]);
    assert_eq!(texts(&bench.publish(&[(SDS, "cert", "1")])), ["SDS cert=1"]);
}

#[test]
fn s18_resubscribing_to_an_unchanged_name_sends_it_again() {
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    assert!(bench.ask(EDS, &["a"]).is_empty());
    assert_eq!(texts(&bench.ask(EDS, &["a", "b"])), ["EDS b=1"]);
}

#[test]
fn s19_a_burst_of_requests_gets_one_current_response() {
    let mut bench = Bench::sotw().with(AB);
    for names in [&["a"][..], &["b"], &["a", "b"]] {
        bench.send(request(EDS, names));
    }
    assert_eq!(texts(&bench.poll()), ["EDS a=1 b=1"]);
}

#[test]
fn s20_acks_of_several_responses_under_way_are_taken_in_order() {
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    let mut sent = Vec::new();
    for content in ["2", "3", "4"] {
        let mut changed = AB.to_vec();
        changed[2].2 = content;
        bench.set(&changed);
        sent.extend(bench.pass(3));
    }
    assert_eq!(texts(&sent), ["EDS a=2", "EDS a=3", "EDS a=4"]);
    for response in &sent {
        assert!(bench.ack(response, &["a", "b"]).is_empty());
        let acked = bench.stream.status().kinds[&EDS]
            .acked
            .clone()
            .expect("acknowledged");
        assert_eq!(acked.nonce, response.nonce);
    }
    assert_eq!(bench.stream.status().kinds[&EDS].counters.stale, 0);
}

#[test]
fn s21_the_empty_name_is_no_name() {
    let mut bench = running(Mode::Sotw, AB, &["a"]);
    assert!(bench.ask(EDS, &[""]).is_empty());
    let mut changed = AB.to_vec();
    changed[2].2 = "2";
    assert!(bench.publish(&changed).is_empty());
}

#[test]
fn unknown_eds_and_rds_names_get_an_empty_answer() {
    let mut bench = Bench::sotw().with(AB);
    assert_eq!(
        texts(&bench.ask(EDS, &["a", "nobody"])),
        ["EDS a=1 nobody=empty"]
    );
    assert_eq!(texts(&bench.ask(RDS, &["9080"])), ["RDS 9080=empty"]);
}
