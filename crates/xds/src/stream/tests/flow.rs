//! Flow control: one response at a time, latest wins, nothing freezes, nothing grows.

use super::*;

const A: &[(Kind, &str, &str)] = &[(CDS, "a", "1"), (EDS, "a", "1")];
const BOTH: [Mode; 2] = [Mode::Sotw, Mode::Delta];

fn eds(content: &str) -> [(Kind, &str, &str); 2] {
    [(CDS, "a", "1"), (EDS, "a", content)]
}

#[test]
fn f01_while_a_response_is_under_way_the_latest_wins() {
    for mode in BOTH {
        let mut bench = running(mode, A, &["a"]);
        let sent = bench.publish(&eds("2"));
        assert_eq!(texts(&sent), ["EDS a=2"]);
        for content in ["3", "4", "5"] {
            assert!(bench.publish(&eds(content)).is_empty());
        }
        assert_eq!(texts(&bench.ack(&sent[0], &["a"])), ["EDS a=5"]);
    }
}

#[test]
fn f01_a_change_taken_back_meanwhile_is_not_sent() {
    let mut bench = running(Mode::Delta, A, &["a"]);
    let sent = bench.publish(&eds("2"));
    bench.publish(&eds("3"));
    bench.publish(&eds("2"));
    assert!(bench.ack(&sent[0], &[]).is_empty());
}

#[test]
fn f02_endpoints_of_a_cluster_under_way_do_not_wait() {
    for mode in BOTH {
        let mut bench = running(mode, A, &["a"]);
        assert_eq!(texts(&bench.publish(&eds("2"))), ["EDS a=2"]);
        let sent = bench.publish(&[(CDS, "a", "2"), (EDS, "a", "3")]);
        assert_eq!(texts(&sent), ["CDS a=2", "EDS a=3"]);
    }
}

#[test]
fn f02_a_lost_ack_does_not_freeze_a_kind() {
    for mode in BOTH {
        let mut bench = running(mode, A, &["a"]);
        bench.publish(&eds("2"));
        assert!(bench.publish(&eds("3")).is_empty());
        assert_eq!(
            bench.stream.deadline(),
            Some(bench.now + Duration::from_secs(3))
        );
        assert_eq!(texts(&bench.pass(3)), ["EDS a=3"]);
        assert_eq!(bench.stream.status().kinds[&EDS].counters.guarded, 1);
    }
}

#[test]
fn an_idle_stream_has_no_deadline() {
    for mode in BOTH {
        let mut bench = running(mode, A, &["a"]);
        assert_eq!(bench.stream.deadline(), None);
        let sent = bench.publish(&eds("2"));
        assert_eq!(
            bench.stream.deadline(),
            None,
            "an unanswered response alone needs no look"
        );
        bench.settle(sent, &["a"]);
        assert_eq!(bench.stream.deadline(), None);
    }
}

#[test]
fn a_client_that_never_answers_holds_bounded_memory() {
    let mut bench = running(Mode::Delta, A, &["a"]);
    for n in 0..2_000 {
        bench.set(&eds(&n.to_string()));
        assert_eq!(bench.pass(3).len(), 1);
    }
    let under_way = &bench.stream.tracks[EDS.index()].flights;
    assert!(
        under_way.len() < 300,
        "{} responses remembered",
        under_way.len()
    );
}
