//! The sources against real files and a Marathon on a real socket.

// clippy.toml allows this in test functions only, and a test crate has helpers, too.
#![allow(clippy::unwrap_used)]

mod client;
mod directory;
mod ear;
mod fake;
mod live;
mod source;
mod sync;
