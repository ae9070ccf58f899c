//! Rejections: found, withheld, healed, never repeated.

use super::*;

const AB: &[(Kind, &str, &str)] = &[
    (CDS, "a", "1"),
    (CDS, "b", "1"),
    (EDS, "a", "1"),
    (EDS, "b", "1"),
];

fn with(index: usize, content: &'static str) -> Vec<(Kind, &'static str, &'static str)> {
    let mut changed = AB.to_vec();
    changed[index].2 = content;
    changed
}

fn withheld(bench: &Bench, kind: Kind) -> Vec<String> {
    bench.stream.status().kinds[&kind].withheld.clone()
}

#[test]
fn s03_nack_is_not_resent() {
    for mode in [Mode::Sotw, Mode::Delta] {
        let mut bench = running(mode, AB, &["a", "b"]);
        let sent = bench.publish(&with(0, "bad"));
        assert!(bench.ack(&sent[1], &["a", "b"]).is_empty());
        assert!(
            bench
                .nack(&sent[0], &[], "Error adding/updating cluster(s) a: no")
                .is_empty()
        );
        assert!(bench.publish(&with(0, "bad")).is_empty());
        assert!(bench.pass(3_600).is_empty());
        assert_eq!(withheld(&bench, CDS), ["a"]);
    }
}

#[test]
fn s03_rejected_content_stays_out_when_others_change() {
    for (mode, expected) in [(Mode::Sotw, "CDS a=1 b=2"), (Mode::Delta, "CDS b=2")] {
        let mut bench = running(mode, AB, &["a", "b"]);
        let sent = bench.publish(&with(0, "bad"));
        bench.ack(&sent[1], &["a", "b"]);
        bench.nack(&sent[0], &[], "cluster(s) a: no");
        let mut changed = with(0, "bad");
        changed[1].2 = "2";
        assert_eq!(
            texts(&bench.publish(&changed))[0],
            expected,
            "the last good a is kept"
        );
    }
}

#[test]
fn s03_a_cluster_never_accepted_is_left_out_of_the_full_set() {
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    let mut more = AB.to_vec();
    more.push((CDS, "new", "bad"));
    let sent = bench.publish(&more);
    bench.nack(&sent[0], &[], "new: no");
    more[0].2 = "2";
    assert_eq!(texts(&bench.publish(&more))[0], "CDS a=2 b=1");
}

#[test]
fn s04_the_next_change_is_delivered_and_its_ack_clears_the_error() {
    for mode in [Mode::Sotw, Mode::Delta] {
        let mut bench = running(mode, AB, &["a", "b"]);
        let sent = bench.publish(&with(2, "bad"));
        bench.nack(&sent[0], &["a", "b"], "no");
        let nack = bench.stream.status().kinds[&EDS]
            .nack
            .clone()
            .expect("visible");
        assert_eq!(
            (&*nack.message, &*nack.names),
            ("no", &["a".to_string()][..])
        );
        let sent = bench.publish(&with(2, "good"));
        assert_eq!(texts(&sent), ["EDS a=good"]);
        bench.ack(&sent[0], &["a", "b"]);
        let status = bench.stream.status();
        assert!(status.kinds[&EDS].is_synced());
        assert_eq!(withheld(&bench, EDS), [""; 0]);
    }
}

#[test]
fn s05_only_the_error_makes_a_nack() {
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    let sent = bench.publish(&with(2, "2"));
    // An older version without an error is no rejection.
    let ack = Request {
        version: "older".into(),
        ..bench.answer(&sent[0], &["a", "b"])
    };
    bench.send(ack);
    assert!(bench.stream.status().kinds[&EDS].nack.is_none());
    // An error with the current version is one.
    let sent = bench.publish(&with(2, "3"));
    bench.nack(&sent[0], &["a", "b"], "no");
    assert!(bench.stream.status().kinds[&EDS].nack.is_some());
}

#[test]
fn s06_an_error_reported_with_a_later_nonce_finds_its_culprit() {
    let mut bench = running(Mode::Delta, AB, &["a", "b"]);
    let first = bench.publish(&with(0, "bad"));
    let mut changed = with(0, "bad");
    changed[1].2 = "2";
    bench.set(&changed);
    let second = bench.pass(3);
    assert_eq!(
        (text(&first[0]), text(&second[0])),
        ("CDS a=bad".into(), "CDS b=2".into())
    );
    bench.nack(&second[0], &[], "Error adding/updating cluster(s) a: no");
    assert_eq!(withheld(&bench, CDS), ["a"]);
}

