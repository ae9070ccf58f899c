//! What a snapshot says it changed is all that is looked at.

use super::*;

const NAMES: usize = 300;

fn world(changed: usize, content: &str) -> Vec<(Kind, Arc<Resource>)> {
    let names = (0..NAMES).map(|n| (n, format!("c{n:03}")));
    let kinds = |(n, name): (usize, String)| {
        let content = if n == changed { content } else { "1" };
        [
            (CDS, resource(CDS, &name, "1")),
            (EDS, resource(EDS, &name, content)),
        ]
    };
    names.flat_map(kinds).collect()
}

/// A proxy that runs all of it.
fn running(mode: Mode) -> (Bench, Vec<String>) {
    let mut bench = Bench::new(mode);
    bench.give(world(0, "1").into_iter());
    let names: Vec<String> = (0..NAMES).map(|n| format!("c{n:03}")).collect();
    let list: Vec<&str> = names.iter().map(String::as_str).collect();
    let sent = bench.ask(CDS, &[]);
    bench.settle(sent, &[]);
    let sent = bench.ask(EDS, &list);
    bench.settle(sent, &list);
    (bench, names)
}

#[test]
fn one_change_is_one_look_and_one_resource() {
    for mode in [Mode::Sotw, Mode::Delta] {
        let (mut bench, _) = running(mode);
        bench.give(world(7, "2").into_iter());
        let looks = |kind: Kind| bench.stream.tracks[kind.index()].look.only().cloned();
        assert_eq!(looks(EDS), Some(["c007".into()].into()));
        assert_eq!(looks(CDS), Some([].into()));
        assert_eq!(looks(LDS), Some([].into()), "not even asked for");
        assert_eq!(texts(&bench.poll()), ["EDS c007=2"]);
    }
}

#[test]
fn a_stream_at_rest_remembers_no_names() {
    for mode in [Mode::Sotw, Mode::Delta] {
        let (bench, names) = running(mode);
        for kind in [CDS, EDS] {
            let track = &bench.stream.tracks[kind.index()];
            assert_eq!(track.ledger.differing(), 0, "{kind}");
            assert!(track.due.is_empty() && track.look.is_clean());
        }
        let endpoints = &bench.stream.tracks[EDS.index()].ledger;
        assert_eq!(endpoints.named(), names.len());
        assert!(endpoints.is_named("c299") && !endpoints.is_named("c300"));
    }
}

#[test]
fn a_stream_that_reconnected_with_all_it_needs_remembers_no_names_either() {
    let mut bench = Bench::delta();
    bench.give(world(0, "1").into_iter());
    for kind in [CDS, EDS] {
        let told = world(0, "1").into_iter().filter(|(of, _)| *of == kind);
        let initial_versions: std::collections::BTreeMap<String, String> = told
            .map(|(_, held)| (held.name.to_string(), held.version.to_string()))
            .collect();
        let names = match kind {
            CDS => Vec::new(),
            _ => initial_versions.keys().cloned().collect(),
        };
        bench.send(Request {
            initial_versions,
            names,
            ..request(kind, &[])
        });
        let sent = bench.poll();
        let resources: usize = sent.iter().map(|response| response.resources.len()).sum();
        assert_eq!(resources, 0, "d11: nothing that it has");
        bench.settle(sent, &[]);
        assert_eq!(bench.stream.tracks[kind.index()].ledger.differing(), 0);
    }
}

#[test]
fn convergence_runs_from_the_change_to_its_ack_and_answers_are_none() {
    let mut bench = Bench::delta();
    assert!(bench.ask(CDS, &[]).is_empty());
    let sent = bench.publish(&[(CDS, "a", "1"), (EDS, "a", "1")]);
    bench.now += Duration::from_secs(60);
    bench.ack(&sent[0], &[]);
    let sent = bench.ask(EDS, &["a"]);
    bench.ack(&sent[0], &[]);
    let converged = |bench: &mut Bench| -> Vec<Option<Duration>> {
        let events = bench.events().into_iter();
        events
            .filter_map(|event| match event {
                Event::Acked { converged, .. } => Some(converged),
                _ => None,
            })
            .collect()
    };
    assert_eq!(converged(&mut bench), [None, None], "what it asked for");
    let first = bench.publish(&[(CDS, "a", "1"), (EDS, "a", "2")]);
    bench.now += Duration::from_secs(1);
    // Two changes meanwhile: the older one counts.
    assert!(
        bench
            .publish(&[(CDS, "a", "1"), (EDS, "a", "3")])
            .is_empty()
    );
    bench.now += Duration::from_secs(1);
    assert!(
        bench
            .publish(&[(CDS, "a", "1"), (EDS, "a", "4")])
            .is_empty()
    );
    let second = bench.ack(&first[0], &[]);
    bench.now += Duration::from_secs(1);
    bench.ack(&second[0], &[]);
    let seconds = |n| Some(Duration::from_secs(n));
    assert_eq!(converged(&mut bench), [seconds(2), seconds(2)]);
}
