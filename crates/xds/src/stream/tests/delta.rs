//! Delta: what is sent, what is not, and what a reconnect costs.

use super::*;

const AB: &[(Kind, &str, &str)] = &[
    (CDS, "a", "1"),
    (CDS, "b", "1"),
    (EDS, "a", "1"),
    (EDS, "b", "1"),
];

/// The first request after a reconnect: what the client has, by the content it had.
fn resume(kind: Kind, names: &[&str], held: &[(&str, &str)]) -> Request {
    let version = |content: &str| resource(kind, "x", content).version.to_string();
    let initial_versions = held
        .iter()
        .map(|(name, content)| (name.to_string(), version(content)))
        .collect();
    Request {
        initial_versions,
        ..request(kind, names)
    }
}

#[test]
fn d01_resources_carry_their_own_name_and_version() {
    let sent = Bench::delta().with(AB).ask(CDS, &[]);
    assert_eq!(texts(&sent), ["CDS a=1 b=1"]);
    assert_eq!(
        sent[0].resources[0].version,
        resource(CDS, "a", "1").version
    );
    assert!(!sent[0].nonce.is_empty());
}

#[test]
fn d02_ack_is_not_answered() {
    let mut bench = Bench::delta().with(AB);
    let sent = bench.ask(CDS, &[]);
    assert!(bench.ack(&sent[0], &[]).is_empty());
    assert!(bench.stream.status().kinds[&CDS].is_synced());
}

#[test]
fn d04_a_spontaneous_subscription_is_answered_with_what_is_already_known() {
    let mut bench = running(Mode::Delta, AB, &["a", "b"]);
    assert_eq!(texts(&bench.ask(EDS, &["a"])), ["EDS a=1"]);
}

#[test]
fn d05_names_count_on_an_ack_a_nack_and_with_a_stale_nonce() {
    let mut bench = Bench::delta().with(AB);
    let sent = bench.ask(EDS, &["a"]);
    let names = vec!["b".to_string()];
    let ack = Request {
        names: names.clone(),
        ..bench.answer(&sent[0], &[])
    };
    bench.send(ack);
    assert_eq!(texts(&bench.poll()), ["EDS b=1"]);
    for (nonce, error) in [
        ("1", None),
        ("nonsense", None),
        ("1", Some("bad".to_string())),
    ] {
        let mut bench = running(Mode::Delta, AB, &["a"]);
        bench.send(Request {
            nonce: nonce.into(),
            error,
            names: names.clone(),
            ..request(EDS, &[])
        });
        assert_eq!(texts(&bench.poll()), ["EDS b=1"], "nonce {nonce}");
    }
}

#[test]
fn d06_unsubscribed_names_are_forgotten() {
    let mut bench = running(Mode::Delta, AB, &["a", "b"]);
    let unsubscribe = vec!["a".to_string(), "never subscribed".to_string()];
    bench.send(Request {
        unsubscribe,
        ..request(EDS, &[])
    });
    assert!(bench.poll().is_empty());
    let mut changed = AB.to_vec();
    (changed[2].2, changed[3].2) = ("2", "2");
    assert_eq!(texts(&bench.publish(&changed)), ["EDS b=2"]);
}

#[test]
fn d07_unknown_names_are_answered_at_once_and_pushed_when_they_appear() {
    let mut bench = Bench::delta().with(AB);
    let expected = ["CDS -x", "EDS x=empty", "LDS -x", "RDS x=empty", "SDS -x"];
    for (kind, expected) in Kind::ALL.into_iter().zip(expected) {
        let sent = bench.ask(kind, &["x"]);
        assert_eq!(texts(&sent), [expected]);
        bench.settle(sent, &[]);
    }
    let all = Kind::ALL.map(|kind| (kind, "x", "1"));
    let sent = bench.publish(&all);
    let sent = bench.settle(sent, &[]);
    assert_eq!(
        sent,
        ["CDS x=1", "EDS x=1", "SDS x=1", "LDS x=1", "RDS x=1"]
    );
}

#[test]
fn d08_only_what_changed_goes_out() {
    let mut bench = running(Mode::Delta, AB, &["a", "b"]);
    assert!(bench.publish(AB).is_empty());
    let mut changed = AB.to_vec();
    changed[3].2 = "2";
    assert_eq!(texts(&bench.publish(&changed)), ["EDS b=2"]);
}

#[test]
fn d09_a_removed_resource_is_named_once() {
    for names in [&[][..], &["a", "b"]] {
        let mut bench = Bench::delta().with(AB);
        let sent = bench.ask(CDS, names);
        bench.settle(sent, &[]);
        let sent = bench.publish(&AB[..1]);
        assert_eq!(bench.settle(sent, &[]), ["CDS -b"]);
        assert!(bench.pass(60).is_empty());
    }
}

#[test]
fn d10_removed_and_added_again_with_equal_content_is_sent_again() {
    let mut bench = Bench::delta().with(AB);
    let sent = bench.ask(CDS, &[]);
    bench.settle(sent, &[]);
    let sent = bench.publish(&AB[..1]);
    bench.settle(sent, &[]);
    assert_eq!(texts(&bench.publish(AB)), ["CDS b=1"]);
}

