//! The event bus behind `/v2/events`: filters, buffers and framing.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// All open event streams.
pub(crate) struct Hub {
    buffer: usize,
    next: u64,
    subscribers: Vec<Subscriber>,
}

/// The hub's end of a stream.
struct Subscriber {
    id: u64,
    filter: Option<BTreeSet<String>>,
    stream: Arc<Stream>,
}

/// What lies between the hub and one client.
#[derive(Default)]
pub(crate) struct Stream {
    pending: Mutex<VecDeque<Bytes>>,
    arrived: Notify,
    /// Cut by overflow or by command.
    pub(crate) cut: CancellationToken,
}

impl Hub {
    pub(crate) fn new(buffer: usize) -> Hub {
        Hub {
            buffer,
            next: 0,
            subscribers: Vec::new(),
        }
    }

    /// Opens a stream; no filter means all types of events.
    pub(crate) fn subscribe(&mut self, filter: Option<BTreeSet<String>>) -> (u64, Arc<Stream>) {
        let stream = Arc::new(Stream::default());
        self.next += 1;
        self.subscribers.push(Subscriber {
            id: self.next,
            filter,
            stream: stream.clone(),
        });
        (self.next, stream)
    }

    pub(crate) fn unsubscribe(&mut self, id: u64) {
        self.subscribers.retain(|s| s.id != id);
    }

    /// Offers an event to every stream. A client that lags behind by more than
    /// the buffer loses its stream, as from Marathon 1.8 on.
    pub(crate) fn publish(&mut self, event: &Value) {
        let kind = event["eventType"].as_str().unwrap_or_default();
        let frame = frame(kind, event);
        self.subscribers.retain(|subscriber| {
            if subscriber
                .filter
                .as_ref()
                .is_some_and(|f| !f.contains(kind))
            {
                return true;
            }
            subscriber.stream.push(frame.clone(), self.buffer)
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
    fn push(&self, frame: Bytes, limit: usize) -> bool {
        let mut pending = self.pending.lock();
        if pending.len() >= limit {
            self.cut.cancel();
            return false;
        }
        pending.push_back(frame);
        self.arrived.notify_one();
        true
    }

    /// Waits for the next frame.
    pub(crate) async fn next(&self) -> Bytes {
        loop {
            let next = self.pending.lock().pop_front();
            match next {
                Some(frame) => return frame,
                None => self.arrived.notified().await,
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

    #[test]
    fn filters_choose_and_overflow_cuts() {
        let mut hub = Hub::new(2);
        let (_, all) = hub.subscribe(None);
        let (_, some) = hub.subscribe(Some(BTreeSet::from(["b".to_owned()])));
        hub.publish(&json!({ "eventType": "a" }));
        hub.publish(&json!({ "eventType": "b" }));
        assert_eq!(some.pending.lock().len(), 1);
        assert!(!all.cut.is_cancelled());
        hub.publish(&json!({ "eventType": "a" }));
        assert!(all.cut.is_cancelled());
        assert!(!some.cut.is_cancelled());
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
