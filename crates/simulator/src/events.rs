//! The event bus behind `/v2/events`: filters, buffers and framing.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::deploy::Trees;
use crate::faults::EventFaults;
use crate::profile::Profile;

/// All open event streams.
pub(crate) struct Hub {
    buffer: usize,
    profile: Profile,
    next: u64,
    subscribers: Vec<Subscriber>,
    /// Rolls the dice of event faults.
    dice: StdRng,
}

/// What a client asked for.
#[derive(Default)]
pub(crate) struct Wishes {
    /// Types of events; none means all.
    pub(crate) types: BTreeSet<String>,
    /// `plan-format`.
    pub(crate) plan_format: Option<String>,
}

/// The hub's end of a stream.
struct Subscriber {
    id: u64,
    types: BTreeSet<String>,
    heavy: bool,
    stream: Arc<Stream>,
}

/// What lies between the hub and one client.
#[derive(Default)]
pub(crate) struct Stream {
    pending: Mutex<Pending>,
    arrived: Notify,
    /// Cut by overflow or by command.
    pub(crate) cut: CancellationToken,
}

#[derive(Default)]
struct Pending {
    frames: VecDeque<(Instant, Bytes)>,
    /// Waits to be overtaken by the next one.
    held: Option<Bytes>,
}

impl Hub {
    pub(crate) fn new(buffer: usize, profile: Profile, seed: u64) -> Hub {
        Hub {
            buffer,
            profile,
            next: 0,
            subscribers: Vec::new(),
            dice: StdRng::seed_from_u64(seed),
        }
    }

    /// Opens a stream.
    pub(crate) fn subscribe(&mut self, wishes: Wishes) -> (u64, Arc<Stream>) {
        let stream = Arc::new(Stream::default());
        self.next += 1;
        self.subscribers.push(Subscriber {
            id: self.next,
            types: wishes.types,
            heavy: self.profile.heavy_plans(wishes.plan_format.as_deref()),
            stream: stream.clone(),
        });
        (self.next, stream)
    }

    pub(crate) fn unsubscribe(&mut self, id: u64) {
        self.subscribers.retain(|s| s.id != id);
    }

    /// Offers an event to every stream, with `trees` in its plan for those who
    /// get heavy ones. A client that lags behind by more than the buffer loses
    /// its stream, or before 1.8 the event.
    pub(crate) fn publish(
        &mut self,
        event: &Value,
        trees: Option<&Trees>,
        faults: &mut EventFaults,
    ) {
        let kind = event["eventType"].as_str().unwrap_or_default();
        let light = frame(kind, event);
        let heavy = trees.map(|trees| {
            let mut event = event.clone();
            event["plan"]["original"] = trees.original.clone();
            event["plan"]["target"] = trees.target.clone();
            frame(kind, &event)
        });
        let closes = self.profile.closes_slow_streams();
        let (buffer, dice) = (self.buffer, &mut self.dice);
        self.subscribers.retain(|subscriber| {
            if !subscriber.types.is_empty() && !subscriber.types.contains(kind) {
                return true;
            }
            let frame = heavy
                .as_ref()
                .filter(|_| subscriber.heavy)
                .unwrap_or(&light);
            let fate = faults.roll(kind, dice);
            let fits = (0..fate.copies).all(|_| {
                subscriber
                    .stream
                    .push(frame.clone(), buffer, fate.hold, fate.delay)
            });
            if !fits && closes {
                subscriber.stream.cut.cancel();
            }
            fits || !closes
        });
    }

    /// Closes all streams.
    pub(crate) fn cut_all(&mut self) {
        for subscriber in self.subscribers.drain(..) {
            subscriber.stream.cut.cancel();
        }
    }

    /// The number of open streams.
    pub(crate) fn len(&self) -> usize {
        self.subscribers.len()
    }
}

impl Stream {
    /// False if the buffer is full.
    fn push(&self, frame: Bytes, limit: usize, hold: bool, delay: Duration) -> bool {
        let mut pending = self.pending.lock();
        if pending.frames.len() >= limit {
            return false;
        }
        let due = Instant::now() + delay;
        if hold && pending.held.is_none() {
            pending.held = Some(frame);
            return true;
        }
        pending.frames.push_back((due, frame));
        let held = pending.held.take();
        pending.frames.extend(held.map(|h| (due, h)));
        self.arrived.notify_one();
        true
    }

    /// Lets go of a frame that nothing has overtaken.
    pub(crate) fn release(&self) {
        let mut pending = self.pending.lock();
        if let Some(held) = pending.held.take() {
            pending.frames.push_back((Instant::now(), held));
            self.arrived.notify_one();
        }
    }

    /// Waits for the next frame. Nothing is lost if the wait is given up.
    pub(crate) async fn next(&self) -> Bytes {
        loop {
            let due = self.pending.lock().frames.front().map(|(due, _)| *due);
            match due {
                None => self.arrived.notified().await,
                Some(due) if due > Instant::now() => sleep_until(due).await,
                Some(_) => {
                    if let Some((_, frame)) = self.pending.lock().frames.pop_front() {
                        return frame;
                    }
                }
            }
        }
    }
}

/// `event: <type>` CRLF `data: <one line of JSON>` CRLF CRLF.
fn frame(kind: &str, event: &Value) -> Bytes {
    Bytes::from(format!("event: {kind}\r\ndata: {event}\r\n\r\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn publish(hub: &mut Hub, kind: &str) {
        let event = json!({ "eventType": kind });
        hub.publish(&event, None, &mut EventFaults::default());
    }

    #[test]
    fn filters_choose_and_overflow_cuts() {
        let mut hub = Hub::new(2, Profile::of("1.8"), 1);
        let (_, all) = hub.subscribe(Wishes::default());
        let (_, some) = hub.subscribe(Wishes {
            types: BTreeSet::from(["b".to_owned()]),
            plan_format: None,
        });
        publish(&mut hub, "a");
        publish(&mut hub, "b");
        assert_eq!(some.pending.lock().frames.len(), 1);
        assert!(!all.cut.is_cancelled());
        publish(&mut hub, "a");
        assert!(all.cut.is_cancelled());
        assert!(!some.cut.is_cancelled());
        assert_eq!(hub.len(), 1);
    }

    #[test]
    fn before_1_8_overflow_drops() {
        let mut hub = Hub::new(1, Profile::of("1.7"), 1);
        let (_, stream) = hub.subscribe(Wishes::default());
        publish(&mut hub, "a");
        publish(&mut hub, "b");
        assert!(!stream.cut.is_cancelled());
        assert_eq!(stream.pending.lock().frames.len(), 1);
        assert_eq!(hub.len(), 1);
    }

    #[test]
    fn frames_are_two_lines_and_a_blank() {
        let frame = frame("x", &json!({ "eventType": "x" }));
        assert_eq!(
            &frame[..],
            b"event: x\r\ndata: {\"eventType\":\"x\"}\r\n\r\n"
        );
    }
}