#[test]
fn d11_reconnect_with_equal_content_gets_one_empty_response_and_no_resource() {
    let all: Vec<_> = Kind::ALL.into_iter().map(|kind| (kind, "a", "1")).collect();
    let mut bench = Bench::delta().with(&all);
    for (kind, names) in [
        (CDS, &[][..]),
        (EDS, &["a"]),
        (LDS, &[]),
        (RDS, &["a"]),
        (SDS, &["a"]),
    ] {
        bench.send(resume(kind, names, &[("a", "1")]));
    }
    assert_eq!(texts(&bench.poll()), ["CDS"]);
}

#[test]
fn d11_reconnect_gets_the_difference() {
    let mut bench = Bench::delta().with(AB);
    bench.send(resume(CDS, &[], &[("a", "1"), ("b", "old"), ("c", "1")]));
    let sent = bench.poll();
    assert_eq!(texts(&sent), ["CDS b=1"]);
    bench.send(resume(EDS, &["a", "b", "c"], &[("a", "1"), ("b", "1")]));
    bench.send(resume(LDS, &[], &[]));
    bench.send(resume(RDS, &["r"], &[]));
    let more = bench.poll();
    assert_eq!(texts(&more), ["EDS b=1 c=empty", "LDS", "RDS r=empty"]);
    let rest = bench.settle([sent, more].concat(), &[]);
    assert_eq!(rest.last().map(String::as_str), Some("CDS -c"));
}

#[test]
fn d11_versions_of_another_control_plane_are_not_believed() {
    let mut bench = Bench::delta().with(AB);
    let initial_versions = [("a".to_string(), "17".to_string())].into();
    bench.send(Request {
        initial_versions,
        ..request(EDS, &["a"])
    });
    assert_eq!(texts(&bench.poll()), ["EDS a=1"]);
}

#[test]
fn d12a_endpoints_of_a_cluster_sent_on_this_stream_are_sent_though_held() {
    let mut bench = Bench::delta().with(AB);
    bench.send(resume(CDS, &[], &[("a", "old"), ("b", "1")]));
    assert_eq!(texts(&bench.poll()), ["CDS a=1"]);
    bench.send(resume(EDS, &["a", "b"], &[("a", "1"), ("b", "1")]));
    assert_eq!(texts(&bench.poll()), ["EDS a=1"]);
}

#[test]
fn d12b_endpoints_first_is_answered_in_full() {
    let mut bench = Bench::delta().with(AB);
    bench.send(resume(EDS, &["a", "b"], &[("a", "1"), ("b", "1")]));
    let sent = bench.poll();
    assert_eq!(texts(&sent), ["EDS a=1 b=1"]);
    bench.settle(sent, &[]);
    bench.send(resume(CDS, &[], &[("a", "1"), ("b", "1")]));
    assert_eq!(texts(&bench.poll()), ["CDS"]);
}

#[test]
fn d12b_in_state_of_the_world_too() {
    let mut bench = Bench::sotw().with(AB);
    bench.send(Request {
        version: "old".into(),
        ..request(EDS, &["a", "b", "c"])
    });
    assert_eq!(texts(&bench.poll()), ["EDS a=1 b=1 c=empty"]);
}

#[test]
fn d12b_endpoints_of_a_cluster_gone_meanwhile_end_its_warming_without_draining_it() {
    let mut bench = Bench::delta().with(AB);
    bench.send(resume(EDS, &["a", "gone"], &[("a", "1"), ("gone", "1")]));
    assert_eq!(texts(&bench.poll()), ["EDS a=1 -gone"]);
}

#[test]
fn d14_a_version_already_new_is_not_sent_again() {
    let mut bench = Bench::delta().with(&[(CDS, "a", "2")]);
    bench.send(resume(CDS, &[], &[("a", "2")]));
    assert_eq!(texts(&bench.poll()), ["CDS"]);
}

#[test]
fn d15_late_acks_of_several_responses_are_taken_each() {
    let mut bench = running(Mode::Delta, AB, &["a", "b"]);
    let mut sent = Vec::new();
    for content in ["2", "3"] {
        let mut changed = AB.to_vec();
        changed[0].2 = content;
        bench.set(&changed);
        sent.extend(bench.pass(3));
    }
    assert_eq!(texts(&sent), ["CDS a=2", "EDS a=1", "CDS a=3", "EDS a=1"]);
    for response in &sent {
        assert!(bench.ack(response, &[]).is_empty());
    }
    let status = bench.stream.status();
    assert!(status.kinds[&CDS].is_synced() && status.kinds[&EDS].is_synced());
    assert_eq!(status.kinds[&CDS].counters.stale, 0);
}

#[test]
fn d16_a_wildcard_over_nothing_gets_one_empty_response() {
    for mode in [Mode::Sotw, Mode::Delta] {
        let mut bench = Bench::new(mode).with(&[]);
        for (kind, expected) in [(CDS, "CDS"), (LDS, "LDS")] {
            let sent = bench.ask(kind, &[]);
            assert_eq!(texts(&sent), [expected]);
            assert!(bench.ack(&sent[0], &[]).is_empty());
        }
    }
}

#[test]
fn f13_a_stream_of_one_type_is_answered_though_all_is_equal() {
    let mut bench = Bench::of(Mode::Delta, Some(LDS));
    bench.set(&[(LDS, "l", "1")]);
    bench.send(resume(LDS, &[], &[("l", "1")]));
    assert_eq!(texts(&bench.poll()), ["LDS"]);
}

#[test]
fn endpoints_of_a_cluster_that_stays_are_emptied_not_removed() {
    let mut bench = running(Mode::Delta, AB, &["a", "b"]);
    assert_eq!(texts(&bench.publish(&AB[..3])), ["EDS b=empty"]);
}
