//! After every event of a random history, every proxy has what it would have from nothing.

use proptest::prelude::*;

use super::events::event;
use super::fleet::Fleet;
use super::history::{Event, Truth};
use super::worlds::changes;

fn run(events: &[Event]) {
    let mut truth = Truth::default();
    let mut fleet = Fleet::default();
    let mut generation = 0;
    for event in events {
        match event {
            Event::Connection(at) => connect(&mut fleet, &truth, *at),
            _ => {
                truth.take(event);
                generation += 1;
                let world = truth.world(generation);
                let changes = changes(&fleet.world, &world);
                fleet.update(world, &changes);
                fleet.replan(&changes, |name, _| truth.proxy(number(name)));
            }
        }
        fleet.check();
    }
}

fn connect(fleet: &mut Fleet, truth: &Truth, at: usize) {
    let proxy = truth.proxy(at);
    match fleet.has(&proxy.id) {
        true => fleet.leave(&proxy.id),
        false => fleet.join(proxy),
    }
}

fn number(name: &str) -> usize {
    name.trim_start_matches("proxy-").parse().unwrap()
}

/// Some are there from the start, lest nobody looks.
fn history() -> impl Strategy<Value = Vec<Event>> {
    let first = prop::collection::vec(event(), 10..20);
    let there = prop::collection::vec((0..super::history::PROXIES).prop_map(Event::Connection), 4);
    let rest = prop::collection::vec(event(), 20..50);
    (first, there, rest).prop_map(|(first, there, rest)| [first, there, rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_up_to_date_is_what_would_be_compiled_from_nothing(events in history()) {
        run(&events);
    }
}