#[test]
fn s06_a_late_error_about_replaced_content_leaves_the_last_good_one() {
    let mut bench = running(Mode::Sotw, AB, &["a", "b"]);
    let first = bench.publish(&with(0, "bad"));
    bench.set(&with(0, "worse"));
    let second = bench.pass(3);
    bench.nack(&first[0], &[], "a: no");
    bench.nack(&second[0], &[], "a: no");
    let mut changed = with(0, "worse");
    changed[1].2 = "2";
    assert_eq!(texts(&bench.publish(&changed))[0], "CDS a=1 b=2");
}

#[test]
fn a04_long_words_are_read_in_full_and_kept_in_part() {
    let mut bench = running(Mode::Delta, AB, &["a", "b"]);
    let sent = bench.publish(&with(0, "bad"));
    let message = format!("{} a: no", "\u{e4}".repeat(1 << 20));
    bench.nack(&sent[0], &[], &message);
    assert_eq!(withheld(&bench, CDS), ["a"]);
    let nack = bench.stream.status().kinds[&CDS].nack.clone();
    assert!(nack.expect("visible").message.len() <= 8 * 1024);
}

/// The guard time has passed, so that two full sets are under way, and both hold the new cluster.
#[test]
fn s06_a_full_set_that_was_refused_is_repeated_by_the_next_which_may_be_accepted() {
    let mut bench = running(Mode::Sotw, AB, &[]);
    let mut more = AB.to_vec();
    more.push((CDS, "new", "1"));
    let first = bench.publish(&more);
    more[1].2 = "2";
    bench.set(&more);
    let second = bench.pass(3);
    assert_eq!(texts(&second)[0], "CDS a=1 b=2 new=1");
    assert!(bench.publish(&with(1, "2")).is_empty(), "the new one goes");
    assert!(bench.nack(&first[0], &[], "something is wrong").is_empty());
    assert_eq!(texts(&bench.ack(&second[0], &[])), ["CDS a=1 b=2"]);
}

#[test]
fn d03_after_a_nack_without_names_each_goes_alone_until_the_culprit_is_found() {
    for mode in [Mode::Sotw, Mode::Delta] {
        let mut bench = running(mode, AB, &["a", "b"]);
        let mut changed = with(2, "2");
        changed[3].2 = "bad";
        let sent = bench.publish(&changed);
        assert_eq!(texts(&sent), ["EDS a=2 b=bad"]);
        let alone = bench.nack(&sent[0], &["a", "b"], "something is wrong");
        assert_eq!(texts(&alone), ["EDS a=2", "EDS b=bad"]);
        assert!(bench.ack(&alone[0], &["a", "b"]).is_empty());
        assert!(
            bench
                .nack(&alone[1], &["a", "b"], "something is wrong")
                .is_empty()
        );
        assert!(bench.publish(&changed).is_empty());
        assert_eq!(withheld(&bench, EDS), ["b"]);
    }
}

/// Envoy refuses a response as a whole if one resource fails validation, and may not say which.
#[test]
fn d03_a_full_set_refused_without_names_is_halved_until_the_culprit_is_found() {
    let mut bench = running(Mode::Sotw, AB, &[]);
    let names = ["c", "d", "e", "f", "g"];
    let mut more = vec![(CDS, "a", "2"), (CDS, "b", "1")];
    more.extend(names.map(|name| (CDS, name, if name == "e" { "bad" } else { "1" })));
    let mut queue = bench.publish(&more);
    let mut has = String::new();
    let mut refused = 0;
    while let Some(response) = queue.pop() {
        let bad = text(&response).contains("=bad");
        refused += u32::from(bad);
        queue = match bad {
            true => bench.nack(&response, &[], "Invalid duration"),
            false => {
                has = text(&response);
                bench.ack(&response, &[])
            }
        };
        assert!(refused < 10, "a loop");
    }
    assert_eq!(has, "CDS a=2 b=1 c=1 d=1 f=1 g=1");
    assert_eq!(withheld(&bench, CDS), ["e"]);
    assert_eq!(refused, 3, "six news, then three, then one");
}

