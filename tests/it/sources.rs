//! The sources against real files and a Marathon on a real socket.

mod client;
mod daemon;
mod directory;
pub(crate) mod ear;
mod fake;
mod live;
mod names;
mod notes;
mod pages;
mod random;
mod shapes;
mod source;
mod sync;
mod tls;
