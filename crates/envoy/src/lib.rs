//! What a proxy should run: World and Proxy to Envoy resources, with diagnostics.
//!
//! The only crate that builds Envoy messages. [`compile`] is total and deterministic: equal inputs
//! give equal bytes, on every replica, so that a hash of a resource can be its version.
//!
//! ```text
//! World ─┐             ┌─► cluster ──┐
//!        ├─► compile ──┼─► endpoint ─┼─► lint ─► canonical ─► Resource ─► (render: JSON)
//! Proxy ─┘   (walks)   ├─► listener ─┤
//!                      └─► route ────┘
//! ```
//!
//! `compile` only walks. Each resource is built by one function from a small key that holds all it
//! depends on, so that the same key always gives the same resource and may be remembered.

mod canonical;
mod cluster;
mod compile;
mod endpoint;
mod filter;
mod finding;
mod gateway;
mod kind;
mod lint;
mod listener;
mod message;
mod names;
mod pb;
mod registry;
pub mod render;
mod route;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

pub use compile::{Compiled, Resource, compile};
pub use finding::code;
pub use kind::Kind;