#[test]
fn s03_a_client_that_reconnected_keeps_what_it_has_when_it_refuses_a_full_set() {
    let all = with(0, "bad");
    let reconnected = || {
        let mut bench = Bench::sotw().with(&all);
        bench.send(Request {
            version: "old".into(),
            ..request(CDS, &[])
        });
        let sent = bench.poll();
        (bench, sent)
    };
    // Nobody named: nothing is sent until there is something new, and then all of it.
    let (mut bench, sent) = reconnected();
    assert_eq!(
        texts(&bench.nack(&sent[0], &[], "Invalid duration")),
        [""; 0]
    );
    assert!(bench.pass(60).is_empty());
    assert_eq!(texts(&bench.publish(&with(0, "good"))), ["CDS a=good b=1"]);
    // The culprit stays named, for leaving it out would take away what the client has of it.
    let (mut bench, sent) = reconnected();
    assert!(
        bench
            .nack(&sent[0], &[], "Error adding/updating cluster(s) a: no")
            .is_empty()
    );
    let mut changed = all.clone();
    changed[1].2 = "2";
    assert_eq!(texts(&bench.publish(&changed)), ["CDS a=bad b=2"]);
}

#[test]
fn d03_a_quoted_name_does_not_mean_that_the_others_were_applied() {
    for mode in [Mode::Sotw, Mode::Delta] {
        let mut bench = running(mode, AB, &[]);
        let mut changed = with(0, "2");
        changed[1].2 = "bad";
        let sent = bench.publish(&changed);
        let again = bench.nack(&sent[0], &[], "constraint validation failed: name: \"b\"");
        let expected = if mode == Mode::Sotw {
            "CDS a=2 b=1"
        } else {
            "CDS a=2"
        };
        assert_eq!(texts(&again), [expected]);
        assert_eq!(withheld(&bench, CDS), ["b"]);
    }
}

#[test]
fn d03_the_innocent_of_a_rejected_eds_response_are_sent_again() {
    let mut bench = running(Mode::Delta, AB, &["a", "b"]);
    let mut changed = with(2, "2");
    changed[3].2 = "bad";
    let sent = bench.publish(&changed);
    let again = bench.nack(&sent[0], &[], "b: malformed address");
    assert_eq!(texts(&again), ["EDS a=2"]);
}

#[test]
fn d03_the_innocent_of_a_rejected_cds_response_were_applied() {
    let mut bench = running(Mode::Delta, AB, &["a", "b"]);
    let mut changed = with(0, "2");
    changed[1].2 = "bad";
    let sent = bench.publish(&changed);
    bench.ack(&sent[1], &[]);
    assert!(
        bench
            .nack(&sent[0], &[], "Error adding/updating cluster(s) b: no")
            .is_empty()
    );
    assert_eq!(withheld(&bench, CDS), ["b"]);
}

#[test]
fn rejected_routes_do_not_share_a_response_with_good_ones() {
    let routes = [(RDS, "a", "1"), (RDS, "b", "1"), (RDS, "c", "1")];
    for mode in [Mode::Sotw, Mode::Delta] {
        let mut bench = Bench::new(mode).with(&routes);
        let sent = bench.ask(RDS, &["a", "b", "c"]);
        assert_eq!(texts(&sent), ["RDS a=1", "RDS b=1", "RDS c=1"]);
        bench.ack(&sent[0], &["a", "b", "c"]);
        assert!(bench.nack(&sent[1], &["a", "b", "c"], "no").is_empty());
        assert!(bench.ack(&sent[2], &["a", "b", "c"]).is_empty());
        assert_eq!(withheld(&bench, RDS), ["b"]);
    }
}

#[test]
fn a_cluster_does_not_wait_for_endpoints_that_were_rejected() {
    let mut bench = running(Mode::Delta, AB, &["a", "b"]);
    let sent = bench.publish(&with(2, "bad"));
    bench.nack(&sent[0], &[], "no");
    let mut changed = with(2, "bad");
    changed[0].2 = "2";
    assert_eq!(
        texts(&bench.publish(&changed)),
        ["CDS a=2", "EDS a=1"],
        "the last good endpoints"
    );
}

#[test]
fn a_nack_is_reported_with_all_that_is_needed_to_find_it() {
    let mut bench = running(Mode::Delta, AB, &["a", "b"]);
    let sent = bench.publish(&with(2, "bad"));
    bench.nack(&sent[0], &[], "no");
    let events = bench.events();
    let [
        Event::Nacked {
            kind: Kind::Endpoint,
            version,
            nack,
            ..
        },
    ] = &events[..]
    else {
        panic!("unexpected {events:?}")
    };
    assert_eq!(
        (version, &nack.nonce),
        (&sent[0].version_info, &sent[0].nonce)
    );
    assert_eq!(nack.names, ["a"]);
}
