//! Any sequence of requests and snapshots, against a small client.
//!
//! The client keeps what it is sent, answers as it likes, drops and re-adds names. Whatever it did,
//! once it accepts everything it must end up with the snapshot. `PROPTEST_CASES=20000` runs longer.

mod client;

use proptest::collection::vec;
use proptest::prelude::*;

use self::client::Client;
use super::*;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// One step of a random run.
#[derive(Clone, Debug)]
enum Step {
    /// Name `0` of kind `1` gets content `2`; none removes it.
    Change(usize, Kind, Option<u8>),
    Publish,
    /// The client adds or drops a name.
    Subscribe(Kind, usize),
    Unsubscribe(Kind, usize),
    /// It answers its oldest response of that kind.
    Answer(Kind, Verdict),
    /// Anything at all.
    Noise(Kind, String, bool),
    Pass(u8),
    /// Other clients refuse name `0` of kind `1` with content `2`, and may accept another.
    Withhold(usize, Kind, u8, Option<u8>),
    Release,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Accept,
    Reject,
    RejectByName,
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL.to_vec())
}

fn steps() -> impl Strategy<Value = Step> {
    let verdicts = prop::sample::select(vec![
        Verdict::Accept,
        Verdict::Accept,
        Verdict::Reject,
        Verdict::RejectByName,
    ]);
    prop_oneof![
        4 => (0..NAMES.len(), kinds(), prop::option::weighted(0.7, 0..3u8))
            .prop_map(|(name, kind, content)| Step::Change(name, kind, content)),
        3 => Just(Step::Publish),
        3 => (kinds(), 0..NAMES.len()).prop_map(|(kind, name)| Step::Subscribe(kind, name)),
        1 => (kinds(), 0..NAMES.len()).prop_map(|(kind, name)| Step::Unsubscribe(kind, name)),
        5 => (kinds(), verdicts).prop_map(|(kind, verdict)| Step::Answer(kind, verdict)),
        1 => (kinds(), "[0-9a-z*]{0,3}", any::<bool>())
            .prop_map(|(kind, text, error)| Step::Noise(kind, text, error)),
        1 => (0..4u8).prop_map(Step::Pass),
        1 => (0..NAMES.len(), kinds(), 0..3u8, prop::option::of(0..3u8))
            .prop_map(|(name, kind, content, other)| Step::Withhold(name, kind, content, other)),
        1 => Just(Step::Release),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a04_any_run_converges(
        sotw in any::<bool>(),
        run in vec(steps(), 0..120),
    ) {
        let mut client = Client::new(if sotw { Mode::Sotw } else { Mode::Delta });
        for step in run {
            client.step(step);
        }
        client.come_to_rest();
        client.assert_converged();
    }

    #[test]
    fn s03_a_client_that_rejects_everything_is_left_in_peace(
        sotw in any::<bool>(),
        by_name in any::<bool>(),
        run in vec(steps(), 0..60),
    ) {
        let mut client = Client::new(if sotw { Mode::Sotw } else { Mode::Delta });
        for step in run {
            client.step(step);
        }
        client.publish();
        client.answer_all(if by_name { Verdict::RejectByName } else { Verdict::Reject });
        client.publish();
        prop_assert!(client.bench.pass(3_600).is_empty(), "rejected content was sent again");
    }

    /// Reconnects with versions that are ours, old or foreign among them.
    #[test]
    fn a04_raw_requests_never_panic(
        sotw in any::<bool>(),
        requests in vec(
            (kinds(), vec("[a-c*]{0,2}", 0..4), vec("[a-c*]{0,2}", 0..4), "[0-9]{0,2}",
             prop::option::of("[a-c ]{0,6}"), vec(("[a-c]", prop::option::of(0..3u8)), 0..3),
             prop::option::of(vec((kinds(), 0..3usize, 0..3u8), 0..8))),
            0..60,
        ),
    ) {
        let mut bench = Bench::new(if sotw { Mode::Sotw } else { Mode::Delta })
            .with(&[(CDS, "a", "1"), (EDS, "a", "1"), (LDS, "b", "1"), (RDS, "c", "1"), (SDS, "a", "1")]);
        for (kind, names, unsubscribe, nonce, error, told, published) in requests {
            let initial_versions = told
                .into_iter()
                .map(|(name, content)| {
                    let ours = |content: u8| resource(kind, &name, &content.to_string()).version;
                    let version = content.map_or("7".into(), |content| ours(content).to_string());
                    (name, version)
                })
                .collect();
            bench.send(Request { names, unsubscribe, nonce, error, initial_versions, ..request(kind, &[]) });
            if let Some(published) = published {
                let published = published.into_iter();
                bench.give(published.map(|(kind, name, content)| {
                    (kind, resource(kind, NAMES[name], &content.to_string()))
                }));
            }
            let sent = bench.pass(1);
            prop_assert!(sent.len() < 64, "a flood: {:?}", texts(&sent));
        }
    }
}
