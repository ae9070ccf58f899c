//! Futures that seldom have something to say, in tasks that wake often.

use std::future::Future;

use futures::stream::FuturesUnordered;

/// A future that is polled when it was woken itself, not whenever its task was.
pub(super) fn seldom<F: Future>(future: F) -> FuturesUnordered<F> {
    FuturesUnordered::from_iter([future])
}
