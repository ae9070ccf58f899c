//! The base is only a way of writing: random bookkeeping, said short and said at length.

use super::*;
use crate::kind::Kind;
use crate::snapshot::Snapshot;
use proptest::collection::vec;
use proptest::prelude::*;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn resource(name: &str, content: u8) -> Arc<Resource> {
    Resource::new(Kind::Cluster, name, vec![content])
}

fn layers(content: &[Option<u8>]) -> Layers {
    let present = NAMES.iter().zip(content);
    let resources = present.filter_map(|(name, content)| Some(resource(name, (*content)?)));
    let snapshot = Snapshot::builder(1)
        .extend(Kind::Cluster, resources)
        .build();
    snapshot.layers(Kind::Cluster).clone()
}

/// The same, said at length.
#[derive(Default)]
struct Plain(BTreeMap<&'static str, (bool, Option<String>)>);

fn text(has: Option<Has<'_>>) -> Option<String> {
    Some(match has? {
        Has::Sent(resource) => resource.version.to_string(),
        Has::Told(version) => format!("told {version}"),
        Has::Unknown => "unknown".into(),
    })
}

#[derive(Clone, Debug)]
enum Step {
    Name(usize),
    NameAll(Vec<bool>, Vec<Option<u8>>),
    PutAll(Vec<Option<u8>>),
    Unname(usize),
    Put(usize, Option<u8>),
    Unknown(usize),
    KeepNamed,
    Rebase(Vec<Option<u8>>, bool),
    Compact(Vec<Option<u8>>, bool),
}

fn steps() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    let base = || vec(prop::option::of(0..2u8), NAMES.len());
    prop_oneof![
        4 => name().prop_map(Step::Name),
        2 => (vec(any::<bool>(), NAMES.len()), base()).prop_map(|(n, b)| Step::NameAll(n, b)),
        2 => base().prop_map(Step::PutAll),
        2 => name().prop_map(Step::Unname),
        6 => (name(), prop::option::of(0..2u8)).prop_map(|(n, c)| Step::Put(n, c)),
        1 => name().prop_map(Step::Unknown),
        1 => Just(Step::KeepNamed),
        3 => (base(), any::<bool>()).prop_map(|(b, known)| Step::Rebase(b, known)),
        3 => (base(), any::<bool>()).prop_map(|(b, w)| Step::Compact(b, w)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Bases come and go; what the ledger says is what was written down.
    #[test]
    fn the_base_is_only_a_way_of_writing(run in vec(steps(), 0..60)) {
        let mut ledger = Ledger::default();
        let mut plain = Plain::default();
        ledger.compact_from(1);
        for step in run {
            match step {
                Step::Name(n) => {
                    ledger.name(NAMES[n], None);
                    plain.0.entry(NAMES[n]).or_default().0 = true;
                }
                Step::NameAll(which, known) => {
                    let names = NAMES.iter().zip(which).filter_map(|(name, named)| named.then_some(*name));
                    let names: Vec<&str> = names.collect();
                    let keys = ledger.name_all(&names, Some(&layers(&known)));
                    prop_assert_eq!(keys.iter().map(|key| &**key).collect::<Vec<_>>(), names.clone());
                    for name in names {
                        plain.0.entry(name).or_default().0 = true;
                    }
                }
                Step::PutAll(content) => {
                    let sent: Vec<_> = layers(&content).named().map(|(_, r)| Arc::clone(r)).collect();
                    let had = ledger.put_all(&sent);
                    prop_assert_eq!(had.len(), sent.len());
                    let names = NAMES.iter().filter(|name| sent.iter().any(|r| *r.name == ***name));
                    for ((name, resource), had) in names.zip(&sent).zip(had) {
                        let entry = plain.0.entry(name).or_default();
                        prop_assert_eq!(&text(had.as_ref().map(Held::look)), &entry.1);
                        entry.1 = Some(resource.version.to_string());
                    }
                }
                Step::Unname(n) => {
                    if ledger.unname(NAMES[n]) {
                        plain.0.remove(NAMES[n]);
                    }
                }
                Step::Put(n, content) => {
                    let held = content.map(|content| Held::Sent(resource(NAMES[n], content)));
                    let said = text(held.as_ref().map(Held::look));
                    let before = ledger.put(&NAMES[n].into(), held);
                    let entry = plain.0.entry(NAMES[n]).or_default();
                    prop_assert_eq!(&text(before.as_ref().map(Held::look)), &entry.1);
                    entry.1 = said;
                }
                Step::Unknown(n) => {
                    ledger.put(&NAMES[n].into(), Some(Held::Unknown));
                    plain.0.entry(NAMES[n]).or_default().1 = Some("unknown".into());
                }
                Step::KeepNamed => {
                    ledger.keep_named();
                    plain.0.retain(|_, (named, _)| *named);
                }
                Step::Rebase(base, known) => {
                    let wanted = layers(&base);
                    let names = differences(&ledger.base, &wanted);
                    ledger.rebase(&wanted, known.then_some(&names[..]));
                }
                Step::Compact(base, wildcard) => {
                    ledger.compact_from(1);
                    ledger.compact(&layers(&base), wildcard);
                }
            }
            for name in NAMES {
                let (named, held) = plain.0.get(name).cloned().unwrap_or_default();
                prop_assert_eq!(ledger.is_named(name), named, "{}", name);
                prop_assert_eq!(&text(ledger.has(name)), &held, "{}", name);
            }
            prop_assert_eq!(ledger.named(), plain.0.values().filter(|(named, _)| *named).count());
            prop_assert_eq!(ledger.names().count(), ledger.named());
            let held: Vec<_> = ledger.holdings().map(|(name, has)| (&**name, text(Some(has)))).collect();
            let expected: Vec<_> = plain.0.iter().filter_map(|(name, (_, held))| Some((*name, Some(held.clone()?)))).collect();
            prop_assert_eq!(held, expected);
        }
    }
}

#[test]
fn a_client_that_is_up_to_date_costs_nothing_per_name() {
    for wildcard in [true, false] {
        let names: Vec<String> = (0..1_000).map(|n| format!("c{n:04}")).collect();
        let resources = names.iter().map(|name| resource(name, 1));
        let snapshot = Snapshot::builder(1)
            .extend(Kind::Cluster, resources)
            .build();
        let wanted = snapshot.layers(Kind::Cluster);
        let mut ledger = Ledger::default();
        for (name, resource) in wanted.named() {
            if !wildcard {
                let key = ledger.name(name, Some(wanted));
                assert!(Arc::ptr_eq(&key, name), "the name is shared");
            }
            ledger.put(name, Some(Held::Sent(Arc::clone(resource))));
        }
        assert_eq!(ledger.differing(), 1_000);
        ledger.compact(wanted, wildcard);
        assert_eq!(ledger.differing(), 0);
        assert_eq!(ledger.named(), if wildcard { 0 } else { 1_000 });
    }
}
