//! What a proxy should run: World and Proxy to Envoy resources, with diagnostics.
//!
//! The only crate that builds Envoy messages. [`compile`] is total and deterministic: equal inputs
//! give equal bytes, on every replica, so that a hash of a resource can be its version. [`Compiler`]
//! gives the same for many proxies over many Worlds, and works only on what changed.
//!
//! ```text
//!                         ┌─► cluster ──┐
//! World ─► registry ─┬────┼─► endpoint ─┼─► lint ─► canonical ─► Resource ─► (render: JSON)
//!                    │    ├─► listener ─┤   wire
//!  compile: for one  │    └─► route ────┘
//!  compiler: for all ┘
//! ```
//!
//! Each resource is built by one function from a small key that holds all it depends on, so that
//! the same key always gives the same resource. `compile` walks and builds; `compiler` builds again
//! what a change touches, and tells what came out different.

mod built;
mod canonical;
mod cluster;
mod collector;
mod compile;
mod compiler;
mod dynamic;
mod endpoint;
mod filter;
mod finding;
mod gateway;
mod guards;
mod kind;
mod lint;
mod listener;
mod message;
mod names;
mod patch;
mod pb;
mod registry;
pub mod render;
mod reporting;
mod resolved;
mod route;
mod tls;
mod view;
mod wire;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

pub use compile::{Compiled, Resource, compile};
pub use finding::code;
pub use kind::Kind;
pub use view::{Compiler, Plan, SetChange, SetKey};
