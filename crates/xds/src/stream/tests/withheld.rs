//! Content that other clients refused is not offered to this one.

use super::*;
use crate::resource::Version;

const BOTH: [Mode; 2] = [Mode::Sotw, Mode::Delta];
const A: &[(Kind, &str, &str)] = &[(CDS, "a", "1"), (EDS, "a", "1"), (RDS, "a", "1")];

fn with(index: usize, content: &'static str) -> Vec<(Kind, &'static str, &'static str)> {
    let mut changed = A.to_vec();
    changed[index].2 = content;
    changed
}

fn version(kind: Kind, content: &str) -> Version {
    resource(kind, "a", content).version
}

/// Withholds the content `bad` of that kind under `a`, with what may stand in.
fn bad(kind: Kind, stand_in: Option<&str>) -> Withheld {
    let mut withheld = Withheld::default();
    let stand_in = stand_in.map(|content| resource(kind, "a", content));
    withheld.insert(kind, "a".into(), version(kind, "bad"), stand_in);
    withheld
}

fn status(bench: &Bench, kind: Kind) -> Vec<String> {
    bench.stream.status().kinds[&kind].withheld.clone()
}

#[test]
fn a_client_keeps_the_last_good_content_until_it_changes() {
    for mode in BOTH {
        for (at, kind) in [(0, CDS), (1, EDS), (2, RDS)] {
            let mut bench = running(mode, A, &["a"]);
            assert!(bench.withhold(bad(kind, None)).is_empty());
            assert!(bench.publish(&with(at, "bad")).is_empty(), "{kind}");
            assert_eq!(status(&bench, kind), ["a"]);
            assert!(bench.pass(3_600).is_empty());
            let healed = bench.publish(&with(at, "good"));
            assert_eq!(text(&healed[0]), format!("{kind} a=good"));
            assert_eq!(status(&bench, kind), [""; 0]);
        }
    }
}

#[test]
fn content_that_is_released_goes_out() {
    for mode in BOTH {
        let mut bench = running(mode, A, &["a"]);
        bench.withhold(bad(RDS, None));
        assert!(bench.publish(&with(2, "bad")).is_empty());
        assert_eq!(texts(&bench.withhold(Withheld::default())), ["RDS a=bad"]);
    }
}

#[test]
fn content_that_the_client_runs_is_not_taken_away() {
    for mode in BOTH {
        let mut bench = running(mode, &with(0, "bad"), &["a"]);
        assert!(bench.withhold(bad(CDS, Some("1"))).is_empty());
        let accepted = bench.stream.accepted_withheld();
        assert_eq!(accepted, [(CDS, "a".into(), version(CDS, "bad"))]);
        let mut more = with(0, "bad");
        more.push((CDS, "b", "1"));
        let expected = if mode == Mode::Sotw {
            "CDS a=bad b=1"
        } else {
            "CDS b=1"
        };
        assert_eq!(texts(&bench.publish(&more))[0], expected);
    }
}

#[test]
fn a_client_without_any_gets_what_others_accepted() {
    for mode in BOTH {
        let mut bench = Bench::new(mode).with(&with(0, "bad"));
        bench.withhold(bad(CDS, Some("old")));
        let sent = bench.ask(CDS, &[]);
        assert_eq!(texts(&sent), ["CDS a=old"]);
        assert!(bench.ack(&sent[0], &[]).is_empty());
        assert!(bench.pass(3_600).is_empty());
        assert_eq!(status(&bench, CDS), ["a"]);
    }
}

#[test]
fn a_stand_in_that_is_refused_too_is_not_offered_again() {
    for mode in BOTH {
        let mut bench = Bench::new(mode).with(&with(0, "bad"));
        bench.withhold(bad(CDS, Some("old")));
        let sent = bench.ask(CDS, &[]);
        assert!(bench.nack(&sent[0], &[], "a: no").is_empty());
        assert!(bench.pass(3_600).is_empty());
        assert!(bench.publish(&with(0, "bad")).is_empty());
        assert_eq!(texts(&bench.publish(&with(0, "good")))[0], "CDS a=good");
    }
}

#[test]
fn a_client_that_waits_for_a_name_is_answered_though_its_content_is_withheld() {
    for mode in BOTH {
        for (at, kind) in [(1, EDS), (2, RDS)] {
            let mut bench = Bench::new(mode).with(&with(at, "bad"));
            bench.withhold(bad(kind, None));
            assert_eq!(texts(&bench.ask(kind, &["a"])), [format!("{kind} a=empty")]);
        }
    }
}

#[test]
fn clusters_that_are_withheld_hold_nothing_back() {
    for mode in BOTH {
        let mut bench = running(mode, A, &["a"]);
        bench.withhold(bad(CDS, None));
        let mut changed = with(0, "bad");
        changed[2].2 = "2";
        assert_eq!(texts(&bench.publish(&changed)), ["RDS a=2"]);
    }
}
