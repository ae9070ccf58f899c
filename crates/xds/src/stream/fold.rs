//! What a request subscribes to, folded into what the client is owed.

use std::sync::Arc;

use super::Stream;
use super::ledger::{Held, keep_named};
use super::look::Look;
use super::subscription::Change;
use crate::kind::Kind;
use crate::message::Request;

impl Stream {
    pub(super) fn fold_sotw(&mut self, kind: Kind, is_first: bool, request: &Request) {
        let track = &mut self.tracks[kind.index()];
        let known = self.snapshot.as_ref().map(|s| s.layers(kind));
        let change = match request.same_names {
            true => Change::default(),
            false => track.replace(&request.names, known),
        };
        if is_first {
            track.fresh = request.version.is_empty();
            track.look = Look::all();
        }
        if change.is_empty() {
            return;
        }
        for name in &change.dropped {
            track.forget(name);
            track.look.at(Arc::clone(name));
        }
        // Something was asked for, so something is said, even if it is that there is nothing. The
        // client cannot tell us which names it has from an earlier stream, only that it has some.
        track.answer_owed |= change.wildcard_added || !change.added.is_empty();
        for name in change.added.iter().filter(|_| !track.fresh && is_first) {
            track.ledger.put(name, Some(Held::Unknown));
        }
        track.ask(change.added);
        self.subscribed(kind, change.wildcard_added, change.wildcard_dropped);
    }

    pub(super) fn fold_delta(&mut self, kind: Kind, is_first: bool, request: &Request) {
        // Endpoints first: the client lost its stream while a cluster was warming, and will not
        // ask for clusters before it has endpoints, even though it may name their versions.
        let trusted = !(kind == Kind::Endpoint && self.first == Some(Kind::Endpoint));
        let track = &mut self.tracks[kind.index()];
        let known = self.snapshot.as_ref().map(|s| s.layers(kind));
        let change = track.adjust(is_first, request, known);
        if is_first {
            track.resume(&request.initial_versions, known);
            // Envoy's back-off only resets when it receives something, and an empty set must be
            // said to be empty, or the client waits for it.
            let wildcard = track.subscription.is_wildcard();
            track.answer_owed = !track.wants_nothing()
                && (kind == Kind::Cluster || self.only.is_some() || (wildcard && track.fresh));
            track.look = Look::all();
        }
        if change.is_empty() {
            return;
        }
        track.answer_owed |= change.wildcard_added && !is_first;
        for name in change.dropped {
            track.forget(&name);
            track.look.at(Arc::clone(&name));
            // Still covered by the wildcard: the client must learn whether it exists.
            if track.wants(&name) {
                track.ask([name]);
            }
        }
        let mut asked = change.added;
        if is_first && trusted && !track.fresh {
            asked.retain(|name| track.ledger.has(name).is_none());
        }
        track.ask(asked);
        self.subscribed(kind, change.wildcard_added, change.wildcard_dropped);
    }

    /// After the subscription of a kind has changed.
    fn subscribed(&mut self, kind: Kind, wildcard_added: bool, wildcard_dropped: bool) {
        let track = &mut self.tracks[kind.index()];
        track.shrink(wildcard_dropped);
        if wildcard_added || wildcard_dropped {
            track.look = Look::all();
        }
        // Who wants nothing any more is owed nothing: an empty full set would mean "delete all".
        track.answer_owed &= !track.wants_nothing();
        if kind == Kind::Endpoint && !track.subscription.is_wildcard() {
            keep_named(&mut self.owed, &track.ledger);
        }
    }
}
